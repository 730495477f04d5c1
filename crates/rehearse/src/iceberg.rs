//! The Iceberg tables after a rehearsal: what their own metadata says, held against the warehouse.

use std::collections::BTreeMap;
use std::path::PathBuf;

use pipectl_contract::names::columns::INFERRED;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::spec::Spec;

use super::local_pipeline::LocalPipeline;
use super::timeline::{Severity, Timeline};

/// An Iceberg table as it is now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct IcebergTable {
    pub table: String,
    pub rows: u64,
    /// The states of it that can be asked for.
    pub snapshots: usize,
}

/// The part of a table's metadata file that counts here (Iceberg's table spec, "Table Metadata").
#[derive(Debug, Default, Deserialize)]
struct Metadata {
    #[serde(rename = "current-snapshot-id")]
    current: Option<i64>,
    #[serde(default)]
    snapshots: Vec<Snapshot>,
}

#[derive(Debug, Deserialize)]
struct Snapshot {
    #[serde(rename = "snapshot-id")]
    id: i64,
    #[serde(default)]
    summary: BTreeMap<String, String>,
}

impl Metadata {
    /// The rows of the current snapshot: a summary counts what its files hold, and what is deleted of it.
    fn rows(&self) -> u64 {
        let current = self.snapshots.iter().find(|snapshot| Some(snapshot.id) == self.current);
        let number = |name: &str| -> u64 { current.and_then(|one| one.summary.get(name)?.parse().ok()).unwrap_or(0) };
        number("total-records").saturating_sub(number("total-position-deletes"))
    }
}

/// Reads every Iceberg table, and finds fault with one that has not the rows of the warehouse.
pub(super) async fn tables(
    pipeline: &LocalPipeline,
    spec: &Spec,
    timeline: &mut Timeline,
) -> Result<Vec<IcebergTable>> {
    let Some(database) = spec.iceberg_database() else { return Ok(Vec::new()) };
    let mut tables = Vec::new();
    for name in spec.pipeline.tables.keys() {
        // A table that never had a row is in neither.
        let Some(metadata) = read(pipeline, &database, name)? else { continue };
        let table = IcebergTable { table: name.clone(), rows: metadata.rows(), snapshots: metadata.snapshots.len() };
        // Rows that stand in for others that are yet to come are the warehouse's alone.
        let real = if spec.has_stubs(name) { format!(" WHERE NOT coalesce({INFERRED}, FALSE)") } else { String::new() };
        let (_, rows) = pipeline.warehouse.rows(&format!("SELECT count(*) FROM core.\"{name}\"{real}")).await?;
        let there: u64 = rows.first().and_then(|row| row.first()?.as_ref()?.parse().ok()).unwrap_or_default();
        if table.rows != there {
            let text = format!("the Iceberg table `{name}` has {} rows, the warehouse {there}", table.rows);
            timeline.find(Severity::Error, text);
        }
        tables.push(table);
    }
    Ok(tables)
}

fn read(pipeline: &LocalPipeline, database: &str, name: &str) -> Result<Option<Metadata>> {
    let Some(location) = pipeline.account.table_parameter(database, name, "metadata_location") else { return Ok(None) };
    let path = location.strip_prefix("s3://").and_then(|rest| {
        let (bucket, key) = rest.split_once('/')?;
        Some::<PathBuf>(pipeline.buckets.get(bucket)?.join(key))
    });
    let broken = |why: &str| Error::new(format!("the metadata of the Iceberg table `{name}` is broken: {why}"));
    let path = path.ok_or_else(|| broken(&format!("`{location}` is in no bucket of the pipeline")))?;
    let bytes = fs_err::read(&path)?;
    serde_json::from_slice(&bytes).map(Some).map_err(|error| broken(&error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_those_of_the_current_snapshot() {
        let rows = |text: &str| serde_json::from_str::<Metadata>(text).unwrap().rows();
        assert_eq!(rows(r#"{"format-version": 2, "current-snapshot-id": -1}"#), 0);
        let text = r#"{"current-snapshot-id": 2, "snapshots": [
            {"snapshot-id": 1, "summary": {"operation": "append", "total-records": "7"}},
            {"snapshot-id": 2, "summary": {"operation": "delete", "total-records": "7", "total-position-deletes": "2"}}
        ]}"#;
        assert_eq!(rows(text), 5);
    }
}
