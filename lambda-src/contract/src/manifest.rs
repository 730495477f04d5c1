//! The list of files that COPY reads (Redshift developer guide, "Using a manifest to specify data files").

use serde::{Deserialize, Serialize};

use crate::ledger::DataFile;

/// A manifest. COPY reads the files that it names and no other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    pub entries: Vec<Entry>,
}

/// A file of a manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// `s3://bucket/key`
    pub url: String,
    /// Whether COPY fails if the file is missing.
    #[serde(default)]
    pub mandatory: bool,
    /// Redshift requires it for Parquet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub meta: Option<Meta>,
}

/// What COPY must know about a Parquet file before it reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meta {
    /// The size of the file in bytes.
    pub content_length: u64,
}

impl Manifest {
    /// Lists files of a bucket.
    pub fn new(bucket: &str, files: &[DataFile]) -> Self {
        let entry = |file: &DataFile| Entry {
            url: format!("s3://{bucket}/{}", file.key),
            mandatory: true,
            meta: Some(Meta { content_length: file.size }),
        };
        Self { entries: files.iter().map(entry).collect() }
    }
}
