//! The life of a bulk operation: CREATED, RUNNING, then COMPLETED or FAILED.

use std::path::PathBuf;

use serde_json::{Value, json};
use time::OffsetDateTime;

use super::bulk::Counts;

#[derive(Debug)]
pub(super) struct Operation {
    pub(super) number: u64,
    query: String,
    created: OffsetDateTime,
    state: State,
    /// What a failed operation had written.
    partial: Option<Counts>,
}

#[derive(Debug)]
enum State {
    Created,
    Running,
    /// The rows are there, but nobody has asked since it was created.
    Finished(OffsetDateTime, Result<Counts, Failure>),
    Seen(OffsetDateTime, Result<Counts, Failure>),
    Canceled(OffsetDateTime),
}

#[derive(Debug, Clone, Copy)]
struct Failure;

impl Operation {
    pub(super) fn new(number: u64, query: String) -> Self {
        Self { number, query, created: OffsetDateTime::now_utc(), state: State::Created, partial: None }
    }

    pub(super) fn id(&self) -> String {
        format!("gid://shopify/BulkOperation/{}", self.number)
    }

    /// Its work is done, well or not.
    pub(super) fn finish(&mut self, counts: Option<Counts>) {
        let result = counts.ok_or(Failure);
        let now = OffsetDateTime::now_utc();
        match self.state {
            State::Created => self.state = State::Finished(now, result),
            State::Running => self.state = State::Seen(now, result),
            State::Finished(..) | State::Seen(..) | State::Canceled(_) => {}
        }
    }

    /// It will fail, and so much of it is written.
    pub(super) fn partial(&mut self, counts: &Counts) {
        self.partial = Some(counts.clone());
    }

    pub(super) fn cancel(&mut self) {
        if self.is_under_way() {
            self.state = State::Canceled(OffsetDateTime::now_utc());
        }
    }

    /// Somebody looks: what was created is running at the first look, and may be complete at the second.
    pub(super) fn look(&mut self) -> Value {
        let shown = match &self.state {
            State::Created | State::Finished(..) => self.show_as("RUNNING"),
            _ => self.show(),
        };
        self.state = match std::mem::replace(&mut self.state, State::Running) {
            State::Created | State::Running => State::Running,
            State::Finished(at, result) => State::Seen(at, result),
            seen => seen,
        };
        shown
    }

    pub(super) fn is_under_way(&self) -> bool {
        matches!(self.state, State::Created | State::Running | State::Finished(..))
    }

    pub(super) fn show(&self) -> Value {
        self.show_as(match &self.state {
            State::Created => "CREATED",
            State::Running => "RUNNING",
            State::Finished(_, Ok(_)) | State::Seen(_, Ok(_)) => "COMPLETED",
            State::Finished(_, Err(_)) | State::Seen(_, Err(_)) => "FAILED",
            State::Canceled(_) => "CANCELED",
        })
    }

    /// The object as the API gives it. Numbers beyond 32 bits are strings there.
    fn show_as(&self, status: &str) -> Value {
        let ended = !matches!(status, "CREATED" | "RUNNING");
        let (at, counts, failed) = match &self.state {
            State::Finished(at, Ok(counts)) | State::Seen(at, Ok(counts)) if ended => {
                (Some(*at), counts.clone(), false)
            }
            State::Finished(at, Err(_)) | State::Seen(at, Err(_)) if ended => {
                (Some(*at), self.partial.clone().unwrap_or_default(), true)
            }
            State::Canceled(at) => (Some(*at), Counts::default(), false),
            _ => (None, Counts::default(), false),
        };
        let complete = status == "COMPLETED";
        json!({
            "__typename": "BulkOperation",
            "id": self.id(),
            "type": "QUERY",
            "status": status,
            "errorCode": failed.then_some("INTERNAL_SERVER_ERROR"),
            "createdAt": instant(self.created),
            "completedAt": at.map(instant),
            "objectCount": counts.objects.to_string(),
            "rootObjectCount": counts.roots.to_string(),
            "fileSize": complete.then(|| counts.bytes.to_string()),
            // An operation that found nothing has no file.
            "url": (complete && counts.objects > 0).then(|| format!("/bulk/{}.jsonl", self.number)),
            "partialDataUrl": (failed && counts.objects > 0).then(|| format!("/bulk/{}.jsonl", self.number)),
            "query": self.query,
        })
    }

    /// The name of its result in the directory of results.
    pub(super) fn file(number: u64) -> PathBuf {
        PathBuf::from(format!("{number}.jsonl"))
    }
}

fn instant(at: OffsetDateTime) -> String {
    let (date, time) = (at.date(), at.time());
    format!("{date}T{:02}:{:02}:{:02}Z", time.hour(), time.minute(), time.second())
}
