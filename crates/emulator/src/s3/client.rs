//! Clients of the S3 of the account on this machine.

use aws_sdk_s3::Client;
use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};

/// A client for the local account's S3, with an access key of it.
pub fn client(endpoint: &str, region: &str, access_key: &str) -> Client {
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .endpoint_url(endpoint)
        .force_path_style(true)
        .region(Region::new(region.to_owned()))
        .credentials_provider(Credentials::new(access_key, "rehearsal", None, None, "the rehearsal"))
        .build();
    Client::from_conf(config)
}
