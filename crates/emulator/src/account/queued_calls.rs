//! What was asked of services that work only while a rehearsal runs: it waits for the next one.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::file;
use crate::error::Result;

/// Something that was accepted and is still to be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Waiting {
    /// An asynchronous call of a Lambda.
    Call { function: String, payload: Value },
    /// A run of a Glue workflow.
    Workflow { name: String },
    /// A message for the subscribers of a topic.
    Message { topic: String, text: String },
}

/// The list of it, kept in a file.
pub(crate) struct List {
    path: PathBuf,
    known: Mutex<Vec<Waiting>>,
}

impl List {
    pub(crate) fn load(directory: &Path) -> Result<Self> {
        let path = directory.join("waiting.json");
        let known = file::read_json(&path)?.unwrap_or_default();
        Ok(Self { path, known: Mutex::new(known) })
    }

    pub(crate) fn add(&self, one: Waiting) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.push(one);
        let _ = file::write_json(&self.path, &*known);
    }

    /// Takes all of it.
    pub(crate) fn take(&self) -> Vec<Waiting> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.is_empty() {
            return Vec::new();
        }
        let taken = std::mem::take(&mut *known);
        let _ = file::write_json(&self.path, &*known);
        taken
    }
}
