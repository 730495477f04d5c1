//! Buckets as directories and objects as plain files, so that Spark and SQL read and write the same bytes.
//!
//! `buckets/<bucket>/<key>` is the object itself. What S3 knows beyond the bytes (`ETag`, metadata) stands in
//! `sidecars/<bucket>/<hash of the key>.json`, beside the buckets and never in them. A key that cannot be a file (it ends
//! in `/`, is a prefix of another, has a part over 255 bytes …) is kept as `odd/<bucket>/<hash>`: S3 sees it, a
//! program that reads the directory does not.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use md5::{Digest, Md5};
use rustix::fs::{CWD, RenameFlags, renameat_with};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::account::file;
use crate::digest::{hex, sha256};

/// The longest name that file systems take for one part of a path.
const LONGEST_NAME: usize = 255;

/// Buckets and objects.
pub(crate) struct Store {
    root: PathBuf,
    configurations: Mutex<BTreeMap<String, BucketConfiguration>>,
}

/// The properties of a bucket, by name.
type Map = serde_json::Map<String, Value>;

/// How a bucket is: what the stacks say, unless somebody changed it.
#[derive(Debug, Clone, Default)]
pub(crate) struct BucketConfiguration {
    /// The properties of the `AWS::S3::Bucket`.
    pub(crate) properties: Value,
}

/// What S3 knows of an object beyond its bytes.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Sidecar {
    pub(crate) key: String,
    /// Without quotes.
    pub(crate) etag: String,
    pub(crate) size: u64,
    /// When the file was last changed, in nanoseconds: a file that somebody else wrote is noticed by it.
    pub(crate) changed: i128,
    pub(crate) content_type: Option<String>,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) metadata: BTreeMap<String, String>,
    pub(crate) checksums: BTreeMap<String, String>,
}

/// An object: where its bytes are and what is known of it.
#[derive(Debug, Clone)]
pub(crate) struct Object {
    pub(crate) path: PathBuf,
    pub(crate) modified: SystemTime,
    pub(crate) sidecar: Sidecar,
}

/// Why the store refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    #[error("The specified bucket does not exist")]
    NoSuchBucket,
    #[error("The specified key does not exist.")]
    NoSuchKey,
    #[error("The bucket you tried to delete is not empty")]
    BucketNotEmpty,
    #[error("Your key is too long")]
    KeyTooLong,
    #[error("At least one of the pre-conditions you specified did not hold")]
    PreconditionFailed,
    #[error("We encountered an internal error. Please try again. ({0})")]
    Io(#[from] io::Error),
}

impl Store {
    pub(crate) fn open(root: &Path) -> io::Result<Self> {
        for directory in ["buckets", "sidecars", "odd", "writing", "uploads", "changed"] {
            fs::create_dir_all(root.join(directory))?;
        }
        // What a crash left half-written is of no use to anybody.
        for entry in fs::read_dir(root.join("writing"))? {
            let _ = fs::remove_file(entry?.path());
        }
        Ok(Self { root: root.to_owned(), configurations: Mutex::default() })
    }

    pub(crate) fn bucket_directory(&self, bucket: &str) -> PathBuf {
        self.root.join("buckets").join(bucket)
    }

    pub(crate) fn uploads(&self) -> PathBuf {
        self.root.join("uploads")
    }

    pub(crate) fn has_bucket(&self, bucket: &str) -> bool {
        is_bucket_name(bucket) && self.bucket_directory(bucket).is_dir()
    }

    pub(crate) fn buckets(&self) -> io::Result<Vec<(String, SystemTime)>> {
        let mut buckets = Vec::new();
        for entry in fs::read_dir(self.root.join("buckets"))? {
            let entry = entry?;
            let created = entry.metadata()?.created().unwrap_or(SystemTime::UNIX_EPOCH);
            buckets.push((entry.file_name().to_string_lossy().into_owned(), created));
        }
        buckets.sort();
        Ok(buckets)
    }

    pub(crate) fn create_bucket(&self, bucket: &str) -> Result<(), StoreError> {
        if !is_bucket_name(bucket) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "The specified bucket is not valid.").into());
        }
        fs::create_dir_all(self.bucket_directory(bucket))?;
        Ok(())
    }

    /// Removes a bucket that holds nothing. Empty directories, which S3 does not know, are no content.
    pub(crate) fn delete_bucket(&self, bucket: &str) -> Result<(), StoreError> {
        if !self.has_bucket(bucket) {
            return Ok(());
        }
        if self.list(bucket, "", false)?.next().is_some() {
            return Err(StoreError::BucketNotEmpty);
        }
        fs::remove_dir_all(self.bucket_directory(bucket))?;
        for beside in ["sidecars", "odd"] {
            let _ = fs::remove_dir_all(self.root.join(beside).join(bucket));
        }
        self.configurations.lock().unwrap_or_else(PoisonError::into_inner).remove(bucket);
        let _ = fs::remove_file(self.changed(bucket));
        Ok(())
    }

    /// A stack says how the bucket is to be, from now on.
    pub(crate) fn configure(&self, bucket: &str, configuration: BucketConfiguration) {
        let _ = fs::remove_file(self.changed(bucket));
        self.remember(bucket, configuration);
    }

    /// A stack has said how the bucket is to be; what somebody changed past it since is still true.
    pub(crate) fn restore(&self, bucket: &str, configuration: BucketConfiguration) {
        let changed = file::read_json(&self.changed(bucket)).ok().flatten();
        self.remember(bucket, changed.map_or(configuration, |properties| BucketConfiguration { properties }));
    }

    /// Changes how a bucket is, past its stack.
    pub(crate) fn change(&self, bucket: &str, change: impl FnOnce(&mut Map)) -> Result<(), StoreError> {
        let mut configuration = self.configuration(bucket);
        let mut properties = configuration.properties.as_object().cloned().unwrap_or_default();
        change(&mut properties);
        configuration.properties = Value::Object(properties);
        file::write_json(&self.changed(bucket), &configuration.properties)?;
        self.remember(bucket, configuration);
        Ok(())
    }

    fn remember(&self, bucket: &str, configuration: BucketConfiguration) {
        let mut configurations = self.configurations.lock().unwrap_or_else(PoisonError::into_inner);
        configurations.insert(bucket.to_owned(), configuration);
    }

    fn changed(&self, bucket: &str) -> PathBuf {
        self.root.join("changed").join(format!("{bucket}.json"))
    }

    pub(crate) fn configuration(&self, bucket: &str) -> BucketConfiguration {
        let configurations = self.configurations.lock().unwrap_or_else(PoisonError::into_inner);
        configurations.get(bucket).cloned().unwrap_or_default()
    }

    pub(crate) fn has_object(&self, bucket: &str, key: &str) -> bool {
        self.file_of(bucket, key).is_some()
    }

    pub(crate) fn read(&self, bucket: &str, key: &str) -> Result<Vec<u8>, StoreError> {
        Ok(fs::read(self.object(bucket, key)?.path)?)
    }

    /// An object, with an `ETag` of its bytes.
    pub(crate) fn object(&self, bucket: &str, key: &str) -> Result<Object, StoreError> {
        if !self.has_bucket(bucket) {
            return Err(StoreError::NoSuchBucket);
        }
        let path = self.file_of(bucket, key).ok_or(StoreError::NoSuchKey)?;
        self.describe(bucket, key, path)
    }

    /// A file for an upload, on the same file system as the objects.
    pub(crate) fn temporary(&self) -> io::Result<tempfile::NamedTempFile> {
        tempfile::NamedTempFile::new_in(self.root.join("writing"))
    }

    /// Puts a finished file in its place, in one step. With `only_new`, an object that is there already is kept.
    pub(crate) fn put(
        &self,
        bucket: &str,
        key: &str,
        written: tempfile::NamedTempFile,
        mut sidecar: Sidecar,
        only_new: bool,
    ) -> Result<Object, StoreError> {
        if !self.has_bucket(bucket) {
            return Err(StoreError::NoSuchBucket);
        }
        if key.len() > 1024 || key.is_empty() {
            return Err(StoreError::KeyTooLong);
        }
        if only_new && self.has_object(bucket, key) {
            return Err(StoreError::PreconditionFailed);
        }
        let odd = self.odd_path(bucket, key);
        let plain = self.plain_path(bucket, key).filter(|_| !odd.exists());
        let first = plain.clone().unwrap_or_else(|| odd.clone());
        let moved = match move_into_place(&written, &first, only_new) {
            Ok(()) => first,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && only_new && first.is_file() => {
                return Err(StoreError::PreconditionFailed);
            }
            // Another key is a prefix of this one, or the other way round.
            Err(error) if plain.is_some() && is_conflict(&error) => {
                move_into_place(&written, &odd, only_new)?;
                odd
            }
            Err(error) => return Err(error.into()),
        };
        // The file has moved: nothing is left to remove.
        let _ = written.keep();
        let metadata = fs::metadata(&moved)?;
        key.clone_into(&mut sidecar.key);
        sidecar.size = metadata.len();
        sidecar.changed = changed(&metadata);
        file::write_json(&self.sidecar_path(bucket, key), &sidecar)?;
        if moved.starts_with(self.root.join("odd")) {
            // The name of the file is a hash: this is where the key stands for the listing.
            file::write(&moved.with_extension("key"), key.as_bytes())?;
        }
        Ok(Object { path: moved, modified: metadata.modified()?, sidecar })
    }

    /// Removes an object; one that is not there is no error.
    pub(crate) fn delete(&self, bucket: &str, key: &str) -> Result<(), StoreError> {
        if !self.has_bucket(bucket) {
            return Err(StoreError::NoSuchBucket);
        }
        if let Some(path) = self.file_of(bucket, key) {
            fs::remove_file(&path)?;
            let _ = fs::remove_file(self.sidecar_path(bucket, key));
            if path.starts_with(self.root.join("odd")) {
                let _ = fs::remove_file(path.with_extension("key"));
            }
            // Directories are no objects: the last file takes its empty ones with it.
            let root = self.bucket_directory(bucket);
            let mut directory = path.parent();
            while let Some(empty) = directory.filter(|directory| directory.starts_with(&root) && *directory != root) {
                if fs::remove_dir(empty).is_err() {
                    break;
                }
                directory = empty.parent();
            }
        }
        Ok(())
    }

    /// The keys under a prefix, sorted. With `shallow`, a directory below the prefix comes as one entry that ends in
    /// `/`, as `delimiter=/` asks for.
    pub(crate) fn list(
        &self,
        bucket: &str,
        prefix: &str,
        shallow: bool,
    ) -> Result<impl Iterator<Item = String> + use<>, StoreError> {
        if !self.has_bucket(bucket) {
            return Err(StoreError::NoSuchBucket);
        }
        let mut keys = Vec::new();
        let directory = prefix.rfind('/').map_or("", |at| &prefix[..=at]);
        let plain = directory.is_empty() || self.plain_path(bucket, directory.trim_end_matches('/')).is_some();
        if plain && !directory.contains("//") && !directory.starts_with('/') {
            walk(&self.bucket_directory(bucket).join(directory), directory, prefix, shallow, &mut keys)?;
        }
        if let Ok(entries) = fs::read_dir(self.root.join("odd").join(bucket)) {
            for entry in entries {
                let path = entry?.path();
                if path.extension().is_some_and(|extension| extension == "key") {
                    let key = fs::read_to_string(path)?;
                    if let Some(rest) = key.strip_prefix(prefix) {
                        let cut = rest.find('/').filter(|_| shallow);
                        keys.push(cut.map_or_else(|| key.clone(), |at| key[..=prefix.len() + at].to_owned()));
                    }
                }
            }
        }
        keys.sort_unstable();
        keys.dedup();
        Ok(keys.into_iter())
    }

    fn describe(&self, bucket: &str, key: &str, path: PathBuf) -> Result<Object, StoreError> {
        let metadata = fs::metadata(&path)?;
        let beside = self.sidecar_path(bucket, key);
        let known: Option<Sidecar> = fs::read(&beside).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
        let fresh = known.filter(|known| known.size == metadata.len() && known.changed == changed(&metadata));
        let sidecar = if let Some(sidecar) = fresh {
            sidecar
        } else {
            let sidecar = Sidecar {
                key: key.to_owned(),
                etag: etag_of(&path)?,
                size: metadata.len(),
                changed: changed(&metadata),
                ..Sidecar::default()
            };
            file::write_json(&beside, &sidecar)?;
            sidecar
        };
        Ok(Object { path, modified: metadata.modified()?, sidecar })
    }

    /// The file that holds an object's bytes, if there is one.
    fn file_of(&self, bucket: &str, key: &str) -> Option<PathBuf> {
        let plain = self.plain_path(bucket, key).filter(|path| path.is_file());
        plain.or_else(|| Some(self.odd_path(bucket, key)).filter(|path| path.is_file()))
    }

    /// The path that a key names inside its bucket; none if no file can have it.
    fn plain_path(&self, bucket: &str, key: &str) -> Option<PathBuf> {
        let sound = |part: &str| {
            !part.is_empty() && part != "." && part != ".." && part.len() <= LONGEST_NAME && !part.contains('\0')
        };
        key.split('/').all(sound).then(|| self.bucket_directory(bucket).join(key))
    }

    fn odd_path(&self, bucket: &str, key: &str) -> PathBuf {
        self.root.join("odd").join(bucket).join(hash(key))
    }

    fn sidecar_path(&self, bucket: &str, key: &str) -> PathBuf {
        let hash = hash(key);
        self.root.join("sidecars").join(bucket).join(&hash[..2]).join(format!("{hash}.json"))
    }
}

/// Whether a text can be the name of a bucket (and so of a directory).
pub(crate) fn is_bucket_name(name: &str) -> bool {
    (3..=63).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'.')
        && !name.starts_with(['-', '.'])
        && !name.ends_with(['-', '.'])
}

fn move_into_place(written: &tempfile::NamedTempFile, path: &Path, only_new: bool) -> io::Result<()> {
    let mut tries = 0;
    loop {
        if let Some(directory) = path.parent() {
            fs::create_dir_all(directory)?;
        }
        let moved = if only_new {
            renameat_with(CWD, written.path(), CWD, path, RenameFlags::NOREPLACE).map_err(io::Error::from)
        } else {
            fs::rename(written.path(), path)
        };
        tries += 1;
        match moved {
            // A deletion next door may have taken the directory, empty as it still was.
            Err(error) if error.kind() == io::ErrorKind::NotFound && tries < 5 => {}
            moved => return moved,
        }
    }
}

fn is_conflict(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotADirectory
            | io::ErrorKind::IsADirectory
            | io::ErrorKind::AlreadyExists
            | io::ErrorKind::DirectoryNotEmpty
    )
}

fn walk(directory: &Path, base: &str, prefix: &str, shallow: bool, keys: &mut Vec<String>) -> io::Result<()> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => return Ok(()),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        let key = format!("{base}{name}");
        if entry.file_type()?.is_dir() {
            let inside = format!("{key}/");
            if !inside.starts_with(prefix) && !prefix.starts_with(&inside) {
                continue;
            }
            if shallow && inside.starts_with(prefix) {
                let mut below = Vec::new();
                walk(&entry.path(), &inside, &inside, false, &mut below)?;
                if !below.is_empty() {
                    keys.push(inside);
                }
            } else {
                walk(&entry.path(), &inside, prefix, shallow, keys)?;
            }
        } else if key.starts_with(prefix) && !is_checksum_file(name) {
            keys.push(key);
        }
    }
    Ok(())
}

/// Hadoop's local file system writes `.name.crc` beside each file: on S3 there is no such thing.
fn is_checksum_file(name: &str) -> bool {
    name.starts_with('.') && Path::new(name).extension().is_some_and(|extension| extension == "crc")
}

fn changed(metadata: &fs::Metadata) -> i128 {
    i128::from(metadata.mtime()) * 1_000_000_000 + i128::from(metadata.mtime_nsec())
}

fn etag_of(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut hash = Md5::new();
    let mut buffer = vec![0; 256 * 1024];
    loop {
        match file.read(&mut buffer)? {
            0 => break,
            read => hash.update(&buffer[..read]),
        }
    }
    Ok(hex(&hash.finalize()))
}

fn hash(key: &str) -> String {
    sha256(key)
}
