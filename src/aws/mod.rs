//! AWS, in our words: concrete clients of the SDK.

pub mod cloudformation;
pub mod dms;
pub mod error;
pub mod s3;
pub mod signed_calls;
mod slow_down;

#[cfg(test)]
pub(crate) mod fake;
#[cfg(test)]
mod tests;

use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_sts::config::{Credentials, ProvideCredentials, SharedHttpClient};
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};

use crate::error::{Error, Result};
use crate::spec::Environment;

pub use cloudformation::CloudFormation;
pub use dms::Dms;
pub use error::{Failure, Kind};
pub use s3::S3;
pub use signed_calls::SignedCalls;
pub use slow_down::SlowDown;

use error::CREDENTIALS;

/// An account in a region.
#[derive(Debug, Clone)]
pub struct Aws {
    pub cloudformation: CloudFormation,
    pub s3: S3,
    pub dms: Dms,
    /// The services without an SDK here.
    pub signed_calls: SignedCalls,
    pub account: String,
    /// The ARN of the principal of these credentials.
    pub caller: String,
    pub region: String,
    pub pace: Pace,
    /// What holds all calls back when AWS asks to slow down.
    pub slow_down: SlowDown,
    /// Where the account is, if it is not AWS itself.
    endpoint: Option<String>,
}

/// How often to ask whether something is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    pub first: Duration,
    pub longest: Duration,
}

impl Pace {
    const AWS: Self = Self { first: Duration::from_secs(2), longest: Duration::from_secs(5) };
    /// An account on this machine answers at once and counts no requests.
    const LOCAL: Self = Self { first: Duration::from_millis(5), longest: Duration::from_millis(200) };

    /// The waits between questions: each longer than the one before, up to the longest.
    pub fn waits(self) -> impl Iterator<Item = Duration> {
        std::iter::successors(Some(self.first), move |wait| Some((*wait * 3 / 2).min(self.longest)))
    }
}

impl Aws {
    /// Connects to the account of an environment. `local` is the endpoint of the local account and an access key of it;
    /// else the credentials come from the SDK's usual places, and `AWS_ENDPOINT_URL` is honoured. Fails if there are no credentials, or if they
    /// belong to another account.
    pub async fn connect(environment: &Environment, local: Option<(&str, &str)>) -> Result<Self> {
        let variable =
            ["AWS_ENDPOINT_URL_CLOUDFORMATION", "AWS_ENDPOINT_URL"].iter().find_map(|name| std::env::var(name).ok());
        let address = local.map(|(endpoint, _)| endpoint.to_owned()).or(variable);
        let loopback = address.as_deref().is_some_and(is_loopback);
        let slow_down = SlowDown::new(first_wait(loopback));
        let loader = aws_config::defaults(BehaviorVersion::latest())
            .region(Region::new(environment.region.clone()))
            .http_client(slow_down.around(http_client(address.as_deref())))
            .retry_config(retries(loopback))
            .timeout_config(
                TimeoutConfig::builder()
                    .connect_timeout(Duration::from_secs(5))
                    .read_timeout(Duration::from_mins(1))
                    .build(),
            );
        let loader = match local {
            Some((endpoint, access_key)) => loader.endpoint_url(endpoint).credentials_provider(Credentials::new(
                access_key,
                "local",
                None,
                None,
                "the local account",
            )),
            None => loader,
        };
        let config = loader.load().await;
        let caller = check_account(&config, environment, local.is_some()).await?;
        Ok(Self {
            cloudformation: CloudFormation::new(&config),
            s3: S3::new(&config, address.is_some() || std::env::var_os("AWS_ENDPOINT_URL_S3").is_some()),
            dms: Dms::new(&config),
            signed_calls: SignedCalls::new(&config, &environment.region, address.clone()),
            account: environment.account.clone(),
            caller,
            region: environment.region.clone(),
            pace: if loopback { Pace::LOCAL } else { Pace::AWS },
            slow_down,
            endpoint: address,
        })
    }

    /// The URL of an object, in the path style: it is the one that AWS and everything like it know.
    pub fn object_url(&self, bucket: &str, key: &str) -> String {
        let suffix = if self.region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
        match &self.endpoint {
            Some(endpoint) => format!("{}/{bucket}/{key}", endpoint.trim_end_matches('/')),
            None => format!("https://s3.{}.{suffix}/{bucket}/{key}", self.region),
        }
    }
}

/// At most 7 tries with at most 15 s between them: rivals that did not cap this hung silently for half an hour.
fn retries(loopback: bool) -> RetryConfig {
    RetryConfig::standard()
        .with_max_attempts(7)
        .with_initial_backoff(first_wait(loopback))
        .with_max_backoff(Duration::from_secs(15))
}

/// The first wait after a call that failed for a passing reason.
fn first_wait(loopback: bool) -> Duration {
    if loopback { Duration::from_millis(20) } else { Duration::from_secs(1) }
}

/// Plain HTTP needs no TLS, and then the root certificates need not be read.
fn http_client(address: Option<&str>) -> SharedHttpClient {
    let builder = aws_smithy_http_client::Builder::new();
    match address {
        Some(address) if address.starts_with("http://") => builder.build_http(),
        _ => builder.tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https(),
    }
}

fn is_loopback(address: &str) -> bool {
    let host = address.split_once("://").map_or(address, |(_, rest)| rest);
    ["127.", "localhost", "[::1]"].iter().any(|start| host.starts_with(start))
}

/// Fails if the credentials belong to another account; returns whose they are.
async fn check_account(config: &SdkConfig, environment: &Environment, local: bool) -> Result<String> {
    let identity = match aws_sdk_sts::Client::new(config).get_caller_identity().send().await {
        Ok(identity) => identity,
        Err(error) => {
            let failure = Failure::new("GetCallerIdentity", &error);
            // Without an answer the reason may be that there was nothing to sign the question with.
            if failure.code.is_empty()
                && let Some(provider) = config.credentials_provider()
                && let Err(reason) = provider.provide_credentials().await
            {
                return Err(Error::new("no AWS credentials").cause(&reason).hint(CREDENTIALS));
            }
            return Err(failure.into());
        }
    };
    let account = identity.account().unwrap_or_default();
    if account == environment.account {
        return Ok(identity.arn().unwrap_or_default().to_owned());
    }
    let error = Error::new(format!(
        "these credentials belong to the account {account}, but the environment's account is {}",
        environment.account
    ));
    Err(if local {
        error.hint(format!("set `account: \"{account}\"` in the environment's file"))
    } else {
        error
            .note(format!("the caller is {}", identity.arn().unwrap_or("unknown")))
            .hint("choose the other profile with AWS_PROFILE, or correct `account` in the environment's file")
    })
}
