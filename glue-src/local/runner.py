"""Runs Glue jobs on one local Spark: a JSON command a line on stdin, a JSON answer a line on stdout.

    runner.py --cache-dir DIR [--work-dir DIR] [--mounts '{"bucket": "/folder"}'] [--prepare]

The first answer is `{"ready": true, "spark": "3.5.6"}`. A command is
`{"run": "jr_1", "script": "…/clean.py", "py_files": ["….zip"], "arguments": {"pipeline_document": "s3://…"},
"environment": {"AWS_ENDPOINT_URL": "…"}, "mounts": {…}}`, its answer
`{"run": "jr_1", "state": "SUCCEEDED", "error": null, "seconds": 1.2, "output": ["…"], "reads": ["s3://…"]}`.
Script and files may be paths or `s3://` addresses. The runner ends when stdin does.
"""

import argparse
import contextlib
import importlib
import io
import json
import os
import runpy
import sys
import tempfile
import threading
import time
import traceback
import zipimport
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

import local_spark

_LONGEST_ERROR = 4000


def main() -> int:
    options = _options()
    _end_with_parent()
    answers = _take_stdout()
    cache = Path(options.cache_dir).absolute()
    if options.work_dir:
        # At once: it may be where temporary files go.
        Path(options.work_dir).mkdir(parents=True, exist_ok=True)
    try:
        archive = local_spark.build_archive(cache)
        if options.prepare:
            return 0
        with _work(options.work_dir) as work:
            # A missing or refused archive costs seconds, not the rehearsal.
            session = local_spark.start(options.mounts, work, [f"-XX:SharedArchiveFile={archive}"])
            reads = work / "reads.log"
            local_spark.log_reads(session, reads)
            _answer(answers, {"ready": True, "spark": session.version})
            _serve(session, dict(options.mounts), reads, answers)
            local_spark.stop(session)
    except local_spark.Trouble as trouble:
        _answer(answers, {"ready": False, "error": str(trouble)})
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Runs Glue jobs on a local Spark.")
    parser.add_argument("--cache-dir", required=True, help="where the class archive is kept between rehearsals")
    parser.add_argument("--work-dir", help="for Spark's scratch files; the caller removes it")
    parser.add_argument("--mounts", type=json.loads, default={}, help="JSON: the folder of each bucket")
    parser.add_argument("--prepare", action="store_true", help="only build the class archive")
    return parser.parse_args()


@contextlib.contextmanager
def _work(given: str | None) -> Iterator[Path]:
    if given:
        yield Path(given).absolute()
    else:
        with tempfile.TemporaryDirectory(prefix="pipectl-spark-") as folder:
            yield Path(folder)


def _end_with_parent() -> None:
    """Ends at once when the parent process is killed: a job that continues could commit during the next rehearsal."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.2)
        # The JVM ends by itself when its stdin does.
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _take_stdout() -> TextIO:
    """Keeps stdout for responses: all other output, also of the JVM, is sent to stderr."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return answers


def _answer(answers: TextIO, message: dict[str, Any]) -> None:
    print(json.dumps(message), file=answers, flush=True)


def _serve(session: SparkSession, mounts: dict[str, str], reads: Path, answers: TextIO) -> None:
    for line in sys.stdin:
        if not line.strip():
            continue
        try:
            command = json.loads(line)
            mounts |= command.get("mounts", {})
            local_spark.mount(session, command.get("mounts", {}))
            script = _local(command["script"], mounts)
            py_files = [_local(path, mounts) for path in command.get("py_files", [])]
        except (json.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
            refusal = f"not a command: {error}"
            _answer(answers, {"run": None, "state": "FAILED", "error": refusal, "seconds": 0, "output": []})
            continue
        before = reads.stat().st_size
        run = _run(command, script, py_files)
        with reads.open("rb") as log:
            log.seek(before)
            run["reads"] = local_spark.reads(log.read().decode(errors="replace"))
        _answer(answers, run)
        session.catalog.clearCache()


def _local(path: str, mounts: dict[str, str]) -> str:
    """The file behind an `s3://` address."""
    if not path.startswith("s3://"):
        return path
    bucket, _, key = path.removeprefix("s3://").partition("/")
    return str(Path(mounts[bucket], key))


def _run(command: dict[str, Any], script: str, py_files: list[str]) -> dict[str, Any]:
    arguments = [f"--JOB_RUN_ID={command['run']}"]
    for name, value in command.get("arguments", {}).items():
        arguments += [f"--{name.removeprefix('--')}", str(value)]
    output = io.StringIO()
    error = None
    began = time.monotonic()
    with _environment(command.get("environment", {})), _modules(py_files), contextlib.redirect_stdout(output):
        arguments_before, sys.argv = sys.argv, [script, *arguments]
        try:
            runpy.run_path(script, run_name="__main__")
        except SystemExit as end:
            error = None if end.code in (None, 0) else f"the script ended with {end.code}"
        except Exception as failure:  # noqa: BLE001 (a job may fail in any way; the runner goes on)
            traceback.print_exc()
            error = _message(failure)
        finally:
            sys.argv = arguments_before
    return {
        "run": command["run"],
        "state": "FAILED" if error else "SUCCEEDED",
        "error": error,
        "seconds": round(time.monotonic() - began, 3),
        "output": output.getvalue().splitlines(),
    }


def _message(failure: Exception) -> str:
    """What went wrong, without the JVM's stack."""
    java = getattr(failure, "java_exception", None)
    if java is not None:
        while java.getCause() is not None:
            java = java.getCause()
        text = java.toString()
    elif isinstance(failure, PySparkException) or type(failure).__name__ == "Failure":
        text = str(failure)
    else:
        text = f"{type(failure).__name__}: {failure}"
    return text.partition("\n\tat ")[0][:_LONGEST_ERROR]


@contextlib.contextmanager
def _environment(variables: dict[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(variables)
    local_spark.become(variables)
    try:
        yield
    finally:
        local_spark.become({})
        os.environ.clear()
        os.environ.update(before)


@contextlib.contextmanager
def _modules(py_files: list[str]) -> Iterator[None]:
    """Puts a run's own code on the path, and forgets it afterwards: the next run may bring another version."""
    before = list(sys.path)
    sys.path[:0] = py_files
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path[:] = before
        for name, module in list(sys.modules.items()):
            if str(getattr(module, "__file__", "") or "").startswith(tuple(f"{path}{os.sep}" for path in py_files)):
                del sys.modules[name]
        for path in py_files:
            sys.path_importer_cache.pop(path, None)
            zipimport._zip_directory_cache.pop(path, None)  # type: ignore[attr-defined]


if __name__ == "__main__":
    sys.exit(main())
