//! The objects under a prefix: plain files in the bucket's directory.

use std::path::{Component, Path, PathBuf};

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

/// The objects whose key begins with the prefix, in the order of their keys, without those that engines hide.
pub(super) fn objects(copy: &Copy, files: &Files) -> SqlResult<Vec<Object>> {
    let allowed = |action, key: &str| {
        let Some(authorizer) = &files.authorizer else { return Ok(()) };
        let read = Read { action, bucket: copy.bucket.clone(), key: key.to_owned(), role: copy.role.clone() };
        authorizer(&read).map_err(|why| {
            SqlError::new(format!("S3ServiceException:Access Denied,Status 403,Error AccessDenied\n  Detail: {why}"))
        })
    };
    let directory = files.buckets.get(&copy.bucket).filter(|directory| directory.is_dir()).ok_or_else(|| {
        SqlError::new("S3ServiceException:The specified bucket does not exist,Status 404,Error NoSuchBucket")
            .hint(format!("no bucket `{}` in this account", copy.bucket))
    })?;
    allowed("s3:ListBucket", &copy.prefix)?;
    let mut keys = Vec::new();
    if Path::new(&copy.prefix).components().all(|part| matches!(part, Component::Normal(_))) {
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
        allowed("s3:GetObject", key)?;
    }
    let object = |key: &String| Object {
        path: directory.join(key),
        url: format!("https://s3.{}.amazonaws.com/{}/{key}", files.region, copy.bucket),
        source: format!("s3://{}/{}", copy.bucket, copy.prefix),
    };
    Ok(keys.iter().map(object).collect())
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
