#!/usr/bin/env bash
# cfn-lint over the rendered templates of every environment, and of those options that no environment here uses.
set -euo pipefail
cd "$(dirname "$0")/.."
pipectl=${1:-target/debug/pipectl}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# The templates of this folder, and not those that the binary was built with.
cp -r stacks sql templates "$work/"
cp tests/environments/*.yaml "$work/stacks/"
for file in "$work"/stacks/*.yaml; do
    environment=$(basename "$file" .yaml)
    [ "$environment" = pipeline ] && continue
    "$pipectl" render --project "$work" --env "$environment" --out "$work/out/$environment" >/dev/null
done
.venv/bin/cfn-lint "$work"/out/*/*.yaml
echo "cfn-lint: $(ls "$work"/out/*/*.yaml | wc -l) templates of $(ls "$work/out" | wc -l) environments, no error, no warning"
