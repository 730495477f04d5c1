#!/usr/bin/env bash
# Sets up all that the demo and the tests need, inside of the repository: .venv from requirements.lock.
# Quiet when there is nothing to do; says exactly what to install when a prerequisite is missing.
set -euo pipefail
cd "$(dirname "$0")/.."

missing=()
if ! command -v cargo >/dev/null 2>&1; then
    missing+=("a Rust toolchain $(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml) or newer: https://rustup.rs, or: curl https://sh.rustup.rs -sSf | sh")
fi
java_major() { "${JAVA_HOME:+$JAVA_HOME/bin/}java" -version 2>&1 | sed -n 's/.* version "\([0-9]*\).*/\1/p' | head -n 1; }
if [ "$(java_major || true)" != "17" ]; then
    missing+=("Java 17 (Spark 3.5 runs on it): apt-get install openjdk-17-jre-headless, or brew install openjdk@17; then set JAVA_HOME if another Java comes first")
fi
python=${PIPECTL_SETUP_PYTHON:-}
for candidate in $python python3.11 python3.12 python3; do
    if command -v "$candidate" >/dev/null 2>&1 && "$candidate" -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))' 2>/dev/null; then
        python=$candidate
        break
    fi
done
if [ -z "$python" ]; then
    missing+=("Python 3.11 (as on Glue 5.1) or 3.12, with venv: apt-get install python3.11-venv")
fi
if [ ${#missing[@]} -gt 0 ]; then
    echo "error: the set-up needs" >&2
    printf '  - %s\n' "${missing[@]}" >&2
    exit 1
fi

stamp=.venv/.lock
postgres=$(command -v postgres || ls -d /usr/lib/postgresql/*/bin/postgres 2>/dev/null | tail -n 1 || true)
wanted="$(cat requirements.lock)
postgres: ${postgres:+found}"
if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ]; then
    exit 0
fi
echo "setting up .venv (a minute or two, once)" >&2
"$python" -m venv .venv
.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps -r requirements.lock
case $wanted in
*"postgres: ")
    # No PostgreSQL on this machine: its binaries out of a wheel.
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps pgserver==0.1.4
    ;;
esac
# Spark starts in half the time with an archive of its classes, which the first start would otherwise make.
.venv/bin/python glue-src/local/runner.py --cache-dir .pipectl/spark --prepare
printf '%s' "$wanted" >"$stamp"
