//! Column types: those of Redshift that a pipeline can load.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::limits::{DECIMAL_DIGITS, VARCHAR_BYTES};
use crate::schema_change;

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
            Some((name, rest)) => match rest.strip_suffix(')') {
                Some(arguments) => (name.trim(), Some(numbers(arguments))),
                None => return Err(format!("`{text}` lacks its `)`")),
            },
            None => (text, None),
        };
        Ok(match (name, arguments.as_deref()) {
            ("smallint", None) => Self::Smallint,
            ("integer", None) => Self::Integer,
            ("bigint", None) => Self::Bigint,
            ("double", None) => Self::Double,
            ("boolean", None) => Self::Boolean,
            ("date", None) => Self::Date,
            ("timestamp", None) => Self::Timestamp,
            ("super", None) => Self::Super,
            ("decimal", Some(&[precision, scale])) => decimal(precision, scale)?,
            ("varchar", Some(&[length @ 1..=VARCHAR_BYTES])) => Self::Varchar(length),
            ("decimal", _) => return Err(decimal_parameters()),
            ("varchar", _) => {
                return Err(format!(
                    "`varchar` takes a length in bytes of 1 to {VARCHAR_BYTES}, such as `varchar(255)`"
                ));
            }
            _ => return Err(format!("unknown type `{text}`")),
        })
    }
}

/// The numbers between parentheses; none if one of them is no number.
fn numbers(text: &str) -> Vec<u32> {
    let number = |part: &str| {
        let digits = part.trim();
        digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
    };
    text.split(',').map(number).collect::<Option<_>>().unwrap_or_default()
}

fn decimal(precision: u32, scale: u32) -> Result<ColumnType, String> {
    let (precision, scale) = (u8::try_from(precision), u8::try_from(scale));
    match (precision, scale) {
        (Ok(precision @ 1..=DECIMAL_DIGITS), Ok(scale)) if scale <= precision => {
            Ok(ColumnType::Decimal(precision, scale))
        }
        _ => Err(decimal_parameters()),
    }
}

fn decimal_parameters() -> String {
    format!("`decimal` takes a precision of 1 to {DECIMAL_DIGITS} and a scale, such as `decimal(12,2)`")
}

impl ColumnType {
    /// The type as Redshift's SQL writes it.
    pub fn sql(&self) -> String {
        schema_change::sql_type(&self.to_string())
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

#[cfg(feature = "schema")]
impl schemars::JsonSchema for ColumnType {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_read_as_they_are_written() {
        for text in PLAIN.into_iter().chain(["decimal(38,38)", "decimal(1,0)", "varchar(1)", "varchar(65535)"]) {
            assert_eq!(text.parse::<ColumnType>().map(|kind| kind.to_string()).as_deref(), Ok(text));
        }
        assert_eq!("decimal(12, 2)".parse(), Ok(ColumnType::Decimal(12, 2)));
    }

    #[test]
    fn what_is_no_type_is_refused_with_the_reason() {
        for (text, reason) in [
            ("bigin", "unknown type `bigin`"),
            ("bigint(x)", "unknown type `bigint(x)`"),
            ("bigint()", "unknown type `bigint()`"),
            ("", "unknown type ``"),
            ("varchar(20", "`varchar(20` lacks its `)`"),
            ("varchar", "`varchar` takes a length in bytes of 1 to 65535, such as `varchar(255)`"),
            ("varchar(0)", "`varchar` takes a length in bytes of 1 to 65535, such as `varchar(255)`"),
            ("varchar(65536)", "`varchar` takes a length in bytes of 1 to 65535, such as `varchar(255)`"),
            ("varchar(+5)", "`varchar` takes a length in bytes of 1 to 65535, such as `varchar(255)`"),
            ("decimal(39,2)", "`decimal` takes a precision of 1 to 38 and a scale, such as `decimal(12,2)`"),
            ("decimal(2,3)", "`decimal` takes a precision of 1 to 38 and a scale, such as `decimal(12,2)`"),
            ("decimal(300,2)", "`decimal` takes a precision of 1 to 38 and a scale, such as `decimal(12,2)`"),
            ("decimal(12)", "`decimal` takes a precision of 1 to 38 and a scale, such as `decimal(12,2)`"),
        ] {
            assert_eq!(text.parse::<ColumnType>(), Err(reason.to_owned()), "{text}");
        }
    }
}
