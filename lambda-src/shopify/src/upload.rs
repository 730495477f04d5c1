//! One table's rows on their way to one S3 object.

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use pipeline::Result;
use pipeline::error::aws;
use pipeline::s3::Bucket;

/// Above S3's least part size of 5 MiB; 10,000 such parts make 80 GiB.
const PART: usize = 8 << 20;

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
    parts: Vec<CompletedPart>,
}

impl Upload {
    pub fn new(bucket: Bucket, key: String) -> Self {
        Self { bucket, key, rows: 0, buffer: Vec::new(), id: None, parts: Vec::new() }
    }

    pub async fn write(&mut self, line: &[u8]) -> Result<()> {
        let needed = self.buffer.len() + line.len() + 1;
        if needed > self.buffer.capacity() {
            // Doubling past a part would hold twice the memory that is ever used.
            let capacity = (self.buffer.capacity() * 2).clamp(64 << 10, PART + (64 << 10)).max(needed);
            self.buffer.reserve_exact(capacity - self.buffer.len());
        }
        self.buffer.extend_from_slice(line);
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
        let client = &self.bucket.client;
        let parts = CompletedMultipartUpload::builder().set_parts(Some(self.parts)).build();
        let request = client.complete_multipart_upload().bucket(&self.bucket.name).key(&self.key);
        let sent = request.set_upload_id(self.id).multipart_upload(parts).send().await;
        sent.map_err(|error| self.bucket.error("write", &self.key, aws(&error)))?;
        Ok(self.key)
    }

    /// Throws away what was uploaded. A failure is only logged: the bucket's lifecycle removes the rest.
    pub async fn abort(self) {
        if self.id.is_none() {
            return;
        }
        let client = &self.bucket.client;
        let request = client.abort_multipart_upload().bucket(&self.bucket.name).key(&self.key);
        if let Err(error) = request.set_upload_id(self.id).send().await {
            tracing::warn!("{}", self.bucket.error("abort the upload of", &self.key, aws(&error)));
        }
    }

    async fn send_part(&mut self) -> Result<()> {
        let error = |cause| self.bucket.error("write", &self.key, cause);
        let (client, name) = (&self.bucket.client, &self.bucket.name);
        if self.id.is_none() {
            let request = client.create_multipart_upload().bucket(name).key(&self.key);
            let created = request.send().await.map_err(|sdk| error(aws(&sdk)))?;
            let id = created.upload_id.ok_or_else(|| error("S3 gave no upload id".to_owned()))?;
            self.id = Some(id);
        }
        let number = i32::try_from(self.parts.len() + 1).map_err(|_| error("too many parts".to_owned()))?;
        let body = ByteStream::from(std::mem::take(&mut self.buffer));
        let request = client.upload_part().bucket(name).key(&self.key).part_number(number);
        let sent = request.set_upload_id(self.id.clone()).body(body).send().await;
        let sent = sent.map_err(|sdk| error(aws(&sdk)))?;
        let part = CompletedPart::builder()
            .part_number(number)
            .set_e_tag(sent.e_tag)
            .set_checksum_crc32(sent.checksum_crc32)
            .set_checksum_crc64_nvme(sent.checksum_crc64_nvme)
            .build();
        self.parts.push(part);
        Ok(())
    }
}
