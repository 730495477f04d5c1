//! Which table a row of a bulk result belongs to: pure.

use std::borrow::Cow;
use std::collections::BTreeMap;

use pipeline::document::Object;
use serde::Deserialize;

/// The fields of a row that decide where it goes; the rest is only checked to be JSON.
#[derive(Debug, Deserialize)]
struct Row<'a> {
    #[serde(borrow)]
    id: Option<Cow<'a, str>>,
    #[serde(rename = "__typename", borrow)]
    typename: Option<Cow<'a, str>>,
    #[serde(rename = "__parentId", borrow)]
    parent: Option<Cow<'a, str>>,
    #[serde(rename = "updatedAt", borrow)]
    updated_at: Option<Cow<'a, str>>,
}

/// Where a row goes, and what it says about the cursor.
#[derive(Debug, PartialEq, Eq)]
pub struct Routed<'a> {
    pub table: &'a str,
    /// True for a row of the queried object itself, false for a child.
    pub root: bool,
    pub updated_at: Option<String>,
}

/// Why a row goes nowhere.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Misrouted {
    #[error("a row is not JSON: {0}")]
    NotJson(String),
    #[error("rows of type `{0}` have no table; add `{0}: <table>` to `tables` of `{1}`, or take them out of its query")]
    NoTable(String, String),
    #[error(
        "a row of `{0}` has no `id`; select `id` or `__typename` in its query, or give the children without id a table as `Parent.child`"
    )]
    NoType(String),
}

/// The tables of one object by the type of a row.
#[derive(Debug)]
pub struct Routes<'a> {
    object: &'a str,
    types: &'a BTreeMap<String, String>,
}

impl<'a> Routes<'a> {
    pub fn new(object: &'a Object) -> Self {
        Self { object: &object.name, types: &object.tables }
    }

    /// Finds the table of a row.
    ///
    /// The type is `__typename` when the query selects it, else the type in the global id. A child without either goes
    /// by its parent: to the table of `Parent.child`, when `tables` names one child of that parent.
    /// No order of rows is assumed: Shopify does not promise that children follow their parent.
    pub fn route(&self, line: &[u8]) -> Result<Routed<'a>, Misrouted> {
        let row: Row = serde_json::from_slice(line).map_err(|error| Misrouted::NotJson(error.to_string()))?;
        let own = row.typename.as_deref().or_else(|| row.id.as_deref().and_then(type_of));
        let table = match (own, row.parent.as_deref().and_then(type_of)) {
            (Some(own), _) => {
                self.types.get(own).ok_or_else(|| Misrouted::NoTable(own.to_owned(), self.object.to_owned()))?
            }
            (None, Some(parent)) => self.child_of(parent)?,
            (None, None) => return Err(Misrouted::NoType(self.object.to_owned())),
        };
        Ok(Routed { table, root: row.parent.is_none(), updated_at: row.updated_at.map(Cow::into_owned) })
    }

    fn child_of(&self, parent: &str) -> Result<&'a String, Misrouted> {
        let children = |(name, _): &(&String, &String)| name.split_once('.').is_some_and(|(of, _)| of == parent);
        let mut tables = self.types.iter().filter(children).map(|(_, table)| table);
        match (tables.next(), tables.next()) {
            (Some(table), None) => Ok(table),
            _ => Err(Misrouted::NoType(self.object.to_owned())),
        }
    }
}

/// Takes the type out of a global id: `gid://shopify/Order/1` → `Order`.
fn type_of(id: &str) -> Option<&str> {
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

    fn object(tables: &[(&str, &str)]) -> Object {
        Object {
            name: "orders".into(),
            query: String::new(),
            tables: tables.iter().map(|(name, table)| ((*name).into(), (*table).into())).collect(),
        }
    }

    #[test]
    fn rows_go_by_their_type() {
        let object = object(&[("Order", "orders"), ("LineItem", "order_lines"), ("Order.taxLines", "tax_lines")]);
        let routes = Routes::new(&object);
        for (line, table, root) in [
            (r#"{"id":"gid:\/\/shopify\/Order\/1","updatedAt":"x"}"#, "orders", true),
            (r#"{"id":"gid://shopify/LineItem/2?a=b","__parentId":"gid://shopify/Order/1"}"#, "order_lines", false),
            (r#"{"price":"1","__parentId":"gid://shopify/Order/1"}"#, "tax_lines", false),
            (r#"{"__typename":"LineItem","__parentId":"gid://shopify/Order/1"}"#, "order_lines", false),
            // An id deeper down is not the row's own.
            (
                r#"{"product":{"id":"gid://shopify/Product/1"},"__parentId":"gid://shopify/Order/1"}"#,
                "tax_lines",
                false,
            ),
        ] {
            let row = routes.route(line.as_bytes()).unwrap();
            assert_eq!((row.table, row.root), (table, root), "{line}");
        }
    }

    #[test]
    fn rows_without_a_table_are_errors_that_say_the_edit() {
        let object = object(&[("Order", "orders"), ("Order.a", "a"), ("Order.b", "b")]);
        let routes = Routes::new(&object);
        for (line, expected) in [
            (r#"{"id":"gid://shopify/Refund/1"}"#, "add `Refund: <table>` to `tables` of `orders`"),
            (r#"{"name":"x"}"#, "select `id` or `__typename`"),
            (r#"{"id":7}"#, "not JSON"),
            (r#"{"x":1,"__parentId":"gid://shopify/Order/1"}"#, "select `id` or `__typename`"),
            (r#"{"id":"gid://shopify/Order/1""#, "not JSON"),
        ] {
            let error = routes.route(line.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(expected), "{line}: {error}");
        }
    }

    #[test]
    fn numbers_of_ids() {
        for (id, number) in [("gid://shopify/BulkOperation/7", "7"), ("gid://shopify/X/7?a=b/c", "7"), ("8", "8")] {
            assert_eq!(number_of(id), number);
        }
    }
}
