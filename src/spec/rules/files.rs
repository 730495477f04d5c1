//! What must hold of a table that is read from files.

use crate::error::Error;
use crate::yaml::{Key, Node, Value};

/// Checks what a table needs when each of its files is the whole table.
pub(super) fn check(key: &Key, table: &Node, sources: &[(Key, Node)], errors: &mut Vec<Error>) {
    let source = table.get("source").and_then(Node::as_str).unwrap_or_default();
    let Some((_, source)) = sources.iter().find(|(name, _)| name.name == source) else { return };
    let snapshot = source
        .pointer("/files/snapshot")
        .or(source.pointer("/lambda/files/snapshot"))
        .is_some_and(|node| node.value == Value::Bool(true));
    if !snapshot {
        return;
    }
    if table.get("key").is_none_or(|key| key.items().is_empty()) {
        errors.push(
            Error::project(format!("table `{}` is read from snapshots and has no key", key.name))
                .at(&key.span, "rows cannot be told apart")
                .hint("add `key: [id]` with the columns that identify a row, or `snapshot: false` to its source"),
        );
    }
    if let Some(load) = table.get("load").filter(|load| load.as_str() == Some("append")) {
        errors.push(
            Error::project(format!("table `{}` is read from snapshots, whose rows change and go", key.name))
                .at(&load.span, "only adds rows")
                .hint("write `load: upsert`, or `snapshot: false` to its source"),
        );
    }
}
