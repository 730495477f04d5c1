//! Which tables a row belongs to, and what goes to each: pure.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

use pipeline::document::Object;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The fields of a row that decide where it goes; the rest is only checked to be JSON.
#[derive(Debug, Default)]
struct Row<'a> {
    id: Option<Cow<'a, str>>,
    /// The id as it is written, with its quotes and escapes.
    written_id: Option<&'a str>,
    typename: Option<Cow<'a, str>>,
    parent: Option<Cow<'a, str>>,
    updated_at: Option<Cow<'a, str>>,
    /// Lists to be taken out, by their number in [`Routes::parts`].
    parts: Vec<(usize, &'a RawValue)>,
}

/// Why a row goes nowhere.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Misrouted {
    #[error("a row is not JSON: {0}")]
    NotJson(String),
    #[error("rows of type `{0}` were not asked for in the query of `{1}`")]
    Unexpected(String, String),
    #[error("a row of `{0}` has neither `id` nor `__typename`")]
    NoType(String),
    #[error("a row of `{0}` has no `updatedAt`, which its cursor needs")]
    NoTime(String),
}

/// What becomes of a list inside a row.
#[derive(Debug)]
enum Part {
    /// Its items are rows of a table.
    Split { table: String, keep: bool },
    /// Names and numbers become one mapping.
    Pivot,
}

/// The tables of one object by the type of a row.
#[derive(Debug)]
pub struct Routes<'a> {
    object: &'a Object,
    /// From a type that is asked for to its table; a row without one only carries the cursor.
    types: BTreeMap<&'a str, Option<&'a str>>,
    parts: Vec<(&'a str, Part)>,
}

/// A row on its way: what is to be written, in pieces, to which table.
#[derive(Debug, PartialEq, Eq)]
pub struct Routed<'r, 'a> {
    pub table: Option<&'a str>,
    pub pieces: Vec<Cow<'r, [u8]>>,
    /// Rows that were inside this one: their table, and the pieces of each.
    pub inner: Vec<(String, [&'r str; 4])>,
    /// The id of the row and when it changed, if that moves the cursor.
    pub changed: Option<(Cow<'r, str>, Cow<'r, str>)>,
}

impl<'a> Routes<'a> {
    pub fn new(object: &'a Object) -> Self {
        let kinds = object.children.iter().map(|child| child.kind.as_str()).chain([object.kind.as_str()]);
        let types = kinds.map(|kind| (kind, object.tables.get(kind).map(String::as_str))).collect();
        let split = object.lists.iter().filter_map(|list| {
            let table = object.tables.get(&list.kind)?.clone();
            Some((list.field.as_str(), Part::Split { table, keep: list.keep }))
        });
        let pivots = object.pivots.iter().map(|field| (field.as_str(), Part::Pivot));
        Self { object, types, parts: split.chain(pivots).collect() }
    }

    /// Finds the tables of a row.
    ///
    /// The type is `__typename` when it is there, else the type in the global id.
    /// No order of rows is assumed: Shopify does not promise that children follow their parent.
    pub fn route<'r>(&self, line: &'r [u8]) -> Result<Routed<'r, 'a>, Misrouted> {
        let not_json = |error: &dyn fmt::Display| Misrouted::NotJson(error.to_string());
        let mut reader = serde_json::Deserializer::from_slice(line);
        let row = Fields { parts: &self.parts }.deserialize(&mut reader).map_err(|error| not_json(&error))?;
        reader.end().map_err(|error| not_json(&error))?;
        let kind = row.typename.as_deref().or_else(|| row.id.as_deref().and_then(type_of));
        let kind = kind.ok_or_else(|| Misrouted::NoType(self.object.name.clone()))?;
        let unexpected = || Misrouted::Unexpected(kind.to_owned(), self.object.name.clone());
        let table = *self.types.get(kind).ok_or_else(unexpected)?;
        let changed = if kind == self.object.cursor {
            let at = row.updated_at.ok_or_else(|| Misrouted::NoTime(self.object.name.clone()))?;
            Some((row.id.unwrap_or_default(), at))
        } else {
            None
        };
        let mut routed = Routed { table, pieces: Vec::new(), inner: Vec::new(), changed };
        let mut from = 0;
        for (number, list) in row.parts {
            let place = place(line, list.get());
            let instead = match &self.parts[number].1 {
                Part::Split { table, keep } => {
                    split(list.get(), row.written_id.unwrap_or("null"), |pieces| {
                        routed.inner.push((table.clone(), pieces));
                    })
                    .map_err(|error| not_json(&error))?;
                    if *keep {
                        continue;
                    }
                    Cow::Borrowed(&b"null"[..])
                }
                Part::Pivot => Cow::Owned(pivot(list.get()).map_err(|error| not_json(&error))?),
            };
            routed.pieces.push(Cow::Borrowed(&line[from..place.start]));
            routed.pieces.push(instead);
            from = place.end;
        }
        routed.pieces.push(Cow::Borrowed(&line[from..]));
        Ok(routed)
    }
}

/// Where a part of a text stands in it.
fn place(line: &[u8], part: &str) -> Range<usize> {
    let start = part.as_ptr() as usize - line.as_ptr() as usize;
    start..start + part.len()
}

/// Gives each item of a list as a row with the id of its parent: the pieces `{…`, a comma, the parent, `}`.
fn split<'r>(list: &'r str, parent: &'r str, mut give: impl FnMut([&'r str; 4])) -> Result<(), serde_json::Error> {
    use serde::de::Error;
    for item in serde_json::from_str::<Option<Vec<&RawValue>>>(list)?.unwrap_or_default() {
        let item = item.get();
        if item == "null" {
            continue;
        }
        let open = item.strip_suffix('}').filter(|_| item.starts_with('{'));
        let open = open.ok_or_else(|| serde_json::Error::custom("an item of a list is not a mapping"))?;
        give([open, if open.trim_end() == "{" { "\"__parentId\":" } else { ",\"__parentId\":" }, parent, "}"]);
    }
    Ok(())
}

/// `[{"name":"available","quantity":5}]` → `{"available":5}`.
fn pivot(list: &str) -> Result<Vec<u8>, serde_json::Error> {
    #[derive(serde::Deserialize)]
    struct Pair<'a> {
        name: Cow<'a, str>,
        quantity: Option<i64>,
    }
    let pairs = serde_json::from_str::<Option<Vec<Pair>>>(list)?.unwrap_or_default();
    let mapping: BTreeMap<Cow<str>, Option<i64>> = pairs.into_iter().map(|pair| (pair.name, pair.quantity)).collect();
    serde_json::to_vec(&mapping)
}

/// Reads the fields of a row that matter, wherever they stand.
struct Fields<'s, 'a> {
    parts: &'s [(&'a str, Part)],
}

impl<'de> DeserializeSeed<'de> for Fields<'_, '_> {
    type Value = Row<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Row<'de>, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Fields<'_, '_> {
    type Value = Row<'de>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a row")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Row<'de>, A::Error> {
        let mut row = Row::default();
        while let Some(key) = map.next_key_seed(Text)? {
            match key.as_ref() {
                "id" => {
                    let raw: &RawValue = map.next_value()?;
                    row.written_id = Some(raw.get());
                    row.id = text(raw)?;
                }
                "__typename" => row.typename = text(map.next_value()?)?,
                "__parentId" => row.parent = text(map.next_value()?)?,
                "updatedAt" => row.updated_at = text(map.next_value()?)?,
                key => match self.parts.iter().position(|(field, _)| *field == key) {
                    Some(number) => row.parts.push((number, map.next_value()?)),
                    None => {
                        map.next_value::<IgnoredAny>()?;
                    }
                },
            }
        }
        Ok(row)
    }
}

/// A text or null, without a copy when it has no escapes.
fn text<E: serde::de::Error>(raw: &RawValue) -> Result<Option<Cow<'_, str>>, E> {
    let inner = raw.get().strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    match inner {
        Some(plain) if !plain.contains('\\') => Ok(Some(Cow::Borrowed(plain))),
        _ => serde_json::from_str::<Option<String>>(raw.get()).map(|text| text.map(Cow::Owned)).map_err(E::custom),
    }
}

/// A key, without a copy when it has no escapes.
struct Text;

impl<'de> DeserializeSeed<'de> for Text {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Text {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a text")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(text.to_owned()))
    }
}

/// Takes the type out of a global id: `gid://shopify/Order/1` → `Order`.
pub fn type_of(id: &str) -> Option<&str> {
    let (name, number) = id.strip_prefix("gid://shopify/")?.split_once('/')?;
    (!name.is_empty() && !number.is_empty()).then_some(name)
}

/// Takes the number out of a global id: `gid://shopify/BulkOperation/7?x=1` → `7`.
pub fn number_of(id: &str) -> &str {
    let id = id.split_once('?').map_or(id, |(id, _)| id);
    id.rsplit_once('/').map_or(id, |(_, number)| number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graphql::tests::orders;

    /// All that a line gives, as `table: row`.
    fn rows(object: &Object, line: &str) -> Result<Vec<String>, Misrouted> {
        let all = Routes::new(object);
        let row = all.route(line.as_bytes())?;
        let own = String::from_utf8(row.pieces.concat()).unwrap();
        let own = row.table.map(|table| format!("{table}: {own}"));
        let inner = row.inner.into_iter().map(|(table, pieces)| format!("{table}: {}", pieces.concat()));
        Ok(own.into_iter().chain(inner).collect())
    }

    #[test]
    fn rows_are_routed_by_type_and_lists_by_field() {
        let object = orders();
        for (line, expected) in [
            (
                r#"{"id":"gid:\/\/shopify\/Order\/1","updatedAt":"x"}"#,
                &[r#"orders: {"id":"gid:\/\/shopify\/Order\/1","updatedAt":"x"}"#][..],
            ),
            (
                r#"{"id":"gid://shopify/LineItem/2?a=b","__parentId":"gid://shopify/Order/1"}"#,
                &[r#"order_lines: {"id":"gid://shopify/LineItem/2?a=b","__parentId":"gid://shopify/Order/1"}"#],
            ),
            (
                r#"{"refunds":[{"id":"gid:\/\/shopify\/Refund\/7","m":{"a":{}}},{},null],"id":"gid:\/\/shopify\/Order\/1","updatedAt":"x"}"#,
                &[
                    r#"orders: {"refunds":null,"id":"gid:\/\/shopify\/Order\/1","updatedAt":"x"}"#,
                    r#"refunds: {"id":"gid:\/\/shopify\/Refund\/7","m":{"a":{}},"__parentId":"gid:\/\/shopify\/Order\/1"}"#,
                    r#"refunds: {"__parentId":"gid:\/\/shopify\/Order\/1"}"#,
                ],
            ),
            // What is deeper down is not the row's own.
            (
                r#"{"product":{"id":"gid://shopify/Product/1","refunds":[{}]},"__typename":"LineItem"}"#,
                &[
                    r#"order_lines: {"product":{"id":"gid://shopify/Product/1","refunds":[{}]},"__typename":"LineItem"}"#,
                ],
            ),
        ] {
            assert_eq!(rows(&object, line).unwrap(), expected, "{line}");
        }
    }

    #[test]
    fn a_list_that_a_column_reads_stays_where_it_is() {
        let mut object = orders();
        object.lists[0].keep = true;
        object.tables.remove("Order");
        let line = r#"{"id":"gid://shopify/Order/1","updatedAt":"x","refunds":[{"id":1}]}"#;
        assert_eq!(rows(&object, line).unwrap(), [r#"refunds: {"id":1,"__parentId":"gid://shopify/Order/1"}"#]);
        object.tables.insert("Order", "orders".into());
        assert_eq!(rows(&object, line).unwrap()[0], format!("orders: {line}"));
    }

    #[test]
    fn names_and_numbers_become_one_mapping() {
        let object = Object {
            kind: "InventoryLevel".into(),
            pivots: vec!["quantities".into()],
            tables: [("InventoryLevel", "levels".into())].into(),
            ..Object::default()
        };
        let line = r#"{"id":"gid://shopify/InventoryLevel/1?inventory_item_id=2","quantities":[{"name":"on_hand","quantity":5},{"name":"available","quantity":-1}],"x":1}"#;
        assert_eq!(
            rows(&object, line).unwrap(),
            [
                r#"levels: {"id":"gid://shopify/InventoryLevel/1?inventory_item_id=2","quantities":{"available":-1,"on_hand":5},"x":1}"#
            ]
        );
    }

    #[test]
    fn rows_without_a_table_are_errors() {
        let object = orders();
        for (line, expected) in [
            (r#"{"id":"gid://shopify/Refund/1"}"#, "type `Refund` were not asked for"),
            (r#"{"name":"x"}"#, "neither `id` nor `__typename`"),
            (r#"{"id":"gid://shopify/Order/1"}"#, "no `updatedAt`"),
            (r#"{"id":"gid://shopify/Order/1","updatedAt":"x""#, "not JSON"),
            (r#"{"id":7}"#, "not JSON"),
            (r#"{"id":"gid://shopify/Order/1","updatedAt":"x"}{}"#, "not JSON"),
            ("[]", "not JSON"),
        ] {
            let error = rows(&object, line).unwrap_err().to_string();
            assert!(error.contains(expected), "{line}: {error}");
        }
    }

    #[test]
    fn ids_contain_their_number() {
        for (id, number) in [("gid://shopify/BulkOperation/7", "7"), ("gid://shopify/X/7?a=b/c", "7"), ("8", "8")] {
            assert_eq!(number_of(id), number);
        }
    }
}
