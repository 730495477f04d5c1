//! The report of a run: what came in, what became of it and why. The jobs write it, `pipectl runs` reads it, and nothing
//! is decided by it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::ledger::Watermark;

/// The version of the reports that this code describes.
pub const VERSION: u32 = 1;

/// A run of a job. Read leniently: a field that an older version did not write has its default.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Report {
    pub version: u32,
    pub batch: String,
    /// `clean` or `transform`.
    pub stage: String,
    /// `succeeded` or `failed`.
    pub state: String,
    /// Glue's id of the job's run.
    pub run: String,
    pub ended_at: String,
    pub seconds: f64,
    /// The replay requests that are done with it.
    pub replays: Vec<String>,
    pub cleaned_batches: Vec<String>,
    pub tables: BTreeMap<String, Table>,
}

/// A table over both stages: in = loaded + unchanged + duplicates + quarantined.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Table {
    pub objects: usize,
    #[serde(rename = "in")]
    pub rows_in: u64,
    pub loaded: u64,
    pub deleted: u64,
    pub quarantined: u64,
    pub duplicates: u64,
    pub unchanged: u64,
    pub reasons: Vec<Reason>,
    pub refused: Vec<Refused>,
    pub findings: Vec<Finding>,
    pub watermark: Option<Watermark>,
    /// Why the table waits.
    pub stopped: Option<String>,
    pub seconds: Seconds,
}

/// Why rows are in quarantine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    pub stage: String,
    pub reason: String,
    pub rows: u64,
}

/// An object that is not read as a whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    pub key: String,
    pub reason: String,
}

/// Something that a person should know and that stops nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    pub stage: String,
    pub kind: String,
    pub text: String,
}

/// How long each stage took for the table.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Seconds {
    pub clean: f64,
    pub transform: Option<f64>,
}
