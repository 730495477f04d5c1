//! The operations of S3.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::SystemTime;

use s3s::dto::{
    AbortMultipartUploadInput, AbortMultipartUploadOutput, Bucket, BucketLocationConstraint,
    CompleteMultipartUploadInput, CompleteMultipartUploadOutput, CopyObjectInput, CopyObjectOutput, CreateBucketInput,
    CreateBucketOutput, CreateMultipartUploadInput, CreateMultipartUploadOutput, DeleteBucketInput,
    DeleteBucketLifecycleInput, DeleteBucketLifecycleOutput, DeleteBucketOutput, DeleteBucketTaggingInput,
    DeleteBucketTaggingOutput, DeleteObjectInput, DeleteObjectOutput, DeleteObjectsInput, DeleteObjectsOutput, ETag,
    GetBucketEncryptionInput, GetBucketEncryptionOutput, GetBucketLifecycleConfigurationInput,
    GetBucketLifecycleConfigurationOutput, GetBucketLocationInput, GetBucketLocationOutput,
    GetBucketNotificationConfigurationInput, GetBucketNotificationConfigurationOutput, GetBucketTaggingInput,
    GetBucketTaggingOutput, GetBucketVersioningInput, GetBucketVersioningOutput, GetObjectInput, GetObjectOutput,
    GetPublicAccessBlockInput, GetPublicAccessBlockOutput, HeadBucketInput, HeadBucketOutput, HeadObjectInput,
    HeadObjectOutput, ListBucketsInput, ListBucketsOutput, ListObjectVersionsInput, ListObjectVersionsOutput,
    ListObjectsInput, ListObjectsOutput, ListObjectsV2Input, ListObjectsV2Output, ListPartsInput, ListPartsOutput,
    Metadata, PutBucketTaggingInput, PutBucketTaggingOutput, PutBucketVersioningInput, PutBucketVersioningOutput,
    PutObjectInput, PutObjectOutput, PutPublicAccessBlockInput, PutPublicAccessBlockOutput, Timestamp, UploadPartInput,
    UploadPartOutput,
};
use s3s::{S3, S3Error, S3ErrorCode, S3Request, S3Response, S3Result};

use super::checksum::Written;
use super::chunked::Trailers;
use super::server::{Caller, Listeners, ObjectEvent};
use super::store::{Object as Stored, Sidecar, Store, StoreError};
use super::{bucket, list, multipart, object, replication};
use crate::account::clock;

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

    pub(super) fn require(&self, bucket: &str) -> S3Result<()> {
        if self.store.has_bucket(bucket) { Ok(()) } else { Err(StoreError::NoSuchBucket.into()) }
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

#[async_trait::async_trait]
impl S3 for Api {
    async fn get_object(&self, request: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        object::get(self, request.input).await.map(S3Response::new)
    }

    async fn head_object(&self, request: S3Request<HeadObjectInput>) -> S3Result<S3Response<HeadObjectOutput>> {
        object::head(self, &request.input).map(S3Response::new)
    }

    async fn put_object(&self, request: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
        let context = context(&request);
        object::put(self, request.input, &context).await.map(S3Response::new)
    }

    async fn copy_object(&self, request: S3Request<CopyObjectInput>) -> S3Result<S3Response<CopyObjectOutput>> {
        let context = context(&request);
        object::copy(self, request.input, &context).map(S3Response::new)
    }

    async fn delete_object(&self, request: S3Request<DeleteObjectInput>) -> S3Result<S3Response<DeleteObjectOutput>> {
        object::delete(self, &request.input).map(S3Response::new)
    }

    async fn delete_objects(
        &self,
        request: S3Request<DeleteObjectsInput>,
    ) -> S3Result<S3Response<DeleteObjectsOutput>> {
        let caller = request.extensions.get::<Caller>().cloned();
        object::delete_many(self, request.input, caller.as_ref()).map(S3Response::new)
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
