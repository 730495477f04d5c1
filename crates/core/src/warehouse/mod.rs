//! The warehouse's SQL: Redshift's dialect, made from the spec.
//!
//! Tables are in the schema `core`, marts in `marts`, and `pipectl.ledger_<table>` records which batches are in a table. A
//! batch is loaded by one transaction, of which the ledger is a part: it is there as a whole or not at all, and a second
//! time it changes nothing.

mod load;
mod mart;
pub mod schema_changes;

use std::sync::Arc;

use pipectl_contract::document::TableLoad;
use pipectl_contract::limits::{STATEMENT_BYTES, TRANSACTION_STATEMENTS};
use pipectl_contract::load_statements::{self, Batch, Files};
use pipectl_contract::names::columns::INFERRED;
use pipectl_contract::{Map, schema_change};

use crate::error::{Error, Result};
use crate::spec::names::is_reserved;
use crate::spec::{Column, ColumnType, Spec, Table};

use crate::yaml::Source;
pub use mart::Mart;

/// The longest statement without the names of a batch and its files.
const LONGEST: usize = STATEMENT_BYTES - 2_000;
/// How many keys of tables one statement records: far below its longest length.
const KEYS_AT_ONCE: usize = 15;

/// The statements that make what is not there yet: schemas, what pipectl keeps for itself, and the tables.
pub fn setup(spec: &Spec) -> Vec<String> {
    let mut statements: Vec<String> =
        ["core", "marts", "pipectl"].map(|schema| format!("CREATE SCHEMA IF NOT EXISTS {schema}")).into();
    statements.push(
        "CREATE TABLE IF NOT EXISTS pipectl.tables (table_name VARCHAR(256) NOT NULL, key_columns VARCHAR(4096) NOT NULL) \
         DISTSTYLE ALL"
            .to_owned(),
    );
    let tables = schema(spec);
    statements.extend(tables.iter().map(|(name, table)| schema_change::create(name, table)));
    statements.extend(spec.pipeline.tables.keys().map(|name| load_statements::create_ledger(name)));
    // Once written it stays: a later spec that differs from it has changed the key.
    let keys: Vec<(String, String)> =
        tables.iter().map(|(name, table)| (name.to_owned(), table.key.join(","))).collect();
    for some in keys.chunks(KEYS_AT_ONCE) {
        let select = |(name, key): &(String, String)| {
            format!(
                "SELECT '{name}' AS table_name, '{key}' AS key_columns WHERE NOT EXISTS \
                 (SELECT 1 FROM pipectl.tables WHERE table_name = '{name}')"
            )
        };
        let selects = some.iter().map(select).collect::<Vec<_>>().join(" UNION ALL ");
        statements.push(format!("INSERT INTO pipectl.tables (table_name, key_columns) {selects}"));
    }
    statements
}

/// The desired tables with their schema: those of the spec, and those that record deletions.
pub fn schema(spec: &Spec) -> Map<schema_change::Table> {
    let mut tables = Map::new();
    for (name, table) in &spec.pipeline.tables {
        let inferred = spec.has_stubs(name);
        let column = |name: &str, kind: &str, required| schema_change::Column {
            name: quoted(name),
            kind: kind.to_owned(),
            required,
        };
        let mut columns: Vec<schema_change::Column> = table
            .columns
            .iter()
            .map(|(name, definition)| {
                let in_key = table.key.contains(name);
                // A row that was made for its key alone has nothing else.
                let required = in_key || (definition.required() && !inferred);
                column(name, &definition.kind().to_string(), required)
            })
            .collect();
        if spec.deletes(table) && remembers(table) {
            let kept = |column: &schema_change::Column| {
                table.key.contains(&column.name) || table.order_by.as_ref() == Some(&column.name)
            };
            let columns = columns.iter().filter(|column| kept(column)).cloned().collect();
            // It has no column of a parent, which the table itself may lie by.
            let by_key = distribution(table).is_some_and(|column| table.key.iter().any(|key| key == column));
            let attributes = if by_key { distributed(table) } else { "DISTSTYLE AUTO".to_owned() };
            let gone_table = schema_change::Table { columns, key: table.key.clone(), attributes };
            tables.insert(gone(name), gone_table);
        }
        if inferred {
            columns.push(column(INFERRED, "boolean", false));
        }
        let sort =
            sort_key(table).map_or_else(|| "SORTKEY AUTO".to_owned(), |column| format!("SORTKEY ({})", quoted(column)));
        let attributes = format!("{} {sort}", distributed(table));
        tables.insert(
            format!("core.{}", quoted(name)),
            schema_change::Table { columns, key: table.key.clone(), attributes },
        );
    }
    tables
}

/// Whether deletions, if there are any, are remembered, so that a row that comes late is not taken for a new one.
fn remembers(table: &Table) -> bool {
    table.order_by.is_some() && !table.key.is_empty()
}

/// The table that remembers what was deleted from another.
fn gone(name: &str) -> String {
    format!("pipectl.deleted_{name}")
}

fn distributed(table: &Table) -> String {
    distribution(table)
        .map_or_else(|| "DISTSTYLE AUTO".to_owned(), |column| format!("DISTSTYLE KEY DISTKEY ({})", quoted(column)))
}

/// The column that says on which slice a row lies: children lie with their parents, for the join of the two; other
/// rows by their key, for the MERGE.
fn distribution(table: &Table) -> Option<&str> {
    let parent = table.columns.iter().find(|(_, column)| column.from() == Some("__parentId")).map(|(name, _)| name);
    let single = || match table.key.as_slice() {
        [only] if table.source.contains('.') => Some(only),
        _ => None,
    };
    parent.or_else(single).map(String::as_str)
}

/// The column that most questions limit: when a row was made, else when it was changed.
fn sort_key(table: &Table) -> Option<&str> {
    let is_time = |column: &Column| matches!(column.kind(), ColumnType::Timestamp | ColumnType::Date);
    let times = || table.columns.iter().filter(|(_, column)| is_time(column)).map(|(name, _)| name.as_str());
    times().find(|name| *name == "created_at").or(table.order_by.as_deref()).or_else(|| times().next())
}

/// How the batches of a table are loaded.
pub fn load(spec: &Spec, name: &str, table: &Table) -> TableLoad {
    load::table_load(spec, name, table)
}

/// The statements of a batch whose files have the columns of the table.
fn statements(spec: &Spec, name: &str, table: &Table) -> Vec<String> {
    let batch = Batch { name: "", files: Files::Manifest(""), columns: &Map::new() };
    // A batch without a list of columns fits.
    load_statements::statements(&load(spec, name, table), batch).unwrap_or_default()
}

/// Says which tables are too wide for the statements that load them.
pub fn check(spec: &Spec) -> Vec<Error> {
    let mut errors = Vec::new();
    let made = schema(spec);
    for (name, table) in &spec.pipeline.tables {
        let statements = statements(spec, name, table);
        let longest = statements.iter().map(String::len).max().unwrap_or_default();
        let created =
            made.get(&format!("core.{}", quoted(name))).map_or(0, |table| schema_change::create(name, table).len());
        let span = spec.tree.pointer(&format!("/tables/{name}")).map(|node| &node.span);
        let at = |error: Error| match span {
            Some(span) => error.at(span, ""),
            None => error,
        };
        if longest.max(created) > LONGEST {
            let error = Error::project(format!(
                "table `{name}` is too wide: a statement that loads it has {} bytes, and the Redshift Data API takes 100,000",
                longest.max(created)
            ));
            let hint = format!(
                "it has {} columns: shorten their names, leave some out, or keep some in one `super` column",
                table.columns.len()
            );
            errors.push(at(error.hint(hint)));
        }
        if statements.len() > TRANSACTION_STATEMENTS {
            let error = Error::project(format!(
                "table `{name}` has too many columns with `late: stub`: {} statements, and a transaction takes {TRANSACTION_STATEMENTS}",
                statements.len()
            ));
            errors.push(at(error.hint("drop `late: stub` from some of them")));
        }
    }
    errors
}

/// The statements that refresh each mart, each after the marts that it reads. Fails with all errors in
/// their SQL.
pub fn marts(spec: &Spec, sources: &[(String, Arc<Source>)]) -> Result<Vec<Mart>> {
    mart::marts(spec, sources)
}

/// The statements that follow after the tables are up to date: materialized views, and what readers may read.
pub fn complete(spec: &Spec, marts: &[Mart]) -> Vec<String> {
    let mut statements: Vec<String> = marts.iter().flat_map(|mart| mart.create.iter().cloned()).collect();
    for (user, _) in spec.readers() {
        let user = quoted(user);
        statements.push(format!("GRANT USAGE ON SCHEMA core, marts TO {user}"));
        for schema in ["core", "marts"] {
            statements.push(format!("GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {user}"));
            // Marts are dropped and created again.
            statements.push(format!("ALTER DEFAULT PRIVILEGES IN SCHEMA {schema} GRANT SELECT ON TABLES TO {user}"));
        }
    }
    statements
}

/// A name as SQL takes it: as it is, or in quotes where it could be read as something else.
fn quoted(name: &str) -> String {
    let plain = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
        && name.starts_with(|c: char| !c.is_ascii_digit());
    if plain && !is_reserved(name) { name.to_owned() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}

#[cfg(test)]
mod tests;
