//! AWS clients from the environment that Lambda gives.

use std::env;
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::behavior_version::BehaviorVersion;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::SdkConfig;
use aws_types::region::Region;

use crate::{Error, Result};

/// The TLS library of every connection that a Lambda makes.
pub const TLS: Provider = Provider::Rustls(CryptoMode::Ring);

/// Reads region, credentials and the endpoint override (`AWS_ENDPOINT_URL`) from the environment.
pub fn config() -> Result<SdkConfig> {
    let credentials = Credentials::new(
        variable("AWS_ACCESS_KEY_ID")?,
        variable("AWS_SECRET_ACCESS_KEY")?,
        env::var("AWS_SESSION_TOKEN").ok(),
        None,
        "environment",
    );
    let region = env::var("AWS_REGION").or_else(|_| variable("AWS_DEFAULT_REGION"))?;
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(5))
        .operation_attempt_timeout(Duration::from_mins(1))
        .build();
    let mut config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new(region))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .timeout_config(timeouts)
        .http_client(aws_smithy_http_client::Builder::new().tls_provider(TLS).build_https());
    if let Ok(endpoint) = env::var("AWS_ENDPOINT_URL") {
        config = config.endpoint_url(endpoint);
    }
    Ok(config.build())
}

/// Makes the S3 client; behind an endpoint override, buckets stand in the path, as their host names do not resolve.
pub fn s3(config: &SdkConfig) -> aws_sdk_s3::Client {
    let config = &service(config, "S3");
    let s3 = aws_sdk_s3::config::Builder::from(config).force_path_style(config.endpoint_url().is_some()).build();
    aws_sdk_s3::Client::from_conf(s3)
}

/// Applies the endpoint override of one service, such as `AWS_ENDPOINT_URL_S3`, which goes before the common one.
pub fn service(config: &SdkConfig, name: &str) -> SdkConfig {
    match env::var(format!("AWS_ENDPOINT_URL_{name}")) {
        Ok(endpoint) => config.to_builder().endpoint_url(endpoint).build(),
        Err(_) => config.clone(),
    }
}

/// Reads an environment variable that the template sets.
pub fn variable(name: &str) -> Result<String> {
    env::var(name).map_err(|_| {
        Error::new(format!("the environment variable {name} is missing"))
            .hint("Lambda and the template of the function set it; run `pipectl deploy`")
    })
}
