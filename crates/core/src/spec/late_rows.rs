//! Rules of what a column points to, and of the columns that pipectl adds itself.

use pipectl_contract::names::columns;

use crate::error::{Error, did_you_mean};
use crate::yaml::Node;

pub(super) fn check(pipeline: &Node, errors: &mut Vec<Error>) {
    let tables = pipeline.get("tables").map_or(&[][..], Node::entries);
    for (_, table) in tables {
        for (key, column) in table.get("columns").map_or(&[][..], Node::entries) {
            if columns::ALL.contains(&key.name.as_str()) {
                errors.push(
                    Error::project(format!("`{}` is a column that pipectl adds itself", key.name))
                        .at(&key.span, "taken")
                        .hint(format!("rename it, for example to `{}`", key.name.trim_start_matches('_'))),
                );
            }
            match (column.get("references"), column.get("late")) {
                (Some(to), late) => references(pipeline, column, to, late, errors),
                (None, Some(late)) if late.as_str() == Some("stub") => errors.push(
                    Error::project(format!("`late` of `{}` does not say of what", key.name))
                        .at(&late.span, "")
                        .hint("add `references: <table>.<column>`"),
                ),
                _ => {}
            }
        }
    }
}

fn references(pipeline: &Node, column: &Node, to: &Node, late: Option<&Node>, errors: &mut Vec<Error>) {
    let tables = pipeline.get("tables").map_or(&[][..], Node::entries);
    let text = to.as_str().unwrap_or_default();
    let mut wrong = |message: String, label: &str, hint: String| {
        errors.push(Error::project(message).at(&to.span, label).hint(hint));
    };
    let Some((name, referred)) = text.split_once('.') else {
        return wrong(format!("`{text}` is not `<table>.<column>`"), "", "write it as `customers.id`".into());
    };
    let Some((_, table)) = tables.iter().find(|(key, _)| key.name == name) else {
        let known = tables.iter().map(|(key, _)| key.name.as_str());
        return wrong(format!("unknown table `{name}`"), "no table has this name", did_you_mean(name, known));
    };
    let columns = table.get("columns").map_or(&[][..], Node::entries);
    let Some((_, target)) = columns.iter().find(|(key, _)| key.name == referred) else {
        let known = columns.iter().map(|(key, _)| key.name.as_str());
        return wrong(format!("`{name}` has no column `{referred}`"), "no such column", did_you_mean(referred, known));
    };
    let kind = |node: &Node| node.get("type").unwrap_or(node).as_str().unwrap_or_default().replace(' ', "");
    if kind(column) != kind(target) {
        return wrong(
            format!("`{text}` is of the type `{}`, the column of `{}`", kind(target), kind(column)),
            "another type",
            format!("make both `{}`", kind(target)),
        );
    }
    let key: Vec<&str> = table.get("key").map_or(&[][..], Node::items).iter().filter_map(Node::as_str).collect();
    if late.and_then(Node::as_str) == Some("stub") && key != [referred] {
        wrong(
            format!("`late: stub` needs the whole key of `{name}`, which is `{}`", key.join(", ")),
            "not the key",
            "refer to the key, or drop `late: stub`".into(),
        );
    }
}
