//! What `check` finds, for programs: JSON, and SARIF for code scanning.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::error::Error;

/// The findings as JSON: `{"errors": [{message, file, line, column, rule, source, notes, hints}]}`.
pub fn json(errors: &[Error]) -> Value {
    let all: Vec<Value> = errors
        .iter()
        .map(|error| {
            let mut entry = json!({"message": error.message(), "notes": error.notes(), "hints": error.hints()});
            if let Some(span) = error.span() {
                entry["file"] = span.file().into();
                entry["line"] = span.line().into();
                entry["column"] = span.column().into();
            }
            if let Some((rule, source)) = error.broken_rule() {
                entry["rule"] = rule.into();
                entry["source"] = source.into();
            }
            entry
        })
        .collect();
    json!({"errors": all})
}

/// The findings as SARIF 2.1.0, which code scanning of GitHub and editors read.
pub fn sarif(errors: &[Error], version: &str) -> Value {
    let mut rules: BTreeMap<&str, Value> = BTreeMap::new();
    let results: Vec<Value> = errors
        .iter()
        .map(|error| {
            let (rule, source) = error.broken_rule().unwrap_or(("project", ""));
            let described = rules.entry(rule).or_insert_with(|| json!({"id": rule}));
            if !source.is_empty() {
                described["helpUri"] = source.into();
            }
            let hints: Vec<String> = error.hints().iter().map(|hint| format!("hint: {hint}")).collect();
            let text = std::iter::once(error.message().to_owned()).chain(hints).collect::<Vec<_>>().join("\n");
            let mut result = json!({"ruleId": rule, "level": "error", "message": {"text": text}});
            if let Some(span) = error.span() {
                result["locations"] = json!([{"physicalLocation": {
                    "artifactLocation": {"uri": span.file()},
                    "region": {"startLine": span.line(), "startColumn": span.column()},
                }}]);
            }
            result
        })
        .collect();
    let rules: Vec<Value> = rules.into_values().collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{"tool": {"driver": {"name": "pipectl", "version": version, "rules": rules}}, "results": results}],
    })
}
