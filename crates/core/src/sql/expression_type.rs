//! Types, as far as a check needs them.

use std::fmt;

use crate::spec::ColumnType;

/// The type of an expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Not known: it goes with everything.
    Unknown,
    /// A text that stands in the query itself, or NULL: it takes the type that is needed.
    Literal,
    Boolean,
    Smallint,
    Integer,
    Bigint,
    Decimal(u8, u8),
    Double,
    Text(Option<u32>),
    Date,
    Timestamp,
    Interval,
    Super,
}

impl From<&ColumnType> for Kind {
    fn from(kind: &ColumnType) -> Self {
        match kind {
            ColumnType::Smallint => Self::Smallint,
            ColumnType::Integer => Self::Integer,
            ColumnType::Bigint => Self::Bigint,
            ColumnType::Double => Self::Double,
            ColumnType::Boolean => Self::Boolean,
            ColumnType::Decimal(precision, scale) => Self::Decimal(*precision, *scale),
            ColumnType::Varchar(length) => Self::Text(Some(*length)),
            ColumnType::Date => Self::Date,
            ColumnType::Timestamp => Self::Timestamp,
            ColumnType::Super => Self::Super,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("unknown"),
            Self::Literal => f.write_str("text"),
            Self::Boolean => f.write_str("boolean"),
            Self::Smallint => f.write_str("smallint"),
            Self::Integer => f.write_str("integer"),
            Self::Bigint => f.write_str("bigint"),
            Self::Decimal(precision, scale) => write!(f, "decimal({precision},{scale})"),
            Self::Double => f.write_str("double"),
            Self::Text(Some(length)) => write!(f, "varchar({length})"),
            Self::Text(None) => f.write_str("varchar"),
            Self::Date => f.write_str("date"),
            Self::Timestamp => f.write_str("timestamp"),
            Self::Interval => f.write_str("interval"),
            Self::Super => f.write_str("super"),
        }
    }
}

impl Kind {
    /// A type from its name in SQL.
    pub fn named(text: &str) -> Self {
        let text = text.to_ascii_lowercase();
        let (name, rest) = text.split_once('(').unwrap_or((&text, ""));
        let numbers: Vec<u32> =
            rest.split(')').next().unwrap_or_default().split(',').filter_map(|part| part.trim().parse().ok()).collect();
        let byte = |index: usize, default: u8| numbers.get(index).map_or(default, |n| u8::try_from(*n).unwrap_or(38));
        match name.trim() {
            "bool" | "boolean" => Self::Boolean,
            "smallint" | "int2" | "tinyint" => Self::Smallint,
            "int" | "integer" | "int4" => Self::Integer,
            "bigint" | "int8" | "long" => Self::Bigint,
            "decimal" | "numeric" | "dec" => Self::Decimal(byte(0, 18), byte(1, 0)),
            "double precision" | "double" | "float" | "float8" | "float4" | "real" => Self::Double,
            "varchar" | "character varying" | "char" | "character" | "nvarchar" | "bpchar" | "text" | "string" => {
                Self::Text(numbers.first().copied())
            }
            "date" => Self::Date,
            name if name.starts_with("timestamp") || name == "datetime" => Self::Timestamp,
            name if name.starts_with("interval") => Self::Interval,
            "super" => Self::Super,
            _ => Self::Unknown,
        }
    }

    /// Whether nothing can be said against it.
    pub(super) fn is_open(self) -> bool {
        matches!(self, Self::Unknown | Self::Literal | Self::Super)
    }

    pub(super) fn is_number(self) -> bool {
        matches!(self, Self::Smallint | Self::Integer | Self::Bigint | Self::Decimal(..) | Self::Double)
    }

    pub(super) fn is_text(self) -> bool {
        matches!(self, Self::Text(_))
    }

    pub(super) fn is_time(self) -> bool {
        matches!(self, Self::Date | Self::Timestamp)
    }

    /// The type of two numbers taken together; unknown for anything else.
    pub(super) fn wider(self, other: Self) -> Self {
        match (self, other) {
            (one, other) if one == other => one,
            (Self::Literal, kind) | (kind, Self::Literal) => kind,
            (Self::Double, other) | (other, Self::Double) if other.is_number() => Self::Double,
            (Self::Decimal(p, s), Self::Decimal(q, t)) => {
                let scale = s.max(t);
                Self::Decimal(((p - s).max(q - t) + scale).min(38), scale)
            }
            (Self::Decimal(p, s), other) | (other, Self::Decimal(p, s)) if other.is_number() => Self::Decimal(p, s),
            (Self::Bigint, other) | (other, Self::Bigint) if other.is_number() => Self::Bigint,
            (Self::Integer, other) | (other, Self::Integer) if other.is_number() => Self::Integer,
            (Self::Text(one), Self::Text(other)) => Self::Text(one.zip(other).map(|(one, other)| one.max(other))),
            (Self::Date, Self::Timestamp) | (Self::Timestamp, Self::Date) => Self::Timestamp,
            _ => Self::Unknown,
        }
    }

    /// Whether a database that is asked to compare the two, or to put them into one column, refuses.
    pub(super) fn clashes(self, other: Self) -> bool {
        if self.is_open() || other.is_open() {
            return false;
        }
        let time = |kind: Self| kind.is_time() || kind == Self::Interval;
        (time(self) && (other.is_number() || other == Self::Boolean))
            || (time(other) && (self.is_number() || self == Self::Boolean))
            || (self == Self::Interval) != (other == Self::Interval) && (self.is_time() || other.is_time())
    }
}
