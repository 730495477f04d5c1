//! Marts: the user's SELECT, made into a table or view.

use std::collections::BTreeSet;
use std::sync::Arc;

use pipectl_contract::limits::STATEMENT_BYTES;
use pipectl_contract::names::Zone;
use pipectl_contract::{document, keys};

use crate::error::{Error, Result};
use crate::graph::Graph;
use crate::spec::{MartKind, Spec, Unload};
use crate::sql::marts;
use crate::sql::mask_literals::mask_literals;
use crate::yaml::{Source, Span};

use super::quoted;

/// A mart, and the statements that create it.
#[derive(Debug, Clone)]
pub struct Mart {
    pub document: document::Mart,
    /// The statements that create a materialized view, run once for each change of the pipeline.
    pub create: Vec<String>,
}

/// The statements that refresh each mart, each after the marts that it reads. Fails with all errors in
/// their SQL.
pub(super) fn marts(spec: &Spec, sources: &[(String, Arc<Source>)]) -> Result<Vec<Mart>> {
    let mut errors = marts::check(spec, sources);
    let mut made = Vec::new();
    for (name, source) in sources {
        let kind = spec.pipeline.marts.get(name).map(|mart| mart.kind).unwrap_or_default();
        match select(source) {
            Ok(select) => made.push(Mart {
                create: if kind == MartKind::MaterializedView { materialize(name, select) } else { Vec::new() },
                document: document::Mart {
                    name: name.clone(),
                    kind,
                    reads: reads(source),
                    refresh: refresh(name, kind, select),
                    unload: unload(spec, name),
                },
            }),
            Err(error) => errors.push(error),
        }
    }
    Error::all(errors)?;
    let marts_read = |source: &Arc<Source>| {
        let references = marts::references(source).into_iter();
        references.filter(|found| found.schema == "marts").map(|found| found.name).collect::<Vec<_>>()
    };
    let graph = Graph::new(sources.iter().map(|(name, source)| (name.clone(), marts_read(source))))?;
    let order = graph.order();
    made.sort_by_key(|mart| order.iter().position(|name| *name == mart.document.name));
    Ok(made)
}

/// The tables and marts that a mart reads, each once.
fn reads(source: &Arc<Source>) -> Vec<String> {
    let references = marts::references(source).into_iter();
    let reads: BTreeSet<String> = references.map(|found| format!("{}.{}", found.schema, found.name)).collect();
    reads.into_iter().collect()
}

fn refresh(name: &str, kind: MartKind, select: &str) -> Vec<String> {
    let mart = format!("marts.{}", quoted(name));
    match kind {
        MartKind::Table => {
            vec![format!("DROP TABLE IF EXISTS {mart}"), format!("CREATE TABLE {mart} AS\n{select}")]
        }
        // Bound to names only when it is read, so that the tables below it can be dropped and created again.
        MartKind::View => vec![
            format!("DROP VIEW IF EXISTS {mart}"),
            format!("CREATE VIEW {mart} AS\n{select}\nWITH NO SCHEMA BINDING"),
        ],
        // It sees only what is committed, so that it stands alone and after the load.
        MartKind::MaterializedView => vec![format!("REFRESH MATERIALIZED VIEW {mart}")],
    }
}

/// The statements that make a materialized view, once for each change of its definition.
fn materialize(name: &str, select: &str) -> Vec<String> {
    let mart = format!("marts.{}", quoted(name));
    vec![
        format!("DROP MATERIALIZED VIEW IF EXISTS {mart}"),
        // On Redshift Serverless an automatic refresh would wake, and bill, the warehouse.
        format!("CREATE MATERIALIZED VIEW {mart} AUTO REFRESH NO AS\n{select}"),
    ]
}

/// Writes a mart's rows into its own folder and replaces earlier files.
fn unload(spec: &Spec, name: &str) -> Option<String> {
    let format = match spec.pipeline.marts.get(name)?.unload? {
        Unload::Csv => "CSV HEADER EXTENSION 'csv'",
        Unload::Parquet => "PARQUET",
    };
    Some(format!(
        "UNLOAD ('SELECT * FROM marts.{}') TO 's3://{}/{}' IAM_ROLE default FORMAT AS {format} PARALLEL OFF CLEANPATH",
        quoted(name),
        spec.bucket(Zone::Transformed),
        keys::export_folder(name)
    ))
}

/// The one SELECT of a file, without what stands around it. Fails if there is none, or more than one statement.
fn select(source: &Arc<Source>) -> Result<&str> {
    let code = mask_literals(&source.text);
    let end = code.trim_end().trim_end_matches(';').trim_end().len();
    let start = code.len() - code.trim_start().len();
    let wrong = |at: usize, length: usize, message: String, label: &str, hint: &str| {
        Err(Error::project(message).at(&Span::new(source, at, at + length), label).hint(hint))
    };
    // An empty file is reported by the check of references.
    let Some(text) = source.text.get(start..end) else { return Ok("") };
    if let Some(at) = code[start..end].find(';') {
        let message = format!("`{}` holds more than one statement", source.name);
        return wrong(
            start + at,
            1,
            message,
            "the first one ends here",
            "leave one `SELECT`; use `WITH` for its steps",
        );
    }
    let word: String = code[start..end].chars().take_while(char::is_ascii_alphabetic).collect();
    if !["select", "with"].contains(&word.to_ascii_lowercase().as_str()) {
        let message = format!("`{}` does not begin with `SELECT` or `WITH`", source.name);
        let hint = "write the `SELECT` alone: pipectl makes the table or view of it";
        return wrong(start, word.len().max(1), message, "not a query", hint);
    }
    if text.len() > STATEMENT_BYTES - 1000 {
        let message =
            format!("`{}` is {} bytes long; the Redshift Data API takes {STATEMENT_BYTES}", source.name, text.len());
        return wrong(start, 1, message, "", "split it into two marts, of which one reads the other");
    }
    Ok(text)
}
