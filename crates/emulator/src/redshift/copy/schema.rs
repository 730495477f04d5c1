//! Whether a file's columns fit the table's: Redshift converts nothing.

use parquet::basic::{ConvertedType, LogicalType, Repetition, TimeUnit, Type as Physical};
use parquet::schema::types::{ColumnDescriptor, SchemaDescriptor};
use tokio_postgres::types::Type;

use super::encode::Conversion;
use super::listing::Object;
use crate::redshift::error::SqlError;

/// A column of the table, from the catalogue.
#[derive(Debug, Clone)]
pub(super) struct Target {
    pub(super) name: String,
    pub(super) kind: u32,
    pub(super) modifier: i32,
}

/// How each column of the file becomes a column of the table.
pub(super) fn fit(
    schema: &SchemaDescriptor,
    targets: &[Target],
    fill: bool,
    object: &Object,
) -> Result<Vec<Conversion>, SqlError> {
    let fields = schema.root_schema().get_fields();
    if fields.len() > targets.len() || (fields.len() < targets.len() && !fill) {
        return Err(scan_error(
            15007,
            &format!(
                "Unmatched number of columns between table and file. Table columns: {}, Data columns: {}, File name: {}",
                targets.len(),
                fields.len(),
                object.url
            ),
        ));
    }
    let mut conversions = Vec::new();
    for (index, (field, target)) in fields.iter().zip(targets).enumerate() {
        let flat = field.is_primitive() && field.get_basic_info().repetition() != Repetition::REPEATED;
        // With flat columns only, the fields so far are the leaves so far.
        let column = flat.then(|| schema.column(index));
        let conversion = column.as_ref().and_then(|column| conversion(column, target));
        conversions.push(conversion.ok_or_else(|| {
            let found = column.map_or_else(|| format!("group {}", field.name()), |column| shown(&column));
            incompatible(target, &found, object)
        })?);
    }
    Ok(conversions)
}

fn conversion(column: &ColumnDescriptor, target: &Target) -> Option<Conversion> {
    let physical = column.physical_type();
    let expected = Type::from_oid(target.kind)?;
    let logical = column.logical_type_ref();
    let converted = column.converted_type();
    let is_date = matches!(logical, Some(LogicalType::Date)) || converted == ConvertedType::DATE;
    let is_decimal = matches!(logical, Some(LogicalType::Decimal(_))) || converted == ConvertedType::DECIMAL;
    let is_text = matches!(logical, Some(LogicalType::String | LogicalType::Json | LogicalType::Enum))
        || matches!(converted, ConvertedType::UTF8 | ConvertedType::JSON | ConvertedType::ENUM);
    let is_unsigned = matches!(logical, Some(LogicalType::Integer(integer)) if !integer.is_signed);
    let is_plain = !is_date && !is_decimal && !is_unsigned && time_unit(column).is_none() && !is_time(column);
    match physical {
        Physical::BOOLEAN if expected == Type::BOOL => Some(Conversion::Boolean),
        Physical::INT32 if is_date && expected == Type::DATE => Some(Conversion::Date),
        Physical::INT32 if is_plain && expected == Type::INT4 => Some(Conversion::Integer),
        Physical::INT32 if is_plain && expected == Type::INT2 => Some(Conversion::SmallInteger),
        Physical::INT64 if is_plain && expected == Type::INT8 => Some(Conversion::BigInteger),
        Physical::FLOAT if expected == Type::FLOAT4 => Some(Conversion::Real),
        Physical::DOUBLE if expected == Type::FLOAT8 => Some(Conversion::Double),
        Physical::INT96 if is_timestamp(&expected) => Some(Conversion::Timestamp { per_second: 0 }),
        Physical::INT64 if is_timestamp(&expected) => {
            time_unit(column).map(|per_second| Conversion::Timestamp { per_second })
        }
        Physical::BYTE_ARRAY if is_text && (expected == Type::VARCHAR || expected == Type::BPCHAR) => {
            Some(Conversion::Text { limit: usize::try_from(target.modifier - 4).unwrap_or(65_535) })
        }
        Physical::BYTE_ARRAY if is_text && expected == Type::TEXT => Some(Conversion::Text { limit: 65_535 }),
        // A text that goes into a SUPER is a text there: JSON_PARSE makes more of it.
        Physical::BYTE_ARRAY if is_text && expected == Type::JSONB => Some(Conversion::Super),
        Physical::INT32 | Physical::INT64 | Physical::FIXED_LEN_BYTE_ARRAY | Physical::BYTE_ARRAY
            if is_decimal && expected == Type::NUMERIC =>
        {
            let (precision, scale) = (column.type_precision(), column.type_scale());
            let fits = numeric(target.modifier)
                .is_none_or(|(digits, places)| scale == places && precision - scale <= digits - places);
            fits.then_some(Conversion::Decimal { scale: u16::try_from(scale).ok()? })
        }
        _ => None,
    }
}

fn is_timestamp(kind: &Type) -> bool {
    *kind == Type::TIMESTAMP || *kind == Type::TIMESTAMPTZ
}

fn is_time(column: &ColumnDescriptor) -> bool {
    matches!(column.logical_type_ref(), Some(LogicalType::Time(_) | LogicalType::Timestamp(_)))
        || matches!(column.converted_type(), ConvertedType::TIME_MILLIS | ConvertedType::TIME_MICROS)
}

/// Units in a second, of a timestamp that Redshift reads.
fn time_unit(column: &ColumnDescriptor) -> Option<i64> {
    match (column.logical_type_ref(), column.converted_type()) {
        (Some(LogicalType::Timestamp(timestamp)), _) => match timestamp.unit {
            TimeUnit::MILLIS => Some(1_000),
            TimeUnit::MICROS => Some(1_000_000),
            TimeUnit::NANOS => None,
        },
        (None, ConvertedType::TIMESTAMP_MILLIS) => Some(1_000),
        (None, ConvertedType::TIMESTAMP_MICROS) => Some(1_000_000),
        _ => None,
    }
}

/// Precision and scale of a `numeric(p, s)`.
pub(crate) fn numeric(modifier: i32) -> Option<(i32, i32)> {
    (modifier >= 4).then(|| (((modifier - 4) >> 16) & 0xffff, (modifier - 4) & 0x7ff))
}

/// `optional int32 id [i:0 d:1 r:0]`
fn shown(column: &ColumnDescriptor) -> String {
    let repetition = if column.max_def_level() == 0 { "required" } else { "optional" };
    let physical = match column.physical_type() {
        Physical::BYTE_ARRAY => "byte_array".to_owned(),
        other => other.to_string().to_lowercase(),
    };
    format!("{repetition} {physical} {} [d:{} r:{}]", column.name(), column.max_def_level(), column.max_rep_level())
}

fn incompatible(target: &Target, found: &str, object: &Object) -> SqlError {
    let expected = redshift_name(target);
    let context = format!(
        "File '{}' has an incompatible Parquet schema for column '{}.{}'. Column type: {expected}, Parquet schema:\n{found}",
        object.url, object.source, target.name
    );
    scan_error(15007, &context).hint(format!("write the column `{}` as {expected}, or change the table", target.name))
}

fn redshift_name(target: &Target) -> String {
    match Type::from_oid(target.kind) {
        Some(Type::INT2) => "SMALLINT".to_owned(),
        Some(Type::INT4) => "INT".to_owned(),
        Some(Type::INT8) => "BIGINT".to_owned(),
        Some(Type::FLOAT4) => "REAL".to_owned(),
        Some(Type::FLOAT8) => "DOUBLE PRECISION".to_owned(),
        Some(Type::BOOL) => "BOOLEAN".to_owned(),
        Some(Type::BPCHAR) => "CHAR".to_owned(),
        Some(Type::JSONB) => "SUPER".to_owned(),
        Some(Type::NUMERIC) => {
            let (precision, scale) = numeric(target.modifier).unwrap_or((38, 0));
            format!("DECIMAL({precision}, {scale})")
        }
        Some(Type::VARCHAR | Type::TEXT) => "VARCHAR".to_owned(),
        Some(other) => other.name().to_uppercase(),
        None => target.kind.to_string(),
    }
}

/// An error of the layer that reads the files.
pub(super) fn scan_error(code: u32, context: &str) -> SqlError {
    let line = "-----------------------------------------------";
    SqlError::new(format!(
        "Spectrum Scan Error\n  Detail: \n  {line}\n  error:  Spectrum Scan Error\n  code:      {code}\n  context:   {context}\n  {line}"
    ))
}

/// A value that its column cannot hold.
pub(super) fn value_error(what: &str, object: &Object) -> SqlError {
    scan_error(15001, &format!("{what}, File name: {}", object.url))
}
