//! Dropped files as a source.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Files under `landing/<table>/`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Files {
    /// How the files are written.
    #[serde(default)]
    pub format: FileFormat,
    /// The dialect of CSV files.
    #[serde(default)]
    pub csv: Csv,
}

/// The format of dropped files; CSV and JSON lines may be gzip-compressed (`.gz`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum FileFormat {
    #[default]
    Csv,
    Jsonl,
    Parquet,
}

/// A CSV dialect. The first line is always the header; columns are found by name, in any order.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Csv {
    /// One character.
    #[schemars(length(min = 1, max = 1))]
    pub delimiter: String,
    /// The encoding, as Python names it.
    pub encoding: String,
    /// Texts that mean "no value".
    pub null: Vec<String>,
}

impl Default for Csv {
    fn default() -> Self {
        Self { delimiter: ",".into(), encoding: "utf-8".into(), null: vec![String::new()] }
    }
}
