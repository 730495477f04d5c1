//! Reading the pipeline document that `PIPELINE_DOCUMENT` names.

pub use pipectl_contract::document::{
    Child, Document, List, Mart, Object, Shopify, Source, VERSION, Version, Warehouse,
};

use crate::{Error, Result, s3};

/// Reads a document. Fails if it is of another version of pipectl.
pub fn parse(bytes: &[u8]) -> Result<Document> {
    let redeploy = "run `pipectl deploy`: the document and the Lambdas belong to one version of pipectl";
    let unreadable = |error| Error::new("the pipeline document cannot be read").cause(error).hint(redeploy);
    let Version { version } = serde_json::from_slice(bytes).map_err(unreadable)?;
    if version != VERSION {
        let message = format!("the pipeline document has version {version}, this Lambda reads version {VERSION}");
        return Err(Error::new(message).hint(redeploy));
    }
    serde_json::from_slice(bytes).map_err(unreadable)
}

/// Reads the bytes of the document at an address, `s3://bucket/key`.
pub async fn fetch(client: &aws_sdk_s3::Client, address: &str) -> Result<Vec<u8>> {
    let (bucket, key) = s3::address(address).ok_or_else(|| {
        Error::new(format!("PIPELINE_DOCUMENT is `{address}`, not s3://bucket/key"))
            .hint("run `pipectl deploy`, which sets it")
    })?;
    let bucket = s3::Bucket::new(client, bucket);
    bucket.get(key).await?.ok_or_else(|| {
        Error::new(format!("the pipeline document {address} does not exist"))
            .hint("run `pipectl deploy`, which uploads it")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_version_is_an_error_with_a_fix_whatever_its_form() {
        let error = parse(br#"{"version":2,"everything":"else"}"#).unwrap_err().to_string();
        assert!(error.contains("version 2") && error.contains("pipectl deploy"), "{error}");
    }

    #[test]
    fn a_document_that_lacks_a_part_is_an_error_that_names_it() {
        let error = parse(br#"{"version":1,"pipeline":"shop"}"#).unwrap_err().to_string();
        assert!(error.contains("missing field `environment`") && error.contains("pipectl deploy"), "{error}");
    }
}
