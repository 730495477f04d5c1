"""Runs a command and measures it from outside: wall time, and the most memory it held."""

import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

_WATCH = 0.02


@dataclass(frozen=True)
class Run:
    seconds: float
    # Of the processor, its children's included: what a busy machine does not change.
    work: float
    output: str
    # The most bytes of the process itself, without its children; 0 where the system does not tell.
    memory: int = 0


def run_once(command: list[str], environment: dict[str, str] | None = None, watch: bool = False) -> Run:
    """Runs a command to its end; one that fails ends the measurement with what it wrote."""
    # Nothing of the caller's may change what is measured.
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PIPECTL_"))}
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        began = time.perf_counter()
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=errors, env=clean | (environment or {})
        )
        watcher = _Watcher(process.pid) if watch else None
        _, status, used = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
        process.returncode = status = os.waitstatus_to_exitcode(status)
        if watcher:
            watcher.stop()
        output.seek(0)
        errors.seek(0)
        if status != 0:
            told = errors.read().decode(errors="replace")[-2000:]
            raise SystemExit(f"error: `{' '.join(command)}` ended with {status}:\n{told}")
        work = used.ru_utime + used.ru_stime
        return Run(seconds, work, output.read().decode(), watcher.most if watcher else 0)


def timed(command: list[str], often: int, before: Callable[[], None] | None = None) -> list[Run]:
    """Several runs, after one that does not count."""
    runs = []
    for _ in range(often + 1):
        if before:
            before()
        runs.append(run_once(command))
    return runs[1:]


def spread(runs: list[Run]) -> tuple[str, str, str]:
    """The minimum and the median of several runs, and the least work, as people write them."""
    best, middle, _ = shown([run.seconds for run in runs])
    return best, middle, _text(min(run.work for run in runs))


def shown(seconds: list[float]) -> tuple[str, str, str]:
    """The same of times alone."""
    return _text(min(seconds)), _text(median(seconds)), ""


def _text(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds >= 2 else f"{seconds * 1000:.{0 if seconds >= 0.1 else 1}f} ms"


class _Watcher:
    """Reads the high-water mark of a process's memory until it ends."""

    def __init__(self, process: int) -> None:
        self.most = 0
        self._status = Path(f"/proc/{process}/status")
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(_WATCH):
            try:
                text = self._status.read_text()
            except OSError:
                return
            _, found, rest = text.partition("VmHWM:")
            if found:
                self.most = max(self.most, int(rest.split()[0]) * 1024)
