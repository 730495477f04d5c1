//! A function that invokes itself, to continue when its time ends.

use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use pipeline::aws::variable;
use pipeline::{Error, Result};
use serde_json::Value;

use crate::client::excerpt;
use crate::http::Http;

/// Invokes this function with an event, and does not wait for what comes of it.
///
/// The trace header goes along, as the SDKs send it: Lambda counts by it how often a function has called itself.
pub async fn again(http: &Http, event: &Value) -> Result<()> {
    let function = variable("AWS_LAMBDA_FUNCTION_NAME")?;
    let failed = || Error::new(format!("the function `{function}` cannot invoke itself to continue"));
    let region = variable("AWS_REGION")?;
    let endpoint = ["AWS_ENDPOINT_URL_LAMBDA", "AWS_ENDPOINT_URL"].iter().find_map(|name| std::env::var(name).ok());
    let endpoint = endpoint.unwrap_or_else(|| format!("https://lambda.{region}.amazonaws.com"));
    let url = format!("{}/2015-03-31/functions/{function}/invocations", endpoint.trim_end_matches('/'));
    let credentials = Credentials::new(
        variable("AWS_ACCESS_KEY_ID")?,
        variable("AWS_SECRET_ACCESS_KEY")?,
        std::env::var("AWS_SESSION_TOKEN").ok(),
        None,
        "environment",
    );
    let body = event.to_string();
    let mut headers =
        vec![("content-type", "application/json".to_owned()), ("x-amz-invocation-type", "Event".to_owned())];
    if let Ok(trace) = std::env::var("_X_AMZN_TRACE_ID") {
        headers.push(("x-amzn-trace-id", trace));
    }
    let identity = credentials.into();
    let parameters = v4::SigningParams::builder()
        .identity(&identity)
        .region(&region)
        .name("lambda")
        .time(SystemTime::now())
        .settings(SigningSettings::default())
        .build()
        .map_err(|error| failed().cause(error))?
        .into();
    let signed = headers.iter().map(|(name, value)| (*name, value.as_str()));
    let request = SignableRequest::new("POST", url.as_str(), signed, SignableBody::Bytes(body.as_bytes()));
    let request = request.map_err(|error| failed().cause(error))?;
    let (instructions, _) = sign(request, &parameters).map_err(|error| failed().cause(error))?.into_parts();
    let signature: Vec<(String, String)> =
        instructions.headers().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let all: Vec<(&str, String)> = headers
        .iter()
        .map(|(name, value)| (*name, value.clone()))
        .chain(signature.iter().map(|(name, value)| (name.as_str(), value.clone())))
        .collect();
    let answer = http.send("POST", &url, &all, body).await.map_err(|fault| failed().cause(fault))?;
    let status = answer.status;
    if (200..300).contains(&status) {
        return Ok(());
    }
    let text = answer.bytes().await.unwrap_or_default();
    Err(failed().cause(format!("HTTP {status}: {}", excerpt(&text))).hint(
        "its role needs lambda:InvokeFunction on the function itself; the next scheduled run resumes where this one stopped",
    ))
}
