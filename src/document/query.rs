//! The GraphQL bulk queries that fetch what the tables of a Shopify source need.

use serde::Serialize;

use crate::error::{Error, Result};
use crate::spec::{Map, Spec, Table};

/// A kind of object that Shopify exports in bulk.
struct Kind {
    /// The connection at the root of a query.
    connection: &'static str,
    /// The type's name, as it stands in global ids: `gid://shopify/Order/1`.
    object: &'static str,
    /// The connection of children that can be a table of its own, with the type of a child.
    children: Option<(&'static str, &'static str)>,
}

const KINDS: [Kind; 3] = [
    Kind { connection: "customers", object: "Customer", children: None },
    Kind { connection: "orders", object: "Order", children: Some(("lineItems", "LineItem")) },
    Kind { connection: "products", object: "Product", children: Some(("variants", "ProductVariant")) },
];

/// One bulk query, and the tables that its rows belong to.
#[derive(Debug, Serialize)]
pub(super) struct Object {
    name: &'static str,
    /// `{since}` stands for the time from which on changes are wanted.
    query: String,
    /// From a type in a global id to a table.
    tables: Map<String>,
}

/// The bulk queries of one source. Fails if two tables are made from one kind of object.
pub(super) fn objects(spec: &Spec, source: &str) -> Result<Vec<Object>> {
    let mut objects = Vec::new();
    for kind in &KINDS {
        let mut tables = Map::new();
        let mut root = Selection::default();
        for field in ["id", "updatedAt"] {
            root.add(field);
        }
        if let Some((name, table)) = only(spec, source, kind.connection)? {
            tables.insert(kind.object.to_owned(), name.to_owned());
            root.columns(table);
        }
        let mut children = String::new();
        if let Some((connection, object)) = kind.children
            && let Some((name, table)) = only(spec, source, &format!("{}.{connection}", kind.connection))?
        {
            tables.insert(object.to_owned(), name.to_owned());
            let mut child = Selection::default();
            child.add("id");
            child.columns(table);
            children = format!(" {connection} {{ edges {{ node {{ {child} }} }} }}");
        }
        if !tables.is_empty() {
            let connection = kind.connection;
            let query = format!(
                "{{ {connection}(query: \"updated_at:>='{{since}}'\", sortKey: UPDATED_AT) \
                 {{ edges {{ node {{ {root}{children} }} }} }} }}"
            );
            objects.push(Object { name: connection, query, tables });
        }
    }
    Ok(objects)
}

/// The table that is made from an object of a source.
fn only<'a>(spec: &'a Spec, source: &str, object: &str) -> Result<Option<(&'a str, &'a Table)>> {
    let wanted = format!("{source}.{object}");
    let mut tables = spec.pipeline.tables.iter().filter(|(_, table)| table.source == wanted);
    let first = tables.next().map(|(name, table)| (name.as_str(), table));
    if let (Some((one, _)), Some((other, _))) = (first, tables.next()) {
        let error = Error::project(format!("the tables `{one}` and `{other}` are both made from `{wanted}`"));
        let error = match spec.tree.pointer(&format!("/tables/{other}/source")) {
            Some(node) => error.at(&node.span, format!("`{one}` has it already")),
            None => error,
        };
        return Err(error.hint(format!("put the columns of `{other}` into `{one}`, and select them in a mart")));
    }
    Ok(first)
}

/// Fields with the fields below them: what GraphQL calls a selection set.
#[derive(Default)]
struct Selection(Map<Selection>);

impl Selection {
    /// Adds a dotted path; what two paths share is selected once.
    fn add(&mut self, path: &str) {
        match path.split_once('.') {
            Some((first, rest)) => self.0.entry(first.to_owned()).or_default().add(rest),
            None => {
                self.0.entry(path.to_owned()).or_default();
            }
        }
    }

    fn columns(&mut self, table: &Table) {
        for (name, column) in &table.columns {
            match column.from() {
                // Bulk operations add the parent's id to each child by themselves.
                Some("__parentId") => {}
                Some(path) => self.add(path),
                None => self.add(&camel_case(name)),
            }
        }
    }
}

impl std::fmt::Display for Selection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (index, (field, below)) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(" ")?;
            }
            f.write_str(field)?;
            if !below.0.is_empty() {
                write!(f, " {{ {below} }}")?;
            }
        }
        Ok(())
    }
}

/// `created_at` to `createdAt`, as Shopify names its fields.
pub(super) fn camel_case(name: &str) -> String {
    let mut words = name.split('_').filter(|word| !word.is_empty());
    let mut text = words.next().unwrap_or_default().to_owned();
    for word in words {
        let mut letters = word.chars();
        text.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        text.push_str(letters.as_str());
    }
    text
}
