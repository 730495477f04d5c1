#!/usr/bin/env bash
# The reference pipeline, from one YAML file to rows in a warehouse, on this machine. Safe to run twice.
set -euo pipefail
cd "$(dirname "$0")/.."
pipectl=${1:-target/debug/pipectl}

bold='' plain=''
if [ -t 2 ]; then bold=$'\033[1m' plain=$'\033[0m'; fi
# What comes now, and its command.
step() {
    printf '\n%s\n%s$ pipectl %s%s\n' "$1" "$bold" "${*:2}" "$plain" >&2
}

step "The templates of all stacks, out of stacks/*.yaml." render --env dev --out target/demo/dev
"$pipectl" render --env dev --out target/demo/dev

step "Into an account on this machine, as into AWS: change sets, in parallel." deploy --env local --yes
# The plan of a new environment names each property of each resource, and its events each resource.
"$pipectl" deploy --env local --yes 2>&1 >target/demo/plan.txt | { grep -v '^  ' || true; } >&2
tail -n 1 target/demo/plan.txt
echo "(the plan, property by property: target/demo/plan.txt)" >&2

step "What is deployed is as wanted." plan --env local
"$pipectl" plan --env local

step "Sample data of a shop through all of it, with the permissions of the templates." rehearse --env local
"$pipectl" rehearse --env local

echo >&2
echo "Run \`make demo\` again: nothing is deployed and no row comes twice. \`pipectl destroy --env local\` takes it all away." >&2
