//! The pipeline document: what the jobs and Lambdas know of the pipeline.
//!
//! It lies in the artifact bucket under a key made of its own hash, so that whoever holds the key holds the version.

mod query;
mod table;

use std::sync::Arc;

use pipectl_contract::schema_change;
use serde::Serialize;

use crate::digest::sha256;
use crate::error::{Error, Result};
use crate::spec::{Capture, Database, Engine, Map, Source, Spec};
use crate::sql::transforms::{self, Transform};
use crate::warehouse;
use crate::yaml;

pub use table::landing;
use table::{TableEntry, entry};

/// The pipeline as its programs see it.
#[derive(Debug, Serialize)]
pub struct Document {
    version: u32,
    pipeline: String,
    environment: String,
    prefix: String,
    buckets: Buckets,
    /// Landing objects leave once they are loaded and archived.
    empty_after_load: bool,
    sources: Map<SourceEntry>,
    tables: Map<TableEntry>,
    warehouse: Warehouse,
    /// The tables that are made by SQL.
    #[serde(skip_serializing_if = "Map::is_empty")]
    transforms: Map<Transform>,
    /// Where the Iceberg tables are, if there are any.
    #[serde(skip_serializing_if = "Option::is_none")]
    iceberg: Option<Iceberg>,
}

#[derive(Debug, Serialize)]
struct Iceberg {
    /// The database of the catalog.
    database: String,
    /// How long a table's earlier states are kept.
    snapshot_days: u32,
}

#[derive(Debug, Serialize)]
struct Buckets {
    raw: String,
    cleaned: String,
    transformed: String,
    raw_archive: String,
    cleaned_archive: String,
}

#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum SourceEntry {
    Shopify {
        store: String,
        api_version: String,
        secret: String,
        start: String,
        objects: Vec<query::Object>,
    },
    Files {},
    /// A Lambda of the user's own: to the jobs its objects are files.
    Lambda {},
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
struct Warehouse {
    workgroup: String,
    database: String,
    secret: String,
    /// Run first: what is not there is made.
    setup: Vec<String>,
    /// The tables as they shall be: what is there already is made so.
    schema: Map<schema_change::Table>,
    /// Run when the tables are as they shall be.
    complete: Vec<String>,
    /// The users that may only read, each with the secret of its password.
    users: Map<String>,
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
    Error::all(warehouse::check(spec))?;
    let made = warehouse::marts(spec, marts)?;
    Ok(Document {
        version: 1,
        pipeline: pipeline.name.clone(),
        environment: spec.environment_name.clone(),
        buckets: Buckets {
            raw: spec.bucket("raw"),
            cleaned: spec.bucket("cleaned"),
            transformed: spec.bucket("transformed"),
            raw_archive: spec.bucket("raw-archive"),
            cleaned_archive: spec.bucket("cleaned-archive"),
        },
        empty_after_load: pipeline.zones.raw.empty_after_load,
        sources: sources(spec)?,
        tables: pipeline.tables.iter().map(|(name, table)| (name.clone(), entry(spec, name, table))).collect(),
        warehouse: Warehouse {
            workgroup: prefix.clone(),
            database: pipeline.warehouse.database.clone(),
            secret: format!("redshift!{prefix}-{}", warehouse::ADMIN_USER),
            setup: warehouse::setup(spec),
            schema: warehouse::schema(spec),
            complete: warehouse::complete(spec, &made),
            users: spec.readers().map(|(user, secret)| (user.to_owned(), secret)).collect(),
            tables: pipeline
                .tables
                .iter()
                .map(|(name, table)| (name.clone(), LoadEntry { load: warehouse::load(spec, name, table) }))
                .collect(),
            marts: made,
        },
        transforms: Map::new(),
        iceberg: spec
            .iceberg_database()
            .map(|database| Iceberg { database, snapshot_days: pipeline.zones.transformed.snapshot_days }),
        prefix,
    })
}

impl Document {
    /// Adds the tables that are made by SQL. Fails with everything that is wrong in it.
    pub fn with_transforms(mut self, spec: &Spec, sources: &[(String, Arc<yaml::Source>)]) -> Result<Self> {
        self.transforms = transforms::check(spec, sources)?;
        Ok(self)
    }

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

#[cfg(test)]
mod tests;
