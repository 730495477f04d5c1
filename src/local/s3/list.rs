//! Listing objects: prefix, delimiter, pages.

use s3s::dto::{
    CommonPrefix, ListObjectsInput, ListObjectsOutput, ListObjectsV2Input, ListObjectsV2Output, Object,
    ObjectStorageClass,
};
use s3s::{S3Error, S3ErrorCode, S3Result};

use super::api::{Api, etag, length, timestamp};
use super::store::hex;

const LARGEST_PAGE: i32 = 1000;

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
        // What the page before ended with, and everything under a prefix it ended with, has been told.
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
    let page = page(api, &input.bucket, input.prefix.as_deref(), input.delimiter.as_deref(), after, input.max_keys)?;
    let count = page.objects.len() + page.prefixes.len();
    Ok(ListObjectsV2Output {
        name: Some(input.bucket),
        prefix: Some(input.prefix.unwrap_or_default()),
        max_keys: Some(page.max_keys),
        key_count: i32::try_from(count).ok(),
        continuation_token: input.continuation_token,
        is_truncated: Some(page.last.is_some()),
        next_continuation_token: page.last.map(|last| hex(last.as_bytes())),
        contents: Some(page.objects),
        common_prefixes: (!page.prefixes.is_empty()).then_some(page.prefixes),
        delimiter: input.delimiter,
        start_after: input.start_after,
        encoding_type: input.encoding_type,
        ..ListObjectsV2Output::default()
    })
}

pub(super) fn version_one(api: &Api, input: ListObjectsInput) -> S3Result<ListObjectsOutput> {
    let page = page(
        api,
        &input.bucket,
        input.prefix.as_deref(),
        input.delimiter.as_deref(),
        input.marker.as_deref(),
        input.max_keys,
    )?;
    Ok(ListObjectsOutput {
        name: Some(input.bucket),
        prefix: Some(input.prefix.unwrap_or_default()),
        marker: Some(input.marker.unwrap_or_default()),
        max_keys: Some(page.max_keys),
        is_truncated: Some(page.last.is_some()),
        next_marker: page.last,
        contents: Some(page.objects),
        common_prefixes: (!page.prefixes.is_empty()).then_some(page.prefixes),
        delimiter: input.delimiter,
        encoding_type: input.encoding_type,
        ..ListObjectsOutput::default()
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
