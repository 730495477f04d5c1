//! The tables of the warehouse.

use pipectl_contract::keys;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Checks, ColumnType, Load, Map, Pipeline, SchemaChanges};

/// One table of the warehouse.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// `<source>` for files, `<source>.<table>` for a database, `<source>.<object>` for Shopify, with `customers`, `orders`, `orders.lineItems`, `orders.refunds`, `orders.transactions`, `products`, `products.variants`, `inventoryItems` or `inventoryItems.inventoryLevels` as the object.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub source: String,
    /// Instead of `source`: a file with one `SELECT` of Spark SQL over other tables, such as `sql/transform/order_facts.sql`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transform: Option<String>,
    /// The columns, in the order of the warehouse table.
    pub columns: Map<Column>,
    /// The columns that identify a row. `upsert` needs them; `append` with a key inserts only new keys. A row without a value in one of them is quarantined.
    #[serde(default)]
    pub key: Vec<String>,
    /// How rows are loaded into the warehouse.
    #[serde(default)]
    pub load: Load,
    /// Of two rows with one key, the one with the larger value in this column is the newer. Without it, the one that arrived later.
    #[serde(default)]
    pub order_by: Option<String>,
    /// The column by which a database's job finds new rows: it increases with every change of a row. For `capture: watermark` only.
    #[serde(default)]
    pub watermark: Option<String>,
    /// Conditions for each row and each run.
    #[serde(default)]
    pub checks: Checks,
    /// The share of a run's rows that may be quarantined before the run fails.
    #[serde(default = "default_quarantine_limit")]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub quarantine_limit: f64,
    /// What happens when a column disappears from the files, or changes its type.
    #[serde(default)]
    pub schema_changes: SchemaChanges,
}

impl Table {
    /// The name of its source, and what of it the table is made from.
    pub fn source(&self) -> (&str, Option<&str>) {
        self.source.split_once('.').map_or((self.source.as_str(), None), |(source, object)| (source, Some(object)))
    }

    /// Where its objects arrive in the raw zone: those of a database under the name of the table there.
    pub fn landing(&self, name: &str, pipeline: &Pipeline) -> String {
        match self.source() {
            (source, Some(object))
                if pipeline.sources.get(source).is_some_and(|source| source.database().is_some()) =>
            {
                keys::landing_object_folder(source, object)
            }
            _ => keys::landing_folder(name),
        }
    }
}

fn default_quarantine_limit() -> f64 {
    0.1
}

/// What a column can be from beside the fields of a file.
pub const PSEUDO_COLUMNS: [&str; 2] = ["_file", "_line"];

/// A column: its type alone (`bigint`), or a mapping with `type`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Column {
    Type(ColumnType),
    Full(FullColumn),
}

/// A column with options.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FullColumn {
    /// The warehouse type.
    #[serde(rename = "type")]
    pub kind: ColumnType,
    /// The location of the value in the source: a header, or a dotted path into JSON. Default: the column's name (in camelCase for Shopify). Of files also `_file`, the name of the row's file below `landing/`, and `_line`, the row's number in it.
    #[serde(default)]
    #[schemars(length(min = 1, max = 512))]
    pub from: Option<String>,
    /// A row without a value is quarantined.
    #[serde(default)]
    pub required: bool,
    /// The time zone, such as `Europe/Berlin`, in which a time with a zone becomes the date of a `date` column. Default: UTC.
    #[serde(default)]
    pub timezone: Option<String>,
    /// The key of the table that this column points to, as `customers.id`.
    #[serde(default)]
    pub references: Option<String>,
    /// What happens when a row arrives before the row that it references.
    #[serde(default)]
    pub late: Late,
}

/// What happens when a row arrives before the row that it references.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Late {
    /// Nothing: a join does not find the row until it arrives.
    #[default]
    Ignore,
    /// A stub row with only the key is added to the other table, marked by its column `_inferred`, and completed when the row arrives.
    Stub,
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

    /// Whether its values are in the file, and not where a row stands (`_file`, `_line`).
    pub fn is_in_file(&self) -> bool {
        !self.from().is_some_and(|from| PSEUDO_COLUMNS.contains(&from))
    }

    /// The time zone of a date.
    pub fn timezone(&self) -> Option<&str> {
        match self {
            Self::Type(_) => None,
            Self::Full(column) => column.timezone.as_deref(),
        }
    }

    /// The table and the column that rows are made in for this column's values.
    pub fn stub(&self) -> Option<(&str, &str)> {
        match self {
            Self::Full(FullColumn { references: Some(to), late: Late::Stub, .. }) => to.split_once('.'),
            _ => None,
        }
    }
}
