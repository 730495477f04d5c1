//! The objects under a prefix: plain files in the bucket's directory.

use std::path::{Component, Path, PathBuf};

use serde::Deserialize;

use super::{Files, Read};
use crate::redshift::error::{SqlError, SqlResult};
use crate::redshift::rewrite::Copy;

/// An object to load.
#[derive(Debug, Clone)]
pub(super) struct Object {
    pub(super) path: PathBuf,
    /// As Redshift names it in errors.
    pub(super) url: String,
    /// `s3://bucket/prefix`, as the statement has it.
    pub(super) source: String,
}

/// The list of the files that a COPY reads.
#[derive(Deserialize)]
struct Manifest {
    entries: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    url: String,
    #[serde(default)]
    mandatory: bool,
    meta: Option<Meta>,
}

#[derive(Deserialize)]
struct Meta {
    content_length: u64,
}

/// The objects that a COPY reads: those of its manifest, or those whose key begins with its prefix, in the order of their
/// keys, without those that engines hide.
pub(super) fn objects(copy: &Copy, files: &Files) -> SqlResult<Vec<Object>> {
    if copy.manifest { listed(copy, files) } else { found(copy, files) }
}

fn found(copy: &Copy, files: &Files) -> SqlResult<Vec<Object>> {
    let directory = directory(&copy.bucket, files)?;
    allowed(copy, files, "s3:ListBucket", &copy.bucket, &copy.prefix)?;
    let mut keys = Vec::new();
    if is_plain(&copy.prefix) {
        let folder = copy.prefix.rsplit_once('/').map_or("", |(folder, _)| folder);
        walk(&directory.join(folder), directory, &mut keys)
            .map_err(|error| SqlError::new(format!("S3ServiceException:{error},Status 500,Error InternalError")))?;
    }
    keys.retain(|key| key.starts_with(&copy.prefix) && !is_hidden(key));
    keys.sort();
    if keys.is_empty() {
        return Err(SqlError::new(format!("The specified S3 prefix '{}' does not exist", copy.prefix)));
    }
    for key in &keys {
        allowed(copy, files, "s3:GetObject", &copy.bucket, key)?;
    }
    Ok(keys.iter().map(|key| object(copy, files, &copy.bucket, key, directory)).collect())
}

/// Reads a manifest. For Parquet Redshift requires the size of each file, and compares it.
fn listed(copy: &Copy, files: &Files) -> SqlResult<Vec<Object>> {
    let manifest = directory(&copy.bucket, files)?.join(&copy.prefix);
    allowed(copy, files, "s3:GetObject", &copy.bucket, &copy.prefix)?;
    let bytes = if is_plain(&copy.prefix) { std::fs::read(&manifest).ok() } else { None };
    let bytes = bytes.ok_or_else(|| {
        SqlError::new("S3ServiceException:The specified key does not exist.,Status 404,Error NoSuchKey")
            .hint(format!("there is no manifest s3://{}/{}", copy.bucket, copy.prefix))
    })?;
    let manifest: Manifest = serde_json::from_slice(&bytes)
        .map_err(|error| SqlError::new("Manifest file is not in correct json format").hint(error.to_string()))?;
    let mut objects = Vec::new();
    for entry in &manifest.entries {
        let (bucket, key) = entry.url.strip_prefix("s3://").and_then(|rest| rest.split_once('/')).ok_or_else(|| {
            SqlError::new(format!("Invalid S3 URL in the manifest: {}", entry.url)).hint("write s3://bucket/key")
        })?;
        let size = entry.meta.as_ref().map(|meta| meta.content_length).ok_or_else(|| {
            SqlError::new(format!("Manifest file must contain the key 'content_length' for the file {}", entry.url))
                .hint("for Parquet each entry needs `\"meta\": {\"content_length\": BYTES}`")
        })?;
        let directory = directory(bucket, files)?;
        allowed(copy, files, "s3:GetObject", bucket, key)?;
        let found = std::fs::metadata(directory.join(key)).ok().filter(|found| found.is_file() && is_plain(key));
        match found {
            Some(found) if found.len() != size => {
                return Err(SqlError::new(format!(
                    "The size of the file {} is {}, and the manifest says {size}",
                    entry.url,
                    found.len()
                )));
            }
            Some(_) => objects.push(object(copy, files, bucket, key, directory)),
            None if entry.mandatory => {
                return Err(SqlError::new(format!(
                    "Problem reading manifest file - S3 object {} does not exist",
                    entry.url
                ))
                .hint("S3ServiceException:The specified key does not exist.,Status 404,Error NoSuchKey"));
            }
            None => {}
        }
    }
    if objects.is_empty() {
        return Err(SqlError::new(format!("No file of the manifest 's3://{}/{}' exists", copy.bucket, copy.prefix)));
    }
    Ok(objects)
}

fn directory<'a>(bucket: &str, files: &'a Files) -> SqlResult<&'a PathBuf> {
    files.buckets.get(bucket).filter(|directory| directory.is_dir()).ok_or_else(|| {
        SqlError::new("S3ServiceException:The specified bucket does not exist,Status 404,Error NoSuchBucket")
            .hint(format!("no bucket `{bucket}` in this account"))
    })
}

fn allowed(copy: &Copy, files: &Files, action: &'static str, bucket: &str, key: &str) -> SqlResult<()> {
    let Some(authorizer) = &files.authorizer else { return Ok(()) };
    let read = Read { action, bucket: bucket.to_owned(), key: key.to_owned(), role: copy.role.clone() };
    authorizer(&read).map_err(|why| {
        SqlError::new(format!("S3ServiceException:Access Denied,Status 403,Error AccessDenied\n  Detail: {why}"))
    })
}

fn object(copy: &Copy, files: &Files, bucket: &str, key: &str, directory: &Path) -> Object {
    Object {
        path: directory.join(key),
        url: format!("https://s3.{}.amazonaws.com/{bucket}/{key}", files.region),
        source: format!("s3://{}/{}", copy.bucket, copy.prefix),
    }
}

/// Whether a key cannot leave the directory of its bucket.
fn is_plain(key: &str) -> bool {
    Path::new(key).components().all(|part| matches!(part, Component::Normal(_)))
}

/// `_SUCCESS`, `._part.crc` and the like are not data.
fn is_hidden(key: &str) -> bool {
    let name = key.rsplit('/').next().unwrap_or(key);
    name.is_empty() || name.starts_with(['_', '.'])
}

/// Adds the key of every file below a folder of a bucket; a folder that is not there has none.
pub(crate) fn walk(directory: &Path, bucket: &Path, keys: &mut Vec<String>) -> std::io::Result<()> {
    let entries = match std::fs::read_dir(directory) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            walk(&path, bucket, keys)?;
        } else if let Some(key) = path.strip_prefix(bucket).ok().and_then(Path::to_str) {
            keys.push(key.to_owned());
        }
    }
    Ok(())
}
