//! The tables of the warehouse, and the marts made from them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ColumnType, Map};

/// One table of the warehouse.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// `<source>` for files, `<source>.<object>` for Shopify, with `customers`, `orders`, `orders.lineItems`, `orders.refunds`, `orders.transactions`, `products`, `products.variants`, `inventoryItems` or `inventoryItems.inventoryLevels` as the object.
    pub source: String,
    /// The columns, in the order of the warehouse table.
    pub columns: Map<Column>,
    /// The columns that identify a row. `upsert` needs them; `append` with a key inserts only keys that are new. A row without a value in one of them goes to quarantine.
    #[serde(default)]
    pub key: Vec<String>,
    /// How rows come into the warehouse.
    #[serde(default)]
    pub load: Load,
    /// Of two rows with one key, the one with the larger value in this column is the newer. Without it, the one that arrived later.
    #[serde(default)]
    pub order_by: Option<String>,
    /// What must hold for each row and each run.
    #[serde(default)]
    pub checks: Checks,
    /// The share of a run's rows that may go to quarantine before the run fails.
    #[serde(default = "default_quarantine_limit")]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub quarantine_limit: f64,
}

fn default_quarantine_limit() -> f64 {
    0.1
}

/// How rows come into the warehouse.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Load {
    /// Every row is added.
    Append,
    /// A row replaces the one with the same key.
    #[default]
    Upsert,
}

/// A column: its type alone (`bigint`), or a mapping with `type`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Column {
    Type(ColumnType),
    Full(FullColumn),
}

/// A column with more than its type.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FullColumn {
    /// The warehouse type.
    #[serde(rename = "type")]
    pub kind: ColumnType,
    /// Where the value stands in the source: a header, or a dotted path into JSON. Default: the column's name (in camelCase for Shopify).
    #[serde(default)]
    pub from: Option<String>,
    /// A row without a value goes to quarantine.
    #[serde(default)]
    pub required: bool,
}

impl Column {
    pub fn kind(&self) -> &ColumnType {
        match self {
            Self::Type(kind) => kind,
            Self::Full(column) => &column.kind,
        }
    }

    pub fn from(&self) -> Option<&str> {
        match self {
            Self::Type(_) => None,
            Self::Full(column) => column.from.as_deref(),
        }
    }

    pub fn required(&self) -> bool {
        matches!(self, Self::Full(column) if column.required)
    }
}

/// What must hold. A row that breaks a rule goes to quarantine with the reason; a broken row count fails the run.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Checks {
    /// Columns that must have a value.
    pub not_null: Vec<String>,
    /// Columns whose values must not repeat within a run, each by itself.
    pub unique: Vec<String>,
    /// Columns with the only values that they may have.
    pub accepted_values: Map<Vec<String>>,
    /// How many rows a run may bring.
    pub rows: RowBounds,
}

/// Bounds of a row count.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RowBounds {
    /// The fewest rows.
    pub min: Option<u64>,
    /// The most rows.
    pub max: Option<u64>,
}

/// A table or view made from the tables by a SQL file.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Mart {
    /// The file with one `SELECT`, relative to the project.
    pub sql: String,
    /// What is made of it.
    #[serde(default, rename = "as")]
    pub kind: MartKind,
    /// When it is made anew.
    #[serde(default)]
    pub refresh: Refresh,
}

/// What a mart is in the warehouse.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum MartKind {
    #[default]
    Table,
    View,
}

/// When a mart is made anew.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Refresh {
    /// After every load.
    #[default]
    AfterLoad,
}
