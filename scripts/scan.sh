#!/usr/bin/env bash
# Runs the security scanners: checkov and parliament over the rendered templates, zizmor over the workflows, bandit over the
# Python code, cargo-deny over the dependencies. Every skipped rule has its reason: in .checkov.yaml, scripts/scan-policies.py
# and scripts/bandit.yaml. PIPECTL_SKIP=scanners skips them all.
set -euo pipefail
cd "$(dirname "$0")/.."
case " ${PIPECTL_SKIP:-} " in *[\ ,]scanners[\ ,]*)
    echo "skipped: scanners" >&2
    exit 0
    ;;
esac

scanners=.venv/scanners
if ! cmp -s scripts/scanners.lock "$scanners/.lock"; then
    echo "setting up the scanners (a minute, once)" >&2
    .venv/bin/python -m venv "$scanners"
    "$scanners/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps -r scripts/scanners.lock
    cp scripts/scanners.lock "$scanners/.lock"
fi

folder=target/templates
scripts/render-environments.sh "${1:-target/debug/pipectl}" "$folder"
# parliament imports a module of setuptools that warns of its removal.
"$scanners/bin/python" -W ignore::UserWarning scripts/scan-policies.py "$folder"/*/*.yaml
# Without --skip-download it asks a server for its rules' severities.
"$scanners/bin/checkov" --config-file .checkov.yaml --directory "$folder" --skip-download --quiet --compact --output cli | sed '/^$/d; /scan results:$/d'
echo "checkov: no finding"
.venv/bin/zizmor --quiet --offline --persona=auditor .github/workflows/*.yml templates/github/*.yml
echo "zizmor: no finding"
"$scanners/bin/bandit" --quiet --severity-level medium --configfile scripts/bandit.yaml --recursive glue-src scripts benches
echo "bandit: no finding"
# It takes minutes to build, and its database of advisories is on GitHub; .github/workflows/ci.yml runs it for every change.
if cargo deny --version >/dev/null 2>&1; then
    for workspace in . lambda-src; do
        cargo deny --manifest-path "$workspace/Cargo.toml" --config deny.toml check
    done
else
    echo "skipped: cargo-deny is not installed (cargo install cargo-deny); CI runs it"
fi
