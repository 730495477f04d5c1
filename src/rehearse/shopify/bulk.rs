//! A bulk operation: what its query asks for, taken out of the rows of a directory.

use std::collections::{BTreeMap, HashSet};
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::Path;

use fs_err as fs;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::query::{self, Field, Selection};
use super::search::Search;
use crate::sample::jsonl::write_row;

/// Shopify's limit for the connections of a bulk query.
const MOST_CONNECTIONS: usize = 5;

/// A bulk query that is understood.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Bulk {
    /// The connection at the root, which is the name of the file: `orders`.
    pub(super) object: String,
    search: Search,
    row: Vec<Selection>,
    /// What is asked for of children, by their type.
    children: BTreeMap<String, Vec<Selection>>,
}

/// What a bulk operation has written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) objects: u64,
    pub(super) roots: u64,
    pub(super) bytes: u64,
    /// Fields that were asked for and that no row has, such as `Order.name`.
    pub(super) missing: Vec<String>,
    /// The date that is asked for, and how many rows do not have it.
    pub(super) undated: Option<(&'static str, u64)>,
}

impl Bulk {
    /// Understands the query, or says what Shopify would not accept.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let operation = query::parse(text, &Map::new())?;
        let roots = query::fields(&operation.selections);
        let [root] = roots[..] else {
            return Err("Bulk queries must contain exactly one connection at the root".into());
        };
        if operation.mutation {
            return Err("Invalid bulk query: a mutation".into());
        }
        let search = Search::parse(root.text("query").unwrap_or_default())?;
        let node = node(root).ok_or("Bulk queries must contain at least one connection")?;
        let mut bulk = Self { object: root.name.clone(), search, row: Vec::new(), children: BTreeMap::new() };
        bulk.row = bulk.without_connections(&node.selections, 1)?;
        if bulk.children.len() + 1 > MOST_CONNECTIONS {
            return Err(format!("Bulk queries cannot contain more than {MOST_CONNECTIONS} connections"));
        }
        Ok(bulk)
    }

    /// Takes the connections out of selections; their rows stand on lines of their own.
    fn without_connections(&mut self, selections: &[Selection], depth: usize) -> Result<Vec<Selection>, String> {
        let mut rest = Vec::new();
        for selection in selections {
            match selection {
                Selection::Field(field) => match node(field) {
                    Some(_) if depth > 2 => {
                        return Err(
                            "Bulk queries cannot contain connections with a nesting depth greater than 2".into()
                        );
                    }
                    Some(node) => {
                        let inner = self.without_connections(&node.selections, depth + 1)?;
                        self.children.insert(type_of_connection(&field.name), inner);
                    }
                    None => rest.push(selection.clone()),
                },
                Selection::On(kind, inner) => {
                    rest.push(Selection::On(kind.clone(), self.without_connections(inner, depth)?));
                }
                Selection::Spread(_) => {}
            }
        }
        Ok(rest)
    }

    /// Writes the rows that the query finds in `<directory>/<object>.jsonl`, and their children.
    ///
    /// The ids are collected first: a child may stand before its parent.
    pub(super) fn write(&self, directory: &Path, to: &Path) -> Result<Counts, String> {
        let path = directory.join(format!("{}.jsonl", self.object));
        let mut counts = Counts::default();
        let mut out = BufWriter::with_capacity(1 << 18, fs::File::create(to).map_err(|error| error.to_string())?);
        if path.is_file() {
            let found = self.found(&path, &mut counts)?;
            let mut seen = Seen::default();
            each_line(&path, |line| {
                let row: Value = serde_json::from_str(line).map_err(|error| error.to_string())?;
                let Some((selections, kind)) = self.selections(&row, &found) else { return Ok(()) };
                let mut projected = project(&row, selections, &kind, &mut seen);
                let parent = row.get("__parentId");
                if let (Some(parent), Value::Object(projected)) = (parent, &mut projected) {
                    projected.insert("__parentId".into(), parent.clone());
                }
                counts.objects += 1;
                counts.roots += u64::from(parent.is_none());
                write_row(&mut out, &projected).map_err(|error| error.to_string())
            })?;
            counts.missing = seen.missing();
        }
        out.flush().map_err(|error| error.to_string())?;
        counts.bytes = fs::metadata(to).map_err(|error| error.to_string())?.len();
        Ok(counts)
    }

    /// The ids of the rows, and of their children, that the query finds.
    fn found(&self, path: &Path, counts: &mut Counts) -> Result<HashSet<u64>, String> {
        let mut found = HashSet::new();
        each_line(path, |line| {
            let row: Keys = serde_json::from_str(line).map_err(|error| error.to_string())?;
            if row.parent.is_none() {
                let row = serde_json::json!({
                    "updatedAt": row.updated_at, "createdAt": row.created_at, "processedAt": row.processed_at,
                    "id": row.id,
                });
                if self.search.finds(&row) {
                    found.extend(row["id"].as_str().map(fingerprint));
                } else if let Some(date) = self.search.lacking(&row) {
                    counts.undated.get_or_insert((date, 0)).1 += 1;
                }
            }
            Ok(())
        })?;
        if self.children.len() > 1 {
            // Children of children belong to a row that was found through their parent.
            each_line(path, |line| {
                let row: Keys = serde_json::from_str(line).map_err(|error| error.to_string())?;
                if row.parent.is_some_and(|parent| found.contains(&fingerprint(&parent))) {
                    found.extend(row.id.as_deref().map(fingerprint));
                }
                Ok(())
            })?;
        }
        Ok(found)
    }

    /// What is asked for of a row, and its type; nothing if the row is not part of the answer.
    fn selections(&self, row: &Value, found: &HashSet<u64>) -> Option<(&[Selection], String)> {
        let id = row.get("id").and_then(Value::as_str);
        match row.get("__parentId").and_then(Value::as_str) {
            None => {
                found.contains(&fingerprint(id?)).then(|| (&self.row[..], type_of(id.unwrap_or_default()).to_owned()))
            }
            Some(parent) if found.contains(&fingerprint(parent)) => {
                let kind = match id {
                    Some(id) => type_of(id).to_owned(),
                    None if self.children.len() == 1 => self.children.keys().next()?.clone(),
                    None => return None,
                };
                Some((self.children.get(&kind)?, kind))
            }
            Some(_) => None,
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Keys {
    id: Option<String>,
    #[serde(rename = "__parentId")]
    parent: Option<String>,
    updated_at: Option<String>,
    created_at: Option<String>,
    processed_at: Option<String>,
}

/// Which fields the rows had, and which were asked for.
#[derive(Debug, Default)]
struct Seen(BTreeMap<String, bool>);

impl Seen {
    fn note(&mut self, kind: &str, field: &str, present: bool) {
        let name = format!("{kind}.{field}");
        match self.0.get_mut(&name) {
            Some(seen) => *seen |= present,
            None => {
                self.0.insert(name, present);
            }
        }
    }

    fn missing(self) -> Vec<String> {
        self.0.into_iter().filter(|(_, present)| !present).map(|(name, _)| name).collect()
    }
}

/// The node of a connection, if the field is asked for as one: `{ edges { node { … } } }` or `{ nodes { … } }`.
fn node(field: &Field) -> Option<&Field> {
    field.field("edges").and_then(|edges| edges.field("node")).or_else(|| field.field("nodes"))
}

/// The type of a connection's rows, as their ids name it.
fn type_of_connection(name: &str) -> String {
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
fn type_of(id: &str) -> &str {
    id.strip_prefix("gid://shopify/").and_then(|rest| rest.split('/').next()).unwrap_or_default()
}

/// A short stand-in for an id: 64 bits of its hash, the same in every run.
fn fingerprint(id: &str) -> u64 {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    id.hash(&mut hasher);
    hasher.finish()
}

/// What is asked for of a value. A field that the value has not is null.
fn project(value: &Value, selections: &[Selection], kind: &str, seen: &mut Seen) -> Value {
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
            Selection::Field(field) => {
                let value = object.get(&field.name);
                seen.note(kind, &field.name, value.is_some());
                let inner = format!("{kind}.{}", field.name);
                let value = value.map_or(Value::Null, |value| project(value, &field.selections, &inner, seen));
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
fn each_line(path: &Path, mut take: impl FnMut(&str) -> Result<(), String>) -> Result<(), String> {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn run(query: &str, rows: &str) -> (String, Counts) {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("orders.jsonl"), rows).unwrap();
        let to = directory.path().join("result");
        let counts = Bulk::parse(query).unwrap().write(directory.path(), &to).unwrap();
        (fs::read_to_string(to).unwrap(), counts)
    }

    const ROWS: &str = r##"{"id":"gid:\/\/shopify\/LineItem\/9","sku":"a","__parentId":"gid:\/\/shopify\/Order\/2"}
{"id":"gid:\/\/shopify\/Order\/1","name":"#1","updatedAt":"2024-01-01T00:00:00Z","totalPriceSet":{"shopMoney":{"amount":"1.0"},"x":1}}
{"id":"gid:\/\/shopify\/Order\/2","name":"#2","updatedAt":"2024-02-01T00:00:00Z","totalPriceSet":null,"tags":["a/b"]}

{"id":"gid:\/\/shopify\/LineItem\/8","sku":"b","__parentId":"gid:\/\/shopify\/Order\/1"}
{"id":"gid:\/\/shopify\/Refund\/7","__parentId":"gid:\/\/shopify\/Order\/2"}
"##;

    #[test]
    fn only_what_is_asked_for() {
        let query = "{ orders(query: \"updated_at:>='2024-01-15'\") { edges { node { id __typename total: totalPriceSet { shopMoney { amount } } tags nope
            lineItems { edges { node { id sku } } } } } } }";
        let (text, counts) = run(query, ROWS);
        insta::assert_snapshot!(text, @r#"
        {"id":"gid:\/\/shopify\/LineItem\/9","sku":"a","__parentId":"gid:\/\/shopify\/Order\/2"}
        {"id":"gid:\/\/shopify\/Order\/2","__typename":"Order","total":null,"tags":["a\/b"],"nope":null}
        "#);
        assert_eq!(
            counts,
            Counts {
                objects: 2,
                roots: 1,
                bytes: text.len() as u64,
                missing: vec!["Order.nope".into()],
                undated: None
            }
        );
    }

    #[test]
    fn a_row_without_the_date_is_never_found() {
        let query = "{ orders(query: \"updated_at:>='2020-01-01'\") { nodes { id lineItems { nodes { id } } } } }";
        let rows = ROWS.replacen("\"updatedAt\"", "\"editedAt\"", 1);
        let (_, counts) = run(query, &rows);
        assert_eq!((counts.roots, counts.undated), (1, Some(("updatedAt", 1))));
    }

    #[test]
    fn everything_and_nothing() {
        let (text, counts) = run("{ orders { nodes { id lineItems { nodes { sku } } } } }", ROWS);
        insta::assert_snapshot!(text, @r#"
        {"sku":"a","__parentId":"gid:\/\/shopify\/Order\/2"}
        {"id":"gid:\/\/shopify\/Order\/1"}
        {"id":"gid:\/\/shopify\/Order\/2"}
        {"sku":"b","__parentId":"gid:\/\/shopify\/Order\/1"}
        "#);
        assert_eq!((counts.objects, counts.roots), (4, 2));
        let (text, counts) = run("{ customers { nodes { id } } }", ROWS);
        assert_eq!((text.as_str(), counts), ("", Counts::default()));
    }

    #[test]
    fn what_shopify_refuses() {
        for (query, expected) in [
            ("{ orders { id } }", "at least one connection"),
            ("{ orders { nodes { id } } shop { name } }", "exactly one connection"),
            ("{ a { nodes { b { nodes { c { nodes { d { nodes { id } } } } } } } } }", "nesting depth"),
            ("{ orders(query: \"x\") { nodes { id } } }", "no search term"),
            ("{ orders", "syntax error"),
        ] {
            let error = Bulk::parse(query).unwrap_err();
            assert!(error.contains(expected), "{query}: {error}");
        }
    }

    #[test]
    fn broken_data_is_named_with_its_line() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("orders.jsonl"), "{\"id\":\"gid://shopify/Order/1\"}\n{oops\n").unwrap();
        let bulk = Bulk::parse("{ orders { nodes { id } } }").unwrap();
        let error = bulk.write(directory.path(), &directory.path().join("result")).unwrap_err();
        assert!(error.contains("orders.jsonl:2: key must be a string"), "{error}");
    }
}
