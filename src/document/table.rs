//! A table of the document: where its objects are, how they are read, and what must hold of its rows.

use serde::Serialize;

use crate::spec::{
    Capture, CheckName, Column, ColumnType, Database, FileFormat, Files, Load, Map, RowBounds, SchemaChanges, Source,
    Spec, Table,
};

use super::query;

#[derive(Debug, Serialize)]
pub(super) struct TableEntry {
    source: String,
    /// The table in the database, of a database source.
    #[serde(skip_serializing_if = "Option::is_none")]
    object: Option<String>,
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
    /// The column that tells what is new, of a database that is read by it.
    #[serde(skip_serializing_if = "Option::is_none")]
    watermark: Option<String>,
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
    /// The files of DMS.
    Changes,
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
    let (source, object) = table.source();
    let database = database(spec, table);
    let files = spec.pipeline.sources.get(source).and_then(Source::files);
    let format = match files.map(|files| files.format) {
        Some(FileFormat::Csv) => Format::Csv,
        Some(FileFormat::Parquet) => Format::Parquet,
        None if database.is_some_and(|database| database.capture == Capture::Cdc) => Format::Changes,
        None if database.is_some() => Format::Parquet,
        Some(FileFormat::Jsonl) | None => Format::Jsonl,
    };
    let snapshot = files.is_some_and(|files| files.snapshot);
    TableEntry {
        source: source.to_owned(),
        object: database.and(object).map(str::to_owned),
        landing: landing(spec, name, table),
        format,
        csv: files.filter(|files| files.format == FileFormat::Csv).map(csv),
        snapshot,
        deletes: spec.deletes(table),
        ingest_ledger: database
            .filter(|database| database.capture == Capture::Watermark)
            .map(|_| format!("_ledger/ingest/{source}/")),
        columns: table
            .columns
            .iter()
            .map(|(name, of)| column(name, of, files.is_some() || database.is_some()))
            .collect(),
        key: table.key.clone(),
        order_by: table.order_by.clone(),
        watermark: table.watermark.clone(),
        load: table.load,
        schema_changes: table.schema_changes,
        checks: checks(table),
        quarantine_limit: table.quarantine_limit,
    }
}

/// The prefix of a table's objects in the raw bucket.
pub fn landing(spec: &Spec, name: &str, table: &Table) -> String {
    table.landing(name, &spec.pipeline)
}

/// The database that a table is made from.
fn database<'a>(spec: &'a Spec, table: &Table) -> Option<&'a Database> {
    let (_, database) = spec.pipeline.sources.get(table.source().0)?.database()?;
    Some(database)
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

fn column(name: &str, column: &Column, by_name: bool) -> ColumnEntry {
    ColumnEntry {
        name: name.to_owned(),
        kind: column.kind().clone(),
        from: match column.from() {
            Some(from) => from.to_owned(),
            None if by_name => name.to_owned(),
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
