//! Uploads in parts: each part a file, joined at the end.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::PathBuf;

use md5::{Digest, Md5};
use s3s::dto::{
    AbortMultipartUploadInput, CompleteMultipartUploadInput, CompleteMultipartUploadOutput, CreateMultipartUploadInput,
    CreateMultipartUploadOutput, ETagCondition, ListPartsInput, ListPartsOutput, Part, UploadPartInput,
    UploadPartOutput,
};
use s3s::{S3Error, S3ErrorCode, S3Result};
use serde::{Deserialize, Serialize};

use super::api::{Api, Context, etag, kept_headers, length, of_io, timestamp};
use super::checksum;
use super::store::Sidecar;
use crate::account::{clock, file};
use crate::digest::hex;

/// The least size of every part but the last.
const SMALLEST_PART: u64 = 5 * 1024 * 1024;

/// What an upload will be.
#[derive(Serialize, Deserialize)]
struct Upload {
    bucket: String,
    key: String,
    sidecar: Sidecar,
}

/// A part that is there.
#[derive(Serialize, Deserialize)]
struct Piece {
    md5: [u8; 16],
    size: u64,
}

fn directory(api: &Api, id: &str) -> S3Result<PathBuf> {
    let sound = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if sound { Ok(api.store.uploads().join(id)) } else { Err(no_such_upload()) }
}

fn no_such_upload() -> S3Error {
    S3Error::with_message(
        S3ErrorCode::NoSuchUpload,
        "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or \
         completed.",
    )
}

fn open(api: &Api, id: &str, bucket: &str, key: &str) -> S3Result<(PathBuf, Upload)> {
    let directory = directory(api, id)?;
    let upload: Option<Upload> = file::read_json(&directory.join("upload.json")).ok().flatten();
    match upload {
        Some(upload) if upload.bucket == bucket && upload.key == key => Ok((directory, upload)),
        _ => Err(no_such_upload()),
    }
}

pub(super) fn create(api: &Api, input: CreateMultipartUploadInput) -> S3Result<CreateMultipartUploadOutput> {
    let id = clock::uuid();
    let sidecar = Sidecar {
        content_type: input.content_type,
        metadata: input.metadata.unwrap_or_default().into_iter().collect(),
        headers: kept_headers([
            ("cache-control", input.cache_control),
            ("content-disposition", input.content_disposition),
            ("content-encoding", input.content_encoding),
            ("content-language", input.content_language),
        ]),
        ..Sidecar::default()
    };
    let upload = Upload { bucket: input.bucket.clone(), key: input.key.clone(), sidecar };
    file::write_json(&directory(api, &id)?.join("upload.json"), &upload).map_err(|error| of_io(&error))?;
    Ok(CreateMultipartUploadOutput {
        bucket: Some(input.bucket),
        key: Some(input.key),
        upload_id: Some(id),
        checksum_algorithm: input.checksum_algorithm,
        ..CreateMultipartUploadOutput::default()
    })
}

pub(super) async fn upload(api: &Api, input: UploadPartInput, context: &Context) -> S3Result<UploadPartOutput> {
    let (directory, _) = open(api, &input.upload_id, &input.bucket, &input.key)?;
    if !(1..=10_000).contains(&input.part_number) {
        return Err(S3Error::with_message(
            S3ErrorCode::InvalidArgument,
            "Part number must be an integer between 1 and 10000, inclusive",
        ));
    }
    let expected = checksum::expected([
        ("crc32", &input.checksum_crc32),
        ("crc32c", &input.checksum_crc32c),
        ("crc64nvme", &input.checksum_crc64nvme),
        ("sha1", &input.checksum_sha1),
        ("sha256", &input.checksum_sha256),
    ]);
    let temporary = api.store.temporary().map_err(|error| of_io(&error))?;
    let written = checksum::write(
        input.body,
        temporary,
        context.announced.as_deref(),
        expected,
        input.content_md5.as_deref(),
        &context.trailers,
    )
    .await?;
    let size = written.file.as_file().metadata().map_err(|error| of_io(&error))?.len();
    let answer = UploadPartOutput {
        e_tag: Some(etag(&written.etag())),
        checksum_crc32: written.checksums.get("crc32").cloned(),
        checksum_crc32c: written.checksums.get("crc32c").cloned(),
        checksum_crc64nvme: written.checksums.get("crc64nvme").cloned(),
        checksum_sha1: written.checksums.get("sha1").cloned(),
        checksum_sha256: written.checksums.get("sha256").cloned(),
        ..UploadPartOutput::default()
    };
    let piece = Piece { md5: written.md5, size };
    let body = directory.join(format!("{:05}", input.part_number));
    written.file.persist(&body).map_err(|error| of_io(&error.error))?;
    file::write_json(&body.with_extension("json"), &piece).map_err(|error| of_io(&error))?;
    Ok(answer)
}

fn pieces(directory: &PathBuf) -> S3Result<BTreeMap<i32, Piece>> {
    let mut pieces = BTreeMap::new();
    for entry in fs::read_dir(directory).map_err(|error| of_io(&error))? {
        let path = entry.map_err(|error| of_io(&error))?.path();
        let number = path.file_name().and_then(|name| name.to_str()?.parse::<i32>().ok());
        if let Some(number) = number
            && let Ok(Some(piece)) = file::read_json(&path.with_extension("json"))
        {
            pieces.insert(number, piece);
        }
    }
    Ok(pieces)
}

pub(super) fn list(api: &Api, input: ListPartsInput) -> S3Result<ListPartsOutput> {
    let (directory, _) = open(api, &input.upload_id, &input.bucket, &input.key)?;
    let marker = input.part_number_marker.unwrap_or(0);
    let limit = usize::try_from(input.max_parts.unwrap_or(1000).clamp(1, 1000)).unwrap_or(1000);
    let mut parts: Vec<Part> = pieces(&directory)?
        .range(marker + 1..)
        .take(limit + 1)
        .map(|(number, piece)| {
            let modified =
                fs::metadata(directory.join(format!("{number:05}"))).and_then(|metadata| metadata.modified());
            Part {
                part_number: Some(*number),
                e_tag: Some(etag(&hex(&piece.md5))),
                size: length(piece.size),
                last_modified: modified.ok().map(timestamp),
                ..Part::default()
            }
        })
        .collect();
    let truncated = parts.len() > limit;
    parts.truncate(limit);
    Ok(ListPartsOutput {
        bucket: Some(input.bucket),
        key: Some(input.key),
        upload_id: Some(input.upload_id),
        part_number_marker: Some(marker),
        next_part_number_marker: parts.last().and_then(|part| part.part_number).filter(|_| truncated),
        max_parts: i32::try_from(limit).ok(),
        is_truncated: Some(truncated),
        parts: Some(parts),
        ..ListPartsOutput::default()
    })
}

pub(super) fn complete(
    api: &Api,
    input: CompleteMultipartUploadInput,
    context: &Context,
) -> S3Result<CompleteMultipartUploadOutput> {
    let (directory, upload) = open(api, &input.upload_id, &input.bucket, &input.key)?;
    let pieces = pieces(&directory)?;
    let chosen = input.multipart_upload.and_then(|upload| upload.parts).unwrap_or_default();
    if chosen.is_empty() {
        return Err(S3Error::with_message(S3ErrorCode::MalformedXML, "You must specify at least one part"));
    }
    if !chosen.is_sorted_by(|one, next| one.part_number < next.part_number) {
        return Err(S3Error::with_message(
            S3ErrorCode::InvalidPartOrder,
            "The list of parts was not in ascending order. Parts must be ordered by part number.",
        ));
    }
    let mut md5 = Md5::new();
    let mut temporary = api.store.temporary().map_err(|error| of_io(&error))?;
    for (index, part) in chosen.iter().enumerate() {
        let number = part.part_number.unwrap_or_default();
        let piece =
            pieces.get(&number).filter(|piece| part.e_tag.as_ref().is_none_or(|tag| tag.value() == hex(&piece.md5)));
        let piece = piece.ok_or_else(|| {
            S3Error::with_message(
                S3ErrorCode::InvalidPart,
                "One or more of the specified parts could not be found. The part may not have been uploaded, or the \
                 specified entity tag may not match the part's entity tag.",
            )
        })?;
        if piece.size < SMALLEST_PART && index + 1 < chosen.len() {
            return Err(S3Error::with_message(
                S3ErrorCode::EntityTooSmall,
                "Your proposed upload is smaller than the minimum allowed size",
            ));
        }
        md5.update(piece.md5);
        let mut body = File::open(directory.join(format!("{number:05}"))).map_err(|error| of_io(&error))?;
        io::copy(&mut body, &mut temporary).map_err(|error| of_io(&error))?;
    }
    temporary.flush().map_err(|error| of_io(&error))?;
    let tag = format!("{}-{}", hex(&md5.finalize()), chosen.len());
    let sidecar = Sidecar { etag: tag, ..upload.sidecar };
    let only_new = matches!(input.if_none_match, Some(ETagCondition::Any));
    let stored = api.store.put(&input.bucket, &input.key, temporary, sidecar, only_new)?;
    let _ = fs::remove_dir_all(&directory);
    api.written(&input.bucket, &stored, "CompleteMultipartUpload", &context.access_key);
    Ok(CompleteMultipartUploadOutput {
        location: Some(format!("/{}/{}", input.bucket, input.key)),
        bucket: Some(input.bucket),
        key: Some(input.key),
        e_tag: Some(etag(&stored.sidecar.etag)),
        ..CompleteMultipartUploadOutput::default()
    })
}

pub(super) fn abort(api: &Api, input: &AbortMultipartUploadInput) -> S3Result<()> {
    let (directory, _) = open(api, &input.upload_id, &input.bucket, &input.key)?;
    fs::remove_dir_all(directory).map_err(|error| of_io(&error))
}
