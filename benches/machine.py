"""What the numbers were taken on, and the one measurement that needs a server: how soon a Lambda asks for work."""

import os
import platform
import shutil
import socket
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

_PATIENCE = 10


def describe(binary: Path) -> str:
    """The machine, the versions and the day, in one paragraph."""
    versions = [_first_line([str(binary), "--version"]), _first_line(["rustc", "--version"])]
    versions += [_java(), f"Python {platform.python_version()}"]
    size = binary.stat().st_size / 2**20
    parts = [
        f"{os.cpu_count()} cores ({_processor()})",
        _memory(),
        _system(),
        *[version for version in versions if version],
        f"binary of {size:.0f} MiB",
    ]
    busy = os.getloadavg()[0] / (os.cpu_count() or 1)
    others = f", load {busy:.1f} a core at the end" if busy > 0.5 else ""
    return f"Taken on {datetime.now(UTC):%Y-%m-%d}: {', '.join(part for part in parts if part)}{others}."


def first_next(bootstrap: Path) -> float:
    """Seconds from starting a Lambda's binary to its first request for an event."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(_PATIENCE)
        port = server.getsockname()[1]
        environment = {
            "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{port}",
            "AWS_LAMBDA_FUNCTION_NAME": "bench",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_LOG_FORMAT": "JSON",
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "bench",
            "AWS_SECRET_ACCESS_KEY": "bench",
            "PIPELINE_DOCUMENT": "s3://bench/config/pipeline.json",
            "SOURCE": "shop",
        }
        began = time.perf_counter()
        process = subprocess.Popen([bootstrap], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        try:
            connection, _ = server.accept()
            with connection:
                connection.settimeout(_PATIENCE)
                asked = connection.recv(4096)
                seconds = time.perf_counter() - began
        except TimeoutError:
            process.kill()
            told = process.stderr.read().decode(errors="replace")[-1000:]
            raise SystemExit(f"error: {bootstrap} asked for no event within {_PATIENCE} s:\n{told}") from None
        finally:
            process.kill()
            process.wait()
            process.stderr.close()
    if b"/invocation/next" not in asked:
        raise SystemExit(f"error: {bootstrap} asked for something else first: {asked[:80]!r}")
    return seconds


def _first_line(command: list[str]) -> str:
    if not shutil.which(command[0]):
        return ""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    lines = (done.stdout or done.stderr).splitlines()
    return lines[0] if lines else ""


def _java() -> str:
    home = os.environ.get("JAVA_HOME")
    line = _first_line([str(Path(home, "bin", "java")) if home else "java", "-version"])
    version = line.split('"')[1:2]
    return f"Java {version[0]}" if version else ""


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _memory() -> str:
    try:
        return f"{os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 2**30:.0f} GiB"
    except (ValueError, OSError):
        return ""


def _system() -> str:
    try:
        release = platform.freedesktop_os_release()
        return release.get("PRETTY_NAME", sys.platform)
    except OSError:
        return platform.platform()
