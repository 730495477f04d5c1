//! Why rows are in quarantine.

use serde::Deserialize;

use super::Reasons;
use crate::aws::S3;
use crate::error::Result;

/// The most files of a folder that are read.
const MOST_FILES: usize = 50;

/// A row in quarantine.
#[derive(Deserialize)]
struct Kept {
    #[serde(default)]
    source: String,
    #[serde(default)]
    reason: String,
}

/// The reasons of the rows in a folder of the quarantine, `s3://bucket/folder/`.
pub async fn reasons(s3: &S3, folder: &str) -> Result<Reasons> {
    let (bucket, prefix) = folder.strip_prefix("s3://").and_then(|rest| rest.split_once('/')).unwrap_or_default();
    let objects = s3.list(bucket, prefix).await?;
    let keys: Vec<String> = objects.into_iter().map(|object| object.key).take(MOST_FILES).collect();
    let mut reasons = Reasons::new();
    for bytes in s3.get_all(bucket, &keys).await?.into_values() {
        for line in bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let Ok(kept) = serde_json::from_slice::<Kept>(line) else { continue };
            let source =
                kept.source.strip_prefix("s3://").and_then(|rest| rest.split_once('/')).map_or("", |(_, key)| key);
            *reasons.entry((kept.reason, source.to_owned())).or_default() += 1;
        }
    }
    Ok(reasons)
}
