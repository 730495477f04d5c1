//! A file to an object, whole or not at all.

use std::path::Path;

use aws_sdk_s3::primitives::{ByteStream, Length};
use aws_sdk_s3::types::{ChecksumAlgorithm, CompletedMultipartUpload, CompletedPart};
use aws_smithy_types::base64;
use serde::Serialize;
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::JoinSet;

use super::S3;
use crate::aws::error::{Failure, Kind};

const MIB: u64 = 1024 * 1024;
/// S3 takes so many parts of one upload.
const MOST_PARTS: u64 = 10_000;
/// How many parts are on their way at a time.
const AT_ONCE: usize = 4;

/// What the bytes of a file are: S3 compares, and refuses others.
#[derive(Debug, Clone, Serialize)]
pub struct Digests {
    pub size: u64,
    /// Of the whole, in hexadecimal digits.
    pub sha256: String,
    #[serde(skip)]
    pub part_size: u64,
    /// Of each part.
    #[serde(skip)]
    pub parts: Vec<[u8; 32]>,
}

/// The size of a part of a file of this size. It follows from the size alone, and with it the object's `ETag`: a file
/// that comes again is the same object to the ledger.
pub fn part_size(size: u64) -> u64 {
    let least = size.div_ceil(MOST_PARTS).div_ceil(MIB) * MIB;
    least.max(16 * MIB)
}

impl S3 {
    /// Stores a file under a key that must be free; answers whether it was. `sent` hears of the bytes that have arrived.
    pub async fn upload(
        &self,
        bucket: &str,
        key: &str,
        path: &Path,
        digests: &Digests,
        sent: &UnboundedSender<u64>,
    ) -> Result<bool, Failure> {
        let stored = match digests.parts.as_slice() {
            [only] => self.put_whole(bucket, key, path, only, digests.size, sent).await,
            _ => self.put_parts(bucket, key, path, digests, sent).await,
        };
        match stored {
            Ok(()) => Ok(true),
            Err(Failure { kind: Kind::PreconditionFailed, .. }) => Ok(false),
            Err(failure) => Err(failure),
        }
    }

    async fn put_whole(
        &self,
        bucket: &str,
        key: &str,
        path: &Path,
        sha256: &[u8; 32],
        size: u64,
        sent: &UnboundedSender<u64>,
    ) -> Result<(), Failure> {
        let put = self.0.put_object().bucket(bucket).key(key).if_none_match("*");
        let put = put.checksum_sha256(base64::encode(sha256)).body(piece(path, 0, size).await?);
        put.send().await.map_err(|error| Failure::new("PutObject", &error))?;
        let _ = sent.send(size);
        Ok(())
    }

    async fn put_parts(
        &self,
        bucket: &str,
        key: &str,
        path: &Path,
        digests: &Digests,
        sent: &UnboundedSender<u64>,
    ) -> Result<(), Failure> {
        let create = self.0.create_multipart_upload().bucket(bucket).key(key);
        let created = create.checksum_algorithm(ChecksumAlgorithm::Sha256).send().await;
        let created = created.map_err(|error| Failure::new("CreateMultipartUpload", &error))?;
        let id = created.upload_id().unwrap_or_default();
        // An interrupted upload leaves parts that are billed: the caller must abort it.
        let mut unfinished =
            Unfinished { s3: self.clone(), bucket: bucket.into(), key: key.into(), id: Some(id.into()) };
        let done = async {
            let parts = self.parts(bucket, key, path, id, digests, sent).await?;
            let all = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
            let complete = self.0.complete_multipart_upload().bucket(bucket).key(key).upload_id(id);
            let complete = complete.multipart_upload(all).if_none_match("*").send().await;
            complete.map_err(|error| Failure::new("CompleteMultipartUpload", &error)).map(drop)
        };
        let done = done.await;
        if done.is_err() {
            unfinished.call_off().await;
        }
        unfinished.id = None;
        done
    }

    async fn parts(
        &self,
        bucket: &str,
        key: &str,
        path: &Path,
        id: &str,
        digests: &Digests,
        sent: &UnboundedSender<u64>,
    ) -> Result<Vec<CompletedPart>, Failure> {
        let mut under_way: JoinSet<Result<CompletedPart, Failure>> = JoinSet::new();
        let mut done = Vec::with_capacity(digests.parts.len());
        for (number, sha256) in (1_i32..).zip(&digests.parts) {
            if under_way.len() == AT_ONCE
                && let Some(part) = under_way.join_next().await
            {
                done.push(joined(part)?);
            }
            let start = digests.part_size * u64::from(number.unsigned_abs() - 1);
            let size = digests.part_size.min(digests.size - start);
            let checksum = base64::encode(sha256);
            let request = self.0.upload_part().bucket(bucket).key(key).upload_id(id).part_number(number);
            let (request, path, sent) = (request.checksum_sha256(&checksum), path.to_owned(), sent.clone());
            under_way.spawn(async move {
                let answer = request.body(piece(&path, start, size).await?).send().await;
                let answer = answer.map_err(|error| Failure::new("UploadPart", &error))?;
                let _ = sent.send(size);
                let part = CompletedPart::builder().part_number(number).checksum_sha256(checksum);
                Ok(part.set_e_tag(answer.e_tag).build())
            });
        }
        while let Some(part) = under_way.join_next().await {
            done.push(joined(part)?);
        }
        done.sort_by_key(CompletedPart::part_number);
        Ok(done)
    }
}

fn joined(part: Result<Result<CompletedPart, Failure>, tokio::task::JoinError>) -> Result<CompletedPart, Failure> {
    part.map_err(|error| local("UploadPart", error.to_string()))?
}

async fn piece(path: &Path, start: u64, size: u64) -> Result<ByteStream, Failure> {
    let body = ByteStream::read_from().path(path).offset(start).length(Length::Exact(size)).build().await;
    body.map_err(|error| local("PutObject", format!("`{}`: {error}", path.display())))
}

fn local(action: &'static str, message: String) -> Failure {
    Failure { kind: Kind::Other, action, code: String::new(), message, request_id: None }
}

/// An upload in parts that is not complete.
struct Unfinished {
    s3: S3,
    bucket: String,
    key: String,
    id: Option<String>,
}

impl Unfinished {
    async fn call_off(&mut self) {
        if let Some(id) = self.id.take() {
            let abort = self.s3.0.abort_multipart_upload().bucket(&self.bucket).key(&self.key).upload_id(id);
            // Where this fails too, the bucket's lifecycle takes the parts away.
            let _ = abort.send().await;
        }
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if let (Some(id), Ok(runtime)) = (self.id.take(), tokio::runtime::Handle::try_current()) {
            let mut late =
                Self { s3: self.s3.clone(), bucket: self.bucket.clone(), key: self.key.clone(), id: Some(id) };
            runtime.spawn(async move { late.call_off().await });
        }
    }
}
