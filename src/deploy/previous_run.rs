//! The previous run. If it did not complete, it may not have set the policies of stacks that it changed, so this run sets
//! them. The check costs two calls in each deploy, in parallel with the reads of the stacks.

use std::sync::Arc;

use time::macros::format_description;
use time::{Duration, OffsetDateTime};
use tokio::task::{JoinHandle, JoinSet};

use super::Session;
use super::record::{Action, FOLDER, Record, RunResult};
use super::rollout::{Outcome, Report};
use super::target::Target;
use crate::aws::S3;

/// How old a record may be. The limit keeps the list of records short.
const BACK: Duration = Duration::days(30);
/// How many records are read at most: the newest one is nearly always of the same kind.
const RECORDS: usize = 5;

/// The running check: whether the previous run left work unfinished.
#[derive(Debug)]
pub(super) struct PreviousRunCheck(JoinHandle<bool>);

impl PreviousRunCheck {
    /// Starts the check in the background.
    pub(super) fn start(target: &Target, action: Action) -> Self {
        let (s3, bucket) = (target.aws.s3.clone(), target.bucket.clone());
        Self(tokio::spawn(async move { is_unfinished(&s3, &bucket, action).await }))
    }

    /// Whether the previous run left work unfinished; `false` if unknown.
    pub(super) async fn result(self) -> bool {
        self.0.await.unwrap_or(false)
    }
}

impl Session {
    /// Sets the policies of the stacks that this run did not change. A running run looks like
    /// a killed one: both set the same policies then.
    pub(super) async fn set_missing_policies(self: &Arc<Self>, report: &Report) {
        let mut tasks = JoinSet::new();
        for (name, _) in report.iter().filter(|(_, outcome)| *outcome == Outcome::Unchanged) {
            let Some(desired) = self.stacks.get(name) else { continue };
            let session = Arc::clone(self);
            tasks.spawn(async move { session.close_policy(&desired).await });
        }
        tasks.join_all().await;
    }
}

async fn is_unfinished(s3: &S3, bucket: &str, action: Action) -> bool {
    let since = (OffsetDateTime::now_utc() - BACK).format(format_description!("[year][month][day]"));
    let after = format!("{FOLDER}{}", since.unwrap_or_default());
    let Ok(listed) = s3.list_after(bucket, FOLDER, Some(&after)).await else { return false };
    for object in listed.into_iter().rev().take(RECORDS) {
        let Ok(Some(bytes)) = s3.get(bucket, &object.key).await else { return false };
        // A record of another version is ignored.
        let Ok(record) = serde_json::from_slice::<Record>(&bytes) else { return false };
        if record.action == action {
            return record.result != RunResult::Succeeded || !record.unset_policies.is_empty();
        }
    }
    false
}
