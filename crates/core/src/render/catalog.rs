//! What Athena finds: the lines of what arrived, and the latest rows of each table.

use pipectl_contract::document::Format;
use pipectl_contract::names::columns::{DELETED, POSITION};
use serde::Serialize;

use crate::spec::{LockMode, Spec, Table};

use super::context::logical_id;

#[derive(Serialize)]
pub(super) struct Latest {
    database: String,
    sql: String,
}

/// A table of the raw zone: the lines of what arrived.
#[derive(Serialize)]
pub(super) struct RawTable {
    id: String,
    name: String,
    landing: String,
}

/// The mode of the archive's lock, as S3 spells it.
pub(super) fn lock_mode(spec: &Spec) -> Option<&'static str> {
    spec.pipeline.zones.archive.lock.as_ref().map(|lock| match lock.mode {
        LockMode::Governance => "GOVERNANCE",
        LockMode::Compliance => "COMPLIANCE",
    })
}

/// The rows of a table as they are now, out of all batches.
pub(super) fn latest(spec: &Spec, name: &str, table: &Table) -> Option<Latest> {
    if table.key.is_empty() {
        return None;
    }
    let quoted = |name: &String| format!("\"{name}\"");
    let columns: Vec<String> = table.columns.keys().map(quoted).collect();
    let keys: Vec<String> = table.key.iter().map(quoted).collect();
    let mut order: Vec<String> =
        table.order_by.iter().map(|column| format!("{} DESC NULLS LAST", quoted(column))).collect();
    let deletes = spec.deletes(table);
    let zone = if table.transform.is_some() { "transformed" } else { "cleaned" };
    if deletes {
        order.push(format!("\"{POSITION}\" DESC NULLS LAST"));
    }
    // The folder of a batch begins with its time.
    order.push("\"$path\" DESC".into());
    let database = format!("{}_{zone}", spec.prefix().replace('-', "_"));
    let gone = if deletes { format!(" AND NOT coalesce(\"{DELETED}\", false)") } else { String::new() };
    let sql = format!(
        "SELECT {columns} FROM (SELECT *, row_number() OVER (PARTITION BY {keys} ORDER BY {order}) AS \"place\" \
         FROM \"{database}\".\"{name}\") WHERE \"place\" = 1{gone}",
        columns = columns.join(", "),
        keys = keys.join(", "),
        order = order.join(", "),
    );
    Some(Latest { database, sql })
}

/// The tables whose objects are text. Crawlers find more, where they are asked for.
pub(super) fn raw_tables(spec: &Spec) -> Vec<RawTable> {
    let is_text = |table: &Table| {
        let source = spec.pipeline.sources.get(table.source().0);
        source.is_some_and(|source| matches!(source.format(), Format::Csv | Format::Jsonl))
    };
    let tables = spec.pipeline.tables.iter().filter(|(_, table)| !spec.pipeline.jobs.crawlers && is_text(table));
    tables
        .map(|(name, table)| RawTable {
            id: logical_id(name),
            name: name.clone(),
            landing: table.landing(name, &spec.pipeline),
        })
        .collect()
}
