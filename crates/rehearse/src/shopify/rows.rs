//! The rows of a shop: lines of JSON, and what a query asks for of them.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;

use fs_err as fs;
use serde_json::{Map, Value};

use super::query::{Field, Selection};

/// Which fields the rows had, and which were asked for.
#[derive(Debug, Default)]
pub(super) struct Seen(BTreeMap<String, bool>);

impl Seen {
    pub(super) fn note(&mut self, kind: &str, field: &str, present: bool) {
        let name = format!("{kind}.{field}");
        match self.0.get_mut(&name) {
            Some(seen) => *seen |= present,
            None => {
                self.0.insert(name, present);
            }
        }
    }

    pub(super) fn missing(self) -> Vec<String> {
        self.0.into_iter().filter(|(_, present)| !present).map(|(name, _)| name).collect()
    }
}

/// The node of a connection, if the field is asked for as one: `{ edges { node { … } } }` or `{ nodes { … } }`.
pub(super) fn node(field: &Field) -> Option<&Field> {
    field.field("edges").and_then(|edges| edges.field("node")).or_else(|| field.field("nodes"))
}

/// The type of a connection's rows, as their ids name it.
pub(super) fn type_of_connection(name: &str) -> String {
    match name {
        "variants" => "ProductVariant".into(),
        "media" | "images" => "MediaImage".into(),
        "transactions" => "OrderTransaction".into(),
        "addressesV2" => "MailingAddress".into(),
        _ => {
            let singular = name
                .strip_suffix("ies")
                .map_or_else(|| name.strip_suffix('s').unwrap_or(name).to_owned(), |stem| format!("{stem}y"));
            singular.chars().take(1).flat_map(char::to_uppercase).chain(singular.chars().skip(1)).collect()
        }
    }
}

/// `gid://shopify/Order/1` → `Order`.
pub(super) fn type_of(id: &str) -> &str {
    id.strip_prefix("gid://shopify/").and_then(|rest| rest.split('/').next()).unwrap_or_default()
}

/// A short stand-in for an id: 64 bits of its hash, the same in every run.
pub(super) fn fingerprint(id: &str) -> u64 {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    id.hash(&mut hasher);
    hasher.finish()
}

/// What is asked for of a value. A field that the value has not is null.
pub(super) fn project(value: &Value, selections: &[Selection], kind: &str, seen: &mut Seen) -> Value {
    match value {
        Value::Array(items) => items.iter().map(|item| project(item, selections, kind, seen)).collect(),
        Value::Object(object) if !selections.is_empty() => {
            let mut projected = Map::new();
            collect(object, selections, kind, seen, &mut projected);
            Value::Object(projected)
        }
        other => other.clone(),
    }
}

fn collect(
    object: &Map<String, Value>,
    selections: &[Selection],
    kind: &str,
    seen: &mut Seen,
    into: &mut Map<String, Value>,
) {
    for selection in selections {
        match selection {
            Selection::Field(field) if field.name == "__typename" => {
                let own = object.get("id").and_then(Value::as_str).map_or(kind, type_of);
                into.insert(field.alias.clone(), own.into());
            }
            // A connection is on separate lines; queries by page add it.
            Selection::Field(field) if node(field).is_some() && !object.contains_key(&field.name) => {}
            Selection::Field(field) => {
                let value = object.get(&field.name);
                seen.note(kind, &field.name, value.is_some());
                let inner = format!("{kind}.{}", field.name);
                let value = value.map_or(Value::Null, |value| project(value, &field.selections, &inner, seen));
                let value = named(field, value);
                into.insert(field.alias.clone(), value);
            }
            Selection::On(on, inner) => {
                let own = object.get("id").and_then(Value::as_str).map_or(kind, type_of);
                if on.as_deref().is_none_or(|on| on == own) {
                    collect(object, inner, kind, seen, into);
                }
            }
            Selection::Spread(_) => {}
        }
    }
}

/// Gives each line of a file to `take`; errors name the line.
pub(super) fn each_line(path: &Path, mut take: impl FnMut(&str) -> Result<(), String>) -> Result<(), String> {
    let mut reader = BufReader::with_capacity(1 << 18, fs::File::open(path).map_err(|error| error.to_string())?);
    let (mut line, mut number) = (String::new(), 0);
    loop {
        line.clear();
        number += 1;
        let at = |error: String| format!("{}:{number}: {error}", path.display());
        if reader.read_line(&mut line).map_err(|error| at(error.to_string()))? == 0 {
            return Ok(());
        }
        if !line.trim().is_empty() {
            take(&line).map_err(at)?;
        }
    }
}

/// Keeps of a list what the argument `names` names, as `quantities` of an inventory level does.
fn named(field: &Field, value: Value) -> Value {
    match (field.arguments.get("names").and_then(Value::as_array), value) {
        (Some(names), Value::Array(items)) => {
            Value::Array(items.into_iter().filter(|item| names.contains(&item["name"])).collect())
        }
        (_, value) => value,
    }
}
