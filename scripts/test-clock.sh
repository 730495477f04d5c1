#!/usr/bin/env bash
# Shows that no test depends on today's date, the time zone, the locale or the name of the user.
#
#   scripts/test-clock.sh short   the tests that read the clock, at two dates: part of `make test`
#   scripts/test-clock.sh full    the whole suite at each of the dates, in another time zone and locale, as another user
#   scripts/test-clock.sh at DATE [ARGUMENTS]   cargo's tests at a date, such as: at "2028-02-29 12:00" gc::
#
# It needs Debian's package `faketime`, and a C compiler for a shim that shifts the times of files too. It installs nothing.
# Where it cannot run it says so and fails, unless PIPECTL_SKIP names it: PIPECTL_SKIP=clock.
# It builds everything first: a compiler under a shifted clock would compile again what is compiled.
set -euo pipefail
cd "$(dirname "$0")/.."

PIPECTL_SKIP=${PIPECTL_SKIP:-}
cannot() {
    case " ${PIPECTL_SKIP//,/ } " in
    *" clock "*)
        echo "skipped: clock ($1)" >&2
        exit 0
        ;;
    esac
    echo "error: the tests of the clock cannot run: $1" >&2
    echo "= hint: $2, or exclude them by name: PIPECTL_SKIP=clock" >&2
    exit 1
}

library=$(ls /usr/lib/*/faketime/libfaketimeMT.so.1 /usr/lib/faketime/libfaketimeMT.so.1 2>/dev/null | head -n 1 || true)
[ -n "$library" ] || cannot "there is no libfaketime" "apt-get install faketime"
command -v cc >/dev/null 2>&1 || cannot "there is no C compiler" "apt-get install gcc"
shim=$PWD/target/shift-file-times.so
if [ ! "$shim" -nt scripts/shift-file-times.c ]; then
    mkdir -p target
    cc -shared -fPIC -O1 -o "$shim" scripts/shift-file-times.c -ldl
fi

# The seconds from now to a date, which may be relative, such as "+400 days".
seconds_to() { echo $(($(date -u -d "$1" +%s) - $(date -u +%s))); }

# Runs a command at a date. Its clock goes on from there; what it waits for takes no longer.
at() {
    local shift
    shift=$(seconds_to "$1")
    LD_PRELOAD="$shim:$library" FAKETIME="${shift/#[0-9]/+&}s" FAKETIME_DONT_FAKE_MONOTONIC=1 FAKE_UTIME=1 \
        PIPECTL_TEST_SHIFT=$shift "${@:2}"
}

# The test programs of a workspace, each with the folder that cargo runs it in.
programs() {
    (cd "$1" && cargo test --locked --workspace --no-run --message-format=json 2>/dev/null) | python3 -c '
import json, os, sys
for line in sys.stdin:
    message = json.loads(line)
    if message.get("reason") == "compiler-artifact" and message.get("executable") and message["profile"]["test"]:
        print(message["target"]["name"], os.path.dirname(message["manifest_path"]), message["executable"], sep="\t")'
}

# Runs the test programs of both workspaces at a date, with arguments for each of them.
rust_at() {
    units_at "$@"
    commands_at "$@"
}

# The same without the tests that run pipectl itself.
units_at() { run_at 'name != "main"' "$@"; }

# The tests that run pipectl itself.
commands_at() { run_at 'name == "main"' "$@"; }

run_at() {
    local which=$1 date=$2 name folder program
    shift 2
    while IFS=$'\t' read -r name folder program <&3; do
        echo "-- $name at $date" >&2
        (cd "$folder" && at "$date" "$program" --quiet "$@")
    done 3< <((programs . && programs lambda-src) | awk -F '\t' -v OFS='\t' '{name = $1} '"$which")
}

short() {
    # A leap day, a minute before it ends; and more than a year from now.
    for date in "2028-02-29 23:59 UTC" "+400 days"; do
        # Nothing here starts cargo or Spark, which would take minutes. `glue::spark` and `lambda::tests` compare whole
        # environments, to which the shifted clock adds variables. Those of the last line read no clock.
        units_at "$date" --skip package:: --skip rehearse --skip database --skip shopify:: --skip redshift:: --skip cargo \
            --skip glue::spark --skip lambda::tests \
            --skip fuzz_ --skip sql:: --skip service_rules:: --skip check:: --skip iam:: --skip yaml:: --skip template::
        # Of the tests that run pipectl, those of verbs that compare or print a time.
        commands_at "$date" drift:: gc:: history:: plan:: recovery:: saved::
    done
}

suite_at() {
    echo "== the whole suite at $1" >&2
    rust_at "$1"
    (cd glue-src && PIPECTL_GLUE_CACHE=../.pipectl/spark at "$1" ../.venv/bin/python -m pytest -q)
}

# The whole suite as a user who has nothing yet, in a copy of the repository. The toolchain is copied too: that of root is
# closed to others.
as_another_user() {
    [ "$(id -u)" = 0 ] || cannot "only root can become another user" "run it with sudo"
    local home user=nobody
    home=$(mktemp -d /var/tmp/pipectl-user.XXXXXX)
    trap 'rm -rf "$home"' EXIT
    echo "== the whole suite as $user" >&2
    git clone --quiet . "$home/repository"
    cp -a --reflink=auto "${CARGO_HOME:-$HOME/.cargo}" "$home/.cargo"
    cp -a --reflink=auto "${RUSTUP_HOME:-$HOME/.rustup}" "$home/.rustup"
    chown -R "$user" "$home"
    (cd "$home/repository" && setpriv --reuid="$user" --clear-groups env -i HOME="$home" PATH="$home/.cargo/bin:$PATH" \
        CARGO_HOME="$home/.cargo" RUSTUP_HOME="$home/.rustup" PIPECTL_SKIP="${PIPECTL_SKIP:-},clock,root,disk" make test)
    rm -rf "$home"
    trap - EXIT
}

case ${1:-} in
short) short ;;
at) rust_at "${@:2}" ;;
full)
    for date in "+1 day" "+400 days" "2028-02-29 12:00 UTC" "tomorrow 23:59 UTC"; do
        suite_at "$date"
    done
    echo "== the whole suite in another time zone and locale" >&2
    TZ=Asia/Kolkata LC_ALL=C suite_at "now"
    as_another_user
    ;;
*)
    sed -n '2,9s/^# \{0,1\}//p' "$0" >&2
    exit 64
    ;;
esac
