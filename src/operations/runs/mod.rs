//! Runs of the pipeline: what came in, what became of its rows, how far it got.
//!
//! A run is a batch of the job `transform` with the batches of `clean` that it took, or a batch of `clean` that nobody has
//! taken yet, or one that failed and has left nothing but its report.

mod quarantine;
mod read;
mod text;

use std::collections::{BTreeMap, BTreeSet};

use pipectl_contract::keys;
use pipectl_contract::ledger::{Clean, Loaded, Transform};
use pipectl_contract::report::Report;
use serde::Serialize;

pub use quarantine::reasons;
pub use read::{Buckets, latest, one};
pub use text::{Reasons, list, whole};

/// How far a run got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    Failed,
    /// Its rows are in the cleaned zone.
    Cleaned,
    /// Its rows are in the transformed zone, and not all of them in the warehouse.
    Transformed,
    Loaded,
}

/// What became of a table's rows: in = loaded + unchanged + quarantined, once the run is through.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Rows {
    pub rows_in: u64,
    /// Rows for the warehouse.
    pub loaded: u64,
    /// Rows that another row of the run replaces.
    pub unchanged: u64,
    pub quarantined: u64,
    /// Whether the warehouse has them.
    pub in_warehouse: bool,
    /// Rows that the warehouse has added or changed.
    pub changed: Option<u64>,
}

/// A run.
#[derive(Debug, Clone, Serialize)]
pub struct Run {
    /// The name of its last batch.
    pub name: String,
    /// When that was committed, or the run failed.
    pub at: String,
    pub stage: Stage,
    /// The batches of `clean`.
    pub batches: Vec<String>,
    pub objects: usize,
    /// Objects whose content was there before.
    pub repeated: usize,
    pub tables: BTreeMap<String, Rows>,
    /// Tables that wait until somebody fixes a problem, and why.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub stopped: BTreeMap<String, String>,
    /// The requests to replay that it has served.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub replays: Vec<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub unknown_columns: BTreeMap<String, Vec<String>>,
    /// The folders of its quarantined rows.
    pub quarantine: Vec<String>,
}

impl Run {
    pub fn total(&self, count: impl Fn(&Rows) -> u64) -> u64 {
        self.tables.values().map(count).sum()
    }
}

/// Puts a run together from what its stages have committed.
pub fn run(
    buckets: &Buckets,
    clean: &[&Clean],
    transform: Option<&Transform>,
    loaded: &BTreeMap<String, Loaded>,
    closed: bool,
) -> Run {
    let last = transform.map(|entry| (&entry.batch, &entry.committed_at));
    let last = last.or(clean.last().map(|entry| (&entry.batch, &entry.committed_at)));
    let mut run = Run {
        name: last.map(|(batch, _)| batch.clone()).unwrap_or_default(),
        at: last.map(|(_, at)| at.clone()).unwrap_or_default(),
        stage: match (transform, closed) {
            (None, _) => Stage::Cleaned,
            (Some(_), false) => Stage::Transformed,
            (Some(_), true) => Stage::Loaded,
        },
        batches: clean.iter().map(|entry| entry.batch.clone()).collect(),
        objects: clean.iter().map(|entry| entry.inputs.len()).sum(),
        repeated: clean.iter().flat_map(|entry| &entry.inputs).filter(|input| input.duplicate_of.is_some()).count(),
        tables: BTreeMap::new(),
        stopped: clean
            .iter()
            .map(|entry| &entry.stopped)
            .chain(transform.map(|entry| &entry.stopped))
            .flatten()
            .map(|(name, why)| (name.clone(), why.clone()))
            .collect(),
        replays: Vec::new(),
        unknown_columns: BTreeMap::new(),
        quarantine: Vec::new(),
    };
    let mut replays = BTreeSet::new();
    for entry in clean {
        replays.extend(entry.replays.iter().cloned());
        for (name, counts) in &entry.tables {
            let rows = run.tables.entry(name.clone()).or_default();
            // What goes on is counted by the next stage; until then it is what the run brings.
            rows.rows_in += counts.rows_in - counts.rows_out.min(counts.rows_in);
            rows.unchanged += counts.duplicates + counts.unchanged;
            rows.quarantined += counts.quarantined;
            if transform.is_none() {
                rows.rows_in += counts.rows_out;
                rows.loaded += counts.rows_out;
            }
            if counts.quarantined > 0 {
                run.quarantine.push(quarantine(&buckets.cleaned, name, &entry.batch));
            }
            if !counts.unknown_columns.is_empty() {
                run.unknown_columns.entry(name.clone()).or_default().extend(counts.unknown_columns.iter().cloned());
            }
        }
    }
    if let Some(entry) = transform {
        replays.extend(entry.replays.iter().cloned());
        for (name, counts) in &entry.tables {
            let rows = run.tables.entry(name.clone()).or_default();
            rows.rows_in += counts.rows_in;
            rows.loaded += counts.rows_out;
            rows.unchanged += counts.duplicates + counts.unchanged;
            rows.quarantined += counts.quarantined;
            let load = loaded.get(name);
            rows.in_warehouse = closed || load.is_some();
            rows.changed = load.and_then(|load| load.changed);
            if counts.quarantined > 0 {
                run.quarantine.push(quarantine(&buckets.transformed, name, &entry.batch));
            }
        }
    }
    run.replays = replays.into_iter().collect();
    run.tables.retain(|_, rows| rows.rows_in > 0);
    run
}

fn quarantine(bucket: &str, table: &str, batch: &str) -> String {
    format!("s3://{bucket}/{}", keys::quarantine_folder(table, batch))
}

/// A run that has committed nothing, from its report.
pub fn failed(report: Report) -> Run {
    Run {
        name: report.batch,
        at: report.ended_at,
        stage: Stage::Failed,
        batches: Vec::new(),
        objects: report.tables.values().map(|table| table.objects).sum(),
        repeated: 0,
        tables: BTreeMap::new(),
        stopped: report.tables.into_iter().filter_map(|(name, table)| Some((name, table.stopped?))).collect(),
        replays: Vec::new(),
        unknown_columns: BTreeMap::new(),
        quarantine: Vec::new(),
    }
}

#[cfg(test)]
mod tests;
