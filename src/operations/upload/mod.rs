//! Files on their way into the raw zone: which table each belongs to, and whether a run could read it.
//!
//! A file is read once, from its first byte to its last. What is checked is what is uploaded: the digests that are taken
//! on the way go along with the upload, and S3 refuses other bytes.

mod check;
mod csv;
mod jsonl;
mod parquet;
mod read;
mod store;
mod target;
mod value;

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::aws::s3::Digests;

pub use check::{check, check_all};
pub use store::{Outcome, store_all};
pub use target::{Target, targets};

/// A file that was read.
#[derive(Debug, Clone, Serialize)]
pub struct Checked {
    pub path: PathBuf,
    pub table: String,
    /// The object's key. A part of it is made from the content, so that the same file is the same object.
    pub key: String,
    pub rows: u64,
    #[serde(flatten)]
    pub digests: Digests,
    #[serde(skip)]
    pub findings: Findings,
}

/// What is wrong with a file.
#[derive(Debug, Clone, Default)]
pub struct Findings {
    /// Why a run could not take it.
    pub errors: Vec<Finding>,
    /// Rows that a run would put into quarantine: the first of them, with the reason.
    pub bad: Vec<Finding>,
    /// How many such rows there are.
    pub bad_rows: u64,
    /// What is worth knowing, and hinders nothing.
    pub notes: Vec<Finding>,
    /// The file is no text at all: nothing more need be said of it.
    no_text: bool,
}

/// One thing about a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The 1-based line, where there is one.
    pub line: Option<u64>,
    pub message: String,
    pub hint: Option<String>,
}

impl Finding {
    fn new(message: impl Into<String>) -> Self {
        Self { line: None, message: message.into(), hint: None }
    }

    fn at(self, line: u64) -> Self {
        Self { line: Some(line), ..self }
    }

    fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// The message with its location: `visits.csv:17: …`.
    pub fn located(&self, path: &Path) -> String {
        let line = self.line.map(|line| format!(":{line}")).unwrap_or_default();
        format!("{}{line}: {}", path.display(), self.message)
    }
}

/// How many bad rows are shown for each file.
const SHOWN: usize = 5;

impl Findings {
    fn error(&mut self, finding: Finding) {
        self.errors.push(finding);
    }

    fn note(&mut self, finding: Finding) {
        self.notes.push(finding);
    }

    fn bad_row(&mut self, line: u64, reason: String) {
        self.bad_rows += 1;
        if self.bad.len() < SHOWN {
            self.bad.push(Finding::new(reason).at(line));
        }
    }
}

#[cfg(test)]
mod tests;
