//! Reads the ledgers of the jobs and of the loader from their buckets.

use std::collections::{BTreeMap, BTreeSet};

use pipectl_contract::ledger::{Entry, Loaded, Stage};
use pipectl_contract::report::Report;
use pipectl_contract::{keys, timestamps};
use serde::de::DeserializeOwned;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use time::{PrimitiveDateTime, UtcDateTime};

use crate::aws::{Failure, S3};
use crate::error::{Error, Result};

/// Reads ledgers out of one bucket.
#[derive(Debug, Clone)]
pub struct Ledger<'a> {
    pub s3: &'a S3,
    pub bucket: String,
}

impl Ledger<'_> {
    /// The batches of a ledger, oldest first.
    pub async fn names(&self, stage: Stage) -> Result<BTreeSet<String>, Failure> {
        self.entry_names(&keys::ledger_folder(stage)).await
    }

    /// The entries of some batches, oldest first.
    pub async fn entries<I: DeserializeOwned>(
        &self,
        stage: Stage,
        batches: impl IntoIterator<Item = &String>,
    ) -> Result<Vec<Entry<I>>> {
        let key = |batch: &String| id(batch).map(|batch| keys::ledger_entry(stage, batch));
        let keys: Vec<String> = batches.into_iter().map(key).collect::<Result<_>>()?;
        let found = self.s3.get_all(&self.bucket, &keys).await?;
        let read = |(key, bytes): (&String, &Vec<u8>)| {
            let entry: Entry<I> = self.parse(key, bytes)?;
            id(&entry.batch)?;
            Ok(entry)
        };
        found.iter().map(read).collect()
    }

    /// What the loader has recorded of a batch, by table.
    pub async fn loaded(&self, batch: &str) -> Result<BTreeMap<String, Loaded>> {
        let folder = keys::load_entries_folder(id(batch)?);
        let keys: Vec<String> =
            self.s3.list(&self.bucket, &folder).await?.into_iter().map(|object| object.key).collect();
        let found = self.s3.get_all(&self.bucket, &keys).await?;
        let entries = found.iter().map(|(key, bytes)| self.parse::<Loaded>(key, bytes));
        Ok(entries.collect::<Result<Vec<_>>>()?.into_iter().map(|loaded| (loaded.table.clone(), loaded)).collect())
    }

    /// The batches that have a report.
    pub async fn reports(&self) -> Result<BTreeSet<String>, Failure> {
        self.entry_names(keys::REPORTS).await
    }

    async fn entry_names(&self, folder: &str) -> Result<BTreeSet<String>, Failure> {
        let objects = self.s3.list(&self.bucket, folder).await?;
        Ok(objects.iter().filter_map(|object| Some(keys::entry_name(folder, &object.key)?.to_owned())).collect())
    }

    /// The report of a batch.
    pub async fn report(&self, batch: &str) -> Result<Option<Report>> {
        let key = keys::report(id(batch)?);
        let bytes = self.s3.get(&self.bucket, &key).await?;
        bytes.map(|bytes| self.parse(&key, &bytes)).transpose()
    }

    fn parse<T: DeserializeOwned>(&self, key: &str, bytes: &[u8]) -> Result<T> {
        serde_json::from_slice(bytes).map_err(|error| {
            Error::new(format!("the ledger entry s3://{}/{key} cannot be read", self.bucket))
                .cause(&error)
                .hint("restore an earlier version of the object: an entry is written once and never changed")
        })
    }
}

/// A batch's name as a part of a key. Fails for a text that an entry of a ledger cannot name.
fn id(batch: &str) -> Result<&str> {
    if keys::is_id(batch) {
        return Ok(batch);
    }
    Err(Error::new(format!("the ledger names a batch that is none: `{batch}`"))
        .hint("an entry was changed: restore an earlier version of the objects below `_ledger/`"))
}

/// When a batch began, from its name.
pub fn begun(batch: &str) -> Option<UtcDateTime> {
    UtcDateTime::from_unix_timestamp(timestamps::begun(batch)?).ok()
}

/// A time as names begin with it.
pub fn stamp(time: UtcDateTime) -> String {
    timestamps::stamp(time.unix_timestamp())
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
    timestamps::rfc3339(time.unix_timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_batches_are_no_paths() {
        assert_eq!(id("20261120T125030Z-71477f854035").unwrap(), "20261120T125030Z-71477f854035");
        for text in ["../../state/erp", "a/b", "", ".."] {
            assert!(id(text).is_err(), "{text}");
        }
    }

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
