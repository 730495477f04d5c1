"""The projects that are measured: the reference pipeline as `init` writes it, and one of many tables."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from measurements import Skip
from processes import run_once

_SEED = "7"


def reference(binary: Path, project: Path, root: Path) -> Path:
    """The reference pipeline, with the Lambdas as the repository has built them."""
    packages = root / ".pipectl" / "package"
    if not packages.exists():
        raise Skip("no packaged Lambdas: run `target/release/pipectl package --env local` first")
    run_once([str(binary), "init", str(project)])
    shutil.copytree(packages, project / ".pipectl" / "package")
    shutil.copytree(root / "glue-src", project / "glue-src", ignore=shutil.ignore_patterns("__pycache__", ".*"))
    run_once([str(binary), "package", "--env", "local", "--project", str(project)])
    return project


def wide(binary: Path, project: Path, tables: int, environments: int) -> Path:
    """A pipeline of many tables of twelve columns, and several environments."""
    run_once([str(binary), "init", str(project)])
    columns = "".join(f"      c{number}: varchar(64)\n" for number in range(10))
    described = "".join(
        f"  table_{number:03}:\n    source: erp\n    columns:\n      id: {{type: bigint, required: true}}\n{columns}"
        f"      updated_at: timestamp\n    key: [id]\n    order_by: updated_at\n"
        for number in range(tables)
    )
    stacks = project / "stacks"
    (stacks / "pipeline.yaml").write_text(
        f"name: wide\nsources:\n  erp:\n    files: {{format: csv}}\ntables:\n{described}", encoding="utf-8"
    )
    for number in range(environments):
        (stacks / f"env{number}.yaml").write_text(f'account: "11111111111{number}"\nregion: eu-central-1\n')
    return project


def forget_account(project: Path) -> None:
    """Leaves what is built, and takes away the local account with its data."""
    state = project / ".pipectl"
    for part in state.iterdir() if state.exists() else []:
        if part.name not in ("package", "spark", "functions"):
            shutil.rmtree(part) if part.is_dir() else part.unlink()


def functions(project: Path, folder: Path) -> Iterator[tuple[str, Path]]:
    """The packaged Lambdas, unpacked, by name."""
    manifest = (project / ".pipectl" / "package" / "manifest.json").read_text()
    for zipped in sorted((project / ".pipectl" / "package" / "lambda").glob("*.zip")):
        if zipped.stem.rpartition("-")[2] not in manifest:
            continue
        name = zipped.stem.rpartition("-")[0]
        with zipfile.ZipFile(zipped) as archive:
            archive.extract("bootstrap", folder / name)
        bootstrap = folder / name / "bootstrap"
        bootstrap.chmod(0o755)
        yield name, bootstrap


def python_with_spark(root: Path) -> Path:
    """The Python of the set-up, or the one that PIPECTL_PYTHON names."""
    python = Path(os.environ.get("PIPECTL_PYTHON") or root / ".venv" / "bin" / "python")
    if not python.exists():
        raise Skip(f"there is no {python}; `make setup` makes it")
    return python


def prepare_spark(python: Path, project: Path) -> None:
    """Builds Spark's class archive, which a set-up does once."""
    runner = project / "glue-src" / "local" / "runner.py"
    command = [str(python), str(runner), "--cache-dir", str(project / ".pipectl" / "spark"), "--prepare"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Skip(f"Spark does not start: {(done.stdout + done.stderr).strip()[-300:]}")


def sample(binary: Path, folder: Path, orders: int) -> Path:
    """Sample data, made once."""
    data = folder / f"sample-{orders}"
    if not data.exists():
        print(f"  a sample of {orders:,} orders", file=sys.stderr)
        run_once([str(binary), "sample", "--orders", str(orders), "--seed", _SEED, "--out", str(data)])
    return data


def rehearsal(output: str, orders: int) -> dict[str, Any]:
    """What a rehearsal told; one that lost a row is no measurement."""
    told = json.loads(output)
    written = rows(told, ["orders"]).get("orders")
    if written != orders:
        raise SystemExit(f"error: the rehearsal of {orders} orders wrote {written}")
    return told


def rows(told: dict[str, Any], tables: list[str]) -> dict[str, int]:
    """How many rows some tables of the warehouse have after a rehearsal."""
    return {table["table"]: table["after"] for table in told["warehouse"] if table["table"] in tables}


def seconds_of_parts(told: dict[str, Any]) -> str:
    """Where the time of a rehearsal went, by kind of step."""
    kinds: dict[str, float] = {}
    for step in told["timeline"]:
        name = step["name"].rpartition("-")[2] if step["kind"] == "job" else step["kind"]
        kinds[name] = kinds.get(name, 0.0) + (step["seconds"] or 0.0)
    words = {"function": "Lambdas", "statement": "SQL", "clean": "job `clean`", "transform": "job `transform`"}
    return ", ".join(f"{words[name]} {kinds[name]:.1f} s" for name in words if kinds.get(name))


def ingest_memory(told: dict[str, Any]) -> int:
    """The most MiB that the ingest Lambda held, of `9 of 256 MB`."""
    ingests = [step for step in told["timeline"] if step["kind"] == "function" and "-ingest-" in step["name"]]
    return max(int(step["detail"].split(" of ")[0].split()[-1]) for step in ingests)
