//! The operations of S3.

use std::collections::BTreeMap;
use std::io;
use std::io::SeekFrom;
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use futures_util::stream;
use s3s::dto::{
    AbortMultipartUploadInput, AbortMultipartUploadOutput, Bucket, BucketLocationConstraint,
    CompleteMultipartUploadInput, CompleteMultipartUploadOutput, CopyObjectInput, CopyObjectOutput, CopyObjectResult,
    CopySource, CreateBucketInput, CreateBucketOutput, CreateMultipartUploadInput, CreateMultipartUploadOutput,
    DeleteBucketInput, DeleteBucketLifecycleInput, DeleteBucketLifecycleOutput, DeleteBucketOutput,
    DeleteBucketTaggingInput, DeleteBucketTaggingOutput, DeleteObjectInput, DeleteObjectOutput, DeleteObjectsInput,
    DeleteObjectsOutput, DeletedObject, ETag, ETagCondition, GetBucketEncryptionInput, GetBucketEncryptionOutput,
    GetBucketLifecycleConfigurationInput, GetBucketLifecycleConfigurationOutput, GetBucketLocationInput,
    GetBucketLocationOutput, GetBucketNotificationConfigurationInput, GetBucketNotificationConfigurationOutput,
    GetBucketTaggingInput, GetBucketTaggingOutput, GetBucketVersioningInput, GetBucketVersioningOutput, GetObjectInput,
    GetObjectOutput, GetPublicAccessBlockInput, GetPublicAccessBlockOutput, HeadBucketInput, HeadBucketOutput,
    HeadObjectInput, HeadObjectOutput, ListBucketsInput, ListBucketsOutput, ListObjectVersionsInput,
    ListObjectVersionsOutput, ListObjectsInput, ListObjectsOutput, ListObjectsV2Input, ListObjectsV2Output,
    ListPartsInput, ListPartsOutput, Metadata, PutBucketTaggingInput, PutBucketTaggingOutput, PutBucketVersioningInput,
    PutBucketVersioningOutput, PutObjectInput, PutObjectOutput, PutPublicAccessBlockInput, PutPublicAccessBlockOutput,
    StreamingBlob, Timestamp, UploadPartInput, UploadPartOutput,
};
use s3s::{S3, S3Error, S3ErrorCode, S3Request, S3Response, S3Result};
use tokio::io::{AsyncReadExt, AsyncSeekExt};

use super::checksum::{self, Written};
use super::chunked::Trailers;
use super::server::{Caller, Listeners, ObjectEvent};
use super::store::{Object as Stored, Sidecar, Store, StoreError};
use super::{bucket, list, multipart, replication};
use crate::local::clock;

/// S3 over a store.
pub(super) struct Api {
    pub(super) store: Arc<Store>,
    pub(super) listeners: Arc<Listeners>,
    pub(super) region: String,
}

pub(super) fn internal(message: &str) -> S3Error {
    S3Error::with_message(S3ErrorCode::InternalError, message.to_owned())
}

pub(super) fn of_io(error: &io::Error) -> S3Error {
    use io::ErrorKind::{FileTooLarge, PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull};
    // To try again would not help: the disk of this machine is what fails.
    if matches!(error.kind(), FileTooLarge | PermissionDenied | QuotaExceeded | ReadOnlyFilesystem | StorageFull) {
        let message = format!("the local account cannot write to its disk: {error}");
        let mut refused = S3Error::with_message(S3ErrorCode::Custom("InsufficientStorage".into()), message);
        refused.set_status_code(axum::http::StatusCode::CONFLICT);
        return refused;
    }
    internal(&format!("We encountered an internal error. Please try again. ({error})"))
}

impl From<StoreError> for S3Error {
    fn from(error: StoreError) -> Self {
        let code = match &error {
            StoreError::NoSuchBucket => S3ErrorCode::NoSuchBucket,
            StoreError::NoSuchKey => S3ErrorCode::NoSuchKey,
            StoreError::BucketNotEmpty => S3ErrorCode::BucketNotEmpty,
            StoreError::KeyTooLong => S3ErrorCode::KeyTooLongError,
            StoreError::PreconditionFailed => S3ErrorCode::PreconditionFailed,
            StoreError::Io(inner) if inner.kind() == io::ErrorKind::InvalidInput => S3ErrorCode::InvalidBucketName,
            StoreError::Io(inner) => return of_io(inner),
        };
        Self::with_message(code, error.to_string())
    }
}

/// What a request brings besides its input.
pub(super) struct Context {
    pub(super) access_key: String,
    pub(super) trailers: Trailers,
    pub(super) announced: Option<String>,
}

pub(super) fn context<T>(request: &S3Request<T>) -> Context {
    Context {
        access_key: request.extensions.get::<Caller>().map(|caller| caller.access_key.clone()).unwrap_or_default(),
        trailers: request.extensions.get::<Trailers>().cloned().unwrap_or_default(),
        announced: request.headers.get("x-amz-trailer").and_then(|value| value.to_str().ok()).map(str::to_owned),
    }
}

pub(super) fn etag(text: &str) -> ETag {
    ETag::Strong(text.to_owned())
}

pub(super) fn timestamp(time: SystemTime) -> Timestamp {
    Timestamp::from(time)
}

pub(super) fn length(size: u64) -> Option<i64> {
    i64::try_from(size).ok()
}

impl Api {
    /// Tells everybody of an object that was written, and copies it where it belongs.
    pub(super) fn written(&self, bucket: &str, stored: &Stored, event_name: &'static str, access_key: &str) {
        replication::replicate(&self.store, bucket, &stored.sidecar.key);
        self.listeners.tell(&ObjectEvent {
            bucket: bucket.to_owned(),
            key: stored.sidecar.key.clone(),
            size: stored.sidecar.size,
            etag: stored.sidecar.etag.clone(),
            event_name,
            access_key: access_key.to_owned(),
            time: clock::now(),
        });
    }

    fn require(&self, bucket: &str) -> S3Result<()> {
        if self.store.has_bucket(bucket) { Ok(()) } else { Err(StoreError::NoSuchBucket.into()) }
    }

    /// An object, if the conditions of the request let it out.
    fn readable(
        &self,
        bucket: &str,
        key: &str,
        if_match: Option<&ETagCondition>,
        if_none_match: Option<&ETagCondition>,
    ) -> S3Result<Stored> {
        let object = self.store.object(bucket, key)?;
        let is = |condition: &ETagCondition| match condition {
            ETagCondition::Any => true,
            ETagCondition::ETag(tag) => tag.value() == object.sidecar.etag,
        };
        if if_match.is_some_and(|condition| !is(condition)) {
            return Err(StoreError::PreconditionFailed.into());
        }
        if if_none_match.is_some_and(is) {
            return Err(S3Error::new(S3ErrorCode::NotModified));
        }
        Ok(object)
    }
}

/// The headers of an object that a client gave and gets back.
pub(super) fn kept_headers(pairs: [(&str, Option<String>); 4]) -> BTreeMap<String, String> {
    pairs.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

pub(super) fn sidecar_of(written: &Written, content_type: Option<String>, metadata: Option<Metadata>) -> Sidecar {
    Sidecar {
        etag: written.etag(),
        content_type,
        metadata: metadata.unwrap_or_default().into_iter().collect(),
        checksums: written.checksums.clone(),
        ..Sidecar::default()
    }
}

/// The answer to `HeadObject`; `GetObject` adds the body.
fn head(object: &Stored) -> HeadObjectOutput {
    let sidecar = &object.sidecar;
    let header = |name: &str| sidecar.headers.get(name).cloned();
    HeadObjectOutput {
        accept_ranges: Some("bytes".to_owned()),
        cache_control: header("cache-control"),
        content_disposition: header("content-disposition"),
        content_encoding: header("content-encoding"),
        content_language: header("content-language"),
        content_length: length(sidecar.size),
        content_type: Some(sidecar.content_type.clone().unwrap_or_else(|| "binary/octet-stream".to_owned())),
        e_tag: Some(etag(&sidecar.etag)),
        last_modified: Some(timestamp(object.modified)),
        metadata: Some(sidecar.metadata.clone().into_iter().collect()),
        ..HeadObjectOutput::default()
    }
}

#[async_trait::async_trait]
impl S3 for Api {
    async fn get_object(&self, request: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        let input = request.input;
        let object = self.readable(&input.bucket, &input.key, input.if_match.as_ref(), input.if_none_match.as_ref())?;
        let size = object.sidecar.size;
        let range = match input.range {
            Some(range) => Some(range.check(size)?),
            None => None,
        };
        let (start, end) = range.as_ref().map_or((0, size), |range| (range.start, range.end));
        let mut file = tokio::fs::File::open(&object.path).await.map_err(|error| of_io(&error))?;
        file.seek(SeekFrom::Start(start)).await.map_err(|error| of_io(&error))?;
        let described = head(&object);
        let whole = range.is_none() && input.checksum_mode.as_ref().is_some_and(|mode| mode.as_str() == "ENABLED");
        let checksum = |name: &str| object.sidecar.checksums.get(name).cloned().filter(|_| whole);
        let output = GetObjectOutput {
            body: Some(content(file, end - start)),
            accept_ranges: described.accept_ranges,
            cache_control: described.cache_control,
            content_disposition: described.content_disposition,
            content_encoding: described.content_encoding,
            content_language: described.content_language,
            content_length: length(end - start),
            content_range: range.map(|range| format!("bytes {}-{}/{size}", range.start, range.end - 1)),
            content_type: described.content_type,
            e_tag: described.e_tag,
            last_modified: described.last_modified,
            metadata: described.metadata,
            checksum_crc32: checksum("crc32"),
            checksum_crc32c: checksum("crc32c"),
            checksum_crc64nvme: checksum("crc64nvme"),
            checksum_sha1: checksum("sha1"),
            checksum_sha256: checksum("sha256"),
            ..GetObjectOutput::default()
        };
        Ok(S3Response::new(output))
    }

    async fn head_object(&self, request: S3Request<HeadObjectInput>) -> S3Result<S3Response<HeadObjectOutput>> {
        let input = request.input;
        let object = self.readable(&input.bucket, &input.key, input.if_match.as_ref(), input.if_none_match.as_ref())?;
        Ok(S3Response::new(head(&object)))
    }

    async fn put_object(&self, request: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
        let context = context(&request);
        let input = request.input;
        self.require(&input.bucket)?;
        let expected = checksum::expected([
            ("crc32", &input.checksum_crc32),
            ("crc32c", &input.checksum_crc32c),
            ("crc64nvme", &input.checksum_crc64nvme),
            ("sha1", &input.checksum_sha1),
            ("sha256", &input.checksum_sha256),
        ]);
        let file = self.store.temporary().map_err(|error| of_io(&error))?;
        let written = checksum::write(
            input.body,
            file,
            context.announced.as_deref(),
            expected,
            input.content_md5.as_deref(),
            &context.trailers,
        )
        .await?;
        let mut sidecar = sidecar_of(&written, input.content_type, input.metadata);
        sidecar.headers = kept_headers([
            ("cache-control", input.cache_control),
            ("content-disposition", input.content_disposition),
            ("content-encoding", input.content_encoding),
            ("content-language", input.content_language),
        ]);
        let only_new = matches!(input.if_none_match, Some(ETagCondition::Any));
        if let Some(condition) = &input.if_match {
            self.readable(&input.bucket, &input.key, Some(condition), None)?;
        }
        let checksums = written.checksums.clone();
        let stored = self.store.put(&input.bucket, &input.key, written.file, sidecar, only_new)?;
        self.written(&input.bucket, &stored, "PutObject", &context.access_key);
        Ok(S3Response::new(PutObjectOutput {
            e_tag: Some(etag(&stored.sidecar.etag)),
            checksum_crc32: checksums.get("crc32").cloned(),
            checksum_crc32c: checksums.get("crc32c").cloned(),
            checksum_crc64nvme: checksums.get("crc64nvme").cloned(),
            checksum_sha1: checksums.get("sha1").cloned(),
            checksum_sha256: checksums.get("sha256").cloned(),
            ..PutObjectOutput::default()
        }))
    }

    async fn copy_object(&self, request: S3Request<CopyObjectInput>) -> S3Result<S3Response<CopyObjectOutput>> {
        let context = context(&request);
        let input = request.input;
        let CopySource::Bucket { bucket, key, .. } = &input.copy_source else {
            return Err(S3Error::new(S3ErrorCode::NotImplemented));
        };
        let source = self.store.object(bucket, key)?;
        self.require(&input.bucket)?;
        let replaces = input.metadata_directive.as_ref().is_some_and(|directive| directive.as_str() == "REPLACE");
        let mut sidecar = source.sidecar.clone();
        if replaces {
            sidecar.metadata = input.metadata.unwrap_or_default().into_iter().collect();
            sidecar.content_type = input.content_type;
        }
        let file = self.store.temporary().map_err(|error| of_io(&error))?;
        std::fs::copy(&source.path, file.path()).map_err(|error| of_io(&error))?;
        let stored = self.store.put(&input.bucket, &input.key, file, sidecar, false)?;
        self.written(&input.bucket, &stored, "CopyObject", &context.access_key);
        Ok(S3Response::new(CopyObjectOutput {
            copy_object_result: Some(CopyObjectResult {
                e_tag: Some(etag(&stored.sidecar.etag)),
                last_modified: Some(timestamp(stored.modified)),
                ..CopyObjectResult::default()
            }),
            ..CopyObjectOutput::default()
        }))
    }

    async fn delete_object(&self, request: S3Request<DeleteObjectInput>) -> S3Result<S3Response<DeleteObjectOutput>> {
        let input = request.input;
        if let Some(condition) = &input.if_match {
            self.readable(&input.bucket, &input.key, Some(condition), None)?;
        }
        self.store.delete(&input.bucket, &input.key)?;
        Ok(S3Response::new(DeleteObjectOutput::default()))
    }

    async fn delete_objects(
        &self,
        request: S3Request<DeleteObjectsInput>,
    ) -> S3Result<S3Response<DeleteObjectsOutput>> {
        let caller = request.extensions.get::<Caller>().cloned();
        let input = request.input;
        self.require(&input.bucket)?;
        let mut deleted = Vec::new();
        let mut errors = Vec::new();
        for object in input.delete.objects {
            let arn = format!("arn:aws:s3:::{}/{}", input.bucket, object.key);
            if let Some(Err(refused)) = caller.as_ref().map(|caller| caller.may("DeleteObject", &arn, Vec::new())) {
                errors.push(s3s::dto::Error {
                    code: Some("AccessDenied".to_owned()),
                    key: Some(object.key),
                    message: refused.message().map(str::to_owned),
                    version_id: None,
                });
                continue;
            }
            match self.store.delete(&input.bucket, &object.key) {
                Ok(()) => deleted.push(DeletedObject { key: Some(object.key), ..DeletedObject::default() }),
                Err(error) => errors.push(s3s::dto::Error {
                    code: Some("InternalError".to_owned()),
                    key: Some(object.key),
                    message: Some(error.to_string()),
                    version_id: None,
                }),
            }
        }
        let quiet = input.delete.quiet.unwrap_or(false);
        Ok(S3Response::new(DeleteObjectsOutput {
            deleted: (!quiet).then_some(deleted),
            errors: (!errors.is_empty()).then_some(errors),
            ..DeleteObjectsOutput::default()
        }))
    }

    async fn list_objects_v2(
        &self,
        request: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        list::version_two(self, request.input).map(S3Response::new)
    }

    async fn list_object_versions(
        &self,
        request: S3Request<ListObjectVersionsInput>,
    ) -> S3Result<S3Response<ListObjectVersionsOutput>> {
        list::versions(self, request.input).map(S3Response::new)
    }

    async fn list_objects(&self, request: S3Request<ListObjectsInput>) -> S3Result<S3Response<ListObjectsOutput>> {
        list::version_one(self, request.input).map(S3Response::new)
    }

    async fn create_multipart_upload(
        &self,
        request: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
        self.require(&request.input.bucket)?;
        multipart::create(self, request.input).map(S3Response::new)
    }

    async fn upload_part(&self, request: S3Request<UploadPartInput>) -> S3Result<S3Response<UploadPartOutput>> {
        let context = context(&request);
        multipart::upload(self, request.input, &context).await.map(S3Response::new)
    }

    async fn list_parts(&self, request: S3Request<ListPartsInput>) -> S3Result<S3Response<ListPartsOutput>> {
        multipart::list(self, request.input).map(S3Response::new)
    }

    async fn complete_multipart_upload(
        &self,
        request: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
        let context = context(&request);
        multipart::complete(self, request.input, &context).map(S3Response::new)
    }

    async fn abort_multipart_upload(
        &self,
        request: S3Request<AbortMultipartUploadInput>,
    ) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
        multipart::abort(self, &request.input)?;
        Ok(S3Response::new(AbortMultipartUploadOutput::default()))
    }

    async fn create_bucket(&self, request: S3Request<CreateBucketInput>) -> S3Result<S3Response<CreateBucketOutput>> {
        let bucket = request.input.bucket;
        if self.store.has_bucket(&bucket) {
            return Err(S3Error::new(S3ErrorCode::BucketAlreadyOwnedByYou));
        }
        self.store.create_bucket(&bucket)?;
        Ok(S3Response::new(CreateBucketOutput { location: Some(format!("/{bucket}")) }))
    }

    async fn delete_bucket(&self, request: S3Request<DeleteBucketInput>) -> S3Result<S3Response<DeleteBucketOutput>> {
        self.require(&request.input.bucket)?;
        self.store.delete_bucket(&request.input.bucket)?;
        Ok(S3Response::new(DeleteBucketOutput {}))
    }

    async fn head_bucket(&self, request: S3Request<HeadBucketInput>) -> S3Result<S3Response<HeadBucketOutput>> {
        self.require(&request.input.bucket)?;
        Ok(S3Response::new(HeadBucketOutput {
            bucket_region: Some(self.region.clone()),
            ..HeadBucketOutput::default()
        }))
    }

    async fn list_buckets(&self, _: S3Request<ListBucketsInput>) -> S3Result<S3Response<ListBucketsOutput>> {
        let buckets = self.store.buckets().map_err(|error| of_io(&error))?;
        let describe = |(name, created)| Bucket {
            bucket_region: Some(self.region.clone()),
            creation_date: Some(timestamp(created)),
            name: Some(name),
        };
        Ok(S3Response::new(ListBucketsOutput {
            buckets: Some(buckets.into_iter().map(describe).collect()),
            ..ListBucketsOutput::default()
        }))
    }

    async fn get_bucket_location(
        &self,
        request: S3Request<GetBucketLocationInput>,
    ) -> S3Result<S3Response<GetBucketLocationOutput>> {
        self.require(&request.input.bucket)?;
        // us-east-1 is the region without a name.
        let constraint = (self.region != "us-east-1").then(|| BucketLocationConstraint::from(self.region.clone()));
        Ok(S3Response::new(GetBucketLocationOutput { location_constraint: constraint }))
    }

    async fn get_bucket_versioning(
        &self,
        request: S3Request<GetBucketVersioningInput>,
    ) -> S3Result<S3Response<GetBucketVersioningOutput>> {
        self.require(&request.input.bucket)?;
        Ok(S3Response::new(bucket::versioning(&self.store.configuration(&request.input.bucket))))
    }

    async fn get_bucket_lifecycle_configuration(
        &self,
        request: S3Request<GetBucketLifecycleConfigurationInput>,
    ) -> S3Result<S3Response<GetBucketLifecycleConfigurationOutput>> {
        self.require(&request.input.bucket)?;
        bucket::lifecycle(&self.store.configuration(&request.input.bucket)).map(S3Response::new)
    }

    async fn get_bucket_encryption(
        &self,
        request: S3Request<GetBucketEncryptionInput>,
    ) -> S3Result<S3Response<GetBucketEncryptionOutput>> {
        self.require(&request.input.bucket)?;
        Ok(S3Response::new(bucket::encryption(&self.store.configuration(&request.input.bucket))))
    }

    async fn get_bucket_notification_configuration(
        &self,
        request: S3Request<GetBucketNotificationConfigurationInput>,
    ) -> S3Result<S3Response<GetBucketNotificationConfigurationOutput>> {
        self.require(&request.input.bucket)?;
        Ok(S3Response::new(bucket::notification(&self.store.configuration(&request.input.bucket))))
    }

    async fn get_public_access_block(
        &self,
        request: S3Request<GetPublicAccessBlockInput>,
    ) -> S3Result<S3Response<GetPublicAccessBlockOutput>> {
        self.require(&request.input.bucket)?;
        Ok(S3Response::new(bucket::public_access_block(&self.store.configuration(&request.input.bucket))))
    }

    async fn get_bucket_tagging(
        &self,
        request: S3Request<GetBucketTaggingInput>,
    ) -> S3Result<S3Response<GetBucketTaggingOutput>> {
        self.require(&request.input.bucket)?;
        bucket::tagging(&self.store.configuration(&request.input.bucket)).map(S3Response::new)
    }

    async fn put_bucket_tagging(
        &self,
        request: S3Request<PutBucketTaggingInput>,
    ) -> S3Result<S3Response<PutBucketTaggingOutput>> {
        self.require(&request.input.bucket)?;
        let tags = bucket::tags(&request.input.tagging.tag_set);
        self.store.change(&request.input.bucket, |bucket| drop(bucket.insert("Tags".into(), tags)))?;
        Ok(S3Response::new(PutBucketTaggingOutput {}))
    }

    async fn delete_bucket_tagging(
        &self,
        request: S3Request<DeleteBucketTaggingInput>,
    ) -> S3Result<S3Response<DeleteBucketTaggingOutput>> {
        self.require(&request.input.bucket)?;
        self.store.change(&request.input.bucket, |bucket| drop(bucket.shift_remove("Tags")))?;
        Ok(S3Response::new(DeleteBucketTaggingOutput {}))
    }

    async fn put_bucket_versioning(
        &self,
        request: S3Request<PutBucketVersioningInput>,
    ) -> S3Result<S3Response<PutBucketVersioningOutput>> {
        self.require(&request.input.bucket)?;
        let versioning = bucket::versioning_property(&request.input.versioning_configuration);
        self.store.change(&request.input.bucket, |bucket| {
            bucket.insert("VersioningConfiguration".into(), versioning);
        })?;
        Ok(S3Response::new(PutBucketVersioningOutput {}))
    }

    async fn delete_bucket_lifecycle(
        &self,
        request: S3Request<DeleteBucketLifecycleInput>,
    ) -> S3Result<S3Response<DeleteBucketLifecycleOutput>> {
        self.require(&request.input.bucket)?;
        self.store.change(&request.input.bucket, |bucket| drop(bucket.shift_remove("LifecycleConfiguration")))?;
        Ok(S3Response::new(DeleteBucketLifecycleOutput {}))
    }

    async fn put_public_access_block(
        &self,
        request: S3Request<PutPublicAccessBlockInput>,
    ) -> S3Result<S3Response<PutPublicAccessBlockOutput>> {
        self.require(&request.input.bucket)?;
        let block = bucket::public_access_block_property(&request.input.public_access_block_configuration);
        self.store.change(&request.input.bucket, |bucket| {
            bucket.insert("PublicAccessBlockConfiguration".into(), block);
        })?;
        Ok(S3Response::new(PutPublicAccessBlockOutput {}))
    }
}

/// A stretch of a file as a body, read piece by piece.
fn content(file: tokio::fs::File, length: u64) -> StreamingBlob {
    const PIECE: u64 = 256 * 1024;
    let pieces = stream::try_unfold((file, length), |(mut file, left)| async move {
        if left == 0 {
            return Ok::<_, io::Error>(None);
        }
        let size = usize::try_from(left.min(PIECE)).unwrap_or_default();
        let mut buffer = vec![0; size];
        let read = file.read(&mut buffer).await?;
        if read == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the file became shorter"));
        }
        buffer.truncate(read);
        let left = left.saturating_sub(read as u64);
        Ok(Some((Bytes::from(buffer), (file, left))))
    });
    StreamingBlob::from(s3s::Body::http_body_unsync(axum::body::Body::from_stream(pieces)))
}
