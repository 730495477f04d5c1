//! The warehouse's SQL: Redshift's dialect, made from the spec.
//!
//! Tables are in the schema `core`, marts in `marts`, and `pipectl.ledger` says which batch is in which table. A batch is
//! loaded by one transaction, of which the ledger is a part: it is there as a whole or not at all, and a second time it
//! changes nothing.

mod mart;

use std::sync::Arc;

use serde::Serialize;

use crate::error::Result;
use crate::spec::names::is_reserved;
use crate::spec::{Column, ColumnType, Load, Map, Spec, Table};
use crate::yaml::Source;

/// The user that Redshift makes for the namespace, and whose password it keeps in a secret.
pub const ADMIN_USER: &str = "pipectl_admin";

/// Rows on their way into a table, as the table has them.
const STAGE: &str = "pipectl_stage";
/// Rows as the files have them, where that differs.
const INCOMING: &str = "pipectl_incoming";

/// A mart, and the statements that make it anew.
#[derive(Debug, Clone, Serialize)]
pub struct Mart {
    pub name: String,
    pub refresh: Vec<String>,
}

/// The statements that make what is not there yet: schemas, the ledger and the tables.
pub fn setup(tables: &Map<Table>) -> Vec<String> {
    let mut statements: Vec<String> =
        ["core", "marts", "pipectl"].map(|schema| format!("CREATE SCHEMA IF NOT EXISTS {schema}")).into();
    statements.push(
        "CREATE TABLE IF NOT EXISTS pipectl.ledger (batch VARCHAR(64) NOT NULL, table_name VARCHAR(128) NOT NULL, \
         loaded_at TIMESTAMP NOT NULL, rows_staged BIGINT NOT NULL) DISTSTYLE ALL SORTKEY (batch)"
            .to_owned(),
    );
    statements.extend(tables.iter().map(|(name, table)| create(name, table)));
    statements
}

fn create(name: &str, table: &Table) -> String {
    let mut columns: Vec<String> = table
        .columns
        .iter()
        .map(|(column, definition)| {
            let required = definition.required() || table.key.contains(column);
            let not_null = if required { " NOT NULL" } else { "" };
            format!("{} {}{not_null}", quoted(column), sql_type(definition.kind()))
        })
        .collect();
    if !table.key.is_empty() {
        // Redshift does not enforce it; it plans by it, and the load keeps it true.
        columns.push(format!("PRIMARY KEY ({})", list(&table.key)));
    }
    let distribution = distribution(table)
        .map_or_else(|| "DISTSTYLE AUTO".to_owned(), |column| format!("DISTSTYLE KEY DISTKEY ({})", quoted(column)));
    let sort =
        sort_key(table).map_or_else(|| "SORTKEY AUTO".to_owned(), |column| format!("SORTKEY ({})", quoted(column)));
    format!("CREATE TABLE IF NOT EXISTS core.{} ({}) {distribution} {sort}", quoted(name), columns.join(", "))
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

/// The statements that bring one batch into a table, for one transaction. `{batch}` and `{path}` stand for the batch and
/// the folder of its files.
pub fn load(name: &str, table: &Table) -> Vec<String> {
    let target = format!("core.{}", quoted(name));
    let columns: Vec<String> = table.columns.keys().map(|column| quoted(column)).collect();
    let mut statements = stage(&target, table, &columns);
    let loaded = format!("SELECT 1 FROM pipectl.ledger WHERE batch = '{{batch}}' AND table_name = '{name}'");
    // A batch that is in the ledger is in the table: nothing of it is left to load.
    statements.push(format!("DELETE FROM {STAGE} WHERE EXISTS ({loaded})"));
    let same_key = same(&table.key, STAGE, "target");
    match table.load {
        Load::Upsert => {
            if let Some(order) = table.order_by.as_deref().map(quoted) {
                // Rows may come late: what the table has already and newer, stays.
                statements.push(format!(
                    "DELETE FROM {STAGE} USING {target} AS target WHERE {same_key} AND target.{order} > {STAGE}.{order}"
                ));
            }
            statements.push(merge(name, &target, table, &columns));
        }
        Load::Append => {
            if !table.key.is_empty() {
                statements.push(format!("DELETE FROM {STAGE} USING {target} AS target WHERE {same_key}"));
            }
            let columns = columns.join(", ");
            statements.push(format!("INSERT INTO {target} ({columns}) SELECT {columns} FROM {STAGE}"));
        }
    }
    statements.push(format!(
        "INSERT INTO pipectl.ledger (batch, table_name, loaded_at, rows_staged) \
         SELECT '{{batch}}', '{name}', GETDATE(), staged.row_count FROM (SELECT COUNT(*) AS row_count FROM {STAGE}) AS staged \
         WHERE NOT EXISTS ({loaded})"
    ));
    statements
}

/// Files into the stage. COPY takes Parquet columns by position, so that its table has exactly those of the files.
fn stage(target: &str, table: &Table, columns: &[String]) -> Vec<String> {
    let copy = |into: &str| format!("COPY {into} FROM '{{path}}' IAM_ROLE default FORMAT AS PARQUET");
    let create = format!("CREATE TEMP TABLE {STAGE} (LIKE {target})");
    let is_json = |column: &Column| *column.kind() == ColumnType::Super;
    if !table.columns.values().any(is_json) {
        return vec![create, copy(STAGE)];
    }
    // JSON stands in the files as text, which COPY would take for a SUPER of one string.
    let incoming: Vec<String> = table
        .columns
        .iter()
        .map(|(name, column)| {
            let kind = if is_json(column) { "VARCHAR(65535)".to_owned() } else { sql_type(column.kind()) };
            format!("{} {kind}", quoted(name))
        })
        .collect();
    let values: Vec<String> = table
        .columns
        .iter()
        .map(|(name, column)| {
            let name = quoted(name);
            if is_json(column) { format!("JSON_PARSE({name})") } else { name }
        })
        .collect();
    vec![
        format!("CREATE TEMP TABLE {INCOMING} ({})", incoming.join(", ")),
        copy(INCOMING),
        create,
        format!("INSERT INTO {STAGE} ({}) SELECT {} FROM {INCOMING}", columns.join(", "), values.join(", ")),
    ]
}

/// MERGE with both of its clauses, from a table, by equality: the one form that Redshift has.
fn merge(name: &str, target: &str, table: &Table, columns: &[String]) -> String {
    let set: Vec<String> = table
        .columns
        .keys()
        .filter(|column| !table.key.contains(column) || table.columns.len() == table.key.len())
        .map(|column| format!("{0} = {STAGE}.{0}", quoted(column)))
        .collect();
    let values: Vec<String> = columns.iter().map(|column| format!("{STAGE}.{column}")).collect();
    format!(
        "MERGE INTO {target} USING {STAGE} ON {} WHEN MATCHED THEN UPDATE SET {} WHEN NOT MATCHED THEN INSERT ({}) \
         VALUES ({})",
        same(&table.key, &quoted(name), STAGE),
        set.join(", "),
        columns.join(", "),
        values.join(", ")
    )
}

/// The statements that make each mart anew, each after the marts that it reads. Fails with everything that is wrong in
/// their SQL.
pub fn marts(spec: &Spec, sources: &[(String, Arc<Source>)]) -> Result<Vec<Mart>> {
    mart::marts(spec, sources)
}

fn same(key: &[String], left: &str, right: &str) -> String {
    let equal = |column: &String| format!("{left}.{0} = {right}.{0}", quoted(column));
    key.iter().map(equal).collect::<Vec<_>>().join(" AND ")
}

fn list(columns: &[String]) -> String {
    columns.iter().map(|column| quoted(column)).collect::<Vec<_>>().join(", ")
}

/// A name as SQL takes it: as it is, or in quotes where it could be read as something else.
fn quoted(name: &str) -> String {
    let plain = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
        && name.starts_with(|c: char| !c.is_ascii_digit());
    if plain && !is_reserved(name) { name.to_owned() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}

fn sql_type(kind: &ColumnType) -> String {
    match kind {
        ColumnType::Double => "DOUBLE PRECISION".into(),
        other => other.to_string().to_ascii_uppercase(),
    }
}

#[cfg(test)]
mod tests;
