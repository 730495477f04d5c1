//! What an ingest remembers between invocations: cursors, and the operations under way.
//!
//! It is one object in S3 that changes only by compare-and-swap, so that two invocations at once never undo each other.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use aws_smithy_types::DateTime;
use pipectl_contract::keys;
use pipeline::s3::Bucket;
use pipeline::{Error, Result, instant};
use serde::{Deserialize, Serialize};

use crate::delivery::Parked;
use crate::landing::Newest;

/// After so many seconds a search is taken to show every change of a moment.
const SETTLED: i64 = 60;

/// How often a change is made again on a state that somebody else has changed meanwhile.
const SWAPS: u32 = 8;

#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct State {
    pub version: u32,
    #[serde(default)]
    pub objects: BTreeMap<String, ObjectState>,
    /// The run that is at work.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease: Option<Lease>,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
pub struct ObjectState {
    /// Everything updated before this moment has been delivered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// The rows that changed in the moment of the cursor and have been delivered, to know them again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub edge: Vec<String>,
    /// When the last delivered query started: what was there to be seen by then has been seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// The tables that have all rows up to the cursor; a table that is new has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tables: Option<Vec<String>>,
    /// A bulk operation that was started and not yet delivered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<Started>,
}

/// A bulk operation, and the query that it was started with: after a change of the query its result is of no use.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
pub struct Started {
    pub id: String,
    pub query: String,
    /// How many objects it had when somebody last looked, and since when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<Progress>,
    /// How far its result was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parked: Option<Parked>,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
pub struct Progress {
    pub objects: u64,
    pub since: String,
}

/// The lease: its holder, and when it expires.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Lease {
    pub run: String,
    pub until: String,
}

impl Default for State {
    fn default() -> Self {
        Self { version: 1, objects: BTreeMap::new(), lease: None }
    }
}

impl State {
    pub fn object(&mut self, name: &str) -> &mut ObjectState {
        self.objects.entry(name.to_owned()).or_default()
    }
}

impl ObjectState {
    /// Writes down that what changed since `since` has been delivered.
    ///
    /// The cursor moves to the newest moment seen, never past the start of the query, and never back. A row that changed
    /// while the query ran may have been read before its change, or after it: what changed after the start is fetched again.
    /// If the cursor was set back behind `since` meanwhile, it stays there: what lies between is still to be read.
    pub fn delivered(&mut self, since: &str, newest: &Newest, started: &DateTime, tables: Vec<String>) -> Result<()> {
        let cursor = self.cursor.as_deref().map(instant::parse).transpose()?;
        self.operation = None;
        if cursor.is_some_and(|cursor| instant::parse(since).is_ok_and(|since| cursor < since)) {
            return Ok(());
        }
        let seen = newest.moment()?;
        self.edge = match seen {
            Some(seen) if Some(seen) >= cursor && seen <= *started => newest.ids.clone(),
            None => std::mem::take(&mut self.edge),
            _ => Vec::new(),
        };
        self.cursor = cursor.max(seen.map(|seen| seen.min(*started))).map(|moment| instant::format(&moment));
        let until = self.until.as_deref().map(instant::parse).transpose()?;
        self.until = until.max(Some(*started)).map(|moment| instant::format(&moment));
        self.tables = Some(tables);
        Ok(())
    }

    /// True when a reading from the cursor found nothing but what has been delivered already.
    ///
    /// A row that changes twice within a second cannot be distinguished from one that changed once, so the delivery must have been
    /// well after it.
    pub fn knows(&self, newest: &Newest) -> Result<bool> {
        let (Some(cursor), Some(until)) = (&self.cursor, &self.until) else { return Ok(false) };
        let settled = instant::parse(until)?.secs() - instant::parse(cursor)?.secs() >= SETTLED;
        Ok(match &newest.at {
            None => true,
            Some(at) => {
                settled
                    && instant::parse(at)? == instant::parse(cursor)?
                    && !newest.many
                    && newest.ids.iter().all(|id| self.edge.contains(id))
            }
        })
    }

    /// Sets the cursor back, so that everything since this moment is read again; `start` is where a first run starts.
    pub fn rewind(&mut self, since: &DateTime, start: &DateTime) {
        let cursor = self.cursor.as_deref().and_then(|cursor| instant::parse(cursor).ok());
        if *since < cursor.unwrap_or(*start) {
            self.cursor = Some(instant::format(since));
        }
        self.edge.clear();
        self.until = None;
    }
}

/// The state in its bucket.
#[derive(Debug)]
pub struct Store {
    raw: Bucket,
    key: String,
    inner: Mutex<(State, Option<String>)>,
}

impl Store {
    pub async fn open(raw: &Bucket, source: &str) -> Result<Self> {
        let store =
            Self { raw: raw.clone(), key: keys::source_state(source), inner: Mutex::new((State::default(), None)) };
        store.load().await?;
        Ok(store)
    }

    async fn load(&self) -> Result<()> {
        let loaded = match self.raw.get_tagged(&self.key).await? {
            Some((bytes, tag)) => (self.parse(&bytes)?, tag),
            None => (State::default(), None),
        };
        *self.lock() = loaded;
        Ok(())
    }

    fn parse(&self, bytes: &[u8]) -> Result<State> {
        let unreadable = |cause: String| {
            Error::new(format!("the state s3://{}/{} cannot be read", self.raw.name, self.key))
                .cause(cause)
                .hint("restore an earlier version of the object, or delete it to fetch everything again")
        };
        let state: State = serde_json::from_slice(bytes).map_err(|error| unreadable(error.to_string()))?;
        if state.version != 1 {
            return Err(unreadable(format!("it has version {}", state.version)));
        }
        Ok(state)
    }

    fn lock(&self) -> MutexGuard<'_, (State, Option<String>)> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn object(&self, name: &str) -> ObjectState {
        self.lock().0.objects.get(name).cloned().unwrap_or_default()
    }

    pub fn lease(&self) -> Option<Lease> {
        self.lock().0.lease.clone()
    }

    /// Changes the state. On a state that somebody else has changed meanwhile, the change is made again.
    ///
    /// A change that changes nothing writes nothing.
    pub async fn change(&self, change: impl Fn(&mut State) -> Result<()>) -> Result<()> {
        for _ in 0..SWAPS {
            let (mut state, tag) = self.lock().clone();
            let before = state.clone();
            change(&mut state)?;
            if state == before {
                return Ok(());
            }
            let body = serde_json::to_vec(&state);
            let body = body.map_err(|error| Error::new("the state cannot be written").cause(error))?;
            if let Some(tag) = self.raw.put_over(&self.key, tag.as_deref(), body).await? {
                *self.lock() = (state, tag);
                return Ok(());
            }
            self.load().await?;
        }
        Err(Error::new(format!("the state s3://{}/{} keeps changing", self.raw.name, self.key))
            .hint("see in the log which other invocations read this source"))
    }

    /// Takes the lease for a run, or says who has it. A run that was retried has its own lease still.
    pub async fn take_lease(&self, run: &str, now: &DateTime, until: &DateTime) -> Result<Option<Lease>> {
        let held = Mutex::new(None);
        self.change(|state| {
            let other = state.lease.as_ref().filter(|lease| lease.run != run);
            let other = other.filter(|lease| instant::parse(&lease.until).is_ok_and(|end| end > *now));
            *held.lock().unwrap_or_else(PoisonError::into_inner) = other.cloned();
            if other.is_none() {
                state.lease = Some(Lease { run: run.to_owned(), until: instant::format(until) });
            }
            Ok(())
        })
        .await?;
        Ok(held.into_inner().unwrap_or_else(PoisonError::into_inner))
    }

    /// Gives the lease back, if the run still has it.
    pub async fn end_lease(&self, run: &str) -> Result<()> {
        self.change(|state| {
            if state.lease.as_ref().is_some_and(|lease| lease.run == run) {
                state.lease = None;
            }
            Ok(())
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn newest(at: Option<&str>) -> Newest {
        Newest { at: at.map(str::to_owned), ids: vec!["a".into()], many: false }
    }

    #[test]
    fn cursors_never_move_backward() {
        for (cursor, seen, expected) in [
            (None, None, None),
            (None, Some("2026-01-02T00:00:00Z"), Some("2026-01-02T00:00:00Z")),
            (Some("2026-01-01T00:00:00Z"), Some("2026-01-02T00:00:00Z"), Some("2026-01-02T00:00:00Z")),
            (Some("2026-01-05T00:00:00Z"), Some("2026-01-02T00:00:00Z"), Some("2026-01-05T00:00:00Z")),
            (Some("2026-01-05T00:00:00Z"), None, Some("2026-01-05T00:00:00Z")),
            (None, Some("2026-02-01T00:00:01Z"), Some("2026-02-01T00:00:00Z")),
        ] {
            let started = instant::parse("2026-02-01T00:00:00Z").unwrap();
            let mut state = ObjectState { cursor: cursor.map(str::to_owned), ..ObjectState::default() };
            state.delivered("1970-01-01T00:00:00Z", &newest(seen), &started, vec![]).unwrap();
            assert_eq!(state.cursor.as_deref(), expected, "{cursor:?} {seen:?}");
            assert_eq!(state.until.as_deref(), Some("2026-02-01T00:00:00Z"));
        }
    }

    #[test]
    fn a_delivery_does_not_undo_a_backfill_that_was_asked_for_meanwhile() {
        let mut state = ObjectState { cursor: Some("2026-05-01T00:00:00Z".into()), ..ObjectState::default() };
        let start = instant::parse("2020-01-01T00:00:00Z").unwrap();
        state.rewind(&instant::parse("2024-01-01T00:00:00Z").unwrap(), &start);
        let started = instant::parse("2026-06-01T00:00:00Z").unwrap();
        let seen = newest(Some("2026-05-02T00:00:00Z"));
        state.delivered("2026-05-01T00:00:00Z", &seen, &started, vec![]).unwrap();
        assert_eq!(state.cursor.as_deref(), Some("2024-01-01T00:00:00Z"));
        state.delivered("2024-01-01T00:00:00Z", &seen, &started, vec![]).unwrap();
        assert_eq!(state.cursor.as_deref(), Some("2026-05-02T00:00:00Z"));
    }
}
