//! S3: artifacts, and what is left in buckets.

mod objects;
mod upload;

use aws_config::SdkConfig;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{ChecksumAlgorithm, Delete, ObjectIdentifier};

use super::error::{Failure, Kind};

pub use objects::{Object, Readable, is_archive};
pub use upload::{Digests, part_size};

/// S3 in our words.
#[derive(Debug, Clone)]
pub struct S3(aws_sdk_s3::Client);

/// A version of an object, or a marker that one was deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    pub key: String,
    pub id: Option<String>,
}

impl S3 {
    pub(super) fn new(config: &SdkConfig, path_style: bool) -> Self {
        let config = aws_sdk_s3::config::Builder::from(config).force_path_style(path_style).build();
        Self(aws_sdk_s3::Client::from_conf(config))
    }

    /// Whether an object is there.
    pub async fn exists(&self, bucket: &str, key: &str) -> Result<bool, Failure> {
        match self.0.head_object().bucket(bucket).key(key).send().await {
            Ok(_) => Ok(true),
            Err(error) => match Failure::new("HeadObject", &error) {
                // A HEAD has no body, so a missing bucket looks the same: the upload reports it.
                Failure { kind: Kind::NotFound | Kind::NoSuchBucket, .. } => Ok(false),
                // And so does a 400: what it means on a good request is a token that is too old.
                failure if failure.kind == Kind::Other && failure.code.is_empty() => Err(Failure {
                    kind: Kind::Credentials,
                    message: format!("{}, as it does when credentials have expired", failure.message),
                    ..failure
                }),
                failure => Err(failure),
            },
        }
    }

    /// Stores an object under a key that must be free. Returns whether it was. S3 checks the bytes by their sha256.
    pub async fn create(&self, bucket: &str, key: &str, bytes: Vec<u8>) -> Result<bool, Failure> {
        let put = self
            .0
            .put_object()
            .bucket(bucket)
            .key(key)
            .if_none_match("*")
            .checksum_algorithm(ChecksumAlgorithm::Sha256)
            .body(ByteStream::from(bytes));
        match put.send().await {
            Ok(_) => Ok(true),
            Err(error) => match Failure::new("PutObject", &error) {
                Failure { kind: Kind::PreconditionFailed, .. } => Ok(false),
                failure => Err(failure),
            },
        }
    }

    /// Stores an object, over one that is there. S3 checks the bytes by their sha256.
    pub async fn put(&self, bucket: &str, key: &str, bytes: Vec<u8>) -> Result<(), Failure> {
        let put = self.0.put_object().bucket(bucket).key(key).checksum_algorithm(ChecksumAlgorithm::Sha256);
        let put = put.body(ByteStream::from(bytes)).send().await;
        put.map_err(|error| Failure::new("PutObject", &error)).map(drop)
    }

    /// Up to 1,000 versions of a bucket's objects, delete markers among them; none if there is no such bucket.
    pub async fn versions(&self, bucket: &str) -> Result<Option<Vec<Version>>, Failure> {
        let listed = match self.0.list_object_versions().bucket(bucket).send().await {
            Ok(listed) => listed,
            Err(error) => match Failure::new("ListObjectVersions", &error) {
                Failure { kind: Kind::NoSuchBucket | Kind::NotFound, .. } => return Ok(None),
                failure => return Err(failure),
            },
        };
        let versions = listed.versions().iter().map(|version| (version.key(), version.version_id()));
        let markers = listed.delete_markers().iter().map(|marker| (marker.key(), marker.version_id()));
        let version = |(key, id): (Option<&str>, Option<&str>)| {
            // A bucket that was never versioned calls its only version `null`.
            Some(Version { key: key?.to_owned(), id: id.filter(|id| *id != "null").map(str::to_owned) })
        };
        Ok(Some(versions.chain(markers).filter_map(version).collect()))
    }

    /// Deletes an empty bucket. One that is gone is as good; S3 refuses one that holds anything.
    pub async fn delete_bucket(&self, bucket: &str) -> Result<(), Failure> {
        match self.0.delete_bucket().bucket(bucket).send().await {
            Ok(_) => Ok(()),
            Err(error) => match Failure::new("DeleteBucket", &error) {
                Failure { kind: Kind::NoSuchBucket | Kind::NotFound, .. } => Ok(()),
                failure => Err(failure),
            },
        }
    }

    /// Deletes versions for good.
    pub async fn delete(&self, bucket: &str, versions: &[Version]) -> Result<(), Failure> {
        let identifier = |version: &Version| {
            ObjectIdentifier::builder().key(&version.key).set_version_id(version.id.clone()).build()
        };
        let failed = |message: String| Failure {
            kind: Kind::Other,
            action: "DeleteObjects",
            code: String::new(),
            message,
            request_id: None,
        };
        let objects: Vec<_> =
            versions.iter().map(identifier).collect::<Result<_, _>>().map_err(|error| failed(error.to_string()))?;
        let delete = Delete::builder()
            .set_objects(Some(objects))
            .quiet(true)
            .build()
            .map_err(|error| failed(error.to_string()))?;
        let deleted = self.0.delete_objects().bucket(bucket).delete(delete).send().await;
        let deleted = deleted.map_err(|error| Failure::new("DeleteObjects", &error))?;
        match deleted.errors().first() {
            None => Ok(()),
            Some(error) => Err(failed(format!(
                "`{}` stays: {}",
                error.key().unwrap_or_default(),
                error.message().or(error.code()).unwrap_or("no reason given")
            ))),
        }
    }
}
