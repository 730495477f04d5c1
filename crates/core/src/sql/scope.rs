//! Which names can be seen where.

use std::cell::OnceCell;
use std::collections::HashMap;

use indexmap::{IndexMap, IndexSet};
use sqlparser::ast::Ident;

use super::{Checker, Column, Dialect, Kind};
use crate::error::{closest, did_you_mean};

/// A table as a FROM binds it.
#[derive(Debug, Clone)]
pub(super) struct Bound {
    /// Its alias, or else its own name.
    pub(super) name: String,
    /// The schema that it may also be called by; none under an alias.
    pub(super) schema: Option<String>,
    /// None where they are not known.
    pub(super) columns: Option<Vec<Column>>,
    /// Where each of them is, made when the first is looked up.
    index: OnceCell<HashMap<String, usize>>,
}

impl Bound {
    pub(super) fn new(name: String, schema: Option<String>, columns: Option<Vec<Column>>) -> Self {
        Self { name, schema, columns, index: OnceCell::new() }
    }

    /// A column by its name; the first of several.
    pub(super) fn column(&self, name: &str) -> Option<&Column> {
        let columns = self.columns.as_ref()?;
        let index = self.index.get_or_init(|| {
            let names = columns.iter().enumerate().rev();
            names.map(|(at, column)| (column.name.clone(), at)).collect()
        });
        columns.get(*index.get(name)?)
    }
}

/// The names within one SELECT.
#[derive(Debug, Default)]
pub(super) struct Scope<'p> {
    pub(super) tables: Vec<Bound>,
    /// Columns that a JOIN … USING has made one of two.
    pub(super) merged: Vec<String>,
    /// Names given in the SELECT list so far.
    pub(super) aliases: IndexMap<String, Kind>,
    /// The names of the WITH lists that can be seen.
    pub(super) with: Vec<(String, Option<Vec<Column>>)>,
    pub(super) parent: Option<&'p Scope<'p>>,
}

/// Where a column was found: the number of its table, and its name.
pub(super) type ColumnRef = (usize, String);

impl Scope<'_> {
    /// The result of a name in a WITH list.
    pub(super) fn with_named(&self, name: &str) -> Option<&Option<Vec<Column>>> {
        let own = self.with.iter().rev().find(|(known, _)| known == name).map(|(_, columns)| columns);
        own.or_else(|| self.parent.and_then(|parent| parent.with_named(name)))
    }

    fn is_open(&self) -> bool {
        self.tables.iter().any(|table| table.columns.is_none()) || self.parent.is_some_and(Scope::is_open)
    }

    fn column_names(&self) -> Vec<&str> {
        let columns = self.tables.iter().filter_map(|table| table.columns.as_ref()).flatten();
        let names = columns.map(|column| column.name.as_str()).chain(self.aliases.keys().map(String::as_str));
        names.collect::<IndexSet<_>>().into_iter().collect()
    }

    /// The tables of this SELECT that have the column.
    fn holders(&self, name: &str) -> Vec<(usize, Kind)> {
        let kind = |table: &Bound| table.column(name).map(|column| column.kind);
        self.tables.iter().enumerate().filter_map(|(index, table)| Some((index, kind(table)?))).collect()
    }

    /// The place of a column in this SELECT itself, if the name leads there.
    pub(super) fn column_ref(&self, parts: &[Ident]) -> Option<ColumnRef> {
        match parts {
            [column] => {
                let name = folded(column);
                self.holders(&name).first().map(|(index, _)| (*index, name))
            }
            [.., table, column] => {
                let table = folded(table);
                let index = self.tables.iter().position(|bound| bound.name == table)?;
                Some((index, folded(column)))
            }
            [] => None,
        }
    }
}

/// A name as it is compared: without regard to upper and lower case, which neither database keeps.
pub(super) fn folded(name: &Ident) -> String {
    name.value.to_lowercase()
}

impl Checker<'_> {
    /// The type of a column that stands without a table.
    pub(super) fn column(&mut self, name: &Ident, scope: &Scope<'_>) -> Kind {
        let text = folded(name);
        let mut next = Some(scope);
        while let Some(scope) = next {
            let holders = scope.holders(&text);
            match holders.as_slice() {
                [(_, kind)] => return *kind,
                [(_, kind), ..] if scope.merged.contains(&text) => return *kind,
                [(first, _), (second, _), ..] => {
                    let (first, second) = (&scope.tables[*first].name, &scope.tables[*second].name);
                    let message = format!("`{text}` is a column of both `{first}` and `{second}`");
                    let hint = format!("say which one: `{first}.{text}` or `{second}.{text}`");
                    self.wrong(name, message, "ambiguous", hint);
                    return Kind::Unknown;
                }
                [] => {}
            }
            if let Some(kind) = scope.aliases.get(&text) {
                return *kind;
            }
            if scope.tables.iter().any(|table| table.columns.is_none()) {
                return Kind::Unknown;
            }
            next = scope.parent;
        }
        if let Some(kind) = self.constant(&text) {
            return kind;
        }
        if !scope.is_open() {
            let mut known = scope.column_names();
            if let Some(parent) = scope.parent {
                known.extend(parent.column_names());
            }
            let hint = if known.is_empty() {
                "there is no table to take it from; a text stands in single quotes".to_owned()
            } else {
                did_you_mean(&text, known.iter().copied())
            };
            self.wrong(name, format!("unknown column `{text}`"), "no table in FROM has it", hint);
        }
        Kind::Unknown
    }

    /// Words that are constants, such as `current_date`.
    fn constant(&self, name: &str) -> Option<Kind> {
        match name {
            "current_date" => Some(Kind::Date),
            "sysdate" | "current_timestamp" | "localtimestamp" => Some(Kind::Timestamp),
            "current_user" | "session_user" | "user" | "current_user_id" => Some(Kind::Unknown),
            "default" if self.dialect == Dialect::Redshift => Some(Kind::Unknown),
            _ => None,
        }
    }

    /// The type of a column that stands with its table, or of a part of a SUPER.
    pub(super) fn qualified(&mut self, parts: &[Ident], scope: &Scope<'_>) -> Kind {
        let names: Vec<String> = parts.iter().map(folded).collect();
        let mut next = Some(scope);
        while let Some(current) = next {
            for bound in &current.tables {
                let rest = match names.as_slice() {
                    [schema, table, rest @ ..] if bound.schema.as_ref() == Some(schema) && bound.name == *table => rest,
                    [table, rest @ ..] if bound.name == *table => rest,
                    _ => continue,
                };
                let Some(first) = rest.first() else { continue };
                let Some(columns) = &bound.columns else { return Kind::Unknown };
                let Some(found) = bound.column(first) else {
                    let known: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
                    let message = format!("`{}` has no column `{first}`", bound.name);
                    let at = &parts[parts.len() - rest.len()];
                    let hint = elsewhere(first, scope).unwrap_or_else(|| did_you_mean(first, known));
                    self.wrong(at, message, "no such column", hint);
                    return Kind::Unknown;
                };
                return if rest.len() == 1 { found.kind } else { Kind::Unknown };
            }
            // `payload.a.b` goes into a column that holds more than one value.
            if current.holders(&names[0]).len() == 1 {
                return Kind::Unknown;
            }
            next = current.parent;
        }
        if scope.is_open() && scope.tables.iter().all(|table| table.columns.is_none()) {
            return Kind::Unknown;
        }
        let mut known: Vec<&str> = Vec::new();
        let mut next = Some(scope);
        while let Some(current) = next {
            known.extend(current.tables.iter().map(|table| table.name.as_str()));
            next = current.parent;
        }
        let table = &parts[parts.len().saturating_sub(2)];
        let message = format!("`{}` is no table of this query's FROM", folded(table));
        let hint = match closest(&folded(table), known.iter().copied()) {
            Some(name) => format!("did you mean `{name}`?"),
            None if known.is_empty() => String::new(),
            None => format!("it reads: {}", known.join(", ")),
        };
        self.wrong(table, message, "not there", hint);
        Kind::Unknown
    }
}

/// A hint when another table of the query has the column.
fn elsewhere(column: &str, scope: &Scope<'_>) -> Option<String> {
    let (index, _) = *scope.holders(column).first()?;
    Some(format!("did you mean `{}.{column}`?", scope.tables[index].name))
}
