//! The layers of the workspace, where `cargo` alone cannot hold them.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::root;

fn rust_files(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// The crates that a crate of this workspace is built with, without those of its tests.
fn dependencies(package: &str) -> Vec<String> {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--locked", "--offline", "--package", package, "--edges", "normal", "--prefix", "none"])
        .args(["--format", "{p}"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
}

/// The core is built without a runtime, a network client, AWS, a terminal or files.
#[test]
fn the_core_depends_on_nothing_that_does_input_or_output() {
    let all = dependencies("pipectl-core");
    assert!(all.iter().any(|name| name == "serde"), "{all:?}");
    let input_or_output = |name: &&String| {
        ["aws-", "hyper", "tokio", "reqwest", "clap", "indicatif", "anstream"]
            .iter()
            .any(|start| name.starts_with(start))
            || ["fs-err", "tempfile", "rustix", "mio", "socket2", "rust-embed"].contains(&name.as_str())
    };
    assert_eq!(all.iter().filter(input_or_output).collect::<Vec<_>>(), Vec::<&String>::new());
}

/// The core names none of the standard library's ways to files, processes, connections, threads' clocks or a terminal.
#[test]
fn the_core_uses_no_input_or_output_of_the_standard_library() {
    let source = root().join("crates/core/src");
    let mut files = Vec::new();
    rust_files(&source, &mut files);
    assert!(files.len() > 100, "{}", files.len());
    let test = |path: &Path| {
        path.ends_with("tests.rs")
            || path.ends_with("testing.rs")
            || path.components().any(|part| part.as_os_str() == "tests")
    };
    let mut found = Vec::new();
    for path in files.iter().filter(|path| !test(path.strip_prefix(&source).unwrap())) {
        let text = std::fs::read_to_string(path).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        for name in [
            "std::fs",
            "TcpStream",
            "TcpListener",
            "UdpSocket",
            "ToSocketAddrs",
            "std::env",
            "std::process::Command",
            "std::io::std",
            "SystemTime::now",
            "Instant::now",
            "now_utc",
            "println!",
            "print!(",
        ] {
            if code.contains(name) {
                found.push(format!("{} names {name}", path.strip_prefix(&source).unwrap().display()));
            }
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

/// Every process is started by the crate `process`: so none inherits a secret, and none outlives pipectl.
#[test]
fn one_crate_starts_processes() {
    let mut files = Vec::new();
    for folder in ["src", "crates/emulator/src", "crates/rehearse/src"] {
        rust_files(&root().join(folder), &mut files);
    }
    let test = |path: &Path| path.components().any(|part| part.as_os_str().to_string_lossy().contains("tests"));
    let mut found = Vec::new();
    for path in files.iter().filter(|path| !test(path.strip_prefix(root()).unwrap())) {
        let text = std::fs::read_to_string(path).unwrap();
        let code = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
        for (number, line) in code.lines().enumerate().filter(|(_, line)| line.contains("Command::new(")) {
            found.push(format!("{}:{}: {}", path.strip_prefix(root()).unwrap().display(), number + 1, line.trim()));
        }
    }
    assert_eq!(found, Vec::<String>::new(), "build it with `pipectl_process::command` or `pipectl_process::query`");
}

/// No file outside of `yaml.rs` names the YAML crate.
#[test]
fn one_file_names_the_yaml_crate() {
    let mut all = Vec::new();
    for folder in ["src", "crates"] {
        rust_files(&root().join(folder), &mut all);
    }
    let named: Vec<_> = all
        .iter()
        .filter(|path| std::fs::read_to_string(path).unwrap().contains("serde_saphyr"))
        .map(|path| path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned())
        .collect();
    assert_eq!(named, ["crates/core/src/yaml.rs"]);
}
