//! A table of the document: where its objects are, how they are read, and what must hold of its rows.

use pipectl_contract::document::{self, Checks, Csv, Format, Reference};
use pipectl_contract::keys;

use crate::spec::{Capture, Column, Database, FileFormat, Files, Source, Spec, Table};

use super::query;

pub(super) fn entry(spec: &Spec, name: &str, table: &Table) -> document::Table {
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
    document::Table {
        source: source.to_owned(),
        object: database.and(object).map(str::to_owned),
        landing: landing(spec, name, table),
        format,
        csv: files.filter(|files| files.format == FileFormat::Csv).map(csv),
        snapshot,
        deletes: spec.deletes(table),
        ingest_ledger: database
            .filter(|database| database.capture == Capture::Watermark)
            .map(|_| keys::ingest_entries_folder(source)),
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

fn csv(files: &Files) -> Csv {
    let csv = &files.csv;
    Csv {
        delimiter: csv.delimiter.clone(),
        encoding: csv.encoding.clone(),
        header: true,
        null: csv.null.clone(),
        decimal: csv.decimal.clone(),
        thousands: csv.thousands.clone(),
        date_format: csv.date_format.clone(),
        escape: csv.escape.clone(),
    }
}

fn column(name: &str, column: &Column, by_name: bool) -> document::Column {
    document::Column {
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

fn checks(table: &Table) -> Checks {
    let checks = &table.checks;
    let reference = |to: &String| {
        let (table, column) = to.split_once('.').unwrap_or((to, ""));
        Reference { table: table.to_owned(), column: column.to_owned() }
    };
    Checks {
        not_null: checks.not_null.clone(),
        unique: checks.unique.iter().map(|column| vec![column.clone()]).collect(),
        accepted_values: in_order(&checks.accepted_values),
        between: in_order(&checks.between),
        matches: in_order(&checks.matches),
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

fn in_order<T: Clone>(entries: &crate::spec::Map<T>) -> pipectl_contract::Map<T> {
    entries.iter().map(|(name, value)| (name.clone(), value.clone())).collect()
}
