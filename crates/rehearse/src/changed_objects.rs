//! What is in the buckets' folders: Spark writes there without asking S3, so its objects are found by looking.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use pipectl_emulator::events::ObjectWritten;

/// The objects of some buckets, with the time and size of each.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Folders(BTreeMap<(String, String), (Option<SystemTime>, u64)>);

impl Folders {
    pub(super) fn look<'a>(buckets: impl IntoIterator<Item = (&'a String, &'a PathBuf)>) -> Self {
        let mut found = Self::default();
        for (bucket, folder) in buckets {
            found.add(bucket, folder, folder);
        }
        found
    }

    fn add(&mut self, bucket: &str, root: &Path, folder: &Path) {
        // What vanishes while it is looked at was not there.
        for entry in fs_err::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            let Ok(metadata) = entry.metadata() else { continue };
            if metadata.is_dir() {
                self.add(bucket, root, &path);
            } else if let Ok(key) = path.strip_prefix(root) {
                let key = key.to_string_lossy().into_owned();
                self.0.insert((bucket.to_owned(), key), (metadata.modified().ok(), metadata.len()));
            }
        }
    }

    /// The objects that were there at an earlier look, as `(bucket, key)`.
    pub(super) fn gone_since<'a>(&'a self, earlier: &'a Self) -> impl Iterator<Item = &'a (String, String)> {
        earlier.0.keys().filter(|object| !self.0.contains_key(*object))
    }

    /// The objects that are new or changed since an earlier look.
    pub(super) fn written_since(&self, earlier: &Self) -> Vec<ObjectWritten> {
        self.0
            .iter()
            .filter(|(object, state)| earlier.0.get(*object) != Some(*state))
            .map(|((bucket, key), (_, size))| ObjectWritten {
                bucket: bucket.clone(),
                key: key.clone(),
                size: *size,
                etag: String::new(),
                operation: "PutObject".into(),
            })
            .collect()
    }
}
