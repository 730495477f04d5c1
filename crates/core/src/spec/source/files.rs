//! Dropped files as a source.

use pipectl_contract::document::Format;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Files under `landing/<table>/`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Files {
    /// The format of the files.
    pub format: FileFormat,
    /// The dialect of CSV files.
    pub csv: Csv,
    /// Each file is the whole table: rows that are missing from a newer file are deleted.
    pub snapshot: bool,
}

/// The format of dropped files; CSV and JSON lines may be compressed (`.gz`, `.bz2`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum FileFormat {
    #[default]
    Csv,
    Jsonl,
    Parquet,
}

impl From<FileFormat> for Format {
    fn from(format: FileFormat) -> Self {
        match format {
            FileFormat::Csv => Self::Csv,
            FileFormat::Jsonl => Self::Jsonl,
            FileFormat::Parquet => Self::Parquet,
        }
    }
}

/// A CSV dialect. Columns are found by the names in the header, in any order.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Csv {
    /// One character. A first line such as `sep=;` overrides it.
    #[schemars(length(min = 1, max = 1))]
    pub delimiter: String,
    /// Whether the first line of a file names its columns: `first`, or `none` for files without names, whose fields are the table's columns in their order.
    pub header: Header,
    /// The encoding: `utf-8`, `windows-1252`, `iso-8859-15`, `cp850`, … A byte order mark at the start of a file overrides it. `auto` reads a file that is not UTF-8 as `windows-1252`.
    pub encoding: String,
    /// Texts that mean "no value".
    pub null: Vec<String>,
    /// The decimal separator: `.`, or `,` as in `12,50`.
    #[schemars(regex(pattern = r"^[.,]$"))]
    pub decimal: String,
    /// The thousands separator: `.` as in `1.234,56`, a comma, a space or an apostrophe. Without it such numbers are quarantined.
    #[schemars(regex(pattern = r"^[., ']$"))]
    pub thousands: Option<String>,
    /// The format of dates other than `2026-12-31`: `dd.MM.yyyy`, `M/d/yyyy`, … with d, M and y. A time may follow: `14:05`, `8:26:09`, `1:05:09 PM`.
    #[schemars(regex(pattern = r"^[dMy][dMy./ -]*[dMy]$"))]
    pub date_format: Option<String>,
    /// The escape character before a quote, a delimiter or a line break in a value, if quotes are not doubled: `\` in files of MySQL, Hive, Spark and Redshift's UNLOAD. `\N` then means no value.
    #[schemars(regex(pattern = r"^[\\^~!|]$"))]
    pub escape: Option<String>,
}

/// Where the names of a CSV file's columns are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Header {
    /// In the first line.
    #[default]
    First,
    /// Nowhere: the fields are the table's columns in their order.
    None,
}

impl Default for Csv {
    fn default() -> Self {
        Self {
            delimiter: ",".into(),
            header: Header::First,
            encoding: "utf-8".into(),
            null: vec![String::new()],
            decimal: ".".into(),
            thousands: None,
            date_format: None,
            escape: None,
        }
    }
}
