//! The ledgers: one object a batch, written last. What no ledger entry names does not exist.
//!
//! Entries are read leniently: a field that an older version did not write has its default.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::Map;

/// The version of the entries that this code writes.
pub const VERSION: u32 = 1;

/// What a ledger is of. The value is the `stage` of its entries, and a folder below `_ledger/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// Rows of a database were written into the landing zone.
    Ingest,
    /// The job `clean` took objects of the landing zone.
    Clean,
    /// The job `transform` took cleaned batches.
    Transform,
    /// A table of a batch is in the warehouse.
    Load,
    /// All tables of a batch are in the warehouse.
    Loaded,
    /// A mart was computed again after a batch.
    Marts,
    /// A mart's files were written after a batch. Its entries are in the folder of the marts.
    Unload,
    /// The warehouse has the tables of a pipeline document.
    Setup,
    /// A load or a mart failed, and what it belongs to waits.
    Failed,
}

impl Stage {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ingest => "ingest",
            Self::Clean => "clean",
            Self::Transform => "transform",
            Self::Load => "load",
            Self::Loaded => "loaded",
            Self::Marts => "marts",
            Self::Unload => "unload",
            Self::Setup => "setup",
            Self::Failed => "failed",
        }
    }
}

/// What the job `clean` has committed.
pub type Clean = Entry<ObjectInput>;
/// What the job `transform` has committed.
pub type Transform = Entry<BatchInput>;

/// What a job has committed. The jobs write entries, pipectl and the loader read them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, bound(deserialize = "I: Deserialize<'de>"))]
pub struct Entry<I> {
    pub version: u32,
    /// `clean` or `transform`.
    pub stage: String,
    pub batch: String,
    /// Glue's id of the job's run.
    pub run: String,
    pub committed_at: String,
    pub inputs: Vec<I>,
    pub tables: BTreeMap<String, Counts>,
    /// The replay requests that are done with it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub replays: Vec<String>,
    /// Tables that wait, and why.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub stopped: BTreeMap<String, String>,
}

// Derived, it would ask for a default input as well.
impl<I> Default for Entry<I> {
    fn default() -> Self {
        Self {
            version: VERSION,
            stage: String::new(),
            batch: String::new(),
            run: String::new(),
            committed_at: String::new(),
            inputs: Vec::new(),
            tables: BTreeMap::new(),
            replays: Vec::new(),
            stopped: BTreeMap::new(),
        }
    }
}

/// An object of the raw bucket that `clean` took.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ObjectInput {
    pub key: String,
    pub etag: String,
    pub size: u64,
    pub table: String,
    /// The object that brought the same content before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duplicate_of: Option<String>,
    /// The newer snapshot that replaces this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub superseded_by: Option<String>,
    /// Why the object as a whole is not read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
    /// The object that this one is a copy of, when it is taken again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replay_of: Option<String>,
    /// The request that asked for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replay: Option<String>,
}

/// A cleaned batch that `transform` took.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct BatchInput {
    pub batch: String,
    /// The tables that it took of the batch; `None` if it took all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tables: Option<Vec<String>>,
}

/// The row counts of a table in one batch: in = out + quarantined + duplicates + unchanged.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Counts {
    /// The folder of the rows, `s3://bucket/key/`; `None` if there are none.
    pub path: Option<String>,
    /// The files of the rows, where the warehouse loads them.
    pub files: Vec<DataFile>,
    /// Rows that were read; of snapshots also the rows that are missing since the last one.
    pub rows_in: u64,
    pub rows_out: u64,
    pub quarantined: u64,
    /// Good rows that a later one of their key replaces.
    pub duplicates: u64,
    /// Rows of a snapshot that are the same as in the last one.
    pub unchanged: u64,
    /// Those of `rows_out` that are deletions.
    pub deleted: u64,
    pub unknown_columns: Vec<String>,
    /// The columns of the files with their types.
    pub source_columns: Map<String>,
    /// The columns of the Parquet files that were written, with their types.
    pub columns: Map<String>,
    /// No two rows have the same values in these columns.
    pub key: Vec<String>,
    /// Where the rows of the last snapshot are kept.
    pub state: Option<String>,
    /// The most frequent reasons for the quarantine.
    pub reasons: Vec<Reason>,
    pub findings: Vec<Finding>,
    /// The range of `order_by` in the rows that were written.
    pub watermark: Option<Watermark>,
    pub seconds: f64,
}

/// A file of rows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataFile {
    /// The key in the bucket of the folder.
    pub key: String,
    pub size: u64,
}

/// Why rows are in quarantine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    pub reason: String,
    pub rows: u64,
}

/// Something that a person should know and that stops nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    pub kind: String,
    pub text: String,
}

/// The least and the greatest value of a column.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watermark {
    pub column: String,
    pub min: String,
    pub max: String,
}

/// What the loader records when a table of a batch is in the warehouse. Counts are missing where Redshift does not know
/// them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Loaded {
    pub version: u32,
    /// Always `load`.
    pub stage: String,
    pub batch: String,
    pub table: String,
    /// Rows that COPY read.
    pub staged: Option<u64>,
    /// Rows that the table gained or changed.
    pub changed: Option<u64>,
    /// Rows that the table lost.
    pub deleted: Option<u64>,
    /// The Data API's id of the statement; `None` if none was needed.
    pub statement_id: Option<String>,
    pub committed_at: String,
    /// Set if the batch was left out by `pipectl skip`: nothing of it is in the table.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skipped: Option<Skipped>,
}

/// Who left a batch out, and why it could not be loaded.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Skipped {
    /// The ARN of the caller.
    pub by: String,
    pub reason: String,
}

/// Why a statement failed, as far as it decides what follows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FailureKind {
    /// The same statement may succeed later: a conflict, a lost connection, a limit of the moment.
    Transient,
    /// A value or a file does not fit.
    Data,
    /// A role or a user lacks a permission.
    Permission,
    /// The SQL, or what it names.
    #[default]
    Definition,
}

impl FailureKind {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Transient => "transient",
            Self::Data => "data",
            Self::Permission => "permission",
            Self::Definition => "definition",
        }
    }
}

/// What the loader records when a load or a mart failed: one object for each table and mart, replaced by the next failure.
/// It counts as long as its batch has no entry of success.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Failed {
    pub version: u32,
    /// Always `failed`.
    pub stage: String,
    pub batch: String,
    /// The table or the mart.
    pub name: String,
    pub kind: FailureKind,
    pub message: String,
    pub hint: String,
    /// How often the load of this batch has failed.
    pub attempts: u32,
    pub statement_id: Option<String>,
    /// The first 12 digits of the digest of the document that it failed under. Under another one it is tried again.
    pub document: String,
    pub failed_at: String,
    /// Set by `pipectl retry`: it is tried again.
    pub retry: bool,
}

/// What the loader records when all tables of a batch are in the warehouse.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closed {
    pub version: u32,
    /// Always `loaded`.
    pub stage: String,
    pub batch: String,
    pub committed_at: String,
}

/// What the loader records when a mart was computed after a batch, or its files were written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MartRefreshed {
    pub version: u32,
    /// `marts` or `unload`.
    pub stage: String,
    pub batch: String,
    pub mart: String,
    /// The first 12 digits of the document's digest.
    pub document: String,
    /// Rows of the files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
    pub statement_id: Option<String>,
    pub committed_at: String,
}

/// What the loader records when the warehouse has the tables of a document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setup {
    pub version: u32,
    /// Always `setup`.
    pub stage: String,
    pub document: String,
    /// Columns of the warehouse's tables that the document no longer names.
    pub unused_columns: BTreeMap<String, Vec<String>>,
    pub committed_at: String,
}
