"""The runner as a process: jobs from a zip, one JVM, and a second version of the zip after the first."""

import json
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import BUCKETS, CACHE, DOCUMENT, Lake
from tables import table

SOURCE = Path(__file__).parents[1]


class Runner:
    def __init__(self, root: Path, cache: Path) -> None:
        mounts = json.dumps({bucket: str(root / bucket) for bucket in BUCKETS.values()})
        command = [sys.executable, str(SOURCE / "local" / "runner.py"), "--cache-dir", str(cache), "--mounts", mounts]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def answer(self) -> dict[str, Any]:
        return json.loads(self.process.stdout.readline())

    def say(self, line: str) -> dict[str, Any]:
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()
        return self.answer()


@pytest.fixture(scope="module")
def runner(root: Path) -> Iterator[Runner]:
    found = Runner(root, CACHE)
    assert found.answer() == {"ready": True, "spark": "3.5.6"}
    yield found
    found.process.stdin.close()
    assert found.process.wait(timeout=60) == 0


def package(path: Path, note: str = "") -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for module in (SOURCE / "pipectl_glue").glob("*.py"):
            text = module.read_text()
            archive.writestr(f"pipectl_glue/{module.name}", text.replace("committed batch", f"{note}committed batch"))
    return path


def test_jobs_run_from_their_zip(lake: Lake, runner: Runner, tmp_path: Path):
    environment = {
        "AWS_ENDPOINT_URL": lake.s3.url,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }

    def run(job: str, zipped: Path) -> dict[str, Any]:
        command = {
            "run": "jr_1",
            "script": str(SOURCE / "jobs" / f"{job}.py"),
            "py_files": [str(zipped)],
            "arguments": {"JOB_NAME": f"shop-local-{job}", "pipeline_document": DOCUMENT},
            "environment": environment,
        }
        return runner.say(json.dumps(command))

    lake.document(t=table("id bigint!"))
    lake.drop("t/a.jsonl", '{"id": 1}\n')
    first = package(tmp_path / "pipectl_glue-1.zip")
    clean = run("clean", first)
    assert (clean["run"], clean["state"], clean["error"]) == ("jr_1", "SUCCEEDED", None)
    assert clean["output"][0] == "clean t: 1 in = 1 out + 0 quarantined + 0 duplicates"
    assert lake.entries("cleaned")[0]["run"] == "jr_1"
    assert run("transform", first)["output"][0] == "transform t: 1 in = 1 out + 0 quarantined + 0 duplicates"

    lake.drop("t/b.jsonl", '{"id": 2}\n')
    second = package(tmp_path / "pipectl_glue-2.zip", "again: ")
    assert run("clean", second)["output"][-1].startswith("again: committed batch")

    lake.document(t=table("id bigint!", quarantine_limit=0.0))
    lake.drop("t/c.jsonl", "{\n")
    failed = run("clean", first)
    assert failed["state"] == "FAILED"
    assert failed["error"].startswith("table `t`: 1 of 1 rows (100.0%) are bad")

    script = tmp_path / "script.py"
    for text, error in (
        ("import pipectl_glue", "ModuleNotFoundError: No module named 'pipectl_glue'"),
        ("import sys; sys.exit(3)", "the script ended with 3"),
        ("import os; os.write(1, b'noise'); print('said')", None),
        ("from awsglue.utils import getResolvedOptions as g; g(['x'], ['wanted'])", "GlueArgumentError: the following"),
    ):
        script.write_text(text)
        answer = runner.say(json.dumps({"run": "jr_2", "script": str(script)}))
        assert (answer["error"] or "").startswith(error or ""), answer
        assert answer["state"] == ("FAILED" if error else "SUCCEEDED")
    assert runner.say("not json")["state"] == "FAILED"
