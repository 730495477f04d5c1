//! What waits on its way into the warehouse, and why.

use pipectl_contract::keys;
use pipectl_contract::ledger::Failed;
use serde::Serialize;

use crate::aws::S3;
use crate::error::Result;

/// A table or mart that waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Waiting {
    /// `core.orders` or `marts.sales`.
    pub(super) waits: String,
    /// The batch whose load failed.
    pub(super) batch: String,
    /// `transient`, `data`, `permission` or `definition`.
    pub(super) kind: &'static str,
    pub(super) why: String,
    pub(super) hint: String,
}

/// Reads the failures that are not over: their batch is not in the ledger. Tables come before marts.
pub(super) async fn failures(s3: &S3, transformed: &str) -> Result<Vec<(String, Failed)>> {
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
pub(super) fn waiting(failures: Vec<(String, Failed)>) -> Vec<Waiting> {
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
