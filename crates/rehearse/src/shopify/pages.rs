//! Connections page by page, and single rows by their id, out of the rows of a directory.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Map, Value, json};

use super::query::{Field, Selection};
use super::rows::{Seen, each_line, node, project, type_of, type_of_connection};
use super::search::Search;

/// The files with rows, by the connection at the root of a query.
pub(super) const FILES: [&str; 5] = ["customers", "inventoryItems", "locations", "orders", "products"];

/// Whether a field of the root is a connection that has a file.
pub(super) fn is_connection(name: &str) -> bool {
    FILES.contains(&name)
}

/// A row with its children, by their type.
#[derive(Debug)]
struct Row {
    own: Value,
    children: BTreeMap<String, Vec<Value>>,
}

/// A page of a connection at the root.
pub(super) fn page(directory: &Path, field: &Field, search: &Search, seen: &mut Seen) -> Result<Value, String> {
    let path = directory.join(format!("{}.jsonl", field.name));
    let by_time = field.arguments.get("sortKey").and_then(Value::as_str) == Some("UPDATED_AT");
    let mut page = Page::of(field)?;
    if path.is_file() {
        each_line(&path, |line| {
            let row: Value = serde_json::from_str(line).map_err(|error| error.to_string())?;
            if row.get("__parentId").is_none() && search.finds(&row) {
                let time = row.get("updatedAt").and_then(Value::as_str).filter(|_| by_time).unwrap_or_default();
                let key = format!("{time} {:>24}", number(&row));
                page.offer(key, row);
            }
            Ok(())
        })?;
    }
    let (rows, info) = page.end();
    let rows = with_children(&path, rows, field)?;
    let node = node(field).ok_or("a connection needs `edges { node { … } }`")?;
    let nodes = rows.iter().map(|row| show(row, node, seen)).collect::<Result<Vec<_>, _>>()?;
    Ok(connection(field, &nodes, &info))
}

/// The row with an id, as far as it is asked for; null when there is none.
pub(super) fn one(directory: &Path, id: &str, field: &Field, seen: &mut Seen) -> Result<Value, String> {
    for file in FILES {
        let path = directory.join(format!("{file}.jsonl"));
        let mut found = None;
        if path.is_file() {
            let number = id.rsplit('/').next().unwrap_or(id);
            each_line(&path, |line| {
                if found.is_none() && line.contains(number) {
                    let row: Value = serde_json::from_str(line).map_err(|error| error.to_string())?;
                    found = (row["id"] == id).then_some(row);
                }
                Ok(())
            })?;
        }
        if let Some(row) = found {
            let on = |selections: &[Selection]| {
                let kinds = selections.iter().filter_map(|selection| match selection {
                    Selection::On(Some(kind), inner) => (kind == type_of(id)).then_some(inner.clone()),
                    Selection::On(None, inner) => Some(inner.clone()),
                    other => Some(vec![other.clone()]),
                });
                kinds.flatten().collect::<Vec<_>>()
            };
            let asked = Field { selections: on(&field.selections), ..field.clone() };
            let rows = with_children_of(&path, vec![row], &asked)?;
            return rows.first().map_or(Ok(Value::Null), |row| show(row, &asked, seen));
        }
    }
    Ok(Value::Null)
}

/// The events of a shop, from `events.jsonl`: `subject_type:… OR …`, `created_at:…`.
pub(super) fn events(directory: &Path, field: &Field) -> Result<Value, String> {
    let text = field.text("query").unwrap_or_default();
    let words: Vec<&str> = text.split_whitespace().map(|word| word.trim_matches(['(', ')'])).collect();
    let subjects: Vec<&str> = words.iter().filter_map(|word| word.strip_prefix("subject_type:")).collect();
    let dates: Vec<&str> = words.iter().copied().filter(|word| word.starts_with("created_at:")).collect();
    let known = |word: &&str| {
        ["AND", "OR"].contains(word)
            || ["subject_type:", "created_at:", "comments:"].iter().any(|start| word.starts_with(start))
    };
    if let Some(unknown) = words.iter().find(|word| !known(word)) {
        return Err(format!("`{unknown}` is not a search term of events"));
    }
    let search = Search::parse(&dates.join(" "))?;
    let mut page = Page::of(field)?;
    let path = directory.join("events.jsonl");
    if path.is_file() {
        each_line(&path, |line| {
            let row: Value = serde_json::from_str(line).map_err(|error| error.to_string())?;
            let subject = row["subjectType"].as_str().unwrap_or_default();
            if (subjects.is_empty() || subjects.contains(&subject)) && search.finds(&row) {
                let time = row["createdAt"].as_str().unwrap_or_default();
                page.offer(format!("{time} {:>24}", number(&row)), row);
            }
            Ok(())
        })?;
    }
    let (rows, info) = page.end();
    let node = node(field).ok_or("a connection needs `edges { node { … } }`")?;
    let nodes: Vec<_> =
        rows.iter().map(|row| project(row, &node.selections, "BasicEvent", &mut Seen::default())).collect();
    Ok(connection(field, &nodes, &info))
}

/// The rows of one page, in order: no more of them are kept than the page holds.
struct Page {
    first: usize,
    after: String,
    rows: BTreeMap<String, Value>,
    more: bool,
}

struct Info {
    more: bool,
    end: Option<String>,
}

impl Page {
    fn of(field: &Field) -> Result<Self, String> {
        let first = field.arguments.get("first").and_then(Value::as_u64).and_then(|first| usize::try_from(first).ok());
        let first = first.ok_or_else(|| format!("you must provide one of first or last (field '{}')", field.name))?;
        if first > 250 {
            return Err(format!("first cannot exceed 250 (field '{}')", field.name));
        }
        let after = field.text("after").unwrap_or_default().to_owned();
        Ok(Self { first, after, rows: BTreeMap::new(), more: false })
    }

    fn offer(&mut self, key: String, row: Value) {
        if key <= self.after && !self.after.is_empty() {
            return;
        }
        self.rows.insert(key, row);
        if self.rows.len() > self.first {
            self.rows.pop_last();
            self.more = true;
        }
    }

    fn end(self) -> (Vec<Value>, Info) {
        let info = Info { more: self.more, end: self.rows.keys().next_back().cloned() };
        (self.rows.into_values().collect(), info)
    }
}

/// The number in a row's id, which is the order in which rows came to be.
fn number(row: &Value) -> String {
    let id = row["id"].as_str().unwrap_or_default();
    id.rsplit('/').next().unwrap_or(id).to_owned()
}

fn with_children(path: &Path, rows: Vec<Value>, field: &Field) -> Result<Vec<Row>, String> {
    match node(field) {
        Some(node) => with_children_of(path, rows, node),
        None => Ok(Vec::new()),
    }
}

/// Puts the children that are asked for to their rows.
fn with_children_of(path: &Path, rows: Vec<Value>, asked: &Field) -> Result<Vec<Row>, String> {
    let mut rows: Vec<Row> = rows.into_iter().map(|own| Row { own, children: BTreeMap::new() }).collect();
    if rows.is_empty() || !asked.fields().any(|field| node(field).is_some()) {
        return Ok(rows);
    }
    each_line(path, |line| {
        if line.contains("__parentId") {
            let child: Value = serde_json::from_str(line).map_err(|error| error.to_string())?;
            let parent = rows.iter_mut().find(|row| row.own["id"] == child["__parentId"]);
            if let (Some(parent), Some(id)) = (parent, child["id"].as_str()) {
                parent.children.entry(type_of(id).to_owned()).or_default().push(child);
            }
        }
        Ok(())
    })?;
    Ok(rows)
}

/// A row with its connections, as far as they are asked for.
fn show(row: &Row, asked: &Field, seen: &mut Seen) -> Result<Value, String> {
    let kind = row.own["id"].as_str().map(type_of).unwrap_or_default();
    let mut shown = project(&row.own, &asked.selections, kind, seen);
    for field in asked.fields() {
        let Some(inner) = node(field) else { continue };
        let kind = type_of_connection(&field.name);
        let search = Search::parse(field.text("query").unwrap_or_default())?;
        let mut page = Page::of(field)?;
        for child in row.children.get(&kind).into_iter().flatten().filter(|child| search.finds(child)) {
            page.offer(format!("{:>24}", number(child)), child.clone());
        }
        let (children, info) = page.end();
        let nodes: Vec<_> = children.iter().map(|child| project(child, &inner.selections, &kind, seen)).collect();
        if let Value::Object(shown) = &mut shown {
            shown.insert(field.alias.clone(), connection(field, &nodes, &info));
        }
    }
    Ok(shown)
}

/// A connection in the form in which it is asked for.
fn connection(field: &Field, nodes: &[Value], info: &Info) -> Value {
    let mut shown = Map::new();
    for part in field.fields() {
        let value = match part.name.as_str() {
            "edges" => nodes.iter().map(|node| json!({"node": node})).collect(),
            "nodes" => Value::Array(nodes.to_vec()),
            "pageInfo" => {
                let all = json!({"hasNextPage": info.more, "endCursor": info.end, "hasPreviousPage": false, "startCursor": null});
                project(&all, &part.selections, "PageInfo", &mut Seen::default())
            }
            _ => Value::Null,
        };
        shown.insert(part.alias.clone(), value);
    }
    Value::Object(shown)
}
