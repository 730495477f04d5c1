//! A column of CREATE TABLE or ALTER TABLE … ADD COLUMN.

use super::token::{Node, render, split};
use super::types::{self, Type, TypeContext};
use super::{expression, name_text};
use crate::redshift::error::{SqlError, SqlResult};

const ATTRIBUTES: &[&str] = &[
    "DEFAULT",
    "IDENTITY",
    "GENERATED",
    "ENCODE",
    "DISTKEY",
    "SORTKEY",
    "NOT",
    "NULL",
    "UNIQUE",
    "PRIMARY",
    "REFERENCES",
    "COLLATE",
    "CHECK",
];

const ENCODINGS: &[&str] = &[
    "raw",
    "az64",
    "bytedict",
    "delta",
    "delta32k",
    "lzo",
    "mostly8",
    "mostly16",
    "mostly32",
    "runlength",
    "text255",
    "text32k",
    "zstd",
    "auto",
];

/// A column: what PostgreSQL is to create, and what Redshift has its own rules for.
#[derive(Debug)]
pub(super) struct Column {
    pub(super) name: String,
    kind: Type,
    default: Option<String>,
    identity: Option<String>,
    pub(super) not_null: bool,
}

impl Column {
    /// Reads `name type attribute…`. Keys, encodings and distribution are checked and left out.
    pub(super) fn read(nodes: &[Node]) -> SqlResult<Self> {
        let name = name_text(nodes.first())?;
        let kind = types::read(&nodes[1..], TypeContext::Column)?;
        let mut rest = &nodes[1 + kind.length..];
        let mut column = Self { name, kind, default: None, identity: None, not_null: false };
        while let Some(word) = rest.first().map(|node| node.keyword().ok_or_else(|| SqlError::syntax(&node.shown()))) {
            let length = column.attribute(&word?, rest)?;
            rest = &rest[length.min(rest.len())..];
        }
        Ok(column)
    }

    /// Takes one attribute; answers how many nodes it has.
    fn attribute(&mut self, word: &str, nodes: &[Node]) -> SqlResult<usize> {
        let second = nodes.get(1);
        match word {
            "DEFAULT" => {
                let end = nodes[1..].iter().position(|node| node.is_any(ATTRIBUTES) && !node.is("NULL"));
                // `DEFAULT NULL`: the first word after DEFAULT is always the value.
                let end = end.map_or(nodes.len(), |end| end + 1).max(2);
                self.default = Some(render(&expression::level(nodes[1..end.min(nodes.len())].to_vec())?));
                Ok(end)
            }
            "IDENTITY" => {
                self.identity = Some(identity("ALWAYS", second)?);
                self.not_null = true;
                Ok(2)
            }
            "GENERATED" => {
                let expected = ["BY", "DEFAULT", "AS", "IDENTITY"];
                if !expected
                    .iter()
                    .enumerate()
                    .all(|(index, word)| nodes.get(index + 1).is_some_and(|node| node.is(word)))
                {
                    return Err(SqlError::syntax("generated"));
                }
                self.identity = Some(identity("BY DEFAULT", nodes.get(5))?);
                self.not_null = true;
                Ok(6)
            }
            "ENCODE" => {
                self.check_encoding(second)?;
                Ok(2)
            }
            "DISTKEY" | "SORTKEY" if self.kind.postgres == "jsonb" => {
                Err(SqlError::new(format!("column \"{}\" of type SUPER cannot be a {word}", self.name)))
            }
            "NOT" if second.is_some_and(|node| node.is("NULL")) => {
                self.not_null = true;
                Ok(2)
            }
            "NULL" | "DISTKEY" | "SORTKEY" | "UNIQUE" => Ok(1),
            "PRIMARY" if second.is_some_and(|node| node.is("KEY")) => {
                // The one thing that Redshift enforces of a primary key.
                self.not_null = true;
                Ok(2)
            }
            "REFERENCES" => {
                let (_, length) = super::qualified_name(&nodes[1..])?;
                let listed = nodes.get(1 + length).is_some_and(|node| node.items().is_some());
                Ok(1 + length + usize::from(listed))
            }
            "CHECK" => Err(SqlError::not_redshift("a CHECK constraint")),
            "COLLATE" => Err(SqlError::not_rehearsed("COLLATE")),
            _ => Err(SqlError::syntax(&word.to_lowercase())),
        }
    }

    fn check_encoding(&self, encoding: Option<&Node>) -> SqlResult<()> {
        let encoding = encoding.and_then(Node::name).unwrap_or_default();
        let numeric = ["smallint", "integer", "bigint", "numeric", "date", "time"];
        let fits = encoding != "az64" || numeric.iter().any(|kind| self.kind.postgres.starts_with(kind));
        if fits && ENCODINGS.contains(&encoding.as_str()) {
            return Ok(());
        }
        Err(SqlError::new(format!("invalid encoding type specified for column \"{}\"", self.name)))
    }

    /// The column as PostgreSQL creates it. A character column counts its bytes, as Redshift does.
    pub(super) fn render(&self) -> String {
        let mut out = format!("{} {}", self.name, self.kind.postgres);
        if let Some(identity) = &self.identity {
            out = format!("{out} {identity}");
        }
        if let Some(default) = &self.default {
            out = format!("{out} DEFAULT {default}");
        }
        if self.not_null {
            out.push_str(" NOT NULL");
        }
        match self.kind.bytes {
            Some(bytes) => format!("{out} {}", byte_limit(&self.name, bytes)),
            None => out,
        }
    }

    /// What an ALTER COLUMN … TYPE must set again.
    pub(super) fn limit(&self) -> Option<(String, String)> {
        self.kind.bytes.map(|bytes| (self.kind.postgres.clone(), byte_limit(&self.name, bytes)))
    }
}

/// The name of the constraint that holds the length of a column in bytes.
pub(super) fn limit_name(column: &str) -> String {
    super::quote(&format!("{} bytes", column.trim_matches('"')))
}

fn byte_limit(column: &str, bytes: u32) -> String {
    format!("CONSTRAINT {} CHECK (octet_length({column}) <= {bytes})", limit_name(column))
}

fn identity(mode: &str, seed_and_step: Option<&Node>) -> SqlResult<String> {
    let items = seed_and_step.and_then(Node::items).ok_or_else(|| SqlError::syntax("identity"))?;
    match split(items).as_slice() {
        [seed, step] => {
            let (seed, step) = (render(seed), render(step));
            Ok(format!("GENERATED {mode} AS IDENTITY (START WITH {seed} INCREMENT BY {})", step.trim()))
        }
        _ => Err(SqlError::syntax("identity")),
    }
}
