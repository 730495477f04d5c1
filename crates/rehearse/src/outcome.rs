//! What came of a run: the warehouse, and what is to be found fault with.

use std::collections::BTreeMap;

use pipectl_contract::ledger::Stage;
use pipectl_contract::names::Zone;

use crate::error::Result;
use crate::spec::Spec;

use super::iceberg;
use super::ledger::{Ledgers, Remark};
use super::local_pipeline::LocalPipeline;
use super::quarantine;
use super::report::{Mart, Report, TableCount, thousands};
use super::timeline::{Severity, Timeline};
use pipectl_emulator::redshift::Warehouse;

/// How many rows of a mart are shown.
const MART_ROWS: usize = 5;

/// The rows of each table of the warehouse; a table that is not there yet has none.
#[derive(Debug, Clone, Default)]
pub(super) struct Counts(BTreeMap<String, u64>);

impl Counts {
    pub(super) async fn take(warehouse: &Warehouse, spec: &Spec) -> Result<Self> {
        let there = tables(warehouse, "core").await?;
        let mut counts = BTreeMap::new();
        for name in spec.pipeline.tables.keys().filter(|name| there.contains(name)) {
            let (_, rows) = warehouse.rows(&format!("SELECT count(*) FROM core.\"{name}\"")).await?;
            let count = rows.first().and_then(|row| row.first()?.as_ref()?.parse().ok()).unwrap_or_default();
            counts.insert(name.clone(), count);
        }
        Ok(Self(counts))
    }

    fn of(&self, table: &str) -> u64 {
        self.0.get(table).copied().unwrap_or_default()
    }
}

async fn tables(warehouse: &Warehouse, schema: &str) -> Result<Vec<String>> {
    let sql = format!("SELECT table_name FROM information_schema.tables WHERE table_schema = '{schema}'");
    let (_, rows) = warehouse.rows(&sql).await?;
    Ok(rows.into_iter().filter_map(|row| row.into_iter().next()?).collect())
}

/// Puts the report together.
pub(super) async fn report(
    pipeline: &mut LocalPipeline,
    spec: &Spec,
    mut timeline: Timeline,
    before: &Ledgers,
    after: &Ledgers,
    counts: &Counts,
) -> Result<Report> {
    let now = Counts::take(&pipeline.warehouse, spec).await?;
    let rows = after.since(before);
    let warehouse: Vec<TableCount> = spec
        .pipeline
        .tables
        .keys()
        .map(|table| TableCount { table: table.clone(), before: counts.of(table), after: now.of(table) })
        .collect();
    for (name, rows) in &rows {
        if !rows.adds_up() {
            let text = format!(
                "the rows of `{name}` do not add up: {} read, {} transformed, {} in quarantine, {} duplicates, {} staged",
                rows.read, rows.transformed, rows.quarantined, rows.duplicates, rows.staged
            );
            timeline.find(Severity::Error, text);
        }
    }
    for (batch, table) in after.not_loaded() {
        timeline.find(Severity::Error, format!("the batch {batch} of `{table}` was not loaded into the warehouse"));
    }
    for remark in after.remarks(before) {
        if let Some((severity, text)) = worded(pipeline, spec, &remark) {
            timeline.find(severity, text);
        }
    }
    find_duplicates(pipeline, spec, &now, &mut timeline).await?;
    for (source, shop) in &pipeline.shops {
        for field in shop.missing_fields() {
            let text = format!("the data of `{source}` has no `{field}`: it is null in every row");
            timeline.find(Severity::Warning, text);
        }
        for (file, date, rows) in shop.undated_rows() {
            let rows = if rows == 1 { "1 row".to_owned() } else { format!("{} rows", thousands(rows)) };
            let text = format!(
                "{rows} of `{source}`'s {file} did not come: without `{date}` the question for what has changed \
                 does not find them\nask for `{date}` too in the bulk operation that the file comes from"
            );
            timeline.find(Severity::Warning, text);
        }
        for broken in shop.broken_data() {
            timeline.find(Severity::Error, format!("the data of `{source}` is broken: {broken}"));
        }
    }
    let marts = marts(pipeline, spec, &mut timeline).await?;
    let iceberg = iceberg::tables(pipeline, spec, &mut timeline).await?;
    timeline.findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    let failed = timeline.findings.iter().any(|finding| finding.severity == Severity::Error);
    let spark = pipeline.glue.version().map_or_else(|| "Spark".to_owned(), |version| format!("Spark {version}"));
    Ok(Report {
        pipeline: spec.prefix(),
        failed,
        seconds: timeline.elapsed().as_secs_f64(),
        timeline: timeline.steps,
        rows,
        warehouse,
        marts,
        stood_in: stood_in(&spark, !pipeline.shops.is_empty(), !iceberg.is_empty()),
        iceberg,
        findings: timeline.findings,
        grants: pipeline.authorizer.grants(),
        list_grants: false,
        mails: timeline.mails,
    })
}

fn worded(pipeline: &LocalPipeline, spec: &Spec, remark: &Remark) -> Option<(Severity, String)> {
    Some(match remark {
        Remark::Quarantined { stage, batch, table, rows } => {
            let zone = if *stage == Stage::Clean { Zone::Cleaned } else { Zone::Transformed };
            let bucket = pipeline.buckets.get(&spec.bucket(zone)).cloned().unwrap_or_default();
            (Severity::Warning, quarantine::describe(&bucket, table, batch, *rows))
        }
        Remark::SameFile { key, first } => {
            (Severity::Note, format!("{key} holds the same as {first}: it was not loaded again"))
        }
        Remark::UnknownColumns { table, columns } => {
            let apart = |column: &&str| !spec.pipeline.is_read_apart(table, column);
            let columns: Vec<&str> = columns.iter().map(String::as_str).filter(apart).collect();
            if columns.is_empty() {
                return None;
            }
            (Severity::Note, format!("the data of `{table}` has columns that it does not take: {}", columns.join(", ")))
        }
    })
}

/// Redshift enforces no key, so a row may stand there twice.
async fn find_duplicates(
    pipeline: &LocalPipeline,
    spec: &Spec,
    counts: &Counts,
    timeline: &mut Timeline,
) -> Result<()> {
    for (name, table) in &spec.pipeline.tables {
        if table.key.is_empty() || counts.of(name) == 0 {
            continue;
        }
        let (_, rows) = pipeline.warehouse.duplicates("core", name, &table.key).await?;
        if let Some(first) = rows.first() {
            let values: Vec<&str> = first.iter().map(|value| value.as_deref().unwrap_or("null")).collect();
            let key = table.key.join(", ");
            let text = format!("`core.{name}` has keys twice ({key}), such as {}", values.join(", "));
            timeline.find(Severity::Error, text);
        }
    }
    Ok(())
}

async fn marts(pipeline: &LocalPipeline, spec: &Spec, timeline: &mut Timeline) -> Result<Vec<Mart>> {
    let there = tables(&pipeline.warehouse, "marts").await?;
    let mut marts = Vec::new();
    for name in spec.pipeline.marts.keys() {
        if !there.contains(name) {
            timeline.find(Severity::Warning, format!("the mart `{name}` was not created"));
            continue;
        }
        let (columns, rows) =
            pipeline.warehouse.rows(&format!("SELECT * FROM marts.\"{name}\" LIMIT {MART_ROWS}")).await?;
        let (_, count) = pipeline.warehouse.rows(&format!("SELECT count(*) FROM marts.\"{name}\"")).await?;
        let count = count.first().and_then(|row| row.first()?.as_ref()?.parse().ok()).unwrap_or_default();
        marts.push(Mart { name: name.clone(), count, columns, rows });
    }
    Ok(marts)
}

/// What was not AWS's own, said openly.
fn stood_in(spark: &str, shopify: bool, iceberg: bool) -> Vec<(String, String)> {
    let mut pairs = vec![
        ("AWS Glue".to_owned(), format!("{spark} on this machine, the jobs' own scripts")),
        ("Redshift".to_owned(), "PostgreSQL behind a rewriter of Redshift's SQL".to_owned()),
        ("S3, SQS, Secrets Manager".to_owned(), "the local account, on files".to_owned()),
        ("Lambda".to_owned(), "a Runtime API on loopback, the packaged bootstrap".to_owned()),
        (
            "CloudTrail, EventBridge, triggers, alarms, mails".to_owned(),
            "evaluated from the templates; waits are simulated".to_owned(),
        ),
    ];
    if iceberg {
        pairs.push(("Glue's catalog".to_owned(), "the local account; Iceberg is Iceberg".to_owned()));
    }
    if shopify {
        pairs.push(("Shopify".to_owned(), "a GraphQL server that serves your files".to_owned()));
    }
    pairs
}
