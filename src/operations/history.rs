//! The history of an environment: the records of its runs, read from the artifact bucket.

use serde::Serialize;

use crate::aws::{Aws, Kind};
use crate::deploy::record::{FOLDER, Record, VERSION};
use crate::error::Result;

/// The newest records of an environment.
#[derive(Debug, Default, Serialize)]
pub struct History {
    /// Newest first.
    pub runs: Vec<Record>,
    /// How many records another version of pipectl wrote, which this one cannot read.
    #[serde(skip)]
    pub unreadable: usize,
}

/// Reads the newest records.
pub async fn latest(aws: &Aws, bucket: &str, limit: usize) -> Result<History> {
    let listed = match aws.s3.list(bucket, FOLDER).await {
        Ok(listed) => listed,
        // Nothing was ever deployed.
        Err(failure) if failure.kind == Kind::NoSuchBucket => return Ok(History::default()),
        Err(failure) => return Err(failure.into()),
    };
    // The names begin with the time.
    let keys: Vec<String> = listed.into_iter().rev().take(limit).map(|object| object.key).collect();
    let found = aws.s3.get_all(bucket, &keys).await?;
    let parse =
        |bytes: &Vec<u8>| serde_json::from_slice::<Record>(bytes).ok().filter(|record| record.version == VERSION);
    let runs: Vec<Record> = found.values().rev().filter_map(parse).collect();
    let unreadable = found.len() - runs.len();
    Ok(History { runs, unreadable })
}
