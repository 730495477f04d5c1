//! The pipeline document: what the jobs and Lambdas know of the pipeline.
//!
//! It lies in the artifact bucket under a key made of its own hash, so that whoever holds the key holds the version.

mod query;

use std::sync::Arc;

use serde::Serialize;

use crate::digest::sha256;
use crate::error::{Error, Result};
use crate::spec::{Capture, ColumnType, Database, Engine, FileFormat, Load, Map, Source, Spec, Table};
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
    Mysql(DatabaseEntry),
    Postgresql(DatabaseEntry),
}

/// A database. One that pipectl makes has its host in its secret: here it is null.
#[derive(Debug, Serialize)]
struct DatabaseEntry {
    host: Option<String>,
    port: u16,
    database: String,
    schema: String,
    secret: String,
    tls: bool,
    capture: Capture,
    overlap_seconds: u32,
}

#[derive(Debug, Serialize)]
struct TableEntry {
    source: String,
    /// The table in the database, of a database source.
    object: Option<String>,
    /// Where its objects arrive in the raw zone.
    landing: String,
    format: FileFormat,
    csv: Option<CsvEntry>,
    columns: Vec<ColumnEntry>,
    key: Vec<String>,
    order_by: Option<String>,
    watermark: Option<String>,
    load: Load,
    checks: ChecksEntry,
    quarantine_limit: f64,
    /// Whether deleted rows come as rows marked `_deleted`.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    deletes: bool,
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
        tables: pipeline.tables.iter().map(|(name, table)| (name.clone(), entry(spec, name, table))).collect(),
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
            Source::Shopify(shopify) => SourceEntry::Shopify {
                store: shopify.store.clone(),
                api_version: shopify.api_version.clone(),
                secret: format!("{prefix}/{name}"),
                start: format!("{}T00:00:00Z", shopify.since),
                objects: query::objects(spec, name)?,
            },
            Source::Mysql(database) => SourceEntry::Mysql(database_entry(Engine::Mysql, database, &prefix, name)),
            Source::Postgresql(database) => {
                SourceEntry::Postgresql(database_entry(Engine::Postgresql, database, &prefix, name))
            }
        };
        sources.insert(name.clone(), entry);
    }
    Ok(sources)
}

fn database_entry(engine: Engine, database: &Database, prefix: &str, source: &str) -> DatabaseEntry {
    DatabaseEntry {
        host: database.host.clone(),
        port: database.port(engine),
        database: database.database.clone(),
        schema: database.schema(engine).to_owned(),
        secret: database.secret(prefix, source),
        tls: database.tls,
        capture: database.capture,
        overlap_seconds: database.overlap_minutes * 60,
    }
}

fn entry(spec: &Spec, name: &str, table: &Table) -> TableEntry {
    let (source_name, object) = table.source.split_once('.').unwrap_or((&table.source, ""));
    let source = spec.pipeline.sources.get(source_name);
    let database = source.and_then(Source::database).map(|(_, database)| database);
    let shopify = matches!(source, Some(Source::Shopify(_)));
    let files = match source {
        Some(Source::Files(files)) => Some(files),
        _ => None,
    };
    let csv = files.filter(|files| files.format == FileFormat::Csv);
    TableEntry {
        source: source_name.to_owned(),
        object: database.map(|_| object.to_owned()),
        landing: table.landing(name, &spec.pipeline),
        format: match (files, database) {
            (Some(files), _) => files.format,
            (None, Some(_)) => FileFormat::Parquet,
            (None, None) => FileFormat::Jsonl,
        },
        csv: csv.map(|files| CsvEntry {
            delimiter: files.csv.delimiter.clone(),
            encoding: files.csv.encoding.clone(),
            header: true,
            null: files.csv.null.clone(),
        }),
        columns: table
            .columns
            .iter()
            .map(|(name, column)| ColumnEntry {
                name: name.clone(),
                kind: column.kind().clone(),
                from: match column.from() {
                    Some(from) => from.to_owned(),
                    None if shopify => query::camel_case(name),
                    None => name.clone(),
                },
                required: column.required(),
            })
            .collect(),
        key: table.key.clone(),
        order_by: table.order_by.clone(),
        watermark: table.watermark.clone(),
        load: table.load,
        checks: ChecksEntry {
            not_null: table.checks.not_null.clone(),
            unique: table.checks.unique.iter().map(|column| vec![column.clone()]).collect(),
            accepted_values: table.checks.accepted_values.clone(),
            rows: table.checks.rows.clone(),
        },
        quarantine_limit: table.quarantine_limit,
        deletes: database.is_some_and(|database| database.capture == Capture::Cdc),
    }
}

#[cfg(test)]
mod tests;
