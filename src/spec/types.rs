//! Column types: those of Redshift that a pipeline can load.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A column's type in the warehouse.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum ColumnType {
    Smallint,
    Integer,
    Bigint,
    Double,
    Boolean,
    /// Precision 1-38, scale 0-precision.
    Decimal(u8, u8),
    /// Length in bytes, 1-65535.
    Varchar(u32),
    Date,
    /// Without a time zone, in UTC.
    Timestamp,
    /// JSON.
    Super,
}

/// The names without parameters, as they are written.
pub const PLAIN: [&str; 8] = ["smallint", "integer", "bigint", "double", "boolean", "date", "timestamp", "super"];

impl FromStr for ColumnType {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, arguments) = match text.split_once('(') {
            Some((name, rest)) => (name.trim(), rest.strip_suffix(')').map(str::trim)),
            None => (text, None),
        };
        let numbers: Option<Vec<u32>> = arguments
            .map(|text| text.split(',').map(|part| part.trim().parse().ok()).collect::<Option<_>>())
            .unwrap_or_default();
        Ok(match (name, numbers.as_deref()) {
            ("smallint", None) => Self::Smallint,
            ("integer", None) => Self::Integer,
            ("bigint", None) => Self::Bigint,
            ("double", None) => Self::Double,
            ("boolean", None) => Self::Boolean,
            ("date", None) => Self::Date,
            ("timestamp", None) => Self::Timestamp,
            ("super", None) => Self::Super,
            ("decimal", Some(&[precision @ 1..=38, scale])) if scale <= precision => {
                Self::Decimal(u8::try_from(precision).unwrap_or(38), u8::try_from(scale).unwrap_or(0))
            }
            ("varchar", Some(&[length @ 1..=65535])) => Self::Varchar(length),
            ("decimal", _) => {
                return Err("`decimal` takes a precision of 1 to 38 and a scale, such as `decimal(12,2)`".into());
            }
            ("varchar", _) => {
                return Err("`varchar` takes a length in bytes of 1 to 65535, such as `varchar(255)`".into());
            }
            _ => return Err(format!("unknown type `{text}`")),
        })
        .and_then(|kind| {
            if text.contains('(') && arguments.is_none() { Err(format!("`{text}` lacks its `)`")) } else { Ok(kind) }
        })
    }
}

impl TryFrom<String> for ColumnType {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<ColumnType> for String {
    fn from(kind: ColumnType) -> Self {
        kind.to_string()
    }
}

impl fmt::Display for ColumnType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Smallint => f.write_str("smallint"),
            Self::Integer => f.write_str("integer"),
            Self::Bigint => f.write_str("bigint"),
            Self::Double => f.write_str("double"),
            Self::Boolean => f.write_str("boolean"),
            Self::Decimal(precision, scale) => write!(f, "decimal({precision},{scale})"),
            Self::Varchar(length) => write!(f, "varchar({length})"),
            Self::Date => f.write_str("date"),
            Self::Timestamp => f.write_str("timestamp"),
            Self::Super => f.write_str("super"),
        }
    }
}

impl JsonSchema for ColumnType {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ColumnType".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "description": "smallint, integer, bigint, double, boolean, decimal(p,s), varchar(n), date, timestamp or super",
            "pattern": r"^(smallint|integer|bigint|double|boolean|date|timestamp|super|decimal\([0-9]+, ?[0-9]+\)|varchar\([0-9]+\))$",
        })
    }
}
