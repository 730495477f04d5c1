//! Lists the sources of the Lambdas, which the binary embeds: it builds them on the user's machine.
//!
//! cargo leaves every folder with a `Cargo.toml` out of a package. A packaged crate therefore has the sources in
//! `packaged/lambda-src`, where each manifest is called `Cargo.toml.in`; `scripts/package-crate.sh` writes that folder.

use std::fmt::Write as _;
use std::io::Result;
use std::path::{Path, PathBuf};

const HEADER: &str = "/// The workspace of the Lambdas: paths within it, and contents.\n";

fn main() -> Result<()> {
    println!("cargo::rerun-if-changed=build.rs");
    let root = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let workspace = root.join("lambda-src");
    let folder = if workspace.join("Cargo.toml").is_file() { workspace } else { root.join("packaged/lambda-src") };
    let mut files = Vec::new();
    collect(&folder, "", &mut files)?;
    files.sort();
    let mut list = format!("{HEADER}static LAMBDA_SOURCES: &[(&str, &[u8])] = &[\n");
    for (path, file) in &files {
        // Writing to a String cannot fail.
        let _ = writeln!(list, "    ({path:?}, include_bytes!({:?})),", file.display().to_string());
    }
    list.push_str("];\n");
    let out = PathBuf::from(std::env::var_os("OUT_DIR").unwrap_or_default());
    std::fs::write(out.join("lambda_sources.rs"), list)
}

/// The files that a build of the Lambdas needs, by their path in the workspace: Rust sources, manifests, the lock file and
/// cargo's configuration.
fn collect(folder: &Path, start: &str, files: &mut Vec<(String, PathBuf)>) -> Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let file = entry?.path();
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let path = if start.is_empty() { name.clone() } else { format!("{start}/{name}") };
        if file.is_dir() {
            // As in src/package/inputs.rs: a change of a crate's tests must not build the Lambdas again.
            let is_tests = name == "tests" && !start.is_empty() && !start.contains('/');
            if name != "target" && !is_tests {
                collect(&file, &path, files)?;
            }
            continue;
        }
        let path = path.strip_suffix(".in").unwrap_or(&path).to_owned();
        let extension = Path::new(&path).extension().and_then(|extension| extension.to_str());
        if matches!(extension, Some("rs" | "toml")) || path == "Cargo.lock" {
            println!("cargo::rerun-if-changed={}", file.display());
            files.push((path, file));
        }
    }
    // A new file changes its folder; the topmost one would have cargo scan build results.
    if !start.is_empty() {
        println!("cargo::rerun-if-changed={}", folder.display());
    }
    Ok(())
}
