//! UNLOAD to S3: the rows of a query as CSV or Parquet files in the bucket's directory.

use std::io::Write;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use parquet::basic::{Compression, LogicalType, Repetition, TimeUnit, Type as Physical};
use parquet::column::writer::ColumnWriter;
use parquet::data_type::{ByteArray, FixedLenByteArray};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::Type as Field;
use tokio_postgres::types::Type;

use super::copy::listing::walk;
use super::copy::{self, Files, Read};
use super::error::{SqlError, SqlResult};
use super::rewrite::{Unload, UnloadFormat};
use super::session::{ResultColumn, ResultSet};

/// Writes the rows; answers with their number.
pub(super) fn run(rows: &ResultSet, unload: &Unload, files: &Files) -> SqlResult<i64> {
    let directory = files.buckets.get(&unload.bucket).filter(|directory| directory.is_dir()).ok_or_else(|| {
        SqlError::new("S3ServiceException:The specified bucket does not exist,Status 404,Error NoSuchBucket")
            .hint(format!("no bucket `{}` in this account", unload.bucket))
    })?;
    if !Path::new(&unload.prefix).components().all(|part| matches!(part, Component::Normal(_))) {
        return Err(SqlError::new(format!("the path `{}` cannot be written", unload.prefix)));
    }
    allowed(unload, files, "s3:ListBucket", &unload.prefix)?;
    clear(unload, files, directory)?;
    let format = if unload.format == UnloadFormat::Parquet { Some("parquet") } else { None };
    let extension = unload.extension.as_deref().or(format).map(|extension| format!(".{extension}")).unwrap_or_default();
    // A stand-in has one slice, of which all rows are.
    let number = if unload.together { "000" } else { "0000_part_00" };
    let key = format!("{}{number}{extension}", unload.prefix);
    let content = match unload.format {
        UnloadFormat::Csv => csv(rows, unload.header).map_err(|error| SqlError::new(error.to_string()))?,
        UnloadFormat::Parquet => parquet(rows).map_err(|error| SqlError::new(error.to_string()))?,
    };
    put(unload, files, directory, &key, &content)?;
    if unload.manifest {
        let url = format!("s3://{}/{key}", unload.bucket);
        let manifest = serde_json::json!({"entries": [{"url": url}]}).to_string();
        put(unload, files, directory, &format!("{}manifest", unload.prefix), manifest.as_bytes())?;
    }
    Ok(i64::try_from(rows.rows.len()).unwrap_or(i64::MAX))
}

fn allowed(unload: &Unload, files: &Files, action: &'static str, key: &str) -> SqlResult<()> {
    let Some(authorizer) = &files.authorizer else { return Ok(()) };
    let access = Read { action, bucket: unload.bucket.clone(), key: key.to_owned(), role: unload.role.clone() };
    authorizer(&access).map_err(|why| {
        SqlError::new(format!("S3ServiceException:Access Denied,Status 403,Error AccessDenied\n  Detail: {why}"))
    })
}

/// Takes away what is at the destination, or refuses to write beside it.
fn clear(unload: &Unload, files: &Files, directory: &Path) -> SqlResult<()> {
    let mut keys = Vec::new();
    let folder = unload.prefix.rsplit_once('/').map_or("", |(folder, _)| folder);
    walk(&directory.join(folder), directory, &mut keys).map_err(|error| io(&error))?;
    keys.retain(|key| key.starts_with(&unload.prefix));
    if unload.clean {
        for key in &keys {
            allowed(unload, files, "s3:DeleteObject", key)?;
            std::fs::remove_file(directory.join(key)).map_err(|error| io(&error))?;
        }
    } else if !keys.is_empty() && !unload.overwrite {
        return Err(SqlError::new(
            "Specified unload destination on S3 is not empty. Consider using a different bucket / prefix, manually \
             removing the target files in S3, or using the ALLOWOVERWRITE option.",
        ));
    }
    Ok(())
}

fn put(unload: &Unload, files: &Files, directory: &Path, key: &str, content: &[u8]) -> SqlResult<()> {
    allowed(unload, files, "s3:PutObject", key)?;
    let path: PathBuf = directory.join(key);
    let folder = path.parent().unwrap_or(directory);
    std::fs::create_dir_all(folder).map_err(|error| io(&error))?;
    // Readers see a whole file or none.
    let mut file =
        tempfile::NamedTempFile::new_in(directory.parent().unwrap_or(directory)).map_err(|error| io(&error))?;
    file.write_all(content).map_err(|error| io(&error))?;
    file.persist(&path).map_err(|error| io(&error.error))?;
    Ok(())
}

fn io(error: &std::io::Error) -> SqlError {
    SqlError::new(format!("S3ServiceException:{error},Status 500,Error InternalError"))
}

fn csv(rows: &ResultSet, header: bool) -> Result<Vec<u8>, csv::Error> {
    let mut writer = csv::WriterBuilder::new().from_writer(Vec::new());
    if header {
        writer.write_record(rows.columns.iter().map(|column| column.name.as_str()))?;
    }
    for row in &rows.rows {
        writer.write_record(row.iter().map(|value| value.as_deref().unwrap_or_default()))?;
    }
    writer.into_inner().map_err(|error| csv::Error::from(error.into_error()))
}

fn parquet(rows: &ResultSet) -> Result<Vec<u8>, parquet::errors::ParquetError> {
    let fields = rows.columns.iter().map(|column| field(column).map(Arc::new)).collect::<Result<Vec<_>, _>>()?;
    let schema = Arc::new(Field::group_type_builder("schema").with_fields(fields).build()?);
    let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
    let mut out = Vec::new();
    let mut writer = SerializedFileWriter::new(&mut out, schema, Arc::new(properties))?;
    let mut group = writer.next_row_group()?;
    for (index, column) in rows.columns.iter().enumerate() {
        let values: Vec<Option<&str>> = rows.rows.iter().map(|row| row[index].as_deref()).collect();
        let levels: Vec<i16> = values.iter().map(|value| i16::from(value.is_some())).collect();
        let present: Vec<&str> = values.into_iter().flatten().collect();
        let Some(mut out) = group.next_column()? else { break };
        match out.untyped() {
            ColumnWriter::BoolColumnWriter(writer) => {
                let values: Vec<bool> = present.iter().map(|text| *text == "t").collect();
                writer.write_batch(&values, Some(&levels), None)?;
            }
            ColumnWriter::Int32ColumnWriter(writer) => {
                let values: Vec<i32> = present.iter().map(|text| int32(text, &column.kind)).collect();
                writer.write_batch(&values, Some(&levels), None)?;
            }
            ColumnWriter::Int64ColumnWriter(writer) => {
                let values: Vec<i64> = present.iter().map(|text| int64(text, &column.kind)).collect();
                writer.write_batch(&values, Some(&levels), None)?;
            }
            ColumnWriter::DoubleColumnWriter(writer) => {
                let values: Vec<f64> = present.iter().map(|text| text.parse().unwrap_or(f64::NAN)).collect();
                writer.write_batch(&values, Some(&levels), None)?;
            }
            ColumnWriter::FixedLenByteArrayColumnWriter(writer) => {
                let (_, scale) = decimal(column);
                let values: Vec<FixedLenByteArray> = present
                    .iter()
                    .map(|text| ByteArray::from(unscaled(text, scale).to_be_bytes().to_vec()).into())
                    .collect();
                writer.write_batch(&values, Some(&levels), None)?;
            }
            ColumnWriter::ByteArrayColumnWriter(writer) => {
                let values: Vec<ByteArray> = present.iter().map(|text| ByteArray::from(*text)).collect();
                writer.write_batch(&values, Some(&levels), None)?;
            }
            _ => {}
        }
        out.close()?;
    }
    group.close()?;
    writer.close()?;
    Ok(out)
}

fn field(column: &ResultColumn) -> Result<Field, parquet::errors::ParquetError> {
    let (physical, logical) = match column.kind {
        Type::BOOL => (Physical::BOOLEAN, None),
        Type::INT2 | Type::INT4 => (Physical::INT32, None),
        Type::INT8 => (Physical::INT64, None),
        Type::FLOAT4 | Type::FLOAT8 => (Physical::DOUBLE, None),
        Type::DATE => (Physical::INT32, Some(LogicalType::Date)),
        Type::TIMESTAMP | Type::TIMESTAMPTZ => {
            let utc = column.kind == Type::TIMESTAMPTZ;
            (Physical::INT64, Some(LogicalType::timestamp(utc, TimeUnit::MICROS)))
        }
        Type::NUMERIC => {
            let (precision, scale) = decimal(column);
            (Physical::FIXED_LEN_BYTE_ARRAY, Some(LogicalType::decimal(scale, precision)))
        }
        _ => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
    };
    let mut field = Field::primitive_type_builder(&column.name, physical).with_repetition(Repetition::OPTIONAL);
    if column.kind == Type::NUMERIC {
        let (precision, scale) = decimal(column);
        field = field.with_length(16).with_precision(precision).with_scale(scale);
    }
    field.with_logical_type(logical).build()
}

fn decimal(column: &ResultColumn) -> (i32, i32) {
    copy::numeric_modifier(column.modifier).unwrap_or((38, 10))
}

/// `12.3` at a scale of 2 is 1230. Digits beyond the scale are cut: a column of a table has none.
fn unscaled(text: &str, scale: i32) -> i128 {
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    let scale = usize::try_from(scale).unwrap_or_default();
    let part: String = part.chars().chain(std::iter::repeat('0')).take(scale).collect();
    sign * format!("{whole}{part}").parse::<i128>().unwrap_or_default()
}

fn int32(text: &str, kind: &Type) -> i32 {
    if *kind != Type::DATE {
        return text.parse().unwrap_or_default();
    }
    let format = time::macros::format_description!("[year]-[month]-[day]");
    time::Date::parse(text, format).map_or(0, |date| date.to_julian_day() - 2_440_588)
}

fn int64(text: &str, kind: &Type) -> i64 {
    if !matches!(*kind, Type::TIMESTAMP | Type::TIMESTAMPTZ) {
        return text.parse().unwrap_or_default();
    }
    let format =
        time::macros::format_description!("[year]-[month]-[day] [hour]:[minute]:[second][optional [.[subsecond]]]");
    let text = text.trim_end_matches("+00");
    let micros =
        time::PrimitiveDateTime::parse(text, format).map(|moment| moment.assume_utc().unix_timestamp_nanos() / 1000);
    micros.map_or(0, |micros| i64::try_from(micros).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_have_their_parquet_form() {
        assert_eq!(unscaled("-12.3", 2), -1230);
        assert_eq!(unscaled("0.05", 2), 5);
        assert_eq!(unscaled("7", 0), 7);
        assert_eq!(int32("1970-01-02", &Type::DATE), 1);
        assert_eq!(int64("1970-01-01 00:00:01.5", &Type::TIMESTAMP), 1_500_000);
        assert_eq!(int64("1970-01-01 00:00:01", &Type::TIMESTAMP), 1_000_000);
    }
}
