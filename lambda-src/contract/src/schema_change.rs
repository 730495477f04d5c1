//! Changes of a table in the warehouse that keep every row and every value.
//!
//! `plan` shows what this module returns, and the loader runs it.
//!
//! ALTER TABLE adds columns and lengthens a VARCHAR. Redshift changes no other type in place: for any other widening a
//! new table is created beside the old one, filled from it, and renamed, in one transaction.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::limits::TRANSACTION_STATEMENTS;
use crate::load_statements::lock;

/// The name of a table while it is rebuilt.
const REBUILD: &str = "pipectl_rebuild";

/// A column of a table in the warehouse.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    pub name: String,
    /// As the spec writes it: `varchar(255)`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Whether it is NOT NULL.
    #[serde(default)]
    pub required: bool,
}

/// A table in the warehouse.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    pub columns: Vec<Column>,
    #[serde(default)]
    pub key: Vec<String>,
    /// What follows the columns: distribution and sort order.
    #[serde(default)]
    pub attributes: String,
}

/// One difference between a table and the desired one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    Add {
        column: String,
        kind: String,
    },
    Widen {
        column: String,
        from: String,
        to: String,
    },
    /// A column loses its NOT NULL.
    Loosen {
        column: String,
    },
    /// A column that the spec no longer has: it stays, and new rows have no value in it.
    Leave {
        column: String,
    },
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Add { column, kind } => write!(f, "adds `{column}` {kind}"),
            Self::Widen { column, from, to } => write!(f, "widens `{column}` from {from} to {to}"),
            Self::Loosen { column } => write!(f, "lets `{column}` be without a value"),
            Self::Leave { column } => {
                write!(f, "leaves `{column}`, which the spec names no more: new rows have no value in it")
            }
        }
    }
}

/// A change that would lose data, and what to do instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub table: String,
    /// The column that it is about; none for the key.
    pub column: Option<String>,
    pub message: String,
    pub hint: String,
}

/// The steps from a table to the desired one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Migration {
    pub changes: Vec<Change>,
    /// Transactions, in their order. One of a single statement must be sent alone.
    pub steps: Vec<Vec<String>>,
}

/// Returns the statement that creates a table. Names of the spec need no quotes.
pub fn create(name: &str, table: &Table) -> String {
    format!("CREATE TABLE IF NOT EXISTS {name} ({}) {}", definitions(table), table.attributes).trim_end().to_owned()
}

fn definitions(table: &Table) -> String {
    let mut columns: Vec<String> = table
        .columns
        .iter()
        .map(|column| {
            let not_null = if column.required { " NOT NULL" } else { "" };
            format!("{} {}{not_null}", column.name, sql_type(&column.kind))
        })
        .collect();
    if !table.key.is_empty() {
        // Redshift does not enforce it; it plans by it, and the load keeps it true.
        columns.push(format!("PRIMARY KEY ({})", table.key.join(", ")));
    }
    columns.join(", ")
}

/// A type as SQL writes it.
pub fn sql_type(kind: &str) -> String {
    if kind == "double" { "DOUBLE PRECISION".to_owned() } else { kind.to_ascii_uppercase() }
}

/// A type as the spec writes it, from what the catalog says of a column.
pub fn kind(data_type: &str, length: Option<i64>, precision: Option<i64>, scale: Option<i64>) -> String {
    let or_zero = Option::unwrap_or_default;
    match data_type.to_ascii_lowercase().as_str() {
        "character varying" | "varchar" => format!("varchar({})", or_zero(length)),
        "numeric" | "decimal" => format!("decimal({},{})", or_zero(precision), or_zero(scale)),
        "double precision" => "double".to_owned(),
        "timestamp without time zone" => "timestamp".to_owned(),
        other => other.to_owned(),
    }
}

/// Compares a table with the desired one. Fails with every change that would lose data.
pub fn compare(name: &str, existing: &Table, desired: &Table) -> Result<Migration, Vec<Refusal>> {
    let mut changes = Vec::new();
    let mut refusals = Vec::new();
    if !existing.key.is_empty() && existing.key != desired.key {
        refusals.push(Refusal {
            table: name.to_owned(),
            column: None,
            message: format!(
                "the key of `{name}` would change from ({}) to ({}): rows that are there would not be found again",
                existing.key.join(", "),
                desired.key.join(", ")
            ),
            hint: format!("keep the key, or give the table another name; `{name}` then stays as it is"),
        });
    }
    for column in &desired.columns {
        let Some(known) = existing.columns.iter().find(|known| known.name == column.name) else {
            changes.push(Change::Add { column: column.name.clone(), kind: column.kind.clone() });
            continue;
        };
        if known.kind != column.kind {
            if widens(&known.kind, &column.kind) {
                let (from, to) = (known.kind.clone(), column.kind.clone());
                changes.push(Change::Widen { column: column.name.clone(), from, to });
            } else {
                refusals.push(refuse(name, &column.name, &known.kind, &column.kind));
                continue;
            }
        }
        if known.required && !column.required {
            changes.push(Change::Loosen { column: column.name.clone() });
        }
    }
    let left = existing.columns.iter().filter(|known| !desired.columns.iter().any(|column| column.name == known.name));
    for column in left {
        if column.required {
            changes.push(Change::Loosen { column: column.name.clone() });
        }
        changes.push(Change::Leave { column: column.name.clone() });
    }
    if !refusals.is_empty() {
        return Err(refusals);
    }
    let steps = steps(name, existing, desired, &changes);
    Ok(Migration { changes, steps })
}

fn refuse(table: &str, column: &str, from: &str, to: &str) -> Refusal {
    Refusal {
        table: table.to_owned(),
        column: Some(column.to_owned()),
        message: format!("`{column}` of `{table}` would change from {from} to {to}, which can lose values"),
        hint: format!(
            "keep {from}, or give the column another name; by hand: `ALTER TABLE {table} RENAME COLUMN {column} TO \
             {column}_before`, after which {column} is added as a new column"
        ),
    }
}

/// Whether every value of one type is a value of the other.
pub fn widens(from: &str, to: &str) -> bool {
    let ((from, before), (to, after)) = (read(from), read(to));
    match (from, before.as_slice(), to, after.as_slice()) {
        ("varchar", [short], "varchar", [long]) => long > short,
        ("decimal", [precision, scale], "decimal", [wider, finer]) => {
            finer >= scale && wider - finer >= precision - scale
        }
        (from, [], "decimal", [precision, scale]) => digits(from).is_some_and(|digits| precision - scale >= digits),
        ("smallint", _, "integer" | "bigint" | "double", _)
        | ("integer", _, "bigint" | "double", _)
        | ("date", _, "timestamp", _) => true,
        _ => false,
    }
}

/// A type's name and its parameters.
fn read(kind: &str) -> (&str, Vec<i64>) {
    let (name, parameters) = kind.split_once('(').unwrap_or((kind, ""));
    (name, parameters.trim_end_matches(')').split(',').filter_map(|number| number.trim().parse().ok()).collect())
}

fn digits(kind: &str) -> Option<i64> {
    match kind {
        "smallint" => Some(5),
        "integer" => Some(10),
        "bigint" => Some(19),
        _ => None,
    }
}

fn steps(name: &str, existing: &Table, desired: &Table, changes: &[Change]) -> Vec<Vec<String>> {
    let in_place = |change: &Change| match change {
        Change::Add { .. } | Change::Leave { .. } => true,
        // Redshift refuses to alter the type of a column of a key.
        Change::Widen { column, to, .. } => to.starts_with("varchar") && !desired.key.contains(column),
        Change::Loosen { .. } => false,
    };
    if !changes.iter().all(in_place) {
        return vec![rebuild(name, existing, desired)];
    }
    let added: Vec<String> = changes
        .iter()
        .filter_map(|change| match change {
            Change::Add { column, kind } => Some(format!("ALTER TABLE {name} ADD COLUMN {column} {}", sql_type(kind))),
            _ => None,
        })
        .collect();
    let widened = changes.iter().filter_map(|change| match change {
        Change::Widen { column, to, .. } => {
            Some(vec![format!("ALTER TABLE {name} ALTER COLUMN {column} TYPE {}", sql_type(to))])
        }
        _ => None,
    });
    added.chunks(TRANSACTION_STATEMENTS).map(<[String]>::to_vec).chain(widened).collect()
}

fn rebuild(name: &str, existing: &Table, desired: &Table) -> Vec<String> {
    let (schema, table) = name.split_once('.').unwrap_or(("core", name));
    let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
    let mut columns = Vec::new();
    let mut copied = Vec::new();
    for column in &desired.columns {
        let known = existing.columns.iter().find(|known| known.name == column.name);
        // Rows that are there have no value in a column that is new, and may have none where none was asked for.
        let required = column.required && known.is_some_and(|known| known.required);
        columns.push(Column { required, ..column.clone() });
        copied.extend(known.map(|known| known.name.clone()));
    }
    for column in &existing.columns {
        if !desired.columns.iter().any(|desired| desired.name == column.name) {
            let name = quoted(&column.name);
            copied.push(name.clone());
            columns.push(Column { name, kind: column.kind.clone(), required: false });
        }
    }
    let list = copied.join(", ");
    let made = Table { columns, ..desired.clone() };
    vec![
        // A load of the table that runs now is waited for, and the next one waits.
        lock([table.strip_prefix("deleted_").filter(|_| schema == "pipectl").unwrap_or(table)]),
        format!("CREATE TABLE {schema}.{REBUILD} ({}) {}", definitions(&made), made.attributes).trim_end().to_owned(),
        format!("INSERT INTO {schema}.{REBUILD} ({list}) SELECT {list} FROM {name}"),
        format!("DROP TABLE {name}"),
        format!("ALTER TABLE {schema}.{REBUILD} RENAME TO {table}"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(columns: &[(&str, &str, bool)], key: &[&str]) -> Table {
        let column = |(name, kind, required): &(&str, &str, bool)| Column {
            name: (*name).to_owned(),
            kind: (*kind).to_owned(),
            required: *required,
        };
        Table {
            columns: columns.iter().map(column).collect(),
            key: key.iter().map(|name| (*name).to_owned()).collect(),
            attributes: "DISTSTYLE AUTO".to_owned(),
        }
    }

    fn described(existing: &Table, desired: &Table) -> String {
        match compare("core.t", existing, desired) {
            Ok(migration) => {
                let changes = migration.changes.iter().map(ToString::to_string);
                let steps = migration.steps.iter().map(|step| format!("  {}", step.join(";\n  ")));
                changes.chain(steps).collect::<Vec<_>>().join("\n")
            }
            Err(refusals) => {
                refusals.iter().map(|one| format!("{}\n  {}", one.message, one.hint)).collect::<Vec<_>>().join("\n")
            }
        }
    }

    #[test]
    fn columns_are_added_and_texts_made_longer_in_place() {
        let existing =
            table(&[("id", "bigint", true), ("name", "varchar(10)", false), ("old", "date", false)], &["id"]);
        let desired =
            table(&[("id", "bigint", true), ("name", "varchar(20)", true), ("at", "timestamp", true)], &["id"]);
        assert_eq!(
            described(&existing, &desired),
            "widens `name` from varchar(10) to varchar(20)\n\
             adds `at` timestamp\n\
             leaves `old`, which the spec names no more: new rows have no value in it\n  \
             ALTER TABLE core.t ADD COLUMN at TIMESTAMP\n  \
             ALTER TABLE core.t ALTER COLUMN name TYPE VARCHAR(20)"
        );
        assert_eq!(described(&existing, &existing), "");
    }

    #[test]
    fn a_table_that_redshift_cannot_alter_is_rebuilt_with_all_its_columns() {
        let existing =
            table(&[("id", "integer", true), ("gone", "double", true), ("v", "decimal(10,2)", false)], &["id"]);
        let desired = table(&[("id", "bigint", true), ("v", "decimal(12,3)", false), ("w", "date", true)], &["id"]);
        assert_eq!(
            described(&existing, &desired),
            "widens `id` from integer to bigint\n\
             widens `v` from decimal(10,2) to decimal(12,3)\n\
             adds `w` date\n\
             lets `gone` be without a value\n\
             leaves `gone`, which the spec names no more: new rows have no value in it\n  \
             LOCK pipectl.ledger_t;\n  \
             CREATE TABLE core.pipectl_rebuild (id BIGINT NOT NULL, v DECIMAL(12,3), w DATE, \"gone\" DOUBLE PRECISION, PRIMARY KEY (id)) DISTSTYLE AUTO;\n  \
             INSERT INTO core.pipectl_rebuild (id, v, \"gone\") SELECT id, v, \"gone\" FROM core.t;\n  \
             DROP TABLE core.t;\n  \
             ALTER TABLE core.pipectl_rebuild RENAME TO t"
        );
    }

    #[test]
    fn what_would_lose_values_is_refused_with_a_way_out() {
        for (from, to) in [
            ("bigint", "integer"),
            ("bigint", "double"),
            ("bigint", "decimal(18,0)"),
            ("varchar(20)", "varchar(10)"),
            ("decimal(12,2)", "decimal(12,3)"),
            ("decimal(12,2)", "double"),
            ("timestamp", "date"),
            ("varchar(20)", "bigint"),
            ("super", "varchar(65535)"),
        ] {
            let text = described(&table(&[("v", from, false)], &[]), &table(&[("v", to, false)], &[]));
            assert!(text.starts_with(&format!("`v` of `core.t` would change from {from} to {to}")), "{text}");
        }
        let text = described(&table(&[("a", "date", true)], &["a"]), &table(&[("a", "date", true)], &["a", "b"]));
        assert!(text.starts_with("the key of `core.t` would change from (a) to (a, b)"), "{text}");
    }

    #[test]
    fn types_read_as_the_spec_writes_them() {
        for (found, expected) in [
            (kind("character varying", Some(9), None, None), "varchar(9)"),
            (kind("numeric", None, Some(14), Some(2)), "decimal(14,2)"),
            (kind("double precision", None, Some(53), None), "double"),
            (kind("timestamp without time zone", None, None, None), "timestamp"),
            (kind("bigint", None, Some(64), Some(0)), "bigint"),
            (kind("super", None, None, None), "super"),
        ] {
            assert_eq!(found, expected);
        }
    }
}
