#!/usr/bin/env bash
# Runs a command and prints how long it took: timed.sh NAME COMMAND [ARGUMENT…]. Its exit code is that of the command.
set -uo pipefail
name=$1
shift
started=$SECONDS
status=0
"$@" || status=$?
printf '%s: %d s%s\n' "$name" "$((SECONDS - started))" "$([ "$status" = 0 ] || printf ', failed')" >&2
exit "$status"
