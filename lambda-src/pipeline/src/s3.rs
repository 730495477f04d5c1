//! The few things that a Lambda does with a bucket.

use aws_sdk_s3::Client;
use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::primitives::ByteStream;

use crate::error::aws;
use crate::{Error, Result};

/// A bucket, and the client that reaches it.
#[derive(Clone, Debug)]
pub struct Bucket {
    pub client: Client,
    pub name: String,
}

impl Bucket {
    pub fn new(client: &Client, name: impl Into<String>) -> Self {
        Self { client: client.clone(), name: name.into() }
    }

    /// Reads an object; `None` when there is none.
    pub async fn get(&self, key: &str) -> Result<Option<Vec<u8>>> {
        Ok(self.get_tagged(key).await?.map(|(bytes, _)| bytes))
    }

    /// Reads an object and its `ETag`; `None` when there is none.
    pub async fn get_tagged(&self, key: &str) -> Result<Option<(Vec<u8>, Option<String>)>> {
        let sent = self.client.get_object().bucket(&self.name).key(key).send().await;
        let object = match sent {
            Ok(object) => object,
            Err(error) if error.code() == Some("NoSuchKey") => return Ok(None),
            // A role that may list only a prefix gets 403 for a missing object, too.
            Err(error) if error.code() == Some("AccessDenied") && self.is_missing(key).await => return Ok(None),
            Err(error) => return Err(self.error("read", key, aws(&error))),
        };
        match object.body.collect().await {
            Ok(bytes) => Ok(Some((bytes.to_vec(), object.e_tag))),
            Err(error) => Err(self.error("read", key, crate::error::chain(&error))),
        }
    }

    pub async fn put(&self, key: &str, body: Vec<u8>) -> Result<()> {
        let request = self.client.put_object().bucket(&self.name).key(key);
        let sent = request.body(ByteStream::from(body)).send().await;
        sent.map(drop).map_err(|error| self.error("write", key, aws(&error)))
    }

    /// Writes an object that must not exist yet; false when it did, and was left as it was.
    pub async fn put_new(&self, key: &str, body: Vec<u8>) -> Result<bool> {
        let request = self.client.put_object().bucket(&self.name).key(key).if_none_match("*");
        match request.body(ByteStream::from(body)).send().await {
            Ok(_) => Ok(true),
            Err(error) if error.code() == Some("PreconditionFailed") => Ok(false),
            Err(error) => Err(self.error("write", key, aws(&error))),
        }
    }

    /// Replaces the object that has this `ETag`, or makes the one that must not exist yet. Returns the new `ETag`, or nothing
    /// when somebody else was faster.
    pub async fn put_over(&self, key: &str, tag: Option<&str>, body: Vec<u8>) -> Result<Option<Option<String>>> {
        let request = self.client.put_object().bucket(&self.name).key(key);
        let request = match tag {
            Some(tag) => request.if_match(tag),
            None => request.if_none_match("*"),
        };
        match request.body(ByteStream::from(body)).send().await {
            Ok(written) => Ok(Some(written.e_tag)),
            // The second is S3's answer to two conditional writes at the same moment.
            Err(error) if matches!(error.code(), Some("PreconditionFailed" | "ConditionalRequestConflict")) => Ok(None),
            // With a condition on an object that is gone.
            Err(error) if tag.is_some() && error.code() == Some("NoSuchKey") => Ok(None),
            Err(error) => Err(self.error("write", key, aws(&error))),
        }
    }

    pub async fn delete(&self, key: &str) -> Result<()> {
        let sent = self.client.delete_object().bucket(&self.name).key(key).send().await;
        sent.map(drop).map_err(|error| self.error("delete", key, aws(&error)))
    }

    /// Lists the keys under a prefix, in the order of their bytes.
    pub async fn list(&self, prefix: &str) -> Result<Vec<String>> {
        let request = self.client.list_objects_v2().bucket(&self.name).prefix(prefix);
        let mut pages = request.into_paginator().send();
        let mut keys = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| self.error("list", prefix, aws(&error)))?;
            keys.extend(page.contents.unwrap_or_default().into_iter().filter_map(|object| object.key));
        }
        Ok(keys)
    }

    async fn is_missing(&self, key: &str) -> bool {
        self.list(key).await.is_ok_and(|keys| !keys.iter().any(|other| other == key))
    }

    /// Says which action on which object failed.
    pub fn error(&self, action: &str, key: &str, cause: String) -> Error {
        let denied = cause.starts_with("AccessDenied");
        let error = Error::new(format!("cannot {action} s3://{}/{key}", self.name)).cause(cause);
        if denied {
            error.hint("the role of this Lambda lacks the permission; S3 also says so for a missing object when the role may not list")
        } else {
            error
        }
    }
}

/// Splits `s3://bucket/key`.
pub fn address(text: &str) -> Option<(&str, &str)> {
    let (bucket, key) = text.strip_prefix("s3://")?.split_once('/')?;
    (!bucket.is_empty() && !key.is_empty()).then_some((bucket, key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_a_bucket_and_a_key() {
        for (text, expected) in
            [("s3://b/k/l.json", Some(("b", "k/l.json"))), ("s3://b/", None), ("s3:///k", None), ("https://b/k", None)]
        {
            assert_eq!(address(text), expected, "{text}");
        }
    }
}
