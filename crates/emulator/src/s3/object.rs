//! Objects: read, written, copied and deleted.

use std::io;
use std::io::SeekFrom;

use bytes::Bytes;
use futures_util::stream;
use s3s::dto::{
    CopyObjectInput, CopyObjectOutput, CopyObjectResult, CopySource, DeleteObjectInput, DeleteObjectOutput,
    DeleteObjectsInput, DeleteObjectsOutput, DeletedObject, ETagCondition, GetObjectInput, GetObjectOutput,
    HeadObjectInput, HeadObjectOutput, PutObjectInput, PutObjectOutput, StreamingBlob,
};
use s3s::{S3Error, S3ErrorCode, S3Result};
use tokio::io::{AsyncReadExt, AsyncSeekExt};

use super::api::{Api, Context, etag, kept_headers, length, of_io, sidecar_of, timestamp};
use super::checksum;
use super::server::Caller;
use super::store::{Object as Stored, StoreError};

/// The answer to `GetObject`.
pub(super) async fn get(api: &Api, input: GetObjectInput) -> S3Result<GetObjectOutput> {
    let object = readable(api, &input.bucket, &input.key, input.if_match.as_ref(), input.if_none_match.as_ref())?;
    let size = object.sidecar.size;
    let range = match input.range {
        Some(range) => Some(range.check(size)?),
        None => None,
    };
    let (start, end) = range.as_ref().map_or((0, size), |range| (range.start, range.end));
    let mut file = tokio::fs::File::open(&object.path).await.map_err(|error| of_io(&error))?;
    file.seek(SeekFrom::Start(start)).await.map_err(|error| of_io(&error))?;
    let described = described(&object);
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
    Ok(output)
}

/// The answer to `HeadObject`.
pub(super) fn head(api: &Api, input: &HeadObjectInput) -> S3Result<HeadObjectOutput> {
    let object = readable(api, &input.bucket, &input.key, input.if_match.as_ref(), input.if_none_match.as_ref())?;
    Ok(described(&object))
}

/// The answer to `PutObject`.
pub(super) async fn put(api: &Api, input: PutObjectInput, context: &Context) -> S3Result<PutObjectOutput> {
    api.require(&input.bucket)?;
    let expected = checksum::expected([
        ("crc32", &input.checksum_crc32),
        ("crc32c", &input.checksum_crc32c),
        ("crc64nvme", &input.checksum_crc64nvme),
        ("sha1", &input.checksum_sha1),
        ("sha256", &input.checksum_sha256),
    ]);
    let file = api.store.temporary().map_err(|error| of_io(&error))?;
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
        readable(api, &input.bucket, &input.key, Some(condition), None)?;
    }
    let checksums = written.checksums.clone();
    let stored = api.store.put(&input.bucket, &input.key, written.file, sidecar, only_new)?;
    api.written(&input.bucket, &stored, "PutObject", &context.access_key);
    Ok(PutObjectOutput {
        e_tag: Some(etag(&stored.sidecar.etag)),
        checksum_crc32: checksums.get("crc32").cloned(),
        checksum_crc32c: checksums.get("crc32c").cloned(),
        checksum_crc64nvme: checksums.get("crc64nvme").cloned(),
        checksum_sha1: checksums.get("sha1").cloned(),
        checksum_sha256: checksums.get("sha256").cloned(),
        ..PutObjectOutput::default()
    })
}

/// The answer to `CopyObject`.
pub(super) fn copy(api: &Api, input: CopyObjectInput, context: &Context) -> S3Result<CopyObjectOutput> {
    let CopySource::Bucket { bucket, key, .. } = &input.copy_source else {
        return Err(S3Error::new(S3ErrorCode::NotImplemented));
    };
    let source = api.store.object(bucket, key)?;
    api.require(&input.bucket)?;
    let replaces = input.metadata_directive.as_ref().is_some_and(|directive| directive.as_str() == "REPLACE");
    let mut sidecar = source.sidecar.clone();
    if replaces {
        sidecar.metadata = input.metadata.unwrap_or_default().into_iter().collect();
        sidecar.content_type = input.content_type;
    }
    let file = api.store.temporary().map_err(|error| of_io(&error))?;
    std::fs::copy(&source.path, file.path()).map_err(|error| of_io(&error))?;
    let stored = api.store.put(&input.bucket, &input.key, file, sidecar, false)?;
    api.written(&input.bucket, &stored, "CopyObject", &context.access_key);
    Ok(CopyObjectOutput {
        copy_object_result: Some(CopyObjectResult {
            e_tag: Some(etag(&stored.sidecar.etag)),
            last_modified: Some(timestamp(stored.modified)),
            ..CopyObjectResult::default()
        }),
        ..CopyObjectOutput::default()
    })
}

/// The answer to `DeleteObject`.
pub(super) fn delete(api: &Api, input: &DeleteObjectInput) -> S3Result<DeleteObjectOutput> {
    if let Some(condition) = &input.if_match {
        readable(api, &input.bucket, &input.key, Some(condition), None)?;
    }
    api.store.delete(&input.bucket, &input.key)?;
    Ok(DeleteObjectOutput::default())
}

/// The answer to `DeleteObjects`. The caller needs the right to each of them.
pub(super) fn delete_many(
    api: &Api,
    input: DeleteObjectsInput,
    caller: Option<&Caller>,
) -> S3Result<DeleteObjectsOutput> {
    api.require(&input.bucket)?;
    let mut deleted = Vec::new();
    let mut errors = Vec::new();
    for object in input.delete.objects {
        let arn = format!("arn:aws:s3:::{}/{}", input.bucket, object.key);
        if let Some(Err(refused)) = caller.map(|caller| caller.may("DeleteObject", &arn, Vec::new())) {
            errors.push(s3s::dto::Error {
                code: Some("AccessDenied".to_owned()),
                key: Some(object.key),
                message: refused.message().map(str::to_owned),
                version_id: None,
            });
            continue;
        }
        match api.store.delete(&input.bucket, &object.key) {
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
    Ok(DeleteObjectsOutput {
        deleted: (!quiet).then_some(deleted),
        errors: (!errors.is_empty()).then_some(errors),
        ..DeleteObjectsOutput::default()
    })
}

/// An object, if the conditions of the request let it out.
fn readable(
    api: &Api,
    bucket: &str,
    key: &str,
    if_match: Option<&ETagCondition>,
    if_none_match: Option<&ETagCondition>,
) -> S3Result<Stored> {
    let object = api.store.object(bucket, key)?;
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

/// The metadata of an object; `GetObject` adds the body.
fn described(object: &Stored) -> HeadObjectOutput {
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
