//! The run before this one. If it did not come to its end, it may not have set the policies of stacks that it changed:
//! they are set now. What that costs is two calls a deploy, made while the stacks are read, and none a stack.

use std::sync::{Arc, PoisonError};

use time::macros::format_description;
use time::{Duration, OffsetDateTime};
use tokio::task::{JoinHandle, JoinSet};

use super::record::{Action, FOLDER, Record, RunResult};
use super::rollout::{Outcome, Report};
use super::{Scope, Session};
use crate::aws::S3;

/// How far it is looked back. It keeps the list of records short.
const BACK: Duration = Duration::days(30);
/// How many records are read at most: the newest one is nearly always of the same kind.
const RECORDS: usize = 5;

/// A look at the run before, under way. It says whether that run left something undone.
pub(super) type LookBack = JoinHandle<bool>;

impl Session {
    /// Begins to look. Nothing waits for it before the stacks are read.
    pub(super) fn look_back(&self) {
        let (s3, bucket, action) = (self.aws.s3.clone(), self.bucket.clone(), self.action());
        let look = tokio::spawn(async move { left_undone(&s3, &bucket, action).await });
        *self.look_back.lock().unwrap_or_else(PoisonError::into_inner) = Some(look);
    }

    /// Whether the run before left something undone. That it cannot be told is no reason to do anything.
    pub(super) async fn previous_left_undone(&self) -> bool {
        let look = self.look_back.lock().unwrap_or_else(PoisonError::into_inner).take();
        match look {
            Some(look) => look.await.unwrap_or(false),
            None => false,
        }
    }

    /// Sets the policies of the stacks that this run had nothing to do to. A run that still goes on cannot be told from
    /// one that was killed: both set the same policies then.
    pub(super) async fn set_left_policies(self: &Arc<Self>, report: &Report) {
        let mut tasks = JoinSet::new();
        for (name, _) in report.iter().filter(|(_, outcome)| *outcome == Outcome::Unchanged) {
            let Some(wanted) = self.stack(name) else { continue };
            let session = Arc::clone(self);
            tasks.spawn(async move { session.close_policy(&wanted).await });
        }
        tasks.join_all().await;
    }

    pub(super) fn action(&self) -> Action {
        match self.scope {
            Scope::Bootstrap => Action::Bootstrap,
            Scope::Pipeline => Action::Deploy,
        }
    }
}

async fn left_undone(s3: &S3, bucket: &str, action: Action) -> bool {
    let since = (OffsetDateTime::now_utc() - BACK).format(format_description!("[year][month][day]"));
    let after = format!("{FOLDER}{}", since.unwrap_or_default());
    let Ok(listed) = s3.list_after(bucket, FOLDER, Some(&after)).await else { return false };
    for object in listed.into_iter().rev().take(RECORDS) {
        let Ok(Some(bytes)) = s3.get(bucket, &object.key).await else { return false };
        // What another version wrote is no reason to do anything.
        let Ok(record) = serde_json::from_slice::<Record>(&bytes) else { return false };
        if record.action == action {
            return record.result != RunResult::Succeeded || !record.unset_policies.is_empty();
        }
    }
    false
}
