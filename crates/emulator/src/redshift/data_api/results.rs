//! The answer to `GetStatementResult`: typed values, a page at a time.

use serde_json::{Map, Value, json};
use tokio_postgres::types::Type;

use super::answer::Fault;
use crate::redshift::copy;
use crate::redshift::session::{ResultColumn, ResultSet};

const ROWS_A_PAGE: usize = 10_000;

pub(super) fn page(result: &ResultSet, token: Option<&str>) -> Result<Value, Fault> {
    let start: usize = match token {
        Some(token) => token.parse().map_err(|_| Fault::validation("NextToken is not valid"))?,
        None => 0,
    };
    let rows = result.rows.iter().skip(start).take(ROWS_A_PAGE);
    let records: Vec<Value> = rows
        .map(|row| {
            row.iter().zip(&result.columns).map(|(value, column)| field(value.as_deref(), &column.kind)).collect()
        })
        .collect();
    let columns: Vec<Value> = result.columns.iter().map(metadata).collect();
    let mut answer = Map::new();
    answer.insert("ColumnMetadata".to_owned(), columns.into());
    answer.insert("Records".to_owned(), records.into());
    answer.insert("TotalNumRows".to_owned(), result.rows.len().into());
    if result.rows.len() > start + ROWS_A_PAGE {
        answer.insert("NextToken".to_owned(), (start + ROWS_A_PAGE).to_string().into());
    }
    Ok(answer.into())
}

/// A value under the key of its type. Decimals, dates and the like are text, as in AWS's answers.
fn field(value: Option<&str>, kind: &Type) -> Value {
    let Some(text) = value else {
        return json!({ "isNull": true });
    };
    match *kind {
        Type::INT2 | Type::INT4 | Type::INT8 | Type::OID => {
            text.parse::<i64>().map_or_else(|_| json!({ "stringValue": text }), |number| json!({ "longValue": number }))
        }
        Type::FLOAT4 | Type::FLOAT8 => match text.parse::<f64>() {
            Ok(number) if number.is_finite() => json!({ "doubleValue": number }),
            _ => json!({ "stringValue": text }),
        },
        Type::BOOL => json!({ "booleanValue": text == "t" }),
        _ => json!({ "stringValue": text }),
    }
}

fn metadata(column: &ResultColumn) -> Value {
    let (precision, scale) = precision(column);
    json!({
        "isCaseSensitive": matches!(column.kind, Type::VARCHAR | Type::TEXT | Type::BPCHAR),
        "isCurrency": false,
        "isSigned": matches!(
            column.kind,
            Type::INT2 | Type::INT4 | Type::INT8 | Type::NUMERIC | Type::FLOAT4 | Type::FLOAT8
        ),
        "label": column.name,
        "length": 0,
        "name": column.name,
        "nullable": 1,
        "precision": precision,
        "scale": scale,
        "schemaName": "",
        "tableName": "",
        "typeName": type_name(&column.kind),
    })
}

fn precision(column: &ResultColumn) -> (i32, i32) {
    match column.kind {
        Type::INT2 => (5, 0),
        Type::INT4 => (10, 0),
        Type::INT8 => (19, 0),
        Type::FLOAT4 => (8, 8),
        Type::FLOAT8 => (17, 17),
        Type::NUMERIC => copy::numeric_modifier(column.modifier).unwrap_or((38, 0)),
        Type::VARCHAR | Type::BPCHAR if column.modifier > 4 => (column.modifier - 4, 0),
        Type::VARCHAR | Type::TEXT => (65_535, 0),
        Type::DATE => (13, 0),
        Type::TIMESTAMP => (29, 6),
        Type::TIMESTAMPTZ => (35, 6),
        Type::BOOL => (1, 0),
        _ => (0, 0),
    }
}

fn type_name(kind: &Type) -> &str {
    match *kind {
        Type::JSONB | Type::JSON => "super",
        Type::TEXT | Type::UNKNOWN => "varchar",
        _ => kind.name(),
    }
}
