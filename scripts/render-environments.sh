#!/usr/bin/env bash
# Renders the templates of every environment, and of those options that no environment here uses, into a folder:
#   scripts/render-environments.sh PIPECTL FOLDER
set -euo pipefail
cd "$(dirname "$0")/.."
pipectl=$1 folder=$2
rm -rf "$folder"
mkdir -p "$folder/project"
# The templates of this folder, and not those that the binary was built with.
cp -r stacks sql templates "$folder/project/"
cp tests/environments/*.yaml "$folder/project/stacks/"
for file in "$folder"/project/stacks/*.yaml; do
    environment=$(basename "$file" .yaml)
    [ "$environment" = pipeline ] && continue
    "$pipectl" render --project "$folder/project" --env "$environment" --out "$folder/$environment" >/dev/null
done
rm -rf "$folder/project"
