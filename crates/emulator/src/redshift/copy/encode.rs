//! Columns of a Parquet file as rows of PostgreSQL's binary COPY format.

use bytes::{BufMut as _, Bytes, BytesMut};
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::{ByteArray, DataType, FixedLenByteArray, Int96};
use parquet::errors::Result;

/// Days and microseconds from 1970 to 2000, PostgreSQL's epoch.
const DAYS: i32 = 10_957;
const MICROS: i64 = 946_684_800_000_000;

/// How a value of the file becomes one of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Conversion {
    Boolean,
    SmallInteger,
    Integer,
    BigInteger,
    Real,
    Double,
    Date,
    /// 0: the value is an INT96.
    Timestamp {
        per_second: i64,
    },
    Decimal {
        scale: u16,
    },
    Text {
        limit: usize,
    },
    Super,
}

/// What opens a stream: signature, flags, no extension.
pub(super) fn header() -> Bytes {
    Bytes::from_static(b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0")
}

pub(super) fn trailer() -> Bytes {
    Bytes::from_static(b"\xff\xff")
}

enum Values {
    Boolean(ColumnReaderImpl<parquet::data_type::BoolType>, Vec<bool>),
    Int32(ColumnReaderImpl<parquet::data_type::Int32Type>, Vec<i32>),
    Int64(ColumnReaderImpl<parquet::data_type::Int64Type>, Vec<i64>),
    Int96(ColumnReaderImpl<parquet::data_type::Int96Type>, Vec<Int96>),
    Float(ColumnReaderImpl<parquet::data_type::FloatType>, Vec<f32>),
    Double(ColumnReaderImpl<parquet::data_type::DoubleType>, Vec<f64>),
    Bytes(ColumnReaderImpl<parquet::data_type::ByteArrayType>, Vec<ByteArray>),
    Fixed(ColumnReaderImpl<parquet::data_type::FixedLenByteArrayType>, Vec<FixedLenByteArray>),
}

/// A column of a row group: a batch of its values, and which of them the next row takes.
pub(super) struct Reader {
    values: Values,
    conversion: Conversion,
    levels: Vec<i16>,
    next: usize,
}

impl Reader {
    pub(super) fn new(reader: ColumnReader, conversion: Conversion) -> Self {
        let values = match reader {
            ColumnReader::BoolColumnReader(reader) => Values::Boolean(reader, Vec::new()),
            ColumnReader::Int32ColumnReader(reader) => Values::Int32(reader, Vec::new()),
            ColumnReader::Int64ColumnReader(reader) => Values::Int64(reader, Vec::new()),
            ColumnReader::Int96ColumnReader(reader) => Values::Int96(reader, Vec::new()),
            ColumnReader::FloatColumnReader(reader) => Values::Float(reader, Vec::new()),
            ColumnReader::DoubleColumnReader(reader) => Values::Double(reader, Vec::new()),
            ColumnReader::ByteArrayColumnReader(reader) => Values::Bytes(reader, Vec::new()),
            ColumnReader::FixedLenByteArrayColumnReader(reader) => Values::Fixed(reader, Vec::new()),
        };
        Self { values, conversion, levels: Vec::new(), next: 0 }
    }

    /// Reads the next `count` rows.
    pub(super) fn fill(&mut self, count: usize) -> Result<()> {
        self.next = 0;
        self.levels.clear();
        let levels = &mut self.levels;
        match &mut self.values {
            Values::Boolean(reader, values) => batch(reader, values, levels, count),
            Values::Int32(reader, values) => batch(reader, values, levels, count),
            Values::Int64(reader, values) => batch(reader, values, levels, count),
            Values::Int96(reader, values) => batch(reader, values, levels, count),
            Values::Float(reader, values) => batch(reader, values, levels, count),
            Values::Double(reader, values) => batch(reader, values, levels, count),
            Values::Bytes(reader, values) => batch(reader, values, levels, count),
            Values::Fixed(reader, values) => batch(reader, values, levels, count),
        }
    }

    /// Writes the value of the batch's row; fails with what is wrong with it.
    pub(super) fn write(&mut self, row: usize, out: &mut BytesMut) -> Result<(), String> {
        // Without levels, no value is missing.
        if self.levels.get(row).is_some_and(|level| *level == 0) {
            out.put_i32(-1);
            return Ok(());
        }
        let index = self.next;
        self.next += 1;
        match (&self.values, &self.conversion) {
            (Values::Boolean(_, values), _) => {
                out.put_i32(1);
                out.put_u8(u8::from(values[index]));
            }
            (Values::Int32(_, values), Conversion::SmallInteger) => {
                let value = i16::try_from(values[index])
                    .map_err(|_| format!("Value {} is out of range for SMALLINT", values[index]))?;
                out.put_i32(2);
                out.put_i16(value);
            }
            (Values::Int32(_, values), Conversion::Decimal { scale }) => numeric(values[index].into(), *scale, out),
            (Values::Int32(_, values), Conversion::Date) => {
                out.put_i32(4);
                out.put_i32(values[index].saturating_sub(DAYS));
            }
            (Values::Int32(_, values), _) => {
                out.put_i32(4);
                out.put_i32(values[index]);
            }
            (Values::Int64(_, values), Conversion::Timestamp { per_second }) => {
                out.put_i32(8);
                out.put_i64((values[index] * (1_000_000 / (*per_second).max(1))).saturating_sub(MICROS));
            }
            (Values::Int64(_, values), Conversion::Decimal { scale }) => numeric(values[index].into(), *scale, out),
            (Values::Int64(_, values), _) => {
                out.put_i32(8);
                out.put_i64(values[index]);
            }
            (Values::Int96(_, values), _) => {
                out.put_i32(8);
                out.put_i64(values[index].to_micros().saturating_sub(MICROS));
            }
            (Values::Float(_, values), _) => {
                out.put_i32(4);
                out.put_f32(values[index]);
            }
            (Values::Double(_, values), _) => {
                out.put_i32(8);
                out.put_f64(values[index]);
            }
            (Values::Fixed(_, values), Conversion::Decimal { scale }) => {
                numeric(unscaled(values[index].data()), *scale, out);
            }
            (Values::Bytes(_, values), Conversion::Decimal { scale }) => {
                numeric(unscaled(values[index].data()), *scale, out);
            }
            (Values::Bytes(_, values), conversion) => text(values[index].data(), conversion, out)?,
            (Values::Fixed(..), _) => return Err("A fixed-length value is no text".to_owned()),
        }
        Ok(())
    }
}

fn batch<T: DataType>(
    reader: &mut ColumnReaderImpl<T>,
    values: &mut Vec<T::T>,
    levels: &mut Vec<i16>,
    count: usize,
) -> Result<()> {
    values.clear();
    let mut rows = 0;
    while rows < count {
        let (read, _, _) = reader.read_records(count - rows, Some(levels), None, values)?;
        if read == 0 {
            return Err(parquet::errors::ParquetError::EOF("the column ends before its row group".to_owned()));
        }
        rows += read;
    }
    Ok(())
}

fn text(value: &[u8], conversion: &Conversion, out: &mut BytesMut) -> Result<(), String> {
    let shown = std::str::from_utf8(value).map_err(|_| "The value is not valid UTF-8".to_owned())?;
    if value.contains(&0) {
        return Err("The value contains the character NUL".to_owned());
    }
    if let Conversion::Text { limit } = conversion {
        if value.len() > *limit {
            return Err(format!(
                "The length of the data column is longer than the length defined in the table. Table: {limit}, Data: {}",
                value.len()
            ));
        }
        out.put_i32(length(value.len())?);
        out.put_slice(value);
        return Ok(());
    }
    let json = serde_json::Value::from(shown).to_string();
    out.put_i32(length(json.len() + 1)?);
    // The version of the binary form.
    out.put_u8(1);
    out.put_slice(json.as_bytes());
    Ok(())
}

fn length(bytes: usize) -> Result<i32, String> {
    i32::try_from(bytes).map_err(|_| "The value is longer than 2 GB".to_owned())
}

/// A big-endian two's complement number of at most 16 bytes.
fn unscaled(bytes: &[u8]) -> i128 {
    let negative = bytes.first().is_some_and(|byte| byte & 0x80 != 0);
    bytes.iter().fold(if negative { -1 } else { 0 }, |value, byte| (value << 8) | i128::from(*byte))
}

/// Writes a decimal in groups of four digits, on both sides of the point.
fn numeric(value: i128, scale: u16, out: &mut BytesMut) {
    let power = 10_u128.pow(u32::from(scale));
    let (mut whole, mut fraction) = (value.unsigned_abs() / power, value.unsigned_abs() % power);
    let mut groups: Vec<u128> = Vec::new();
    while whole > 0 {
        groups.push(whole % 10_000);
        whole /= 10_000;
    }
    groups.reverse();
    let weight = i16::try_from(groups.len()).unwrap_or(0) - 1;
    let mut left = u32::from(scale);
    while left > 0 {
        if left >= 4 {
            let rest = 10_u128.pow(left - 4);
            groups.push(fraction / rest);
            fraction %= rest;
            left -= 4;
        } else {
            groups.push(fraction * 10_u128.pow(4 - left));
            left = 0;
        }
    }
    let count = u16::try_from(groups.len()).unwrap_or(0);
    out.put_i32(8 + 2 * i32::from(count));
    out.put_u16(count);
    out.put_i16(weight);
    out.put_u16(if value < 0 { 0x4000 } else { 0 });
    out.put_u16(scale);
    for group in groups {
        out.put_u16(u16::try_from(group).unwrap_or(0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_written_in_groups_of_four_digits() {
        let mut out = BytesMut::new();
        numeric(0, 2, &mut out);
        assert_eq!(&out[..], [0, 0, 0, 10, 0, 1, 0xff, 0xff, 0, 0, 0, 2, 0, 0]);
        let mut out = BytesMut::new();
        numeric(-1_234_567, 2, &mut out);
        // -12345.67: groups 1, 2345 and 6700
        assert_eq!(&out[..], [0, 0, 0, 14, 0, 3, 0, 1, 0x40, 0, 0, 2, 0, 1, 0x09, 0x29, 0x1a, 0x2c]);
    }

    #[test]
    fn bytes_are_signed_numbers() {
        assert_eq!(unscaled(&[0xff, 0xfe]), -2);
        assert_eq!(unscaled(&[0x00, 0xff]), 255);
        assert_eq!(unscaled(&[0x80]), -128);
    }
}
