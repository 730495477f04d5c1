//! A mart may read only tables, marts and columns that exist, and none may read itself in a circle.

use std::collections::HashSet;
use std::sync::{Arc, LazyLock};

use pipectl_contract::names::columns::INFERRED;
use regex::Regex;

use super::mask_literals::mask_literals;
use crate::error::Error;
use crate::spec::{Map, MartKind, Spec};
use crate::sql::{self, Catalog, Column, Dialect, Kind, Relation};
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
    let code = mask_literals(&sql.text);
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

/// Checks the queries of all marts against the tables, and against each other.
pub fn check(spec: &Spec, marts: &[(String, Arc<Source>)]) -> Vec<Error> {
    checked(spec, marts).0
}

/// The errors in the marts' queries, and the columns of each mart of which they can be told.
pub fn checked(spec: &Spec, marts: &[(String, Arc<Source>)]) -> (Vec<Error>, Map<Vec<Column>>) {
    let mut errors = Vec::new();
    let mut columns: Map<Vec<Column>> = Map::new();
    let mut catalog = tables(spec);
    // Until a mart has been looked at, any name of a column is taken for one of its.
    for name in spec.pipeline.marts.keys() {
        catalog.relations.push(Relation { schema: Some("marts".into()), name: name.clone(), columns: None });
    }
    for (name, sql) in in_order(marts) {
        if code_is_empty(sql) {
            errors.push(
                Error::project(format!("`{}` is empty", sql.name))
                    .at(&Span::new(sql, 0, 0), "no statement")
                    .hint("write one `SELECT`"),
            );
            continue;
        }
        if !is_query(sql) {
            // Making the statements out of it says what is wrong.
            continue;
        }
        let made = sql::check(sql, Dialect::Redshift, &catalog);
        errors.extend(made.errors);
        errors.extend(restrictions(spec, name, sql));
        if let Some(made) = made.columns {
            let relation = catalog
                .relations
                .iter_mut()
                .find(|relation| relation.schema.as_deref() == Some("marts") && relation.name == *name);
            if let Some(relation) = relation {
                relation.columns = Some(made.clone());
            }
            columns.insert(name.clone(), made);
        }
    }
    (errors, columns)
}

/// The tables of the warehouse, with the columns that pipectl adds.
fn tables(spec: &Spec) -> Catalog {
    let mut relations = Vec::new();
    for (name, table) in &spec.pipeline.tables {
        let mut columns: Vec<Column> =
            table.columns.iter().map(|(name, column)| Column::of(name, column.kind())).collect();
        if spec.has_stubs(name) {
            columns.push(Column::new(INFERRED, Kind::Boolean));
        }
        relations.push(Relation { schema: Some("core".into()), name: name.clone(), columns: Some(columns) });
    }
    Catalog { relations, open: ["pg_catalog", "information_schema", "pipectl", "public"].map(str::to_owned).into() }
}

/// Each mart after those that it reads, as far as there is such an order.
fn in_order(marts: &[(String, Arc<Source>)]) -> Vec<&(String, Arc<Source>)> {
    let reads = |sql| {
        let marts = references(sql).into_iter().filter(|found| found.schema == "marts");
        marts.map(|found| found.name).collect::<Vec<_>>()
    };
    let mut left: Vec<_> = marts.iter().map(|mart| (mart, reads(&mart.1))).collect();
    let mut waiting: HashSet<&str> = marts.iter().map(|(name, _)| name.as_str()).collect();
    let mut ordered: Vec<&(String, Arc<Source>)> = Vec::new();
    while !left.is_empty() {
        // In a circle none is the first; the graph of the marts reports it.
        let free = |(_, reads): &(_, Vec<String>)| reads.iter().all(|name| !waiting.contains(name.as_str()));
        let (mart, _) = left.remove(left.iter().position(free).unwrap_or(0));
        waiting.remove(mart.0.as_str());
        ordered.push(mart);
    }
    ordered
}

/// What Redshift does not allow in a materialized view (developer guide, CREATE MATERIALIZED VIEW).
fn restrictions(spec: &Spec, name: &str, sql: &Arc<Source>) -> Vec<Error> {
    let is = |name: &str, kind| spec.pipeline.marts.get(name).is_some_and(|mart| mart.kind == kind);
    if !is(name, MartKind::MaterializedView) {
        return Vec::new();
    }
    let mut errors = Vec::new();
    for found in references(sql).iter().filter(|found| found.schema == "marts") {
        if spec.pipeline.marts.contains_key(&found.name) && !is(&found.name, MartKind::MaterializedView) {
            let error = Error::project(format!("the materialized view `{name}` cannot read the mart `{}`", found.name));
            errors.push(
                error
                    .at(&found.span, "is dropped and created again after each load, or is bound to no table")
                    .hint(format!("make `{}` a materialized view too, or `{name}` a table", found.name)),
            );
        }
    }
    let code = mask_literals(&sql.text).to_ascii_lowercase();
    let mut depth = 0_usize;
    let mut rest = 0;
    while let Some(character) = code[rest..].chars().next() {
        let at = rest;
        let length = code[at..].find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(code.len() - at);
        rest += length.max(character.len_utf8());
        match character {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        let word = &code[at..at + length];
        let outer = depth == 0;
        let what = match word {
            "order" if outer => "ORDER BY",
            "limit" if outer => "LIMIT",
            "offset" if outer => "OFFSET",
            "top" if outer => "TOP",
            "getdate" | "sysdate" | "current_date" | "current_timestamp" | "random" => {
                "a function that answers otherwise each time"
            }
            _ => continue,
        };
        errors.push(
            Error::project(format!("a materialized view takes no {what}"))
                .at(&Span::new(sql, at, at + word.len()), "")
                .hint(format!("take it away, or make `{name}` a table: `as: table`")),
        );
    }
    errors
}

/// Whether the text begins as a query does.
fn is_query(sql: &Source) -> bool {
    let code = mask_literals(&sql.text);
    let code = code.trim().trim_end_matches(';');
    let word: String = code.trim_start_matches('(').chars().take_while(char::is_ascii_alphabetic).collect();
    ["select", "with"].contains(&word.to_ascii_lowercase().as_str()) && !code.contains(';')
}

fn code_is_empty(sql: &Source) -> bool {
    mask_literals(&sql.text).trim().trim_end_matches(';').is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_are_ignored() {
        let sql = Source::new(
            "m.sql",
            "-- core.a\nselect 'core.b', é.x /* core.c */ from core.orders o\njoin \"marts\".\"days\" on true -- it's core.d",
        );
        let found: Vec<String> =
            references(&sql).iter().map(|found| format!("{}.{} {:?}", found.schema, found.name, found.span)).collect();
        assert_eq!(found, ["core.orders m.sql:2:40", "marts.days m.sql:3:7"]);
    }
}
