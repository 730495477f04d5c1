//! One invocation: from the environment to the ingest.

use pipeline::document::{Document, Source};
use pipeline::s3::Bucket;
use pipeline::{Deadline, Error, Result, aws};
use serde_json::Value;

use crate::client::Client;
use crate::credentials;
use crate::http::Http;
use crate::ingest::Ingest;

/// Runs the ingest of the source that the environment names; the event carries nothing.
pub async fn handle(deadline: Deadline) -> Result<Value> {
    let address = aws::variable("PIPELINE_DOCUMENT")?;
    let name = aws::variable("SOURCE")?;
    let config = aws::config()?;
    let s3 = aws::s3(&config);
    let document = Document::parse(&Document::fetch(&s3, &address).await?)?;
    let Some(Source::Shopify(source)) = document.sources.get(&name) else {
        let error = Error::new(format!("the pipeline has no Shopify source `{name}`"));
        return Err(error.hint("SOURCE must name one of `sources`; run `pipectl deploy`, which sets it"));
    };
    let http = Http::new();
    let endpoint = std::env::var("SHOPIFY_ENDPOINT").unwrap_or_else(|_| format!("https://{}", source.store));
    let credentials = credentials::read(&config, &source.secret).await?;
    let client = Client::new(&http, &endpoint, source, credentials, deadline);
    let ingest =
        Ingest { name: &name, source, client, http: &http, raw: Bucket::new(&s3, &document.buckets.raw), deadline };
    ingest.run().await
}
