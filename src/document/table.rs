//! A table of the document: where its objects are, how they are read, and what must hold of its rows.

use serde::Serialize;

use crate::spec::{
    CheckName, Column, ColumnType, FileFormat, Files, Load, Map, RowBounds, SchemaChanges, Source, Spec, Table,
};

use super::query;

#[derive(Debug, Serialize)]
pub(super) struct TableEntry {
    source: String,
    /// The prefix of the table's objects in the raw bucket.
    landing: String,
    format: Format,
    csv: Option<CsvEntry>,
    /// Each object is the whole table.
    snapshot: bool,
    /// Rows may be marked as deleted: cleaned and transformed rows have a last column `_deleted`.
    deletes: bool,
    /// Objects count only when an entry below this prefix of the raw bucket names them.
    ingest_ledger: Option<String>,
    pub(super) columns: Vec<ColumnEntry>,
    key: Vec<String>,
    order_by: Option<String>,
    load: Load,
    schema_changes: SchemaChanges,
    checks: ChecksEntry,
    quarantine_limit: f64,
}

/// The reader that the jobs take.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "lowercase")]
enum Format {
    Csv,
    Jsonl,
    Parquet,
}

#[derive(Debug, Serialize)]
struct CsvEntry {
    delimiter: String,
    encoding: String,
    header: bool,
    null: Vec<String>,
    decimal: String,
    thousands: Option<String>,
    date_format: Option<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct ColumnEntry {
    pub(super) name: String,
    #[serde(rename = "type")]
    pub(super) kind: ColumnType,
    from: String,
    required: bool,
}

#[derive(Debug, Serialize)]
struct ChecksEntry {
    not_null: Vec<String>,
    /// Each list of columns is unique together.
    unique: Vec<Vec<String>>,
    accepted_values: Map<Vec<String>>,
    between: Map<crate::spec::Bounds>,
    matches: Map<String>,
    references: Map<ReferenceEntry>,
    rows: RowBounds,
    fresh_within_hours: Map<u64>,
    /// The checks that only warn.
    warn: Vec<CheckName>,
}

#[derive(Debug, Serialize)]
struct ReferenceEntry {
    table: String,
    column: String,
}

pub(super) fn entry(spec: &Spec, name: &str, table: &Table) -> TableEntry {
    let (source, _) = table.source.split_once('.').unwrap_or((&table.source, ""));
    let files = match spec.pipeline.sources.get(source) {
        Some(Source::Files(files)) => Some(files),
        _ => None,
    };
    let format = match files.map(|files| files.format) {
        Some(FileFormat::Csv) => Format::Csv,
        Some(FileFormat::Parquet) => Format::Parquet,
        Some(FileFormat::Jsonl) | None => Format::Jsonl,
    };
    let snapshot = files.is_some_and(|files| files.snapshot);
    TableEntry {
        source: source.to_owned(),
        landing: landing(spec, name, table),
        format,
        csv: files.filter(|files| files.format == FileFormat::Csv).map(csv),
        snapshot,
        deletes: deletes(spec, table),
        ingest_ledger: None,
        columns: table.columns.iter().map(|(name, of)| column(name, of, files.is_some())).collect(),
        key: table.key.clone(),
        order_by: table.order_by.clone(),
        load: table.load,
        schema_changes: table.schema_changes,
        checks: checks(table),
        quarantine_limit: table.quarantine_limit,
    }
}

/// The prefix of a table's objects in the raw bucket.
pub fn landing(_spec: &Spec, name: &str, _table: &Table) -> String {
    format!("landing/{name}/")
}

/// Whether the table's source tells of rows that are deleted.
pub fn deletes(spec: &Spec, table: &Table) -> bool {
    let (source, _) = table.source.split_once('.').unwrap_or((&table.source, ""));
    match spec.pipeline.sources.get(source) {
        Some(Source::Files(files)) => files.snapshot,
        Some(Source::Shopify(_)) | None => false,
    }
}

fn csv(files: &Files) -> CsvEntry {
    let csv = &files.csv;
    CsvEntry {
        delimiter: csv.delimiter.clone(),
        encoding: csv.encoding.clone(),
        header: true,
        null: csv.null.clone(),
        decimal: csv.decimal.clone(),
        thousands: csv.thousands.clone(),
        date_format: csv.date_format.clone(),
    }
}

fn column(name: &str, column: &Column, is_file: bool) -> ColumnEntry {
    ColumnEntry {
        name: name.to_owned(),
        kind: column.kind().clone(),
        from: match column.from() {
            Some(from) => from.to_owned(),
            None if is_file => name.to_owned(),
            None => query::camel_case(name),
        },
        required: column.required(),
    }
}

fn checks(table: &Table) -> ChecksEntry {
    let checks = &table.checks;
    let reference = |to: &String| {
        let (table, column) = to.split_once('.').unwrap_or((to, ""));
        ReferenceEntry { table: table.to_owned(), column: column.to_owned() }
    };
    ChecksEntry {
        not_null: checks.not_null.clone(),
        unique: checks.unique.iter().map(|column| vec![column.clone()]).collect(),
        accepted_values: checks.accepted_values.clone(),
        between: checks.between.clone(),
        matches: checks.matches.clone(),
        references: checks.references.iter().map(|(column, to)| (column.clone(), reference(to))).collect(),
        rows: checks.rows.clone(),
        fresh_within_hours: checks
            .fresh_within
            .iter()
            .filter_map(|(column, age)| Some((column.clone(), age.hours()?)))
            .collect(),
        warn: checks.warn.clone(),
    }
}
