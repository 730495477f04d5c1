//! Values of MySQL, of a SELECT and of the log, as values of DMS.

use mysql_async::Value as Given;
use mysql_async::binlog::value::BinlogValue;

use crate::dms::row::{self, Column, Kind, Table, Value};
use crate::error::{Error, Result};

/// A value of a SELECT, which has all of them as texts.
pub(super) fn selected(table: &Table, column: &Column, given: Given) -> Result<Value> {
    let Given::Bytes(bytes) = given else { return Ok(Value::Null) };
    match column.kind {
        Kind::Bytes => Ok(Value::Bytes(bytes)),
        Kind::Boolean => Ok(Value::Boolean(bytes.last() == Some(&1))),
        kind => parsed(table, column, kind, &bytes),
    }
}

/// A value of the log.
pub(super) fn logged(
    table: &Table,
    column: &Column,
    labels: Option<&Vec<String>>,
    given: BinlogValue<'_>,
) -> Result<Value> {
    let given = match given {
        BinlogValue::Value(given) => given,
        BinlogValue::Jsonb(json) => {
            let json = serde_json::Value::try_from(json);
            let json = json.map_err(|error| Error::new(format!("`{}` is not JSON: {error}", column.name)))?;
            return Ok(Value::Text(json.to_string()));
        }
        BinlogValue::JsonDiff(_) => {
            return Err(Error::new("the binlog has parts of JSON values only")
                .hint("set `binlog_row_value_options` to nothing: DMS needs whole values too"));
        }
    };
    let value = match (column.kind, given) {
        (Kind::Text, Given::Int(number)) if labels.is_some() => {
            let word = usize::try_from(number - 1).ok().and_then(|index| labels?.get(index));
            Value::Text(word.cloned().unwrap_or_default())
        }
        (Kind::Text, Given::Bytes(bits)) if let Some(labels) = labels => {
            let chosen = labels
                .iter()
                .enumerate()
                .filter(|(index, _)| bits.get(index / 8).is_some_and(|byte| byte & (1 << (index % 8)) != 0));
            Value::Text(chosen.map(|(_, word)| word.as_str()).collect::<Vec<_>>().join(","))
        }
        (_, Given::Int(number)) => Value::Integer(number.into()),
        (_, Given::UInt(number)) => Value::Integer(number.into()),
        (_, Given::Float(number)) => Value::Float(number.into()),
        (_, Given::Double(number)) => Value::Float(number),
        (kind @ (Kind::Date | Kind::Datetime), Given::Date(year, month, day, hour, minute, second, micros)) => {
            let text = format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}.{micros:06}");
            let text = if kind == Kind::Date { &text[..10] } else { &text };
            parsed(table, column, kind, text.as_bytes())?
        }
        // Seconds since the epoch.
        (Kind::Datetime, Given::Bytes(bytes)) => {
            let text = String::from_utf8_lossy(&bytes).into_owned();
            let (seconds, micros) = text.split_once('.').unwrap_or((&text, "0"));
            match (seconds.parse::<i128>(), micros.parse::<i128>()) {
                // MySQL's zero.
                (Ok(0), Ok(0)) => Value::Null,
                (Ok(seconds), Ok(micros)) => Value::Integer(seconds * 1_000_000 + micros),
                _ => Value::Null,
            }
        }
        (_, Given::Time(negative, days, hours, minutes, seconds, micros)) => {
            let hours = days * 24 + u32::from(hours);
            let sign = if negative { "-" } else { "" };
            let fraction = if micros == 0 { String::new() } else { format!(".{micros:06}") };
            Value::Text(format!("{sign}{hours:02}:{minutes:02}:{seconds:02}{fraction}"))
        }
        (Kind::Bytes, Given::Bytes(bytes)) => Value::Bytes(bytes),
        (Kind::Boolean, Given::Bytes(bytes)) => Value::Boolean(bytes.last() == Some(&1)),
        (kind, Given::Bytes(bytes)) => parsed(table, column, kind, &bytes)?,
        (_, Given::NULL | Given::Date(..)) => Value::Null,
    };
    Ok(value)
}

/// The library reads the three bytes of a MEDIUMINT without their sign.
pub(super) fn signed_medium(value: Value) -> Value {
    match value {
        Value::Integer(number) if (1 << 23..1 << 24).contains(&number) => Value::Integer(number - (1 << 24)),
        value => value,
    }
}

fn parsed(table: &Table, column: &Column, kind: Kind, bytes: &[u8]) -> Result<Value> {
    let column_name = || format!("`{}`.`{}`", table.label(), column.name);
    let text = std::str::from_utf8(bytes).map_err(|_| {
        Error::new(format!("{} is not in UTF-8", column_name()))
            .hint("write it there in the encoding that the column declares: DMS would write something else, or stop")
    })?;
    row::parse(kind, text).map_err(|why| Error::new(format!("{}: {why}", column_name())))
}
