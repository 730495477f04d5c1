//! The ledgers of the jobs and of the loader, as they lie in the buckets.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use time::{PrimitiveDateTime, UtcDateTime};

use crate::aws::{Failure, S3};
use crate::error::{Error, Result};

/// How a batch's name begins.
const STAMP: &[BorrowedFormatItem<'_>] = format_description!("[year][month][day]T[hour][minute][second]Z");

/// What a job has committed.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Entry {
    pub batch: String,
    pub committed_at: String,
    /// Glue's id of the job's run.
    pub run: String,
    pub inputs: Vec<Input>,
    pub tables: BTreeMap<String, Counts>,
    /// The replay requests that are done with it.
    pub replays: Vec<String>,
    /// Tables that wait, and why.
    pub stopped: BTreeMap<String, String>,
}

/// What a job took in: an object (`clean`) or a batch (`transform`).
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Input {
    pub key: String,
    pub etag: String,
    pub size: u64,
    pub table: String,
    pub batch: String,
    pub duplicate_of: Option<String>,
    /// The object that this one is a copy of, when it is taken once more.
    pub replay_of: Option<String>,
}

/// What became of a table's rows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Counts {
    pub path: Option<String>,
    pub rows_in: u64,
    pub rows_out: u64,
    pub quarantined: u64,
    pub duplicates: u64,
    /// Rows of a snapshot that were the same in the one before.
    pub unchanged: u64,
    pub unknown_columns: Vec<String>,
}

/// What the loader has recorded of one table of a batch.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Loaded {
    pub table: String,
    pub committed_at: String,
    pub staged: u64,
    pub changed: u64,
}

/// The report of a run that failed: of such a run no ledger need know.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Report {
    pub batch: String,
    pub state: String,
    pub ended_at: String,
    pub tables: BTreeMap<String, ReportTable>,
}

/// A table in a report.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct ReportTable {
    pub objects: usize,
    /// Why the table waits.
    pub stopped: Option<String>,
}

/// Reads ledgers out of one bucket.
#[derive(Debug, Clone)]
pub struct Ledger<'a> {
    pub s3: &'a S3,
    pub bucket: String,
}

impl Ledger<'_> {
    /// The names of all entries directly in a folder of `_ledger/`, sorted: of batches that is the order of time.
    pub async fn names(&self, folder: &str) -> Result<BTreeSet<String>, Failure> {
        let prefix = format!("_ledger/{folder}/");
        let objects = self.s3.list(&self.bucket, &prefix).await?;
        let name = |key: &str| {
            let name = key.strip_prefix(&prefix)?.strip_suffix(".json")?;
            (!name.contains('/')).then(|| name.to_owned())
        };
        Ok(objects.iter().filter_map(|object| name(&object.key)).collect())
    }

    /// The entries of some batches, in the order of time.
    pub async fn entries(&self, stage: &str, batches: impl IntoIterator<Item = &String>) -> Result<Vec<Entry>> {
        let keys: Vec<String> = batches.into_iter().map(|batch| format!("_ledger/{stage}/{batch}.json")).collect();
        let found = self.s3.get_all(&self.bucket, &keys).await?;
        found.iter().map(|(key, bytes)| self.parse(key, bytes)).collect()
    }

    /// What the loader has recorded of a batch, by table.
    pub async fn loaded(&self, batch: &str) -> Result<BTreeMap<String, Loaded>> {
        let folder = format!("_ledger/load/{batch}/");
        let keys: Vec<String> =
            self.s3.list(&self.bucket, &folder).await?.into_iter().map(|object| object.key).collect();
        let found = self.s3.get_all(&self.bucket, &keys).await?;
        let entries = found.iter().map(|(key, bytes)| self.parse::<Loaded>(key, bytes));
        Ok(entries.collect::<Result<Vec<_>>>()?.into_iter().map(|loaded| (loaded.table.clone(), loaded)).collect())
    }

    /// The batches that have a report.
    pub async fn reports(&self) -> Result<BTreeSet<String>, Failure> {
        let objects = self.s3.list(&self.bucket, "reports/").await?;
        let name = |key: &str| Some(key.strip_prefix("reports/")?.strip_suffix(".json")?.to_owned());
        Ok(objects.iter().filter_map(|object| name(&object.key)).collect())
    }

    /// The report of a batch.
    pub async fn report(&self, batch: &str) -> Result<Option<Report>> {
        let key = format!("reports/{batch}.json");
        let bytes = self.s3.get(&self.bucket, &key).await?;
        bytes.map(|bytes| self.parse(&key, &bytes)).transpose()
    }

    fn parse<T: serde::de::DeserializeOwned>(&self, key: &str, bytes: &[u8]) -> Result<T> {
        serde_json::from_slice(bytes).map_err(|error| {
            Error::new(format!("the ledger entry s3://{}/{key} cannot be read", self.bucket))
                .cause(&error)
                .hint("restore an earlier version of the object: an entry is written once and never changed")
        })
    }
}

/// When a batch was begun, from its name.
pub fn begun(batch: &str) -> Option<UtcDateTime> {
    let stamp = batch.split('-').next()?;
    Some(PrimitiveDateTime::parse(stamp, STAMP).ok()?.as_utc())
}

/// A time as names begin with it.
pub fn stamp(time: UtcDateTime) -> String {
    time.format(STAMP).unwrap_or_default()
}

/// Reads a day or a time as people write it: `2026-11-01`, `2026-11-01T08:00`, `2026-11-01 08:00:00Z`; in UTC.
pub fn parse_time(text: &str) -> Result<UtcDateTime, String> {
    const DAY: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day]");
    const MINUTE: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day]T[hour]:[minute]");
    const SECOND: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]");
    let plain = text.trim().trim_end_matches('Z').replacen(' ', "T", 1);
    let time = [SECOND, MINUTE].iter().find_map(|format| PrimitiveDateTime::parse(&plain, format).ok());
    time.or_else(|| Some(time::Date::parse(&plain, DAY).ok()?.midnight()))
        .map(PrimitiveDateTime::as_utc)
        .ok_or_else(|| "write a day or a time in UTC, such as 2026-11-01 or 2026-11-01T08:00".to_owned())
}

/// A time as the ledgers write it: `2026-11-01T08:00:00Z`.
pub fn written(time: UtcDateTime) -> String {
    const FORMAT: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z");
    time.format(FORMAT).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_and_written() {
        let read = |text: &str| parse_time(text).map(written);
        assert_eq!(read("2026-11-01").unwrap(), "2026-11-01T00:00:00Z");
        assert_eq!(read("2026-11-01 08:30Z").unwrap(), "2026-11-01T08:30:00Z");
        assert_eq!(read("2026-11-01T08:30:15").unwrap(), "2026-11-01T08:30:15Z");
        assert!(read("01.11.2026").is_err() && read("2026-02-30").is_err());
        assert_eq!(begun("20261120T125030Z-71477f854035").map(written).unwrap(), "2026-11-20T12:50:30Z");
        assert_eq!(stamp(begun("20261120T125030Z-7").unwrap()), "20261120T125030Z");
    }
}
