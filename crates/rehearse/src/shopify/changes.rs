//! Later changes in a shop: the rows of `changes/<step>/` replace those with the same id, rows that the step's events
//! name as deleted are deleted, and Shopify sends a webhook for each.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use fs_err as fs;
use serde::Deserialize;
use serde_json::{Value, json};

use super::pages::FILES;
use super::rows::{each_line, type_of};
use crate::error::{Error, Result};
use crate::exit::Exit;

const EVENTS: &str = "events";

/// What Shopify sends of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook {
    /// Such as `orders/updated`.
    pub topic: String,
    /// As a webhook has it that would be too large: the numbers and ids alone.
    pub payload: Value,
}

/// The fields of a row that say what it is.
#[derive(Debug, Deserialize)]
struct Row {
    id: Option<String>,
    #[serde(rename = "__parentId")]
    parent: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    action: String,
    subject_id: String,
}

/// The folders of what happens later, in the order of their names.
pub(super) fn steps(directory: &Path) -> Result<Vec<PathBuf>> {
    let folder = directory.join("changes");
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut steps = Vec::new();
    for entry in fs::read_dir(&folder)? {
        let entry = entry?;
        if !entry.file_name().to_string_lossy().starts_with('.') {
            steps.push(entry.path());
        }
    }
    steps.sort();
    Ok(steps)
}

/// Checks what is to happen later before anything starts. Fails with all that is wrong.
pub(super) fn check(directory: &Path) -> Result<()> {
    let wrong = |message: String| Error::new(message).exit(Exit::Project);
    let mut errors = Vec::new();
    for step in steps(directory)? {
        if !step.is_dir() {
            errors.push(
                wrong(format!("`{}` is not a folder", step.display()))
                    .hint("make a folder of each step, `changes/1-<what>/`, with the rows that are other than before"),
            );
            continue;
        }
        for entry in fs::read_dir(&step)? {
            let path = entry?.path();
            let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let known = FILES.contains(&stem.as_str()) || stem == EVENTS;
            if !known || path.extension().is_none_or(|kind| kind != "jsonl") {
                errors.push(wrong(format!("`{}` is not data of a shop", path.display())).hint(format!(
                    "a step has rows in {}, and deletions in {EVENTS}.jsonl",
                    FILES.map(|file| format!("{file}.jsonl")).join(", ")
                )));
            }
        }
    }
    Error::all(errors)
}

/// Writes the rows as they are after a step.
pub(super) fn apply(data: &Path, step: &Path, after: &Path) -> Result<Vec<Webhook>> {
    let wrong = |message: String| Error::new(message).exit(Exit::Project).hint("correct the line");
    let mut webhooks = BTreeMap::new();
    let gone = gone(&step.join(format!("{EVENTS}.jsonl"))).map_err(wrong)?;
    for id in &gone {
        webhooks.extend(webhook_for(id, None, "delete").map(|webhook| ((webhook.topic.clone(), id.clone()), webhook)));
    }
    for file in FILES.into_iter().chain([EVENTS]) {
        let name = format!("{file}.jsonl");
        let (old, new) = (data.join(&name), step.join(&name));
        if !new.is_file() && (gone.is_empty() || file == EVENTS) {
            if old.is_file() {
                fs::copy(&old, after.join(&name))?;
            }
            continue;
        }
        let mut changed: Vec<Row> = Vec::new();
        let mut lines = Vec::new();
        if new.is_file() {
            each_line(&new, |line| {
                changed.push(serde_json::from_str(line).map_err(|error| error.to_string())?);
                lines.push(line.trim_end().to_owned());
                Ok(())
            })
            .map_err(wrong)?;
        }
        let ids: BTreeSet<&str> = changed.iter().filter_map(|row| row.id.as_deref()).collect();
        let mut known = BTreeSet::new();
        let mut out = BufWriter::new(fs::File::create(after.join(&name))?);
        let mut failed = None;
        if old.is_file() {
            each_line(&old, |line| {
                let row: Row = serde_json::from_str(line).map_err(|error| error.to_string())?;
                let is = |set: &dyn Fn(&str) -> bool, id: Option<&str>| id.is_some_and(set);
                let id = row.id.as_deref();
                if is(&|id| ids.contains(id), id) {
                    known.extend(row.id);
                } else if !is(&|id| gone.contains(id), id) && !is(&|id| gone.contains(id), row.parent.as_deref()) {
                    failed = failed.take().or(writeln!(out, "{}", line.trim_end()).err());
                }
                Ok(())
            })
            .map_err(wrong)?;
        }
        for line in &lines {
            failed = failed.take().or(writeln!(out, "{line}").err());
        }
        if let Some(error) = failed.or(out.flush().err()) {
            return Err(error.into());
        }
        for row in changed.iter().filter(|_| file != EVENTS) {
            let Some(id) = &row.id else { continue };
            let word = if known.contains(id) { "update" } else { "create" };
            let webhook = webhook_for(id, row.parent.as_deref(), word);
            webhooks.extend(webhook.map(|webhook| ((webhook.topic.clone(), id.clone()), webhook)));
        }
    }
    // A line and its order are one change of the order.
    let mut sent: Vec<Webhook> = Vec::new();
    for webhook in webhooks.into_values() {
        if !sent.iter().any(|other| other.payload == webhook.payload) {
            sent.push(webhook);
        }
    }
    Ok(sent)
}

/// The ids that events say are gone.
fn gone(events: &Path) -> Result<BTreeSet<String>, String> {
    let mut gone = BTreeSet::new();
    if events.is_file() {
        each_line(events, |line| {
            let event: Event = serde_json::from_str(line).map_err(|error| error.to_string())?;
            if event.action == "destroy" {
                gone.insert(event.subject_id);
            }
            Ok(())
        })?;
    }
    Ok(gone)
}

/// The webhook of a change; an object without one changes its parent.
fn webhook_for(id: &str, parent: Option<&str>, word: &str) -> Option<Webhook> {
    let (object, id, word) = match (type_of(id), parent) {
        ("Customer", _) => ("customers", id, word),
        ("Order", _) => ("orders", id, if word == "update" { "updated" } else { word }),
        ("Product", _) => ("products", id, word),
        ("InventoryItem", _) => ("inventory_items", id, word),
        ("InventoryLevel", _) => ("inventory_levels", id, if word == "create" { "connect" } else { word }),
        (_, Some(parent)) => return webhook_for(parent, None, "update"),
        (_, None) => return None,
    };
    let number = id.rsplit('/').next().unwrap_or(id).split('?').next().and_then(|text| text.parse::<u64>().ok());
    let payload = match word {
        // Nothing but the number is left of what is gone.
        "delete" => json!({ "id": number? }),
        _ => json!({"id": number, "admin_graphql_api_id": id}),
    };
    Some(Webhook { topic: format!("{object}/{word}"), payload })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_sends_one_webhook_for_each_changed_row() {
        let folder = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write(
            "orders.jsonl",
            "{\"id\":\"gid:\\/\\/shopify\\/Order\\/1\",\"v\":1}\n{\"id\":\"gid://shopify/Order/2\",\"v\":1}\n\
             {\"id\":\"gid://shopify/LineItem/21\",\"__parentId\":\"gid://shopify/Order/2\"}\n\
             {\"id\":\"gid://shopify/LineItem/11\",\"__parentId\":\"gid://shopify/Order/1\"}\n",
        );
        write("products.jsonl", "{\"id\":\"gid://shopify/Product/5\"}\n");
        write(
            "changes/1/orders.jsonl",
            "{\"id\":\"gid://shopify/Order/1\",\"v\":2}\n{\"id\":\"gid://shopify/Order/3\",\"v\":1}\n\
             {\"id\":\"gid://shopify/LineItem/12\",\"__parentId\":\"gid://shopify/Order/1\"}\n",
        );
        write("changes/1/events.jsonl", "{\"action\":\"destroy\",\"subjectId\":\"gid://shopify/Order/2\"}\n");
        let after = tempfile::tempdir().unwrap();
        let webhooks = apply(folder.path(), &folder.path().join("changes/1"), after.path()).unwrap();
        let webhook_for: Vec<String> = webhooks.iter().map(|one| format!("{} {}", one.topic, one.payload)).collect();
        insta::assert_snapshot!(webhook_for.join("\n"), @r#"
        orders/create {"id":3,"admin_graphql_api_id":"gid://shopify/Order/3"}
        orders/delete {"id":2}
        orders/updated {"id":1,"admin_graphql_api_id":"gid://shopify/Order/1"}
        "#);
        insta::assert_snapshot!(fs::read_to_string(after.path().join("orders.jsonl")).unwrap(), @r#"
        {"id":"gid://shopify/LineItem/11","__parentId":"gid://shopify/Order/1"}
        {"id":"gid://shopify/Order/1","v":2}
        {"id":"gid://shopify/Order/3","v":1}
        {"id":"gid://shopify/LineItem/12","__parentId":"gid://shopify/Order/1"}
        "#);
        assert!(after.path().join("products.jsonl").is_file() && after.path().join("events.jsonl").is_file());

        write("changes/2-more/notes.txt", "");
        write("changes/3", "");
        let error = check(folder.path()).unwrap_err().to_string();
        assert!(error.contains("notes.txt` is not data") && error.contains("changes/3` is not a folder"), "{error}");
    }
}
