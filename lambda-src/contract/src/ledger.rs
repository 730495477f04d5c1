//! The ledgers: one object a batch, written last. What no ledger entry names does not exist.

use serde::{Deserialize, Serialize};

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
}

impl Stage {
    pub const ALL: [Self; 8] =
        [Self::Ingest, Self::Clean, Self::Transform, Self::Load, Self::Loaded, Self::Marts, Self::Unload, Self::Setup];

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
        }
    }
}
