//! A bulk operation: what its query asks for, taken out of the rows of a directory.

use std::collections::{BTreeMap, HashMap};
use std::io::{BufWriter, Write};
use std::path::Path;

use fs_err as fs;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::query::{self, Field, Selection};
use super::rows::{Seen, each_line, fingerprint, node, project, type_of, type_of_connection};
use super::search::Search;
use crate::sample::jsonl::write_row;

/// Shopify's limit for the connections of a bulk query.
const MOST_CONNECTIONS: usize = 5;

/// A bulk query that is understood.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Bulk {
    /// The connection at the root, which is the name of the file: `orders`.
    pub(super) object: String,
    pub(super) search: Search,
    row: Vec<Selection>,
    /// What is asked for of children, by their type.
    children: BTreeMap<String, Children>,
}

/// What is asked for of the children of a type.
#[derive(Debug, Clone, PartialEq)]
struct Children {
    selections: Vec<Selection>,
    search: Search,
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

    /// Takes the connections out of selections; their rows are on separate lines.
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
                        let selections = self.without_connections(&node.selections, depth + 1)?;
                        let search = Search::parse(field.text("query").unwrap_or_default())?;
                        self.children.insert(type_of_connection(&field.name), Children { selections, search });
                    }
                    None if has_connection(field) => {
                        return Err(
                            "Queries that contain a connection field within a list field are not supported".into()
                        );
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
    /// The file is read once. A child that stands before its parent waits until the end.
    pub(super) fn write(&self, directory: &Path, to: &Path) -> Result<Counts, String> {
        let path = directory.join(format!("{}.jsonl", self.object));
        let mut counts = Counts::default();
        let mut out = BufWriter::with_capacity(1 << 18, fs::File::create(to).map_err(|error| error.to_string())?);
        if path.is_file() {
            let (mut found, mut seen, mut early) = (HashMap::new(), Seen::default(), Vec::new());
            each_line(&path, |line| {
                let keys: Keys = serde_json::from_str(line).map_err(|error| error.to_string())?;
                match self.finds(&keys, &mut found, &mut counts) {
                    Some(true) => self.write_line(line, &mut counts, &mut seen, &mut out),
                    Some(false) => Ok(()),
                    None => {
                        early.push(line.to_owned());
                        Ok(())
                    }
                }
            })?;
            for line in early {
                let keys: Keys = serde_json::from_str(&line).map_err(|error| error.to_string())?;
                if self.finds(&keys, &mut found, &mut counts) == Some(true) {
                    self.write_line(&line, &mut counts, &mut seen, &mut out)?;
                }
            }
            counts.missing = seen.missing();
        }
        out.flush().map_err(|error| error.to_string())?;
        counts.bytes = fs::metadata(to).map_err(|error| error.to_string())?.len();
        Ok(counts)
    }

    /// Whether the query finds a row; nothing is answered for a child whose parent has not come yet.
    fn finds(&self, keys: &Keys, found: &mut HashMap<u64, bool>, counts: &mut Counts) -> Option<bool> {
        let row = || {
            serde_json::json!({
                "updatedAt": keys.updated_at, "createdAt": keys.created_at, "processedAt": keys.processed_at,
            })
        };
        let finds = if let Some(parent) = &keys.parent {
            found.get(&fingerprint(parent)).copied()?
                && self.children(keys).is_some_and(|(_, children)| children.search.finds(&row()))
        } else {
            let row = row();
            let finds = self.search.finds(&row);
            if let Some(date) = self.search.lacking(&row).filter(|_| !finds) {
                counts.undated.get_or_insert((date, 0)).1 += 1;
            }
            finds && keys.id.is_some()
        };
        // Children of children belong to a row that was found through their parent.
        if let Some(id) = keys.id.as_deref().filter(|_| keys.parent.is_none() || self.children.len() > 1) {
            found.insert(fingerprint(id), finds);
        }
        Some(finds)
    }

    fn write_line(&self, line: &str, counts: &mut Counts, seen: &mut Seen, out: &mut impl Write) -> Result<(), String> {
        let row: Value = serde_json::from_str(line).map_err(|error| error.to_string())?;
        let keys: Keys = serde_json::from_str(line).map_err(|error| error.to_string())?;
        let (kind, selections) = match keys.parent {
            None => (type_of(keys.id.as_deref().unwrap_or_default()).to_owned(), &self.row),
            Some(_) => match self.children(&keys) {
                Some((kind, children)) => (kind, &children.selections),
                None => return Ok(()),
            },
        };
        let mut projected = project(&row, selections, &kind, seen);
        if let (Some(parent), Value::Object(projected)) = (row.get("__parentId"), &mut projected) {
            projected.insert("__parentId".into(), parent.clone());
        }
        counts.objects += 1;
        counts.roots += u64::from(keys.parent.is_none());
        write_row(out, &projected).map_err(|error| error.to_string())
    }

    /// What is asked for of a child, and its type.
    fn children(&self, keys: &Keys) -> Option<(String, &Children)> {
        let kind = match &keys.id {
            Some(id) => type_of(id).to_owned(),
            None if self.children.len() == 1 => self.children.keys().next()?.clone(),
            None => return None,
        };
        let children = self.children.get(&kind)?;
        Some((kind, children))
    }
}

/// Whether a field that is no connection has one below it.
fn has_connection(field: &Field) -> bool {
    field.fields().any(|below| node(below).is_some() || has_connection(below))
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
    fn only_requested_fields_are_returned() {
        let query = "{ orders(query: \"updated_at:>='2024-01-15'\") { edges { node { id __typename total: totalPriceSet { shopMoney { amount } } tags nope
            lineItems { edges { node { id sku } } } } } } }";
        let (text, counts) = run(query, ROWS);
        insta::assert_snapshot!(text, @r#"
        {"id":"gid:\/\/shopify\/Order\/2","__typename":"Order","total":null,"tags":["a\/b"],"nope":null}
        {"id":"gid:\/\/shopify\/LineItem\/9","sku":"a","__parentId":"gid:\/\/shopify\/Order\/2"}
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
    fn a_row_without_the_date_never_matches() {
        let query = "{ orders(query: \"updated_at:>='2020-01-01'\") { nodes { id lineItems { nodes { id } } } } }";
        let rows = ROWS.replacen("\"updatedAt\"", "\"editedAt\"", 1);
        let (_, counts) = run(query, &rows);
        assert_eq!((counts.roots, counts.undated), (1, Some(("updatedAt", 1))));
    }

    #[test]
    fn all_rows_and_no_rows() {
        let (text, counts) = run("{ orders { nodes { id lineItems { nodes { sku } } } } }", ROWS);
        insta::assert_snapshot!(text, @r#"
        {"id":"gid:\/\/shopify\/Order\/1"}
        {"id":"gid:\/\/shopify\/Order\/2"}
        {"sku":"b","__parentId":"gid:\/\/shopify\/Order\/1"}
        {"sku":"a","__parentId":"gid:\/\/shopify\/Order\/2"}
        "#);
        assert_eq!((counts.objects, counts.roots), (4, 2));
        let (text, counts) = run("{ customers { nodes { id } } }", ROWS);
        assert_eq!((text.as_str(), counts), ("", Counts::default()));
    }

    #[test]
    fn queries_that_shopify_rejects() {
        for (query, expected) in [
            ("{ orders { id } }", "at least one connection"),
            ("{ orders { nodes { id } } shop { name } }", "exactly one connection"),
            ("{ a { nodes { b { nodes { c { nodes { d { nodes { id } } } } } } } } }", "nesting depth"),
            ("{ orders(query: \"x\") { nodes { id } } }", "not a search term"),
            ("{ orders { nodes { refunds { lines { nodes { id } } } } } }", "within a list"),
            ("{ orders", "syntax error"),
        ] {
            let error = Bulk::parse(query).unwrap_err();
            assert!(error.contains(expected), "{query}: {error}");
        }
    }

    #[test]
    fn invalid_data_is_reported_with_its_line() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("orders.jsonl"), "{\"id\":\"gid://shopify/Order/1\"}\n{oops\n").unwrap();
        let bulk = Bulk::parse("{ orders { nodes { id } } }").unwrap();
        let error = bulk.write(directory.path(), &directory.path().join("result")).unwrap_err();
        assert!(error.contains("orders.jsonl:2: key must be a string"), "{error}");
    }
}
