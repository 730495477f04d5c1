//! The pipeline document, made from the spec: what the jobs and Lambdas know about the pipeline.
//!
//! It is in the artifact bucket under a key that contains its digest, so that the key identifies the version.

mod table;

use std::sync::Arc;

use pipectl_contract::document::{self, Buckets, Document, Iceberg, VERSION, Warehouse};
use pipectl_contract::names::Zone;
use pipectl_contract::{Map, keys, names};

use crate::digest::sha256;
use crate::error::{Error, Result};
use crate::spec::Spec;
use crate::sql::transforms;
use crate::warehouse;
use crate::yaml;

use table::entry;
pub use table::landing;

/// Makes the document. `marts` and `transforms` hold each mart's and each transform's name and SQL. Fails with everything
/// that is wrong in the SQL of the marts, else in that of the transforms.
pub fn document(
    spec: &Spec,
    marts: &[(String, Arc<yaml::Source>)],
    transforms: &[(String, Arc<yaml::Source>)],
) -> Result<Document> {
    let prefix = spec.prefix();
    let pipeline = &spec.pipeline;
    Error::all(warehouse::check(spec))?;
    let made = warehouse::marts(spec, marts)?;
    let transforms = transforms::check(spec, transforms)?;
    Ok(Document {
        version: VERSION,
        pipeline: pipeline.name.clone(),
        environment: spec.environment_name.clone(),
        buckets: Buckets {
            raw: spec.bucket(Zone::Raw),
            cleaned: spec.bucket(Zone::Cleaned),
            transformed: spec.bucket(Zone::Transformed),
            raw_archive: spec.bucket(Zone::RawArchive),
            cleaned_archive: spec.bucket(Zone::CleanedArchive),
        },
        empty_after_load: pipeline.zones.raw.empty_after_load,
        sources: sources(spec)?,
        tables: pipeline.tables.iter().map(|(name, table)| (name, entry(spec, name, table))).collect(),
        warehouse: Warehouse {
            workgroup: prefix.clone(),
            database: pipeline.warehouse.database.clone(),
            secret: names::warehouse_secret(&prefix),
            setup: warehouse::setup(spec),
            schema: warehouse::schema(spec),
            complete: warehouse::complete(spec, &made),
            users: spec.readers().collect(),
            tables: pipeline.tables.iter().map(|(name, table)| (name, warehouse::load(spec, name, table))).collect(),
            marts: made.into_iter().map(|mart| mart.document).collect(),
            parallel: pipeline.warehouse.parallel_loads,
        },
        transforms,
        iceberg: spec
            .iceberg_database()
            .map(|database| Iceberg { database, snapshot_days: pipeline.zones.transformed.snapshot_days }),
        prefix,
    })
}

/// The document as it is stored: compact JSON, in the order of the spec.
pub fn bytes(document: &Document) -> Result<Vec<u8>> {
    serde_json::to_vec(document).map_err(|error| Error::new("the pipeline document cannot be written").cause(&error))
}

/// The key of these bytes in the artifact bucket.
pub fn key(bytes: &[u8]) -> String {
    keys::document(&sha256(bytes))
}

fn sources(spec: &Spec) -> Result<Map<document::Source>> {
    let mut sources = Map::new();
    for (name, source) in &spec.pipeline.sources {
        sources.insert(name, source.document(spec, name)?);
    }
    Ok(sources)
}

#[cfg(test)]
mod tests;
