//! What must hold of a table's rows before they are loaded.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Bounds, CheckName, Map, RowBounds};

/// Checks of a table. A row that fails a check is quarantined with the reason. A failed check of the whole run (`rows`, `fresh_within`) stops the table.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Checks {
    /// Columns that must have a value.
    pub not_null: Vec<String>,
    /// Columns whose values must not repeat within a run, each by itself.
    pub unique: Vec<String>,
    /// Columns with their allowed values.
    pub accepted_values: Map<Vec<String>>,
    /// Columns with their minimum and maximum: numbers, dates or times.
    pub between: Map<Bounds>,
    /// Columns with the regular expression that the whole value must match.
    pub matches: Map<String>,
    /// Columns whose values must exist in another table, as `customer_id: customers.id`.
    pub references: Map<String>,
    /// How many rows a run may have.
    pub rows: RowBounds,
    /// The newest value of a column must not be older than this when rows arrive.
    pub fresh_within: Map<Age>,
    /// The checks that only warn: rows that fail them are counted in the report, and loaded.
    pub warn: Vec<CheckName>,
}

impl Default for Checks {
    fn default() -> Self {
        Self {
            not_null: Vec::new(),
            unique: Vec::new(),
            accepted_values: Map::new(),
            between: Map::new(),
            matches: Map::new(),
            references: Map::new(),
            rows: RowBounds::default(),
            fresh_within: Map::new(),
            warn: vec![CheckName::References, CheckName::FreshWithin],
        }
    }
}

/// A length of time, such as `36 hours` or `2 days`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Age(pub String);

impl Age {
    /// The hours in it; `None` where it is no length of time.
    pub fn hours(&self) -> Option<u64> {
        let (number, unit) = self.0.split_once(' ')?;
        let number: u64 = number.parse().ok()?;
        match unit {
            "hour" | "hours" => Some(number),
            "day" | "days" => number.checked_mul(24),
            _ => None,
        }
    }
}

impl JsonSchema for Age {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Age".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "description": "a length of time, such as `36 hours` or `2 days`",
            "pattern": "^[1-9][0-9]{0,4} (hours?|days?)$",
        })
    }
}
