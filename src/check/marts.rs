//! A mart may read only tables and marts that exist, and none may read itself in a circle.

use std::sync::{Arc, LazyLock};

use regex_lite::Regex;

use crate::error::{Error, did_you_mean};
use crate::spec::Spec;
use crate::yaml::{Source, Span};

/// A table or mart that a mart's SQL names.
#[derive(Debug, PartialEq, Eq)]
pub struct Reference {
    /// `core` or `marts`.
    pub schema: String,
    pub name: String,
    pub span: Span,
}

static REFERENCE: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r#"(?i)\b(core|marts)"?\s*\.\s*"?([a-z_][a-z0-9_]*)"?"#).ok());

/// What a SQL text reads, in its order. Comments and texts in quotes do not count.
pub fn references(sql: &Arc<Source>) -> Vec<Reference> {
    let code = blank(&sql.text);
    let Some(pattern) = REFERENCE.as_ref() else { return Vec::new() };
    pattern
        .captures_iter(&code)
        .filter_map(|found| {
            let (schema, name) = (found.get(1)?, found.get(2)?);
            Some(Reference {
                schema: schema.as_str().to_lowercase(),
                name: name.as_str().to_lowercase(),
                span: Span::new(sql, schema.start(), found.get(0)?.end()),
            })
        })
        .collect()
}

/// The text with comments and string literals blanked out, every byte at its place.
pub(crate) fn blank(sql: &str) -> String {
    let bytes = sql.as_bytes();
    let mut code = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let end = match &bytes[at..] {
            [b'-', b'-', ..] => sql[at..].find('\n').map_or(bytes.len(), |length| at + length),
            [b'/', b'*', ..] => sql[at + 2..].find("*/").map_or(bytes.len(), |length| at + length + 4),
            [b'\'', ..] => sql[at + 1..].find('\'').map_or(bytes.len(), |length| at + length + 2),
            _ => {
                at += 1;
                while !sql.is_char_boundary(at) {
                    at += 1;
                }
                continue;
            }
        };
        code[at..end].iter_mut().filter(|byte| **byte != b'\n').for_each(|byte| *byte = b' ');
        at = end;
    }
    String::from_utf8(code).unwrap_or_default()
}

/// Every reference must lead to a table or mart of the spec.
pub fn check(spec: &Spec, marts: &[(String, Arc<Source>)]) -> Vec<Error> {
    let pipeline = &spec.pipeline;
    let mut errors = Vec::new();
    for (_, sql) in marts {
        for Reference { schema, name, span } in references(sql) {
            let (what, known): (_, Vec<&str>) = match schema.as_str() {
                "core" => ("table", pipeline.tables.keys().map(String::as_str).collect()),
                _ => ("mart", pipeline.marts.keys().map(String::as_str).collect()),
            };
            if !known.contains(&name.as_str()) {
                errors.push(
                    Error::project(format!("unknown {what} `{name}`"))
                        .at(&span, format!("no {what} of the spec has this name"))
                        .hint(did_you_mean(&name, known)),
                );
            }
        }
        if code_is_empty(sql) {
            errors.push(
                Error::project(format!("`{}` is empty", sql.name))
                    .at(&Span::new(sql, 0, 0), "no statement")
                    .hint("write one `SELECT`"),
            );
        }
    }
    errors
}

fn code_is_empty(sql: &Source) -> bool {
    blank(&sql.text).trim().trim_end_matches(';').is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_code_is_read() {
        let sql = Source::new(
            "m.sql",
            "-- core.a\nselect 'core.b', é.x /* core.c */ from core.orders o\njoin \"marts\".\"days\" on true -- it's core.d",
        );
        let found: Vec<String> =
            references(&sql).iter().map(|found| format!("{}.{} {:?}", found.schema, found.name, found.span)).collect();
        assert_eq!(found, ["core.orders m.sql:2:40", "marts.days m.sql:3:7"]);
    }
}
