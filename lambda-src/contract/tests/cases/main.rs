//! The cases: every message and constant as the types of this crate write it. The tests of the jobs, which are Python,
//! read the same files, so that a change on one side fails on the other.
//!
//! After a change on purpose: `PIPECTL_UPDATE=1 cargo test -p pipectl-contract --test cases`.

#![expect(clippy::unwrap_used, reason = "a helper that fails is a test that fails")]

mod document;
mod ledger;
mod names;
mod types;

use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Compares a message with its case, and checks that the case is read as the same message.
fn message<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(name: &str, message: &T) {
    let text = written(name, message);
    assert_eq!(serde_json::from_str::<T>(&text).unwrap(), *message, "{name}.json is read as another message");
}

/// Compares a value with its case, and returns the text of the case.
fn written(name: &str, value: &impl Serialize) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases").join(format!("{name}.json"));
    let text = serde_json::to_string_pretty(value).unwrap() + "\n";
    if std::env::var_os("PIPECTL_UPDATE").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let case = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        case == text,
        "{name}.json differs from what the types write. If that is intended, run `PIPECTL_UPDATE=1 cargo test -p \
         pipectl-contract --test cases` and then the tests of the jobs. It should be:\n{text}"
    );
    case
}

/// No case is left without a test.
#[test]
fn every_case_is_written_by_a_test() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases");
    let mut names: Vec<String> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    let expected = [
        "cells",
        "closed",
        "column_types",
        "document",
        "document_without_options",
        "entry_clean",
        "entry_transform",
        "failed",
        "keys",
        "limits",
        "loaded",
        "mart_refreshed",
        "names",
        "replay_request",
        "report",
        "setup",
        "skipped",
        "timestamps",
    ];
    assert_eq!(names, expected.map(|name| format!("{name}.json")));
}

/// The cells are written by hand: the rules are those of the job `clean`, and `pipectl upload` repeats them.
#[test]
fn the_cells_are_of_column_types() {
    let text = include_str!("../../cases/cells.json");
    let cells: Vec<Value> = serde_json::from_str(text).unwrap();
    for cell in &cells {
        let kind = cell["type"].as_str().unwrap();
        assert_eq!(kind.parse::<pipectl_contract::ColumnType>().unwrap().to_string(), kind);
        // An accepted cell has a value, and no other has one.
        assert_eq!(cell["accepted"].as_bool().unwrap(), !cell["value"].is_null(), "{cell}");
    }
    assert!(cells.len() > 100);
}
