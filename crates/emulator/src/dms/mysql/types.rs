//! DMS's types for those of MySQL: as the catalog declares them, and as the log has them.

use mysql_async::consts::ColumnType;

use crate::dms::row::{DIGITS, Kind};

/// DMS's type for a column of the log.
pub(super) fn of_log(column_type: ColumnType, details: &[u8], unsigned: bool, binary: bool) -> Kind {
    use ColumnType as C;
    let detail = |index: usize| details.get(index).copied().unwrap_or_default();
    match column_type {
        C::MYSQL_TYPE_TINY => {
            if unsigned {
                Kind::UInt1
            } else {
                Kind::Int1
            }
        }
        C::MYSQL_TYPE_SHORT => {
            if unsigned {
                Kind::UInt2
            } else {
                Kind::Int2
            }
        }
        C::MYSQL_TYPE_INT24 | C::MYSQL_TYPE_LONG => {
            if unsigned {
                Kind::UInt4
            } else {
                Kind::Int4
            }
        }
        C::MYSQL_TYPE_LONGLONG => {
            if unsigned {
                Kind::UInt8
            } else {
                Kind::Int8
            }
        }
        C::MYSQL_TYPE_YEAR => Kind::Int2,
        C::MYSQL_TYPE_FLOAT => Kind::Real4,
        C::MYSQL_TYPE_DOUBLE => Kind::Real8,
        C::MYSQL_TYPE_NEWDECIMAL => decimal(detail(0), detail(1)),
        C::MYSQL_TYPE_DATE | C::MYSQL_TYPE_NEWDATE => Kind::Date,
        C::MYSQL_TYPE_DATETIME | C::MYSQL_TYPE_DATETIME2 | C::MYSQL_TYPE_TIMESTAMP | C::MYSQL_TYPE_TIMESTAMP2 => {
            Kind::Datetime
        }
        C::MYSQL_TYPE_BIT if u16::from(detail(1)) * 8 + u16::from(detail(0)) == 1 => Kind::Boolean,
        C::MYSQL_TYPE_BIT | C::MYSQL_TYPE_GEOMETRY => Kind::Bytes,
        C::MYSQL_TYPE_JSON | C::MYSQL_TYPE_ENUM | C::MYSQL_TYPE_SET | C::MYSQL_TYPE_TIME | C::MYSQL_TYPE_TIME2 => {
            Kind::Text
        }
        _ if binary => Kind::Bytes,
        _ => Kind::Text,
    }
}

/// DMS's type for a column as the catalog declares it.
pub(super) fn declared(kind: &str, full: &str, precision: Option<u64>, scale: Option<u64>) -> Kind {
    let unsigned = full.contains("unsigned");
    let small = |number: Option<u64>| number.and_then(|number| u8::try_from(number).ok()).unwrap_or_default();
    match kind {
        "tinyint" => {
            if unsigned {
                Kind::UInt1
            } else {
                Kind::Int1
            }
        }
        "smallint" => {
            if unsigned {
                Kind::UInt2
            } else {
                Kind::Int2
            }
        }
        "mediumint" | "int" => {
            if unsigned {
                Kind::UInt4
            } else {
                Kind::Int4
            }
        }
        "bigint" => {
            if unsigned {
                Kind::UInt8
            } else {
                Kind::Int8
            }
        }
        "year" => Kind::Int2,
        "float" => Kind::Real4,
        "double" => Kind::Real8,
        "decimal" => decimal(small(precision), small(scale)),
        "date" => Kind::Date,
        "datetime" | "timestamp" => Kind::Datetime,
        "bit" if full == "bit(1)" => Kind::Boolean,
        "bit" | "binary" | "varbinary" | "tinyblob" | "blob" | "mediumblob" | "longblob" | "geometry" | "point" => {
            Kind::Bytes
        }
        _ => Kind::Text,
    }
}

fn decimal(precision: u8, scale: u8) -> Kind {
    if precision > DIGITS { Kind::Text } else { Kind::Numeric { precision, scale } }
}
