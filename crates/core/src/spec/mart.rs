//! The marts: what is made from the tables by SQL files.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::MartKind;

/// A table or view that an SQL file computes from the tables.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Mart {
    /// The file with one `SELECT`, relative to the project.
    pub sql: String,
    /// What it becomes.
    #[serde(default, rename = "as")]
    pub kind: MartKind,
    /// When it is refreshed.
    #[serde(default)]
    pub refresh: Refresh,
    /// Written as files below `exports/<mart>/` of the transformed bucket after each refresh, in this format.
    #[serde(default)]
    pub unload: Option<Unload>,
}

/// When a mart is refreshed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Refresh {
    /// After every load.
    #[default]
    AfterLoad,
}

/// The format of a mart's files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Unload {
    /// Comma-separated, with a header.
    Csv,
    /// With the types of the mart.
    Parquet,
}
