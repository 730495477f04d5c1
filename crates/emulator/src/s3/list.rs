//! Listing objects: prefix, delimiter, pages.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use s3s::dto::{
    CommonPrefix, EncodingType, ListObjectVersionsInput, ListObjectVersionsOutput, ListObjectsInput, ListObjectsOutput,
    ListObjectsV2Input, ListObjectsV2Output, Object, ObjectStorageClass, ObjectVersion, ObjectVersionStorageClass,
};
use s3s::{S3Error, S3ErrorCode, S3Result};

use super::api::{Api, etag, length, timestamp};
use crate::digest::hex;

const LARGEST_PAGE: i32 = 1000;

/// What `encoding-type=url` leaves as it is.
const PLAIN: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'/').remove(b'*');

/// Spells keys as the request asks for: a key may hold characters that XML cannot.
struct Spelling(bool);

impl Spelling {
    fn of(encoding: Option<&EncodingType>) -> Self {
        Self(encoding.is_some_and(|encoding| encoding.as_str() == EncodingType::URL))
    }

    fn text(&self, text: String) -> String {
        if self.0 { utf8_percent_encode(&text, PLAIN).to_string() } else { text }
    }

    fn page(&self, page: &mut Page) {
        for object in &mut page.objects {
            object.key = object.key.take().map(|key| self.text(key));
        }
        for prefix in &mut page.prefixes {
            prefix.prefix = prefix.prefix.take().map(|prefix| self.text(prefix));
        }
    }
}

/// A page of a listing.
struct Page {
    objects: Vec<Object>,
    prefixes: Vec<CommonPrefix>,
    /// The last entry of the page, if more follow.
    last: Option<String>,
    max_keys: i32,
}

fn page(
    api: &Api,
    bucket: &str,
    prefix: Option<&str>,
    delimiter: Option<&str>,
    after: Option<&str>,
    max_keys: Option<i32>,
) -> S3Result<Page> {
    let max_keys = max_keys.unwrap_or(LARGEST_PAGE).clamp(0, LARGEST_PAGE);
    let limit = usize::try_from(max_keys).unwrap_or_default();
    let prefix = prefix.unwrap_or_default();
    let delimiter = delimiter.filter(|delimiter| !delimiter.is_empty());
    let mut page = Page { objects: Vec::new(), prefixes: Vec::new(), last: None, max_keys };
    let mut last: Option<String> = None;
    for key in api.store.list(bucket, prefix, delimiter == Some("/"))? {
        let group = delimiter.and_then(|delimiter| {
            let at = key[prefix.len()..].find(delimiter)?;
            Some(key[..prefix.len() + at + delimiter.len()].to_owned())
        });
        let entry = group.as_deref().unwrap_or(&key);
        // What the page before ended with, and everything under a prefix it ended with, has been returned.
        if after.is_some_and(|after| entry <= after) || last.as_deref() == Some(entry) {
            continue;
        }
        if page.objects.len() + page.prefixes.len() == limit {
            page.last = last.filter(|_| limit > 0);
            break;
        }
        last = Some(entry.to_owned());
        if let Some(prefix) = group {
            page.prefixes.push(CommonPrefix { prefix: Some(prefix) });
            continue;
        }
        // A file that has just gone is no object any more.
        let Ok(object) = api.store.object(bucket, &key) else { continue };
        page.objects.push(Object {
            e_tag: Some(etag(&object.sidecar.etag)),
            key: Some(key),
            last_modified: Some(timestamp(object.modified)),
            size: length(object.sidecar.size),
            storage_class: Some(ObjectStorageClass::from_static(ObjectStorageClass::STANDARD)),
            ..Object::default()
        });
    }
    Ok(page)
}

pub(super) fn version_two(api: &Api, input: ListObjectsV2Input) -> S3Result<ListObjectsV2Output> {
    let token = input.continuation_token.as_deref().map(untoken).transpose()?;
    let after = token.as_deref().or(input.start_after.as_deref());
    let mut page =
        page(api, &input.bucket, input.prefix.as_deref(), input.delimiter.as_deref(), after, input.max_keys)?;
    let spelling = Spelling::of(input.encoding_type.as_ref());
    spelling.page(&mut page);
    let count = page.objects.len() + page.prefixes.len();
    Ok(ListObjectsV2Output {
        name: Some(input.bucket),
        prefix: Some(spelling.text(input.prefix.unwrap_or_default())),
        max_keys: Some(page.max_keys),
        key_count: i32::try_from(count).ok(),
        continuation_token: input.continuation_token,
        is_truncated: Some(page.last.is_some()),
        next_continuation_token: page.last.map(|last| hex(last.as_bytes())),
        contents: Some(page.objects),
        common_prefixes: (!page.prefixes.is_empty()).then_some(page.prefixes),
        delimiter: input.delimiter.map(|delimiter| spelling.text(delimiter)),
        start_after: input.start_after.map(|after| spelling.text(after)),
        encoding_type: input.encoding_type,
        ..ListObjectsV2Output::default()
    })
}

pub(super) fn version_one(api: &Api, input: ListObjectsInput) -> S3Result<ListObjectsOutput> {
    let mut page = page(
        api,
        &input.bucket,
        input.prefix.as_deref(),
        input.delimiter.as_deref(),
        input.marker.as_deref(),
        input.max_keys,
    )?;
    let spelling = Spelling::of(input.encoding_type.as_ref());
    spelling.page(&mut page);
    Ok(ListObjectsOutput {
        name: Some(input.bucket),
        prefix: Some(spelling.text(input.prefix.unwrap_or_default())),
        marker: Some(spelling.text(input.marker.unwrap_or_default())),
        max_keys: Some(page.max_keys),
        is_truncated: Some(page.last.is_some()),
        next_marker: page.last.map(|last| spelling.text(last)),
        contents: Some(page.objects),
        common_prefixes: (!page.prefixes.is_empty()).then_some(page.prefixes),
        delimiter: input.delimiter.map(|delimiter| spelling.text(delimiter)),
        encoding_type: input.encoding_type,
        ..ListObjectsOutput::default()
    })
}

/// The account keeps no versions: what is there is the only one, which S3 calls `null`.
pub(super) fn versions(api: &Api, input: ListObjectVersionsInput) -> S3Result<ListObjectVersionsOutput> {
    let mut page = page(
        api,
        &input.bucket,
        input.prefix.as_deref(),
        input.delimiter.as_deref(),
        input.key_marker.as_deref(),
        input.max_keys,
    )?;
    let spelling = Spelling::of(input.encoding_type.as_ref());
    spelling.page(&mut page);
    let version = |object: Object| ObjectVersion {
        key: object.key,
        version_id: Some("null".to_owned()),
        is_latest: Some(true),
        e_tag: object.e_tag,
        last_modified: object.last_modified,
        size: object.size,
        storage_class: Some(ObjectVersionStorageClass::from_static(ObjectVersionStorageClass::STANDARD)),
        ..ObjectVersion::default()
    };
    Ok(ListObjectVersionsOutput {
        name: Some(input.bucket),
        prefix: Some(spelling.text(input.prefix.unwrap_or_default())),
        key_marker: Some(spelling.text(input.key_marker.unwrap_or_default())),
        max_keys: Some(page.max_keys),
        is_truncated: Some(page.last.is_some()),
        next_version_id_marker: page.last.as_ref().map(|_| "null".to_owned()),
        next_key_marker: page.last.map(|last| spelling.text(last)),
        versions: Some(page.objects.into_iter().map(version).collect()),
        common_prefixes: (!page.prefixes.is_empty()).then_some(page.prefixes),
        delimiter: input.delimiter.map(|delimiter| spelling.text(delimiter)),
        encoding_type: input.encoding_type,
        ..ListObjectVersionsOutput::default()
    })
}

fn untoken(token: &str) -> S3Result<String> {
    let wrong = || S3Error::with_message(S3ErrorCode::InvalidArgument, "The continuation token provided is incorrect");
    let digits = token.as_bytes();
    if !digits.len().is_multiple_of(2) {
        return Err(wrong());
    }
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    let bytes: Option<Vec<u8>> = digits.chunks(2).map(byte).collect();
    bytes.and_then(|bytes| String::from_utf8(bytes).ok()).ok_or_else(wrong)
}
