//! A statement of the Data API, from its submission to its end.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use tokio::sync::watch;
use tokio_postgres::{CancelToken, NoTls};

use super::request::Submission;
use crate::redshift::session::{Outcome, ResultSet};

/// How often a statement is asked to end, 50 ms apart.
const CANCEL_ATTEMPTS: u32 = 200;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    Submitted,
    Started,
    Finished,
    Failed,
    Aborted,
}

impl Status {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Submitted => "SUBMITTED",
            Self::Started => "STARTED",
            Self::Finished => "FINISHED",
            Self::Failed => "FAILED",
            Self::Aborted => "ABORTED",
        }
    }

    pub(super) fn of(name: &str) -> Option<Self> {
        [Self::Submitted, Self::Started, Self::Finished, Self::Failed, Self::Aborted]
            .into_iter()
            .find(|status| status.name() == name)
    }

    pub(super) fn is_final(self) -> bool {
        matches!(self, Self::Finished | Self::Failed | Self::Aborted)
    }
}

/// A statement, or a batch of them.
pub(super) struct Statement {
    pub(super) id: String,
    pub(super) number: i64,
    pub(super) submission: Submission,
    /// The ARN of who submitted it.
    pub(super) caller: String,
    created: OffsetDateTime,
    state: Mutex<State>,
    status: watch::Sender<Status>,
}

struct State {
    updated: OffsetDateTime,
    duration: Duration,
    error: Option<String>,
    parts: Vec<Part>,
    cancelled: bool,
    running: Option<CancelToken>,
}

/// One SQL text of the statement.
#[derive(Clone)]
pub(super) struct Part {
    status: Status,
    created: OffsetDateTime,
    updated: OffsetDateTime,
    duration: Duration,
    error: Option<String>,
    rows: i64,
    result: Option<Arc<ResultSet>>,
}

impl Statement {
    pub(super) fn new(id: String, number: i64, submission: Submission, caller: &str) -> Self {
        let now = OffsetDateTime::now_utc();
        let part = Part {
            status: Status::Submitted,
            created: now,
            updated: now,
            duration: Duration::ZERO,
            error: None,
            rows: -1,
            result: None,
        };
        let state = State {
            updated: now,
            duration: Duration::ZERO,
            error: None,
            parts: vec![part; submission.sqls.len()],
            cancelled: false,
            running: None,
        };
        Self {
            id,
            number,
            submission,
            caller: caller.to_owned(),
            created: now,
            state: Mutex::new(state),
            status: watch::Sender::new(Status::Submitted),
        }
    }

    pub(super) fn status(&self) -> Status {
        *self.status.borrow()
    }

    /// Waits until it has ended, at most so long.
    pub(super) async fn wait(&self, limit: Duration) {
        let mut receiver = self.status.subscribe();
        // Either way the caller reads the status that there is then.
        tokio::time::timeout(limit, receiver.wait_for(|status| status.is_final())).await.ok();
    }

    /// The number of rows that its last part returned or changed, as in the event.
    pub(super) fn rows(&self) -> i64 {
        self.lock().parts.last().map_or(-1, |part| part.rows)
    }

    pub(super) fn was_cancelled(&self) -> bool {
        self.lock().cancelled
    }

    /// The session that runs it, so that it can be cancelled. False if it has been cancelled before.
    pub(super) fn start(&self, token: CancelToken) -> bool {
        let mut state = self.lock();
        if state.cancelled {
            return false;
        }
        state.running = Some(token);
        state.updated = OffsetDateTime::now_utc();
        drop(state);
        self.status.send_replace(Status::Started);
        true
    }

    pub(super) fn start_part(&self, index: usize) {
        self.part(index, |part| part.status = Status::Started);
    }

    pub(super) fn end_part(&self, index: usize, duration: Duration, outcome: Result<Outcome, String>) {
        let cancelled = self.was_cancelled();
        self.part(index, |part| {
            part.duration = duration;
            match outcome {
                Ok(outcome) => {
                    part.status = Status::Finished;
                    part.rows = outcome.rows;
                    part.result = outcome.result.map(Arc::new);
                }
                Err(error) => {
                    part.status = if cancelled { Status::Aborted } else { Status::Failed };
                    part.error = Some(error);
                }
            }
        });
    }

    /// Ends the statement. Parts that have not run are aborted.
    pub(super) fn end(&self, status: Status, duration: Duration, error: Option<String>) {
        let mut state = self.lock();
        let now = OffsetDateTime::now_utc();
        for part in state.parts.iter_mut().filter(|part| !part.status.is_final()) {
            part.status = if status == Status::Failed { Status::Aborted } else { status };
            part.updated = now;
        }
        state.updated = now;
        state.duration = duration;
        state.error = error;
        state.running = None;
        drop(state);
        self.status.send_replace(status);
    }

    /// Cancels it, or says in which final state it is.
    pub(super) async fn cancel(&self) -> Result<(), Status> {
        {
            let mut state = self.lock();
            let status = self.status();
            if status.is_final() {
                return Err(status);
            }
            state.cancelled = true;
        }
        // The server forgets a request that comes between two of its queries: ask until it has ended.
        for _ in 0..CANCEL_ATTEMPTS {
            let running = self.lock().running.clone();
            if let Some(token) = running {
                // If the server is gone, so is the statement.
                token.cancel_query(NoTls).await.ok();
            }
            self.wait(Duration::from_millis(50)).await;
            if self.status().is_final() {
                break;
            }
        }
        Ok(())
    }

    pub(super) fn result(&self, number: usize) -> Option<Arc<ResultSet>> {
        if self.status() != Status::Finished {
            return None;
        }
        self.lock().parts.get(number.checked_sub(1)?)?.result.clone()
    }

    /// The answer to `ExecuteStatement` and `BatchExecuteStatement`.
    pub(super) fn accepted(&self, with_status: bool) -> Value {
        let mut answer = Map::new();
        answer.insert("CreatedAt".to_owned(), epoch(self.created));
        self.put_origin(&mut answer);
        answer.insert("Id".to_owned(), self.id.clone().into());
        if with_status {
            answer.insert("Status".to_owned(), self.status().name().into());
            answer.insert("HasResultSet".to_owned(), self.lock().parts.iter().any(|part| part.result.is_some()).into());
        }
        answer.into()
    }

    fn put_origin(&self, answer: &mut Map<String, Value>) {
        answer.insert("Database".to_owned(), self.submission.database.clone().into());
        answer.insert("WorkgroupName".to_owned(), self.submission.workgroup.clone().into());
        if let Some(secret) = &self.submission.secret {
            answer.insert("SecretArn".to_owned(), secret.clone().into());
        }
    }

    /// The answer to `DescribeStatement`.
    pub(super) fn described(&self) -> Value {
        let state = self.lock();
        let mut answer = Map::new();
        let sql = if self.submission.is_batch { "" } else { self.submission.sqls.first().map_or("", String::as_str) };
        let single = (!self.submission.is_batch).then(|| state.parts.first()).flatten();
        self.put_origin(&mut answer);
        let fields = json!({
            "Id": self.id,
            "Status": self.status().name(),
            "CreatedAt": epoch(self.created),
            "UpdatedAt": epoch(state.updated),
            "Duration": nanoseconds(state.duration),
            "QueryString": sql,
            "HasResultSet": state.parts.iter().any(|part| part.result.is_some()),
            "ResultFormat": "json",
            "RedshiftPid": 1_073_700_000 + self.number,
            "RedshiftQueryId": if self.submission.is_batch { 0 } else { self.query_id(0) },
            "ResultRows": single.map_or(-1, |part| part.rows),
            "ResultSize": single.map_or(-1, Part::size),
        });
        answer.extend(fields.as_object().cloned().unwrap_or_default());
        if let Some(error) = &state.error {
            answer.insert("Error".to_owned(), error.clone().into());
        }
        if !self.submission.parameters.is_empty() {
            let parameters =
                self.submission.parameters.iter().map(|(name, value)| json!({ "name": name, "value": value }));
            answer.insert("QueryParameters".to_owned(), parameters.collect());
        }
        if self.submission.is_batch {
            let mode = if self.submission.together { "TRANSACTION" } else { "AUTO_COMMIT" };
            answer.insert("ExecutionMode".to_owned(), mode.into());
            let parts = state.parts.iter().enumerate().map(|(index, part)| self.part_fields(index, part));
            answer.insert("SubStatements".to_owned(), parts.collect());
        }
        answer.into()
    }

    /// The answer to `DescribeStatement` for `id:number`.
    pub(super) fn described_part(&self, number: usize) -> Option<Value> {
        let index = number.checked_sub(1)?;
        let state = self.lock();
        let part = state.parts.get(index)?;
        let mut answer = self.part_fields(index, part).as_object().cloned()?;
        self.put_origin(&mut answer);
        answer.insert("RedshiftPid".to_owned(), (1_073_700_000 + self.number).into());
        Some(answer.into())
    }

    /// The entry of `ListStatements`.
    pub(super) fn listed(&self) -> Value {
        let state = self.lock();
        let mut entry = json!({
            "Id": self.id,
            "CreatedAt": epoch(self.created),
            "UpdatedAt": epoch(state.updated),
            "Status": self.status().name(),
            "IsBatchStatement": self.submission.is_batch,
            "ResultFormat": "json",
        });
        if self.submission.is_batch {
            entry["QueryStrings"] = self.submission.sqls.clone().into();
        } else {
            entry["QueryString"] = self.submission.sqls.first().cloned().into();
        }
        if let Some(name) = &self.submission.name {
            entry["StatementName"] = name.clone().into();
        }
        if let Some(secret) = &self.submission.secret {
            entry["SecretArn"] = secret.clone().into();
        }
        entry
    }

    fn part_fields(&self, index: usize, part: &Part) -> Value {
        let mut fields = json!({
            "Id": format!("{}:{}", self.id, index + 1),
            "Status": part.status.name(),
            "CreatedAt": epoch(part.created),
            "UpdatedAt": epoch(part.updated),
            "Duration": if part.status == Status::Submitted { -1 } else { nanoseconds(part.duration) },
            "QueryString": self.submission.sqls.get(index),
            "HasResultSet": part.result.is_some(),
            "RedshiftQueryId": self.query_id(index),
            "ResultRows": part.rows,
            "ResultSize": part.size(),
        });
        if let Some(error) = &part.error {
            fields["Error"] = error.clone().into();
        }
        fields
    }

    fn query_id(&self, index: usize) -> i64 {
        self.number * 100 + i64::try_from(index).unwrap_or(0)
    }

    fn part(&self, index: usize, change: impl FnOnce(&mut Part)) {
        if let Some(part) = self.lock().parts.get_mut(index) {
            part.updated = OffsetDateTime::now_utc();
            change(part);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Part {
    fn size(&self) -> i64 {
        match &self.result {
            Some(result) => i64::try_from(result.size()).unwrap_or(i64::MAX),
            None if self.status == Status::Finished => 0,
            None => -1,
        }
    }
}

fn nanoseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

/// A point in time as JSON 1.1 has it: seconds since 1970, with milliseconds.
fn epoch(moment: OffsetDateTime) -> Value {
    let milliseconds = i64::try_from(moment.unix_timestamp_nanos() / 1_000_000).unwrap_or(i64::MAX);
    #[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 fit into 53 bits")]
    let seconds = milliseconds as f64 / 1000.0;
    seconds.into()
}
