#!/usr/bin/env bash
# Prints what CHANGELOG.md says about a version: release-notes.sh TAG. It fails if there is nothing.
set -euo pipefail
cd "$(dirname "$0")/.."
notes=$(awk -v heading="## [${1#v}]" 'index($0, "## [") == 1 { found = index($0, heading) == 1; next } found' CHANGELOG.md)
if [ -z "${notes//[[:space:]]/}" ]; then
    echo "error: CHANGELOG.md says nothing about ${1#v}" >&2
    echo "= hint: name the section of the changes \`## [${1#v}] - $(date -u +%Y-%m-%d)\`" >&2
    exit 1
fi
printf '%s\n' "$notes"
