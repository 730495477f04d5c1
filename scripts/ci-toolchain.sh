#!/usr/bin/env bash
# Makes the Rust version that Cargo.toml states the default of this CI machine, with a target to compile for if one is named,
# and selects Java 17: ci-toolchain.sh [TARGET]
set -euo pipefail
cd "$(dirname "$0")/.."
version=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
rustup toolchain install "$version" --profile minimal --component clippy --component rustfmt ${1:+--target "$1"}
rustup default "$version"
java=${JAVA_HOME_17_X64:-${JAVA_HOME_17_arm64:-}}
if [ -n "$java" ] && [ -n "${GITHUB_ENV:-}" ]; then
    echo "JAVA_HOME=$java" >>"$GITHUB_ENV"
fi
