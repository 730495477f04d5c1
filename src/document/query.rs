//! What the tables of a Shopify source need of the shop: objects, fields, children and lists.

use serde::Serialize;

use crate::error::{Error, Result};
use crate::spec::shopify::{self, FIELD_SCOPES, OBJECTS, Place, QUANTITIES};
use crate::spec::{Map, Spec, Table};

pub(super) use crate::spec::shopify::camel_case;

/// A kind of object that the Lambda reads, and the tables that its rows belong to.
#[derive(Debug, Default, Serialize)]
pub(super) struct Object {
    name: &'static str,
    /// The connection at the root of a query.
    connection: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    arguments: &'static str,
    #[serde(rename = "type")]
    kind: &'static str,
    /// What is selected of a row, without children and lists.
    fields: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    children: Vec<Child>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    lists: Vec<List>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pivots: Vec<&'static str>,
    /// The type whose `updatedAt` moves the cursor.
    cursor: &'static str,
    /// From a type in a global id to a table.
    tables: Map<String>,
    scopes: Vec<&'static str>,
    /// From what an event calls its subject to the type that is deleted.
    #[serde(skip_serializing_if = "Map::is_empty")]
    deletions: Map<&'static str>,
}

#[derive(Debug, Serialize)]
struct Child {
    connection: &'static str,
    #[serde(rename = "type")]
    kind: &'static str,
    fields: String,
}

#[derive(Debug, Serialize)]
struct List {
    field: &'static str,
    #[serde(rename = "type")]
    kind: &'static str,
    fields: String,
    /// A column of the row's own table reads it, too.
    keep: bool,
}

/// The objects of one source. Fails if two tables are made from one of them.
pub(super) fn objects(spec: &Spec, source: &str) -> Result<Vec<Object>> {
    let mut objects: Vec<Object> = Vec::new();
    for root in &OBJECTS {
        let (connection, arguments, cursor, below) = match root.place {
            Place::Root { arguments } => (root.name, arguments, root.kind, None),
            Place::Below { root: connection, root_kind, arguments, connection: below } => {
                (connection, arguments, root.kind, Some((root_kind, below)))
            }
            Place::Child { .. } | Place::List { .. } => continue,
        };
        let mut object = Object { name: shopify::last(root.name), connection, arguments, cursor, ..Object::default() };
        let own = only(spec, source, root.name)?;
        let mut selection = Selection::default();
        for field in ["id", "updatedAt"] {
            selection.add(field);
        }
        object.take(root, own);
        selection.columns(own.map(|(_, table)| table));
        object.scopes.extend(root.scopes);
        object.scopes.extend(selection.scopes());
        if let Some((kind, connection)) = below {
            if selection.0.shift_remove("quantities").is_some() {
                object.pivots.push("quantities");
            }
            let quantities = own.map(|(_, table)| quantities(table)).unwrap_or_default();
            let fields = format!("{selection}{quantities}");
            object.kind = kind;
            "id".clone_into(&mut object.fields);
            object.children.push(Child { connection, kind: root.kind, fields });
        } else {
            object.kind = root.kind;
            for part in &OBJECTS {
                object.part(spec, source, root.name, part, &mut selection)?;
            }
            object.fields = selection.to_string();
        }
        if !object.tables.is_empty() {
            object.scopes.sort_unstable();
            object.scopes.dedup();
            objects.push(object);
        }
    }
    Ok(objects)
}

impl Object {
    /// Takes what a table of one of its parts needs.
    fn part(
        &mut self,
        spec: &Spec,
        source: &str,
        root: &str,
        part: &'static shopify::Object,
        own: &mut Selection,
    ) -> Result<()> {
        let (connection, list) = match part.place {
            Place::Child { of, connection } if of == root => (connection, false),
            Place::List { of, field } if of == root => (field, true),
            _ => return Ok(()),
        };
        // A column of the root's own table may read the list as a whole.
        let keep = list && own.0.shift_remove(connection).is_some();
        let table = only(spec, source, part.name)?;
        if table.is_none() && !keep {
            return Ok(());
        }
        let mut selection = Selection::default();
        selection.add("id");
        selection.columns(table.map(|(_, table)| table));
        self.take(part, table);
        self.scopes.extend(part.scopes.iter().copied().chain(selection.scopes()));
        let (kind, fields) = (part.kind, selection.to_string());
        if list {
            self.lists.push(List { field: connection, kind, fields, keep });
        } else {
            self.children.push(Child { connection, kind, fields });
        }
        Ok(())
    }

    fn take(&mut self, part: &'static shopify::Object, table: Option<(&str, &Table)>) {
        let Some((name, table)) = table else { return };
        self.tables.insert(part.kind.to_owned(), name.to_owned());
        if let Some(event) = part.event.filter(|_| shopify::deletes(table)) {
            self.deletions.insert(event.to_owned(), part.kind);
        }
    }
}

/// The quantities that the columns of a table read: ` quantities(names: ["available"]) { name quantity }`.
fn quantities(table: &Table) -> String {
    let read = |state: &&&str| {
        table
            .columns
            .values()
            .filter_map(|column| column.from())
            .any(|from| from == "quantities" || from.strip_prefix("quantities.").is_some_and(|of| of == **state))
    };
    let names: Vec<String> = QUANTITIES.iter().filter(read).map(|name| format!("\"{name}\"")).collect();
    if names.is_empty() {
        return String::new();
    }
    format!(" quantities(names: [{}]) {{ name quantity }}", names.join(", "))
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

    fn columns(&mut self, table: Option<&Table>) {
        for (name, column) in table.into_iter().flat_map(|table| &table.columns) {
            match column.from() {
                // Bulk operations add the parent's id to each child by themselves.
                Some("__parentId") => {}
                Some(path) => self.add(path),
                None => self.add(&camel_case(name)),
            }
        }
    }

    /// The scopes that its fields need beside those of the object.
    fn scopes(&self) -> Vec<&'static str> {
        let needed = |(field, _): &&(&str, &'static str)| self.0.contains_key(*field);
        FIELD_SCOPES.iter().filter(needed).map(|(_, scope)| *scope).collect()
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
