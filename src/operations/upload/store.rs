//! Stores files in the raw zone.

use std::path::Path;

use pipectl_contract::keys;
use pipectl_contract::names::Zone;
use serde::Serialize;
use tokio::sync::mpsc;

use super::Checked;
use crate::aws::{Failure, Kind, S3};
use crate::error::{Error, Result};
use crate::operations::not_deployed;
use crate::spec::Spec;

/// What was done with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Checked,
    Uploaded,
    /// The same content is there, or has been.
    AlreadyThere,
}

/// Stores checked files in the raw zone, one after the other. Content that arrived before is not stored again. `progress`
/// is called with the current file, and with how many of all bytes are stored.
pub async fn store_all(
    s3: &S3,
    spec: &Spec,
    files: Vec<Checked>,
    progress: &dyn Fn(&Path, u64, u64),
) -> Result<Vec<(Checked, Outcome)>> {
    let (bucket, archive) = (spec.bucket(Zone::Raw), spec.bucket(Zone::RawArchive));
    let total: u64 = files.iter().map(|file| file.digests.size).sum();
    let (sent, mut arrived) = mpsc::unbounded_channel();
    let mut stored: u64 = 0;
    let mut done = Vec::new();
    for file in files {
        // The archive has what the landing zone has lost again.
        let same = format!("{}.", &file.digests.sha256[..16]);
        let folder = keys::landing_folder(&file.table);
        let mut there = None;
        for bucket in [&bucket, &archive] {
            let found = s3.list(bucket, &folder).await.map_err(|failure| error(failure, spec))?;
            there = there.or_else(|| found.into_iter().map(|object| object.key).find(|key| key.contains(&same)));
        }
        if let Some(key) = there {
            stored += file.digests.size;
            done.push((Checked { key, ..file }, Outcome::AlreadyThere));
            continue;
        }
        let new = {
            let upload = s3.upload(&bucket, &file.key, &file.path, &file.digests, &sent);
            tokio::pin!(upload);
            loop {
                progress(&file.path, stored, total);
                tokio::select! {
                    new = &mut upload => break new,
                    Some(bytes) = arrived.recv() => stored += bytes,
                }
            }
        };
        while let Ok(bytes) = arrived.try_recv() {
            stored += bytes;
        }
        let new = new.map_err(|failure| {
            let error = error(failure, spec);
            match done.len() {
                0 => error,
                count => error.note(format!("{count} files were uploaded before it; they are not uploaded again")),
            }
        })?;
        done.push((file, if new { Outcome::Uploaded } else { Outcome::AlreadyThere }));
    }
    Ok(done)
}

/// The error of a failed call of S3, with a hint.
fn error(failure: Failure, spec: &Spec) -> Error {
    let changed = ["BadDigest", "XAmzContentChecksumMismatch", "InvalidRequest"].contains(&failure.code.as_str());
    let missing = failure.kind == Kind::NoSuchBucket;
    let error = not_deployed(failure, Kind::NoSuchBucket, spec);
    if changed && !missing { error.hint("the file may have changed after it was checked; run it again") } else { error }
}
