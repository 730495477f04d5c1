//! A request to take objects or cleaned rows again. `pipectl replay` writes it, the jobs read it.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::keys;

/// The version of the requests that this code writes.
pub const VERSION: u32 = 1;

/// The zone from whose archive a replay begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// The objects as they arrived: they are cleaned, transformed and loaded again.
    Raw,
    /// The cleaned rows: they are transformed and loaded again.
    Cleaned,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    pub version: u32,
    pub id: String,
    pub from: Origin,
    pub since: String,
    pub requested_at: String,
    pub tables: BTreeSet<String>,
    /// The batches of `clean`, oldest first.
    pub batches: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inputs: Vec<Input>,
}

impl Request {
    /// The key of the request in the raw bucket.
    pub fn key(&self) -> String {
        keys::replay_request(&self.id)
    }
}

/// An object that the job `clean` takes again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Input {
    pub table: String,
    pub batch: String,
    /// Where its copy is.
    pub key: String,
    /// The object that it is a copy of.
    pub of: String,
    pub etag: String,
    pub size: u64,
}
