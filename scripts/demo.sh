#!/usr/bin/env bash
# The reference pipeline, from one YAML file to rows in a warehouse, on this machine. Safe to run twice.
set -euo pipefail
cd "$(dirname "$0")/.."
pipectl=${1:-target/debug/pipectl}

step() { printf '\n\033[1m$ pipectl %s\033[0m\n' "$*" >&2; "$pipectl" "$@"; }
[ -t 2 ] || step() { printf '\n$ pipectl %s\n' "$*" >&2; "$pipectl" "$@"; }

step render --env dev --out target/demo/dev
step deploy --env local --yes
step plan --env local
step rehearse --env local
echo >&2
echo "Run \`make demo\` again: nothing is deployed and no row comes twice. \`pipectl destroy --env local\` takes it all away." >&2
