//! The pipeline document: what the jobs and Lambdas know of the pipeline.
//!
//! It lies in the artifact bucket under a key made of its own hash, so that whoever holds the key holds the version.

mod query;

use std::sync::Arc;

use serde::Serialize;

use crate::digest::sha256;
use crate::error::{Error, Result};
use crate::spec::{ColumnType, FileFormat, Load, Map, Source, Spec, Table};
use crate::warehouse;
use crate::yaml;

/// The pipeline as its programs see it.
#[derive(Debug, Serialize)]
pub struct Document {
    version: u32,
    pipeline: String,
    environment: String,
    prefix: String,
    buckets: Buckets,
    sources: Map<SourceEntry>,
    tables: Map<TableEntry>,
    warehouse: Warehouse,
}

#[derive(Debug, Serialize)]
struct Buckets {
    raw: String,
    cleaned: String,
    transformed: String,
}

#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum SourceEntry {
    Shopify { store: String, api_version: String, secret: String, start: String, objects: Vec<query::Object> },
    Files {},
    /// A Lambda of the user's own: to the jobs its objects are files.
    Lambda {},
}

#[derive(Debug, Serialize)]
struct TableEntry {
    source: String,
    format: FileFormat,
    csv: Option<CsvEntry>,
    columns: Vec<ColumnEntry>,
    key: Vec<String>,
    order_by: Option<String>,
    load: Load,
    checks: ChecksEntry,
    quarantine_limit: f64,
}

#[derive(Debug, Serialize)]
struct CsvEntry {
    delimiter: String,
    encoding: String,
    header: bool,
    null: Vec<String>,
}

#[derive(Debug, Serialize)]
struct ColumnEntry {
    name: String,
    #[serde(rename = "type")]
    kind: ColumnType,
    from: String,
    required: bool,
}

#[derive(Debug, Serialize)]
struct ChecksEntry {
    not_null: Vec<String>,
    /// Each list of columns is unique together.
    unique: Vec<Vec<String>>,
    accepted_values: Map<Vec<String>>,
    rows: crate::spec::RowBounds,
}

#[derive(Debug, Serialize)]
struct Warehouse {
    workgroup: String,
    database: String,
    secret: String,
    setup: Vec<String>,
    tables: Map<LoadEntry>,
    marts: Vec<warehouse::Mart>,
}

#[derive(Debug, Serialize)]
struct LoadEntry {
    load: Vec<String>,
}

/// Makes the document. `marts` holds each mart's name and SQL. Fails with everything that is wrong in the SQL.
pub fn document(spec: &Spec, marts: &[(String, Arc<yaml::Source>)]) -> Result<Document> {
    let prefix = spec.prefix();
    let pipeline = &spec.pipeline;
    Ok(Document {
        version: 1,
        pipeline: pipeline.name.clone(),
        environment: spec.environment_name.clone(),
        buckets: Buckets {
            raw: spec.bucket("raw"),
            cleaned: spec.bucket("cleaned"),
            transformed: spec.bucket("transformed"),
        },
        sources: sources(spec)?,
        tables: pipeline.tables.iter().map(|(name, table)| (name.clone(), entry(spec, table))).collect(),
        warehouse: Warehouse {
            workgroup: prefix.clone(),
            database: pipeline.warehouse.database.clone(),
            secret: format!("redshift!{prefix}-{}", warehouse::ADMIN_USER),
            setup: warehouse::setup(&pipeline.tables),
            tables: pipeline
                .tables
                .iter()
                .map(|(name, table)| (name.clone(), LoadEntry { load: warehouse::load(name, table) }))
                .collect(),
            marts: warehouse::marts(spec, marts)?,
        },
        prefix,
    })
}

impl Document {
    /// The document as it lies in the bucket: compact JSON, in the order of the spec.
    pub fn bytes(&self) -> Result<Vec<u8>> {
        serde_json::to_vec(self).map_err(|error| Error::new("the pipeline document cannot be written").cause(&error))
    }

    /// The key of these bytes in the artifact bucket.
    pub fn key(bytes: &[u8]) -> String {
        format!("config/pipeline-{}.json", sha256(bytes))
    }
}

fn sources(spec: &Spec) -> Result<Map<SourceEntry>> {
    let prefix = spec.prefix();
    let mut sources = Map::new();
    for (name, source) in &spec.pipeline.sources {
        let entry = match source {
            Source::Files(_) => SourceEntry::Files {},
            Source::Lambda(_) => SourceEntry::Lambda {},
            Source::Shopify(shopify) => SourceEntry::Shopify {
                store: shopify.store.clone(),
                api_version: shopify.api_version.clone(),
                secret: format!("{prefix}/{name}"),
                start: format!("{}T00:00:00Z", shopify.since),
                objects: query::objects(spec, name)?,
            },
        };
        sources.insert(name.clone(), entry);
    }
    Ok(sources)
}

fn entry(spec: &Spec, table: &Table) -> TableEntry {
    let (name, _) = table.source.split_once('.').unwrap_or((&table.source, ""));
    let files = match spec.pipeline.sources.get(name) {
        Some(Source::Files(files)) => Some((files.format, &files.csv)),
        Some(Source::Lambda(custom)) => Some((custom.format, &custom.csv)),
        _ => None,
    };
    let csv = files.filter(|(format, _)| *format == FileFormat::Csv).map(|(_, csv)| csv);
    TableEntry {
        source: name.to_owned(),
        format: files.map_or(FileFormat::Jsonl, |(format, _)| format),
        csv: csv.map(|csv| CsvEntry {
            delimiter: csv.delimiter.clone(),
            encoding: csv.encoding.clone(),
            header: true,
            null: csv.null.clone(),
        }),
        columns: table
            .columns
            .iter()
            .map(|(name, column)| ColumnEntry {
                name: name.clone(),
                kind: column.kind().clone(),
                from: match column.from() {
                    Some(from) => from.to_owned(),
                    None if files.is_some() => name.clone(),
                    None => query::camel_case(name),
                },
                required: column.required(),
            })
            .collect(),
        key: table.key.clone(),
        order_by: table.order_by.clone(),
        load: table.load,
        checks: ChecksEntry {
            not_null: table.checks.not_null.clone(),
            unique: table.checks.unique.iter().map(|column| vec![column.clone()]).collect(),
            accepted_values: table.checks.accepted_values.clone(),
            rows: table.checks.rows.clone(),
        },
        quarantine_limit: table.quarantine_limit,
    }
}

#[cfg(test)]
mod tests;
