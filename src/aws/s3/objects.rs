//! Objects: listed, read, copied, and fetched from an archive.

use std::collections::BTreeMap;
use std::time::SystemTime;

use aws_sdk_s3::primitives::DateTime;
use aws_sdk_s3::types::{GlacierJobParameters, RestoreRequest, Tier};

use super::S3;
use crate::aws::error::{Failure, Kind};

/// An object, or one version of it, as a listing shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    pub key: String,
    pub size: u64,
    /// Without quotes.
    pub etag: String,
    pub modified: SystemTime,
    /// Such as `STANDARD` or `GLACIER`.
    pub class: String,
    pub version: Option<String>,
}

/// Whether an object's bytes can be read now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readable {
    Yes,
    /// Only after a restore.
    Archived,
    /// A restore is under way.
    Soon,
}

/// The classes whose objects cannot be read before they are restored.
pub fn is_archive(class: &str) -> bool {
    matches!(class, "GLACIER" | "DEEP_ARCHIVE")
}

/// An `ETag` without the quotation marks that S3 writes around it.
fn etag(text: Option<&str>) -> String {
    text.unwrap_or_default().trim_matches('"').to_owned()
}

fn modified(time: Option<&DateTime>) -> SystemTime {
    time.and_then(|time| (*time).try_into().ok()).unwrap_or(SystemTime::UNIX_EPOCH)
}

impl S3 {
    /// All objects under a prefix, in key order.
    pub async fn list(&self, bucket: &str, prefix: &str) -> Result<Vec<Object>, Failure> {
        self.list_after(bucket, prefix, None).await
    }

    /// The objects under a prefix whose keys come after this one, in key order.
    pub async fn list_after(&self, bucket: &str, prefix: &str, after: Option<&str>) -> Result<Vec<Object>, Failure> {
        let mut objects = Vec::new();
        let request = self.0.list_objects_v2().bucket(bucket).prefix(prefix).set_start_after(after.map(str::to_owned));
        let mut pages = request.into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| Failure::new("ListObjectsV2", &error))?;
            objects.extend(page.contents().iter().filter_map(|found| {
                Some(Object {
                    key: found.key()?.to_owned(),
                    size: found.size().unwrap_or_default().unsigned_abs(),
                    etag: etag(found.e_tag()),
                    modified: modified(found.last_modified()),
                    class: found.storage_class().map_or("STANDARD", |class| class.as_str()).to_owned(),
                    version: None,
                })
            }));
        }
        Ok(objects)
    }

    /// All versions of all objects under a prefix; deletions are none.
    pub async fn list_versions(&self, bucket: &str, prefix: &str) -> Result<Vec<Object>, Failure> {
        let mut objects = Vec::new();
        let (mut key_marker, mut version_marker) = (None, None);
        loop {
            let page = self.0.list_object_versions().bucket(bucket).prefix(prefix);
            let page = page.set_key_marker(key_marker).set_version_id_marker(version_marker).send().await;
            let page = page.map_err(|error| Failure::new("ListObjectVersions", &error))?;
            objects.extend(page.versions().iter().filter_map(|found| {
                Some(Object {
                    key: found.key()?.to_owned(),
                    size: found.size().unwrap_or_default().unsigned_abs(),
                    etag: etag(found.e_tag()),
                    modified: modified(found.last_modified()),
                    class: found.storage_class().map_or("STANDARD", |class| class.as_str()).to_owned(),
                    version: found.version_id().filter(|id| *id != "null").map(str::to_owned),
                })
            }));
            if page.is_truncated() != Some(true) {
                return Ok(objects);
            }
            (key_marker, version_marker) = (page.next_key_marker, page.next_version_id_marker);
        }
    }

    /// An object's bytes; none if it is not there.
    pub async fn get(&self, bucket: &str, key: &str) -> Result<Option<Vec<u8>>, Failure> {
        let answer = match self.0.get_object().bucket(bucket).key(key).send().await {
            Ok(answer) => answer,
            Err(error) => match Failure::new("GetObject", &error) {
                Failure { kind: Kind::NotFound, .. } => return Ok(None),
                failure => return Err(failure),
            },
        };
        let cut = |error: aws_sdk_s3::primitives::ByteStreamError| Failure {
            kind: Kind::NoAnswer,
            action: "GetObject",
            code: String::new(),
            message: format!("s3://{bucket}/{key} was cut off: {error}"),
            request_id: None,
        };
        Ok(Some(answer.body.collect().await.map_err(cut)?.to_vec()))
    }

    /// Many small objects, some at a time, by their keys. One that has gone is left out.
    pub async fn get_all(&self, bucket: &str, keys: &[String]) -> Result<BTreeMap<String, Vec<u8>>, Failure> {
        const AT_ONCE: usize = 16;
        let mut found = BTreeMap::new();
        let mut under_way = tokio::task::JoinSet::new();
        let mut keys = keys.iter();
        loop {
            while under_way.len() < AT_ONCE
                && let Some(key) = keys.next()
            {
                let (s3, bucket, key) = (self.clone(), bucket.to_owned(), key.clone());
                under_way.spawn(async move { s3.get(&bucket, &key).await.map(|bytes| (key, bytes)) });
            }
            match under_way.join_next().await {
                None => return Ok(found),
                Some(Ok(Ok((key, Some(bytes))))) => drop(found.insert(key, bytes)),
                Some(Ok(Ok((_, None))) | Err(_)) => {}
                Some(Ok(Err(failure))) => return Err(failure),
            }
        }
    }

    /// Copies an object, or one version of it, within S3.
    pub async fn copy(&self, from: (&str, &Object), to: (&str, &str)) -> Result<(), Failure> {
        let (bucket, object) = from;
        let version = object.version.as_deref().map(|id| format!("?versionId={id}")).unwrap_or_default();
        let source = format!("{bucket}/{}{version}", encoded(&object.key));
        let copy = self.0.copy_object().copy_source(source).bucket(to.0).key(to.1);
        // Of another version than the one that was listed nothing is copied.
        let copy = copy.copy_source_if_match(format!("\"{}\"", object.etag));
        copy.send().await.map_err(|error| Failure::new("CopyObject", &error)).map(drop)
    }

    /// Whether an archived object can be read now.
    pub async fn readable(&self, bucket: &str, object: &Object) -> Result<Readable, Failure> {
        if !is_archive(&object.class) {
            return Ok(Readable::Yes);
        }
        let head = self.0.head_object().bucket(bucket).key(&object.key).set_version_id(object.version.clone());
        let head = head.send().await.map_err(|error| Failure::new("HeadObject", &error))?;
        Ok(match head.restore() {
            Some(state) if state.contains("ongoing-request=\"true\"") => Readable::Soon,
            Some(_) => Readable::Yes,
            None => Readable::Archived,
        })
    }

    /// Asks for an archived object to be readable for some days.
    pub async fn restore(&self, bucket: &str, object: &Object, tier: &str, days: i32) -> Result<(), Failure> {
        let tier = GlacierJobParameters::builder().tier(Tier::from(tier)).build();
        let tier = tier.map_err(|error| Failure {
            kind: Kind::Other,
            action: "RestoreObject",
            code: String::new(),
            message: error.to_string(),
            request_id: None,
        })?;
        let request = RestoreRequest::builder().days(days).glacier_job_parameters(tier).build();
        let restore = self.0.restore_object().bucket(bucket).key(&object.key);
        let restore = restore.set_version_id(object.version.clone()).restore_request(request);
        match restore.send().await {
            Ok(_) => Ok(()),
            Err(error) => match Failure::new("RestoreObject", &error) {
                failure if failure.code == "RestoreAlreadyInProgress" => Ok(()),
                failure => Err(failure),
            },
        }
    }
}

/// A key as a copy's source takes it.
fn encoded(key: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~/".contains(&byte);
    key.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}
