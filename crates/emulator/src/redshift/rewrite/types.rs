//! Redshift's types in PostgreSQL's names.

use super::token::{Node, render};
use crate::redshift::error::{SqlError, SqlResult};

/// The longest VARCHAR, in bytes: what `VARCHAR(MAX)` means.
const LONGEST_VARCHAR: u32 = 65_535;
/// The length of a VARCHAR column that says none.
const DEFAULT_VARCHAR: u32 = 256;

/// A type, and how many nodes of the statement name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Type {
    pub(super) postgres: String,
    /// The limit of a character type, which Redshift counts in bytes.
    pub(super) bytes: Option<u32>,
    pub(super) length: usize,
}

/// Where a type is named: a column without a length is shorter than a cast without one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TypeContext {
    Column,
    Cast,
}

/// Reads the type at the beginning of `nodes`.
pub(super) fn read(nodes: &[Node], context: TypeContext) -> SqlResult<Type> {
    let first = nodes.first().ok_or_else(|| SqlError::new("syntax error at end of input"))?;
    let word = first.name().ok_or_else(|| SqlError::syntax(&first.shown()))?;
    let second = nodes.get(1).and_then(Node::keyword).unwrap_or_default();
    let (name, words) = match (word.as_str(), second.as_str()) {
        ("character", "VARYING") => ("varchar", 2),
        ("double", "PRECISION") => ("double precision", 2),
        ("binary", "VARYING") => ("varbyte", 2),
        (other, _) => (other, 1),
    };
    let parameters = nodes.get(words).and_then(Node::items);
    let plain = |postgres: &str| Ok(Type { postgres: postgres.to_owned(), bytes: None, length: words });
    match name {
        "varchar" | "nvarchar" | "text" => varchar(name, parameters, words, context),
        "char" | "character" | "nchar" | "bpchar" => {
            let bytes = match parameters {
                Some(items) => number(items)?,
                None if name == "bpchar" => DEFAULT_VARCHAR,
                None => 1,
            };
            Ok(Type {
                postgres: format!("char({bytes})"),
                bytes: Some(bytes),
                length: words + usize::from(parameters.is_some()),
            })
        }
        "decimal" | "numeric" => {
            let scale = parameters.map_or_else(|| "18, 0".to_owned(), render);
            Ok(Type {
                postgres: format!("numeric({scale})"),
                bytes: None,
                length: words + usize::from(parameters.is_some()),
            })
        }
        "smallint" | "int2" => plain("smallint"),
        "integer" | "int" | "int4" => plain("integer"),
        "bigint" | "int8" => plain("bigint"),
        "real" | "float4" => plain("real"),
        "double precision" | "float" | "float8" => plain("double precision"),
        "boolean" | "bool" => plain("boolean"),
        "date" => plain("date"),
        "datetime" => plain("timestamp"),
        "timestamptz" => plain("timestamptz"),
        "timetz" => plain("timetz"),
        "super" => plain("jsonb"),
        "timestamp" | "time" => Ok(zoned(name, nodes)),
        "varbyte" | "varbinary" => {
            Ok(Type { postgres: "bytea".to_owned(), bytes: None, length: words + usize::from(parameters.is_some()) })
        }
        "geometry" | "geography" | "hllsketch" | "interval" => {
            Err(SqlError::not_rehearsed(&format!("the type {}", name.to_uppercase())))
        }
        other => Err(SqlError::new(format!("type \"{other}\" does not exist"))),
    }
}

fn varchar(name: &str, parameters: Option<&[Node]>, words: usize, context: TypeContext) -> SqlResult<Type> {
    let bytes = match parameters {
        Some([max]) if max.is("MAX") => Some(LONGEST_VARCHAR),
        Some(items) => Some(number(items)?),
        None if context == TypeContext::Column || name == "text" => Some(DEFAULT_VARCHAR),
        None => None,
    };
    if bytes.is_some_and(|bytes| bytes > LONGEST_VARCHAR) {
        return Err(SqlError::new(format!("length for type varchar cannot exceed {LONGEST_VARCHAR}")));
    }
    let length = words + usize::from(parameters.is_some());
    let postgres = match (bytes, context) {
        // `TEXT` in a cast is not cut.
        (Some(_), TypeContext::Cast) if name == "text" => "varchar".to_owned(),
        (Some(bytes), _) => format!("varchar({bytes})"),
        (None, _) => "varchar".to_owned(),
    };
    Ok(Type { postgres, bytes, length })
}

fn number(items: &[Node]) -> SqlResult<u32> {
    render(items).parse().map_err(|_| SqlError::syntax(&render(items)))
}

/// `TIMESTAMP [WITH | WITHOUT TIME ZONE]`, `TIME […]`.
fn zoned(name: &str, nodes: &[Node]) -> Type {
    let zone = nodes.len() >= 4 && nodes[2].is("TIME") && nodes[3].is("ZONE");
    let (suffix, length) = match nodes.get(1) {
        Some(node) if zone && node.is("WITH") => ("tz", 4),
        Some(node) if zone && node.is("WITHOUT") => ("", 4),
        _ => ("", 1),
    };
    Type { postgres: format!("{name}{suffix}"), bytes: None, length }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redshift::rewrite::token::parse;

    #[test]
    fn types_have_postgres_names() {
        for (redshift, column, bytes, length) in [
            ("VARCHAR(12) NOT NULL", "varchar(12)", Some(12), 2),
            ("varchar(max)", "varchar(65535)", Some(65_535), 2),
            ("varchar", "varchar(256)", Some(256), 1),
            ("character varying(3)", "varchar(3)", Some(3), 3),
            ("text", "varchar(256)", Some(256), 1),
            ("char", "char(1)", Some(1), 1),
            ("bpchar", "char(256)", Some(256), 1),
            ("decimal(12,2)", "numeric(12,2)", None, 2),
            ("NUMERIC", "numeric(18, 0)", None, 1),
            ("int8", "bigint", None, 1),
            ("float", "double precision", None, 1),
            ("double precision", "double precision", None, 2),
            ("timestamp without time zone", "timestamp", None, 4),
            ("timestamp with time zone", "timestamptz", None, 4),
            ("timestamp", "timestamp", None, 1),
            ("super", "jsonb", None, 1),
            ("varbyte(10)", "bytea", None, 2),
        ] {
            let nodes = parse(redshift).unwrap();
            let expected = Type { postgres: column.to_owned(), bytes, length };
            assert_eq!(read(&nodes, TypeContext::Column), Ok(expected), "{redshift}");
        }
    }

    #[test]
    fn a_type_of_postgres_alone_is_unknown() {
        for (sql, expected) in [
            ("jsonb", "type \"jsonb\" does not exist"),
            ("uuid", "type \"uuid\" does not exist"),
            ("geometry", "the rehearsal does not run the type GEOMETRY"),
            ("varchar(70000)", "length for type varchar cannot exceed 65535"),
        ] {
            let answer = read(&parse(sql).unwrap(), TypeContext::Column);
            assert_eq!(answer.map_err(|error| error.message().to_owned()), Err(expected.to_owned()));
        }
    }
}
