#!/usr/bin/env bash
# Builds the release binary for a target and packs it with its license and pages: release-archive.sh TARGET TAG
# The archive is target/release-archives/pipectl-TAG-TARGET.tar.gz. It fails if the tag is not the version of Cargo.toml.
set -euo pipefail
cd "$(dirname "$0")/.."
target=$1
tag=$2
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
if [ "$tag" != "v$version" ]; then
    echo "error: the tag is $tag, but Cargo.toml has version $version" >&2
    echo "= hint: set the version in Cargo.toml, commit, and tag that commit v$version" >&2
    exit 1
fi
cargo build --locked --release --target "$target"
name=pipectl-$tag-$target
folder=target/release-archives/$name
rm -rf "$folder"
mkdir -p "$folder"
cp "target/$target/release/pipectl" README.md CHANGELOG.md LICENSE "$folder/"
tar -czf "$folder.tar.gz" -C target/release-archives "$name"
rm -rf "$folder"
