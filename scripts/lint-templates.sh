#!/usr/bin/env bash
# cfn-lint over the rendered templates of every environment.
set -euo pipefail
cd "$(dirname "$0")/.."
folder=target/templates
scripts/render-environments.sh "${1:-target/debug/pipectl}" "$folder"
.venv/bin/cfn-lint "$folder"/*/*.yaml
echo "cfn-lint: $(ls "$folder"/*/*.yaml | wc -l) templates of $(ls "$folder" | wc -l) environments, no error, no warning"
