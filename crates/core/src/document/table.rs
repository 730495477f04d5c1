//! A table of the document: where its objects are, how they are read, and what must hold of its rows.

use pipectl_contract::document::{self, Checks, Csv, Format, Reference};
use pipectl_contract::keys;

use crate::spec::source::shopify::objects::camel_case;
use crate::spec::{Capture, Column, FileFormat, Files, Header, Source, Spec, Table};

pub(super) fn entry(spec: &Spec, name: &str, table: &Table) -> document::Table {
    let (source, object) = table.source();
    // A table that is made by SQL has none.
    let of = spec.pipeline.sources.get(source);
    let database = of.and_then(Source::database).map(|(_, database)| database);
    let files = of.and_then(Source::files);
    let snapshot = files.is_some_and(|files| files.snapshot);
    document::Table {
        source: source.to_owned(),
        object: database.and(object).map(str::to_owned),
        landing: landing(spec, name, table),
        format: of.map_or(Format::Jsonl, Source::format),
        csv: files.filter(|files| files.format == FileFormat::Csv).map(csv),
        snapshot,
        deletes: spec.deletes(table),
        ingest_ledger: database
            .filter(|database| database.capture == Capture::Watermark)
            .map(|_| keys::ingest_entries_folder(source)),
        columns: table.columns.iter().map(|(name, column)| self::column(name, column, of)).collect(),
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

fn csv(files: &Files) -> Csv {
    let csv = &files.csv;
    Csv {
        delimiter: csv.delimiter.clone(),
        encoding: csv.encoding.clone(),
        header: csv.header == Header::First,
        null: csv.null.clone(),
        decimal: csv.decimal.clone(),
        thousands: csv.thousands.clone(),
        date_format: csv.date_format.clone(),
        escape: csv.escape.clone(),
    }
}

fn column(name: &str, column: &Column, source: Option<&Source>) -> document::Column {
    document::Column {
        name: name.to_owned(),
        kind: column.kind().clone(),
        from: match column.from() {
            Some(from) => from.to_owned(),
            None => source.map_or_else(|| camel_case(name), |source| source.default_field(name)),
        },
        required: column.required(),
        timezone: column.timezone().map(str::to_owned),
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
