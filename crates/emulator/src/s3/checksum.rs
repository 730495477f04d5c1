//! Checksums: computed while a body is written, compared with what the client says.

use std::collections::BTreeMap;
use std::io::Write;

use futures_util::StreamExt;
use md5::{Digest, Md5};
use s3s::checksum::ChecksumHasher;
use s3s::crypto::Checksum as _;
use s3s::dto::{Checksum, StreamingBlob};
use s3s::{S3Error, S3ErrorCode, S3Result};

use super::api::{internal, of_io};
use super::chunked::Trailers;
use crate::digest::hex;

/// What the client says the checksums are, by the name of the header without `x-amz-checksum-`.
pub(super) type Expected = BTreeMap<&'static str, String>;

pub(super) const ALGORITHMS: [&str; 5] = ["crc32", "crc32c", "crc64nvme", "sha1", "sha256"];

/// A body that was written to a file.
pub(super) struct Written {
    pub(super) file: tempfile::NamedTempFile,
    pub(super) md5: [u8; 16],
    /// By algorithm, in base64.
    pub(super) checksums: BTreeMap<String, String>,
}

impl Written {
    pub(super) fn etag(&self) -> String {
        hex(&self.md5)
    }
}

/// Writes a body, and refuses it when it is not what the client meant to send.
pub(super) async fn write(
    body: Option<StreamingBlob>,
    mut file: tempfile::NamedTempFile,
    announced: Option<&str>,
    mut expected: Expected,
    content_md5: Option<&str>,
    trailers: &Trailers,
) -> S3Result<Written> {
    let declared = |name: &str| {
        expected.contains_key(name)
            || announced.is_some_and(|announced| announced.eq_ignore_ascii_case(&format!("x-amz-checksum-{name}")))
    };
    let mut hasher = ChecksumHasher {
        crc32: declared("crc32").then(s3s::crypto::Crc32::new),
        crc32c: declared("crc32c").then(s3s::crypto::Crc32c::new),
        sha1: declared("sha1").then(s3s::crypto::Sha1::new),
        sha256: declared("sha256").then(s3s::crypto::Sha256::new),
        crc64nvme: declared("crc64nvme").then(s3s::crypto::Crc64Nvme::new),
    };
    let mut md5 = Md5::new();
    if let Some(mut body) = body {
        while let Some(bytes) = body.next().await {
            let bytes = bytes.map_err(|error| {
                S3Error::with_message(S3ErrorCode::IncompleteBody, format!("the body could not be read: {error}"))
            })?;
            md5.update(&bytes);
            hasher.update(&bytes);
            file.write_all(&bytes).map_err(|error| of_io(&error))?;
        }
    }
    file.flush().map_err(|error| of_io(&error))?;
    let md5: [u8; 16] = md5.finalize().into();
    let checksums = by_name(hasher.finalize());
    for name in ALGORITHMS {
        if let Some(value) = trailers.get(&format!("x-amz-checksum-{name}")) {
            expected.insert(name, value);
        }
    }
    for (name, value) in &expected {
        if checksums.get(*name).is_some_and(|computed| computed != value) {
            return Err(S3Error::with_message(
                S3ErrorCode::BadDigest,
                format!("The {} you specified did not match the calculated checksum.", name.to_uppercase()),
            ));
        }
    }
    if let Some(content_md5) = content_md5
        && content_md5 != base64(&md5)
    {
        return Err(S3Error::with_message(
            S3ErrorCode::BadDigest,
            "The Content-MD5 you specified did not match what we received.",
        ));
    }
    if file.as_file().metadata().is_err() {
        return Err(internal("the written file was deleted"));
    }
    Ok(Written { file, md5, checksums })
}

fn by_name(checksum: Checksum) -> BTreeMap<String, String> {
    [
        ("crc32", checksum.checksum_crc32),
        ("crc32c", checksum.checksum_crc32c),
        ("crc64nvme", checksum.checksum_crc64nvme),
        ("sha1", checksum.checksum_sha1),
        ("sha256", checksum.checksum_sha256),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some((name.to_owned(), value?)))
    .collect()
}

/// The checksums that a request carries in its headers.
pub(super) fn expected<'a>(values: impl IntoIterator<Item = (&'static str, &'a Option<String>)>) -> Expected {
    values.into_iter().filter_map(|(name, value)| Some((name, value.clone()?))).collect()
}

fn base64(bytes: &[u8]) -> String {
    crate::template::base64(bytes)
}
