//! Parquet as DMS writes it: one optional column each, in the types of its documentation.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use parquet::basic::{Compression, GzipLevel};
use parquet::column::writer::ColumnWriter;
use parquet::data_type::{ByteArray, FixedLenByteArray};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;

use super::super::configuration::Target;
use super::super::row::{Column, Kind, Value};
use super::failed;
use crate::error::{Error, Result};

/// Rows of a row group.
const GROUP: usize = 100_000;
/// Bytes that hold 38 digits.
const DECIMAL: usize = 16;

pub(super) struct ParquetFile {
    writer: SerializedFileWriter<std::fs::File>,
    kinds: Vec<Kind>,
    milliseconds: bool,
    /// Rows that are not written yet.
    rows: Vec<Vec<Value>>,
}

impl ParquetFile {
    pub(super) fn create(path: &Path, columns: &[Column], target: &Target) -> Result<Self> {
        let unit = if target.milliseconds { "MILLIS" } else { "MICROS" };
        let mut schema = String::from("message schema {\n");
        for column in columns {
            if column.name.contains(|c: char| c.is_whitespace() || ";{}()=".contains(c)) {
                return Err(Error::new(format!("the rehearsal cannot write the column `{}`", column.name))
                    .hint("rename it in the source, or leave its table out"));
            }
            let kind = match column.kind {
                Kind::Int1 => "int32 {} (INTEGER(8,true))".to_owned(),
                Kind::Int2 => "int32 {} (INTEGER(16,true))".to_owned(),
                Kind::Int4 => "int32 {} (INTEGER(32,true))".to_owned(),
                Kind::Int8 => "int64 {} (INTEGER(64,true))".to_owned(),
                Kind::UInt1 => "int32 {} (INTEGER(8,false))".to_owned(),
                Kind::UInt2 => "int32 {} (INTEGER(16,false))".to_owned(),
                Kind::UInt4 => "int32 {} (INTEGER(32,false))".to_owned(),
                Kind::UInt8 => "int64 {} (INTEGER(64,false))".to_owned(),
                Kind::Numeric { precision, scale } => {
                    format!("fixed_len_byte_array({DECIMAL}) {{}} (DECIMAL({precision},{scale}))")
                }
                Kind::Real4 => "float {}".to_owned(),
                Kind::Real8 => "double {}".to_owned(),
                Kind::Boolean => "boolean {}".to_owned(),
                Kind::Date => "int32 {} (DATE)".to_owned(),
                Kind::Time => "int32 {} (TIME(MILLIS,true))".to_owned(),
                Kind::Datetime => format!("int64 {{}} (TIMESTAMP({unit},true))"),
                Kind::Text => "binary {} (STRING)".to_owned(),
                Kind::Bytes => "binary {}".to_owned(),
            };
            let _ = writeln!(schema, "  optional {};", kind.replace("{}", &column.name));
        }
        schema.push('}');
        let schema = Arc::new(parse_message_type(&schema).map_err(|error| failed(&error))?);
        let compression = if target.gzip { Compression::GZIP(GzipLevel::default()) } else { Compression::UNCOMPRESSED };
        let properties = Arc::new(WriterProperties::builder().set_compression(compression).build());
        let file = fs_err::File::create(path)?.into_parts().0;
        Ok(Self {
            writer: SerializedFileWriter::new(file, schema, properties).map_err(|error| failed(&error))?,
            kinds: columns.iter().map(|column| column.kind).collect(),
            milliseconds: target.milliseconds,
            rows: Vec::new(),
        })
    }

    pub(super) fn write(&mut self, row: Vec<Value>) -> Result<()> {
        self.rows.push(row);
        if self.rows.len() >= GROUP { self.group() } else { Ok(()) }
    }

    pub(super) fn close(mut self) -> Result<()> {
        self.group()?;
        self.writer.finish().map(drop).map_err(|error| failed(&error))
    }

    fn group(&mut self) -> Result<()> {
        let rows = std::mem::take(&mut self.rows);
        if rows.is_empty() {
            return Ok(());
        }
        let mut group = self.writer.next_row_group().map_err(|error| failed(&error))?;
        let mut index = 0;
        while let Some(mut column) = group.next_column().map_err(|error| failed(&error))? {
            let values: Vec<&Value> = rows.iter().map(|row| &row[index]).collect();
            write_column(column.untyped(), self.kinds[index], self.milliseconds, &values)
                .map_err(|error| failed(&error))?;
            column.close().map_err(|error| failed(&error))?;
            index += 1;
        }
        group.close().map(drop).map_err(|error| failed(&error))
    }
}

fn write_column(
    writer: &mut ColumnWriter<'_>,
    kind: Kind,
    milliseconds: bool,
    values: &[&Value],
) -> std::result::Result<(), parquet::errors::ParquetError> {
    let levels: Vec<i16> = values.iter().map(|value| i16::from(**value != Value::Null)).collect();
    let levels = Some(levels.as_slice());
    let there = values.iter().filter(|value| ***value != Value::Null);
    let integers = there.clone().map(|value| match value {
        Value::Integer(number) => *number,
        _ => 0,
    });
    let floats = there.clone().map(|value| match value {
        Value::Float(number) => *number,
        _ => 0.0,
    });
    match writer {
        ColumnWriter::BoolColumnWriter(writer) => {
            let flags: Vec<bool> = there.map(|value| **value == Value::Boolean(true)).collect();
            writer.write_batch(&flags, levels, None)?;
        }
        // What is unsigned keeps its bits.
        ColumnWriter::Int32ColumnWriter(writer) => {
            let numbers: Vec<i32> = integers.map(low_half).collect();
            writer.write_batch(&numbers, levels, None)?;
        }
        ColumnWriter::Int64ColumnWriter(writer) => {
            let divisor = if kind == Kind::Datetime && milliseconds { 1_000 } else { 1 };
            let numbers: Vec<i64> = integers.map(|number| low(number.div_euclid(divisor))).collect();
            writer.write_batch(&numbers, levels, None)?;
        }
        #[expect(clippy::cast_possible_truncation, reason = "the column has no more digits")]
        ColumnWriter::FloatColumnWriter(writer) => {
            let numbers: Vec<f32> = floats.map(|number| number as f32).collect();
            writer.write_batch(&numbers, levels, None)?;
        }
        ColumnWriter::DoubleColumnWriter(writer) => {
            writer.write_batch(&floats.collect::<Vec<f64>>(), levels, None)?;
        }
        ColumnWriter::ByteArrayColumnWriter(writer) => {
            let bytes: Vec<ByteArray> = there
                .map(|value| match value {
                    Value::Text(text) => ByteArray::from(text.as_bytes().to_vec()),
                    Value::Bytes(bytes) => ByteArray::from(bytes.clone()),
                    // PostgreSQL's booleans, where the endpoint wants them as texts.
                    Value::Boolean(flag) => ByteArray::from(flag.to_string().into_bytes()),
                    _ => ByteArray::from(Vec::new()),
                })
                .collect();
            writer.write_batch(&bytes, levels, None)?;
        }
        ColumnWriter::FixedLenByteArrayColumnWriter(writer) => {
            let bytes: Vec<FixedLenByteArray> =
                integers.map(|number| ByteArray::from(number.to_be_bytes().to_vec()).into()).collect();
            writer.write_batch(&bytes, levels, None)?;
        }
        ColumnWriter::Int96ColumnWriter(_) => {}
    }
    Ok(())
}

fn low(number: i128) -> i64 {
    let bytes = number.to_le_bytes();
    i64::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3], bytes[4], bytes[5], bytes[6], bytes[7]])
}

fn low_half(number: i128) -> i32 {
    let bytes = number.to_le_bytes();
    i32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
}
