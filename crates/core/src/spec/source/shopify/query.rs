//! What the tables of a Shopify source need of the shop: objects, fields, children and lists.

use pipectl_contract::document::{Child, List, Object};

use crate::error::{Error, Result};
use crate::spec::{Map, Spec, Table};

use super::objects::{self, FIELD_SCOPES, OBJECTS, ObjectPath, QUANTITIES, camel_case};

/// The objects of one source. Fails if two tables are made from one of them.
pub(crate) fn objects(spec: &Spec, source: &str) -> Result<Vec<Object>> {
    let mut found: Vec<Object> = Vec::new();
    for root in &OBJECTS {
        let (connection, arguments, cursor, below) = match root.path {
            ObjectPath::Root { arguments } => (root.name, arguments, root.kind, None),
            ObjectPath::Below { root: connection, root_kind, arguments, connection: below } => {
                (connection, arguments, root.kind, Some((root_kind, below)))
            }
            ObjectPath::Child { .. } | ObjectPath::List { .. } => continue,
        };
        let mut object = Object {
            name: objects::last(root.name).to_owned(),
            connection: connection.to_owned(),
            arguments: arguments.to_owned(),
            cursor: cursor.to_owned(),
            ..Object::default()
        };
        let own = only(spec, source, root.name)?;
        let mut selection = Selection::default();
        for field in ["id", "updatedAt"] {
            selection.add(field);
        }
        take(&mut object, root, own);
        selection.columns(own.map(|(_, table)| table));
        object.scopes.extend(root.scopes.iter().copied().chain(selection.scopes()).map(str::to_owned));
        if let Some((kind, connection)) = below {
            if selection.0.shift_remove("quantities").is_some() {
                object.pivots.push("quantities".to_owned());
            }
            let quantities = own.map(|(_, table)| quantities(table)).unwrap_or_default();
            let fields = format!("{selection}{quantities}");
            kind.clone_into(&mut object.kind);
            "id".clone_into(&mut object.fields);
            object.children.push(child(connection, root.kind, fields));
        } else {
            root.kind.clone_into(&mut object.kind);
            for part in &OBJECTS {
                add_part(&mut object, spec, source, root.name, part, &mut selection)?;
            }
            object.fields = selection.to_string();
        }
        if !object.tables.is_empty() {
            object.scopes.sort_unstable();
            object.scopes.dedup();
            found.push(object);
        }
    }
    Ok(found)
}

fn child(connection: &str, kind: &str, fields: String) -> Child {
    Child { connection: connection.to_owned(), kind: kind.to_owned(), fields }
}

/// Adds what a table of one of its parts needs.
fn add_part(
    object: &mut Object,
    spec: &Spec,
    source: &str,
    root: &str,
    part: &'static objects::Object,
    own: &mut Selection,
) -> Result<()> {
    let (connection, list) = match part.path {
        ObjectPath::Child { of, connection } if of == root => (connection, false),
        ObjectPath::List { of, field } if of == root => (field, true),
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
    take(object, part, table);
    object.scopes.extend(part.scopes.iter().copied().chain(selection.scopes()).map(str::to_owned));
    let fields = selection.to_string();
    if list {
        let (field, kind) = (connection.to_owned(), part.kind.to_owned());
        object.lists.push(List { field, kind, fields, keep });
    } else {
        object.children.push(child(connection, part.kind, fields));
    }
    Ok(())
}

/// Adds the table that is made from an object or a part of it.
fn take(object: &mut Object, part: &'static objects::Object, table: Option<(&str, &Table)>) {
    let Some((name, table)) = table else { return };
    object.tables.insert(part.kind, name.to_owned());
    if let Some(event) = part.event.filter(|_| objects::deletes(table)) {
        object.deletions.insert(event, part.kind.to_owned());
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
    let source_object = format!("{source}.{object}");
    let mut tables = spec.pipeline.tables.iter().filter(|(_, table)| table.source == source_object);
    let first = tables.next().map(|(name, table)| (name.as_str(), table));
    if let (Some((one, _)), Some((other, _))) = (first, tables.next()) {
        let error = Error::project(format!("the tables `{one}` and `{other}` are both made from `{source_object}`"));
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
