//! What an ingest remembers between invocations: cursors, and the operations under way.

use std::collections::BTreeMap;

use aws_smithy_types::DateTime;
use pipeline::s3::Bucket;
use pipeline::{Error, Result, instant};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct State {
    pub version: u32,
    pub objects: BTreeMap<String, ObjectState>,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
pub struct ObjectState {
    /// Everything updated before this moment has been delivered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// A bulk operation that was started and not yet delivered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation: Option<Started>,
}

/// A bulk operation, and the query that it was started with: after a change of the query its result is of no use.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Started {
    pub id: String,
    pub query: String,
}

impl Default for State {
    fn default() -> Self {
        Self { version: 1, objects: BTreeMap::new() }
    }
}

impl State {
    pub async fn load(raw: &Bucket, source: &str) -> Result<Self> {
        let key = key(source);
        let Some(bytes) = raw.get(&key).await? else {
            return Ok(Self::default());
        };
        let unreadable = |cause: String| {
            Error::new(format!("the state s3://{}/{key} cannot be read", raw.name))
                .cause(cause)
                .hint("restore an earlier version of the object, or delete it to fetch everything again")
        };
        let state: Self = serde_json::from_slice(&bytes).map_err(|error| unreadable(error.to_string()))?;
        if state.version != 1 {
            return Err(unreadable(format!("it has version {}", state.version)));
        }
        Ok(state)
    }

    pub async fn save(&self, raw: &Bucket, source: &str) -> Result<()> {
        let body = serde_json::to_vec(self).map_err(|error| Error::new("the state cannot be written").cause(error))?;
        raw.put(&key(source), body).await
    }
}

fn key(source: &str) -> String {
    format!("state/{source}.json")
}

/// Moves a cursor to the newest moment seen, but never past the start of the operation, and never back.
///
/// A row that changed while the operation ran may have been read before its change, or after it. Whatever changed after
/// the start is fetched again next time.
pub fn advance(cursor: Option<&str>, newest: Option<&DateTime>, started: &DateTime) -> Result<Option<String>> {
    let cursor = cursor.map(instant::parse).transpose()?;
    let seen = newest.map(|newest| *newest.min(started));
    Ok(cursor.max(seen).map(|moment| instant::format(&moment)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_stop_at_the_start_and_never_go_back() {
        for (cursor, newest, expected) in [
            (None, None, None),
            (None, Some("2026-01-02T00:00:00Z"), Some("2026-01-02T00:00:00Z")),
            (Some("2026-01-01T00:00:00Z"), Some("2026-01-02T00:00:00Z"), Some("2026-01-02T00:00:00Z")),
            (Some("2026-01-05T00:00:00Z"), Some("2026-01-02T00:00:00Z"), Some("2026-01-05T00:00:00Z")),
            (Some("2026-01-05T00:00:00Z"), None, Some("2026-01-05T00:00:00Z")),
            (None, Some("2026-02-01T00:00:01Z"), Some("2026-02-01T00:00:00Z")),
        ] {
            let started = instant::parse("2026-02-01T00:00:00Z").unwrap();
            let newest = newest.map(|text| instant::parse(text).unwrap());
            let advanced = advance(cursor, newest.as_ref(), &started).unwrap();
            assert_eq!(advanced.as_deref(), expected, "{cursor:?} {newest:?}");
        }
    }
}
