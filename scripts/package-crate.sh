#!/usr/bin/env bash
# cargo package for the crates of this repository, with the sources of the Lambdas: package-crate.sh [ARGUMENTS OF cargo package]
#
# cargo leaves folders with a Cargo.toml out of a package, so they are copied to packaged/, with other names for the manifests.
# build.rs reads them there. Without --workspace, only the crate `pipectl` is packaged.
set -euo pipefail
cd "$(dirname "$0")/.."
trap 'rm -rf packaged' EXIT
rm -rf packaged
git ls-files -z lambda-src | while IFS= read -r -d '' file; do
    case $file in
    */tests/*) continue ;;
    *.rs | *.toml | lambda-src/Cargo.lock) ;;
    *) continue ;;
    esac
    to=packaged/${file/%Cargo.toml/Cargo.toml.in}
    mkdir -p "$(dirname "$to")"
    cp "$file" "$to"
done
# git does not know packaged/, which cargo calls dirty.
cargo package --locked --allow-dirty "$@"
