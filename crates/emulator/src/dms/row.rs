//! Rows in the types of DMS, between the source's own and those of the files.

use std::sync::Arc;

/// A type of DMS. Both engines' types come to these, and each file format has its own word for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Int1,
    Int2,
    Int4,
    Int8,
    UInt1,
    UInt2,
    UInt4,
    UInt8,
    Numeric { precision: u8, scale: u8 },
    Real4,
    Real8,
    Boolean,
    Date,
    Time,
    Datetime,
    Text,
    Bytes,
}

/// The most digits of a NUMERIC; what has more is a text.
pub const DIGITS: u8 = 38;

/// A value of a column. Dates are days, times milliseconds and timestamps microseconds since the epoch; a NUMERIC is
/// its digits without the point.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Null,
    Integer(i128),
    Float(f64),
    Boolean(bool),
    Text(String),
    Bytes(Vec<u8>),
}

/// A column of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    pub name: String,
    pub kind: Kind,
    /// Whether it is part of the primary key.
    pub key: bool,
}

/// A table as it was when a row was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    pub schema: String,
    pub name: String,
    pub columns: Vec<Column>,
}

impl Table {
    /// As people write it.
    pub fn label(&self) -> String {
        format!("{}.{}", self.schema, self.name)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    Insert,
    Update,
    Delete,
}

impl Operation {
    /// The letter in the column `Op`.
    pub fn letter(self) -> &'static str {
        match self {
            Self::Insert => "I",
            Self::Update => "U",
            Self::Delete => "D",
        }
    }
}

/// One change of one row.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    pub table: Arc<Table>,
    pub operation: Operation,
    pub row: Vec<Value>,
    /// The row before an update, as far as the log has it.
    pub before: Option<Vec<Value>>,
    /// When it was committed, in microseconds since the epoch.
    pub committed: i64,
}

/// Reads a value that an engine has written as text. Fails if it is none of the kind.
pub fn parse(kind: Kind, text: &str) -> Result<Value, String> {
    let wrong = || format!("`{text}` is no {kind:?}");
    Ok(match kind {
        Kind::Int1 | Kind::Int2 | Kind::Int4 | Kind::Int8 | Kind::UInt1 | Kind::UInt2 | Kind::UInt4 | Kind::UInt8 => {
            Value::Integer(text.parse().map_err(|_| wrong())?)
        }
        // NUMERIC has no NaN and no infinity, and DMS writes none.
        Kind::Numeric { .. } if !text.contains(|c: char| c.is_ascii_digit()) => Value::Null,
        Kind::Numeric { precision, scale } => {
            let number = digits(text, scale).ok_or_else(wrong)?;
            // A file that held it could not be read: readers of a decimal rely on its precision.
            if number.unsigned_abs() >= 10_u128.pow(precision.into()) {
                return Err(format!(
                    "`{text}` has more digits than the {precision} that DMS keeps, {scale} of them behind the \
                                    point: give the column a precision"
                ));
            }
            Value::Integer(number)
        }
        Kind::Real4 | Kind::Real8 => Value::Float(text.parse().map_err(|_| wrong())?),
        Kind::Boolean => match text {
            "t" | "true" | "1" => Value::Boolean(true),
            "f" | "false" | "0" => Value::Boolean(false),
            _ => return Err(wrong()),
        },
        // A date that no calendar has (`0000-00-00`, `infinity`) is nothing.
        Kind::Date => days(text).map_or(Value::Null, |days| Value::Integer(days.into())),
        Kind::Datetime => microseconds(text).map_or(Value::Null, |micros| Value::Integer(micros.into())),
        Kind::Time => Value::Integer((time_of_day(text).ok_or_else(wrong)? / 1_000).into()),
        Kind::Text => Value::Text(text.to_owned()),
        Kind::Bytes => return Err(wrong()),
    })
}

/// The digits of a decimal number with `scale` of them behind the point, rounded half away from zero.
fn digits(text: &str, scale: u8) -> Option<i128> {
    let (sign, text) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text),
    };
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let scale = usize::from(scale);
    let mut all = String::with_capacity(whole.len() + scale);
    all.push_str(whole);
    all.extend(fraction.chars().chain(std::iter::repeat('0')).take(scale));
    let rounds_up = fraction.as_bytes().get(scale).is_some_and(|digit| *digit >= b'5');
    let number: i128 = if all.is_empty() { 0 } else { all.parse().ok()? };
    Some(sign * (number + i128::from(rounds_up)))
}

fn days(text: &str) -> Option<i32> {
    let mut parts = text.splitn(3, '-');
    let year: i32 = parts.next()?.parse().ok()?;
    let month: u8 = parts.next()?.parse().ok()?;
    let day: u8 = parts.next()?.parse().ok()?;
    let date = time::Date::from_calendar_date(year, time::Month::try_from(month).ok()?, day).ok()?;
    Some(date.to_julian_day() - 2_440_588)
}

/// Microseconds since midnight, of `12:34:56.789`.
fn time_of_day(text: &str) -> Option<i64> {
    let (time, fraction) = text.split_once('.').unwrap_or((text, ""));
    let mut parts = time.splitn(3, ':');
    let mut next = || parts.next().map_or(Some(0), |part| part.parse::<i64>().ok());
    let (hours, minutes, seconds) = (next()?, next()?, next()?);
    let fraction: i64 = if fraction.is_empty() { 0 } else { format!("{fraction:0<6.6}").parse().ok()? };
    Some(((hours * 60 + minutes) * 60 + seconds) * 1_000_000 + fraction)
}

/// Microseconds since the epoch, of `2026-11-21 12:34:56.789+00`. Both engines are asked for UTC.
fn microseconds(text: &str) -> Option<i64> {
    let (date, time) = text.split_once([' ', 'T'])?;
    let time = time.split(['+', 'Z']).next()?;
    Some(i64::from(days(date)?) * 86_400_000_000 + time_of_day(time)?)
}

/// A timestamp as DMS writes it into `TimestampColumnName`.
pub fn timestamp(micros: i64) -> String {
    let time = time::OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros) * 1_000);
    let time = time.unwrap_or(time::OffsetDateTime::UNIX_EPOCH);
    let (date, clock) = (time.date(), time.time());
    format!(
        "{:04}-{:02}-{:02} {:02}:{:02}:{:02}.{:06}",
        date.year(),
        u8::from(date.month()),
        date.day(),
        clock.hour(),
        clock.minute(),
        clock.second(),
        clock.microsecond()
    )
}

/// A value as CSV has it; nothing for NULL.
pub fn text(kind: Kind, value: &Value) -> Option<String> {
    Some(match (kind, value) {
        (_, Value::Null) => return None,
        (Kind::Date, Value::Integer(days)) => timestamp(i64::try_from(*days).ok()? * 86_400_000_000)[..10].to_owned(),
        (Kind::Datetime, Value::Integer(micros)) => timestamp(i64::try_from(*micros).ok()?),
        (Kind::Time, Value::Integer(millis)) => timestamp(i64::try_from(*millis).ok()? * 1_000)[11..].to_owned(),
        (Kind::Numeric { scale, .. }, Value::Integer(number)) if scale > 0 => {
            let digits = format!("{:0>width$}", number.unsigned_abs(), width = usize::from(scale) + 1);
            let (whole, fraction) = digits.split_at(digits.len() - usize::from(scale));
            format!("{}{whole}.{fraction}", if *number < 0 { "-" } else { "" })
        }
        (_, Value::Integer(number)) => number.to_string(),
        (_, Value::Float(number)) => number.to_string(),
        (_, Value::Boolean(value)) => value.to_string(),
        (_, Value::Text(text)) => text.clone(),
        (_, Value::Bytes(bytes)) => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_survive_type_conversion() {
        let number = Kind::Numeric { precision: 38, scale: 4 };
        for (kind, given, expected) in [
            (number, "1234567890123456789012345678901234.5678", "1234567890123456789012345678901234.5678"),
            (number, "-0.00005", "-0.0001"),
            (number, "-.5", "-0.5000"),
            (number, "NaN", "NULL"),
            (Kind::Numeric { precision: 10, scale: 0 }, "12.5", "13"),
            (Kind::UInt8, "18446744073709551615", "18446744073709551615"),
            (Kind::Date, "1969-12-31", "1969-12-31"),
            (Kind::Date, "0000-00-00", "NULL"),
            (Kind::Datetime, "2024-02-29 23:59:59.5+00", "2024-02-29 23:59:59.500000"),
            (Kind::Datetime, "1900-01-01 00:00:00", "1900-01-01 00:00:00.000000"),
            (Kind::Datetime, "infinity", "NULL"),
            (Kind::Time, "08:05:00.25", "08:05:00.250000"),
            (Kind::Boolean, "t", "true"),
            (Kind::Text, "Żółć", "Żółć"),
        ] {
            let value = parse(kind, given).unwrap();
            assert_eq!(text(kind, &value).unwrap_or("NULL".into()), expected, "{kind:?} {given}");
        }
        assert_eq!(parse(Kind::Int4, "x").unwrap_err(), "`x` is no Int4");
        let error = parse(Kind::Numeric { precision: 4, scale: 2 }, "-100").unwrap_err();
        assert!(error.starts_with("`-100` has more digits than the 4 that DMS keeps"), "{error}");
    }
}
