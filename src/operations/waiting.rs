//! What waits on its way into the warehouse, and why.

use pipectl_contract::keys;
use pipectl_contract::ledger::Failed;
use serde::Serialize;

use crate::aws::S3;
use crate::error::Result;
use crate::operations::runs::Run;

/// A table or mart that waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Waiting {
    /// `core.orders` or `marts.sales`.
    pub waits: String,
    /// The batch whose load failed.
    pub batch: String,
    /// `transient`, `data`, `permission` or `definition`.
    pub kind: &'static str,
    pub why: String,
    pub hint: String,
}

/// Reads the failures that are not over: their batch is not in the ledger. Tables come before marts.
pub async fn failures(s3: &S3, transformed: &str) -> Result<Vec<(String, Failed)>> {
    let folder = keys::failures_folder();
    let listed: Vec<String> = s3.list(transformed, &folder).await?.into_iter().map(|object| object.key).collect();
    let mut failures = Vec::new();
    for (key, bytes) in s3.get_all(transformed, &listed).await? {
        let Ok(failed) = serde_json::from_slice::<Failed>(&bytes) else { continue };
        let is_load = key == keys::failed_load(&failed.name);
        let over = if is_load {
            s3.exists(transformed, &keys::load_entry(&failed.batch, &failed.name)).await?
        } else {
            let of = keys::mart_entry(&failed.batch, &failed.document, &failed.name);
            s3.exists(transformed, &of).await?
        };
        if !over {
            failures.push((key, failed));
        }
    }
    Ok(failures)
}

/// Describes failures for people.
pub fn waiting(failures: Vec<(String, Failed)>) -> Vec<Waiting> {
    let one = |(key, failed): (String, Failed)| {
        let schema = if key == keys::failed_load(&failed.name) { "core" } else { "marts" };
        Waiting {
            waits: format!("{schema}.{}", failed.name),
            batch: failed.batch,
            kind: failed.kind.as_str(),
            why: failed.message.split_whitespace().collect::<Vec<_>>().join(" "),
            hint: failed.hint,
        }
    };
    failures.into_iter().map(one).collect()
}

/// Adds the tables of a run that wait in the warehouse's queue: their own load failed, or that of an earlier batch.
pub fn add_to_run(run: &mut Run, failures: &[(String, Failed)]) {
    for (key, failed) in failures {
        let waits = run.tables.get(&failed.name).is_some_and(|rows| rows.loaded > 0 && !rows.in_warehouse);
        if *key != keys::failed_load(&failed.name) || !waits || run.name < failed.batch {
            continue;
        }
        let why = if run.name == failed.batch {
            format!("its load failed: {}", failed.message.split_whitespace().collect::<Vec<_>>().join(" "))
        } else {
            format!("it waits for the batch {}", failed.batch)
        };
        run.stopped.entry(failed.name.clone()).or_insert(why);
    }
}
