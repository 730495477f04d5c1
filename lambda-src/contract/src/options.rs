//! Options of the pipeline file that the jobs and Lambdas read as they are written there. Their doc comments are the
//! descriptions that an editor shows.

#[cfg(feature = "schema")]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How changes are found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Capture {
    /// A Glue job reads, on a schedule, the rows whose `watermark` column has increased. It does not see deleted rows.
    #[default]
    Watermark,
    /// DMS Serverless follows the database's log: inserts, updates and deletes, within minutes.
    Cdc,
}

/// What happens when a source's schema changes in a way that may lose data.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum SchemaChanges {
    /// The table waits, and the run fails at the end; other tables continue.
    #[default]
    Stop,
    /// A missing column is empty from then on, and values of another type are converted where possible.
    Accept,
}

/// How rows are loaded into the warehouse.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Load {
    /// A row is added and never changed: for facts. With a key, a row with an existing key is skipped.
    Append,
    /// A row replaces the row with the same key: for data that changes.
    #[default]
    Upsert,
}

/// What a mart is in the warehouse.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum MartKind {
    /// Computed after each load, as a whole.
    #[default]
    Table,
    /// Computed whenever it is read.
    View,
    /// Computed after each load, incrementally where Redshift can. It may read tables and other materialized views.
    MaterializedView,
}

/// The minimum and maximum of a value.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Bounds {
    /// The minimum, inclusive.
    pub min: Option<String>,
    /// The maximum, inclusive.
    pub max: Option<String>,
}

/// Bounds of a row count.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct RowBounds {
    /// The minimum.
    pub min: Option<u64>,
    /// The maximum.
    pub max: Option<u64>,
}

/// A check by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum CheckName {
    NotNull,
    AcceptedValues,
    Between,
    Matches,
    References,
    Rows,
    FreshWithin,
}

impl MartKind {
    /// The kind as the document writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::View => "view",
            Self::MaterializedView => "materialized_view",
        }
    }
}
