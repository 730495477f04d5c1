//! One table's rows on their way to one S3 object.

use std::sync::Arc;

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use pipeline::error::aws;
use pipeline::s3::Bucket;
use pipeline::{Error, Result};
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

/// S3's least part size; 10,000 such parts make 48 GiB.
const PART: usize = 5 << 20;

/// Room for the row that fills a part up.
const ROOM: usize = 64 << 10;

/// Lets one part at a time go over the network, whichever table it is of, so that memory does not grow with the tables.
pub type Lane = Arc<Semaphore>;

pub fn lane() -> Lane {
    Arc::new(Semaphore::new(1))
}

/// A part that S3 has.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
pub struct Part {
    number: i32,
    etag: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    crc32: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    crc64nvme: Option<String>,
}

/// An upload that another invocation goes on with.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
pub struct Parked {
    pub key: String,
    pub rows: u64,
    pub id: Option<String>,
    pub parts: Vec<Part>,
    /// The object with the rows that fill no part yet.
    pub rest: String,
}

/// Collects lines and uploads them part by part. Nothing is visible in the bucket before [`Upload::complete`].
///
/// The parts are cut by the lines alone, so that equal lines give an object with an equal etag, however the network
/// delivered them.
#[derive(Debug)]
pub struct Upload {
    bucket: Bucket,
    pub key: String,
    pub rows: u64,
    buffer: Vec<u8>,
    id: Option<String>,
    parts: Vec<Part>,
    /// The last part, while it goes over the network.
    sending: Option<JoinHandle<Result<Part>>>,
    lane: Lane,
}

impl Upload {
    pub fn new(bucket: Bucket, key: String, lane: Lane) -> Self {
        Self { bucket, key, rows: 0, buffer: Vec::new(), id: None, parts: Vec::new(), sending: None, lane }
    }

    /// Goes on with a parked upload.
    pub async fn resume(bucket: Bucket, parked: &Parked, lane: Lane) -> Result<Self> {
        let rest = bucket.get(&parked.rest).await?;
        let buffer = rest.ok_or_else(|| {
            Error::new(format!("s3://{}/{}, the start of a part, was deleted", bucket.name, parked.rest))
                .hint("the whole result is read again")
        })?;
        let (id, parts) = (parked.id.clone(), parked.parts.clone());
        Ok(Self { bucket, key: parked.key.clone(), rows: parked.rows, buffer, id, parts, sending: None, lane })
    }

    /// Writes a row, given in pieces, and its line break.
    pub async fn write(&mut self, pieces: &[impl AsRef<[u8]>]) -> Result<()> {
        let length: usize = pieces.iter().map(|piece| piece.as_ref().len()).sum();
        let needed = self.buffer.len() + length + 1;
        if needed > self.buffer.capacity() {
            // Doubling past a part would hold twice the memory that is ever used.
            let capacity = (self.buffer.capacity() * 2).clamp(ROOM, PART + ROOM).max(needed);
            self.buffer.reserve_exact(capacity - self.buffer.len());
        }
        for piece in pieces {
            self.buffer.extend_from_slice(piece.as_ref());
        }
        self.buffer.push(b'\n');
        self.rows += 1;
        if self.buffer.len() >= PART {
            self.send_part().await?;
        }
        Ok(())
    }

    /// Makes the object appear, whole.
    pub async fn complete(mut self) -> Result<String> {
        if self.id.is_none() {
            self.bucket.put(&self.key, self.buffer).await?;
            return Ok(self.key);
        }
        if !self.buffer.is_empty() {
            self.send_part().await?;
        }
        self.sent().await?;
        let client = &self.bucket.client;
        let parts = self.parts.into_iter().map(|part| {
            CompletedPart::builder()
                .part_number(part.number)
                .set_e_tag(part.etag)
                .set_checksum_crc32(part.crc32)
                .set_checksum_crc64_nvme(part.crc64nvme)
                .build()
        });
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts.collect())).build();
        let request = client.complete_multipart_upload().bucket(&self.bucket.name).key(&self.key);
        let sent = request.set_upload_id(self.id).multipart_upload(parts).send().await;
        sent.map_err(|error| self.bucket.error("write", &self.key, aws(&error)))?;
        Ok(self.key)
    }

    /// Leaves the upload to another invocation; `rest` is the key for the rows that fill no part yet.
    pub async fn park(mut self, rest: String) -> Result<Parked> {
        self.sent().await?;
        self.bucket.put(&rest, self.buffer).await?;
        Ok(Parked { key: self.key, rows: self.rows, id: self.id, parts: self.parts, rest })
    }

    /// Throws away what was uploaded. A failure is only logged: the bucket's lifecycle removes the rest.
    pub async fn abort(mut self) {
        if self.id.is_none() {
            return;
        }
        if let Err(error) = self.sent().await {
            tracing::debug!("{error}");
        }
        let client = &self.bucket.client;
        let request = client.abort_multipart_upload().bucket(&self.bucket.name).key(&self.key);
        if let Err(error) = request.set_upload_id(self.id).send().await {
            tracing::warn!("{}", self.bucket.error("abort the upload of", &self.key, aws(&error)));
        }
    }

    /// Waits until the last part has arrived.
    async fn sent(&mut self) -> Result<()> {
        if let Some(sending) = self.sending.take() {
            let part = sending.await.map_err(|error| Error::new("an upload was interrupted").cause(error))?;
            self.parts.push(part?);
        }
        Ok(())
    }

    /// Sends a part while the next rows are read.
    async fn send_part(&mut self) -> Result<()> {
        self.sent().await?;
        let error = |cause| self.bucket.error("write", &self.key, cause);
        let (client, name) = (&self.bucket.client, &self.bucket.name);
        if self.id.is_none() {
            let request = client.create_multipart_upload().bucket(name).key(&self.key);
            let created = request.send().await.map_err(|sdk| error(aws(&sdk)))?;
            let id = created.upload_id.ok_or_else(|| error("S3 gave no upload id".to_owned()))?;
            self.id = Some(id);
        }
        let number = i32::try_from(self.parts.len() + 1).map_err(|_| error("too many parts".to_owned()))?;
        let permit = Arc::clone(&self.lane).acquire_owned().await;
        let permit = permit.map_err(|closed| error(closed.to_string()))?;
        let body = ByteStream::from(std::mem::take(&mut self.buffer));
        let request = client.upload_part().bucket(name).key(&self.key).part_number(number);
        let request = request.set_upload_id(self.id.clone()).body(body);
        let (bucket, key) = (self.bucket.clone(), self.key.clone());
        self.sending = Some(tokio::spawn(async move {
            let sent = request.send().await.map_err(|sdk| bucket.error("write", &key, aws(&sdk)));
            drop(permit);
            let sent = sent?;
            let (crc32, crc64nvme) = (sent.checksum_crc32, sent.checksum_crc64_nvme);
            Ok(Part { number, etag: sent.e_tag, crc32, crc64nvme })
        }));
        Ok(())
    }
}
