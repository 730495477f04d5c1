//! The rooms of the source and the arrows between them.

use std::path::Path;

use crate::support::root;

fn files(folder: &Path, found: &mut Vec<std::path::PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Spec, graph, template, render, document, sql, iam and plan do no input or output.
#[test]
fn the_pure_rooms_are_pure() {
    let source = root().join("src");
    let mut pure = Vec::new();
    for room in ["document", "iam", "plan", "render", "spec", "sql", "template", "warehouse"] {
        files(&source.join(room), &mut pure);
    }
    pure.extend(
        ["graph.rs", "render.rs", "document.rs", "warehouse.rs", "yaml.rs", "error.rs"].map(|file| source.join(file)),
    );
    let mut breaches = Vec::new();
    let test = |path: &Path| path.ends_with("tests.rs") || path.components().any(|part| part.as_os_str() == "tests");
    for path in pure.iter().filter(|path| path.exists() && !test(path.strip_prefix(&source).unwrap())) {
        let text = std::fs::read_to_string(path).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        for word in
            ["crate::aws", "crate::ui", "clap::", "tokio::", "std::fs", "fs_err", "crate::local", "crate::rehearse"]
        {
            if code.contains(word) {
                breaches.push(format!("{} names {word}", path.strip_prefix(&source).unwrap().display()));
            }
        }
    }
    assert!(breaches.is_empty(), "{breaches:#?}");
}

/// No file outside of `yaml.rs` names the YAML crate.
#[test]
fn one_file_names_the_yaml_crate() {
    let mut all = Vec::new();
    files(&root().join("src"), &mut all);
    let named: Vec<_> = all
        .iter()
        .filter(|path| std::fs::read_to_string(path).unwrap().contains("serde_saphyr"))
        .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
        .collect();
    assert_eq!(named, ["yaml.rs"]);
}
