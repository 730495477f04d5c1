//! The record of a run in the artifact bucket: who changed the environment, from which commit, and what became of it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use pipectl_contract::timestamps;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::task::JoinHandle;

use super::Session;
use super::progress::{Progress, Step};
use super::rollout::Outcome;
use super::survey::Survey;
use crate::aws::{Failure, Kind};
use crate::digest::sha256;
use crate::error::Error;
use crate::exit::Exit;
use crate::plan::saved::Commit;

/// Where the artifact bucket keeps the records.
pub const FOLDER: &str = "deploys/";
/// The version of a record's form. It goes up when a field changes its meaning.
pub const VERSION: u32 = 1;
/// How long a run waits for its record to be written: it is worth little beside what the run did.
const PATIENCE: Duration = Duration::from_secs(30);

/// What one run did. It holds no secret: they are masked in its messages.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    pub version: u32,
    /// Part of the names of the run's change sets and of its client request tokens.
    pub run: String,
    pub action: Action,
    pub environment: String,
    /// The ARN of the principal that ran it.
    pub caller: String,
    pub commit: Option<Commit>,
    /// The version of pipectl.
    pub pipectl: String,
    /// The sha256 of the plan as `plan --format json` writes it; none for what has no plan.
    pub plan: Option<String>,
    /// RFC 3339, UTC.
    pub started: String,
    /// How long it took; none if its end is not known.
    pub seconds: Option<u64>,
    pub result: RunResult,
    pub error: Option<String>,
    /// In the order in which they deploy.
    pub stacks: Vec<StackRecord>,
    /// The stacks whose policy could not be set for a reason that passes: the next run sets it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unset_policies: Vec<String>,
}

/// What was run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    Bootstrap,
    Deploy,
    Destroy,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RunResult {
    /// It is still going on, or it was killed.
    Unfinished,
    Succeeded,
    Failed,
    Interrupted,
}

/// What a run did to one stack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StackRecord {
    pub stack: String,
    pub result: End,
    pub error: Option<String>,
}

/// What became of a stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum End {
    Created,
    Updated,
    Unchanged,
    Deleted,
    Failed,
    /// It was begun, and its end is not known.
    Unfinished,
    /// It was not begun.
    Skipped,
}

impl Action {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bootstrap => "bootstrap",
            Self::Deploy => "deploy",
            Self::Destroy => "destroy",
        }
    }
}

impl RunResult {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unfinished => "unfinished",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Interrupted => "interrupted",
        }
    }
}

impl End {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Updated => "updated",
            Self::Unchanged => "unchanged",
            Self::Deleted => "deleted",
            Self::Failed => "failed",
            Self::Unfinished => "unfinished",
            Self::Skipped => "skipped",
        }
    }
}

impl From<Outcome> for End {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Created => Self::Created,
            Outcome::Updated => Self::Updated,
            Outcome::Unchanged => Self::Unchanged,
            Outcome::Failed => Self::Failed,
            Outcome::Skipped => Self::Skipped,
            Outcome::Running => Self::Unfinished,
        }
    }
}

/// The record of a run that has not ended.
pub(super) struct OpenRecord {
    key: String,
    record: Record,
    since: Instant,
    /// The first write of it, under way.
    begun: JoinHandle<Result<(), Failure>>,
}

impl Session {
    /// Begins the record of a deploy; none if there is nothing to do: then nothing at all is written. `behind` says
    /// that there is, although no stack changes.
    pub(super) fn begin_record(&self, survey: &Survey, behind: bool) -> Option<OpenRecord> {
        (survey.plan.has_changes() || behind)
            .then(|| self.open_record(self.run.action(), Some(sha256(survey.plan.json()))))
    }

    /// Begins the record of a destroy.
    pub(super) fn begin_record_of_destroy(&self) -> OpenRecord {
        self.open_record(Action::Destroy, None)
    }

    fn open_record(&self, action: Action, plan: Option<String>) -> OpenRecord {
        let now = OffsetDateTime::now_utc();
        let now = now.replace_nanosecond(0).unwrap_or(now);
        let record = Record {
            version: VERSION,
            run: self.run.id.clone(),
            action,
            environment: self.target.environment.clone(),
            caller: self.target.aws.caller.clone(),
            commit: self.run.commit.clone(),
            pipectl: env!("CARGO_PKG_VERSION").to_owned(),
            plan,
            started: now.format(&Rfc3339).unwrap_or_default(),
            seconds: None,
            result: RunResult::Unfinished,
            error: None,
            stacks: Vec::new(),
            unset_policies: Vec::new(),
        };
        // A saved plan may be executed in several runs: each has a record with its own time.
        let time = timestamps::stamp(now.unix_timestamp());
        let key = format!("{FOLDER}{time}-{}.json", self.run.id.rsplit('-').next().unwrap_or(&self.run.id));
        let (s3, bucket, bytes) = (self.target.aws.s3.clone(), self.target.bucket.clone(), bytes(&record));
        let to = key.clone();
        // If the run is killed, this much is known of it. Nothing waits for it.
        let begun = tokio::spawn(async move { s3.put(&bucket, &to, bytes).await });
        OpenRecord { key, record, since: Instant::now(), begun }
    }

    /// What became of all stacks, in the order in which they deploy.
    fn stack_records(&self) -> Vec<StackRecord> {
        let one = |stack: &String| {
            let (result, error) = self.journal.of(stack);
            StackRecord { stack: stack.clone(), result, error: error.map(|text| self.reporter.redactor.text(&text)) }
        };
        self.stacks.names().iter().map(one).collect()
    }
}

/// Writes the result of a run. A write failure is reported and does not change the result.
pub(super) async fn end(
    session: &Arc<Session>,
    open: Option<OpenRecord>,
    error: Option<&Error>,
    progress: &mut dyn Progress,
) {
    let Some(OpenRecord { key, record, since, begun }) = open else { return };
    let result = match error {
        None => RunResult::Succeeded,
        Some(error) if error.exit_code() == Exit::Interrupted => RunResult::Interrupted,
        Some(_) => RunResult::Failed,
    };
    let record = Record {
        seconds: Some(since.elapsed().as_secs()),
        result,
        error: error.map(|error| session.reporter.redactor.text(error.message())),
        stacks: session.stack_records(),
        unset_policies: session.journal.unset_policies(),
        ..record
    };
    let written = tokio::time::timeout(PATIENCE, async {
        // The first write must not arrive after the last.
        let _ = begun.await;
        session.target.aws.s3.put(&session.target.bucket, &key, bytes(&record)).await
    });
    let why = match written.await {
        Ok(Ok(())) => return,
        // The bucket went with its environment, or was never made.
        Ok(Err(failure)) if failure.kind == Kind::NoSuchBucket => return,
        Ok(Err(failure)) => failure.to_string(),
        Err(_) => "S3 did not answer in time".to_owned(),
    };
    progress.step(&Step::Note(format!("`pipectl history` will not show the end of this run: {why}")));
}

fn bytes(record: &Record) -> Vec<u8> {
    // Every key is a text and every number is finite, so this cannot fail.
    serde_json::to_vec_pretty(record).unwrap_or_default()
}
