//! The account, seen through AWS's own SDK.

mod adoption;
mod failures;
mod interventions;
mod objects;
mod recorded;
mod reference;
mod services;
mod stacks;
mod strangers;

use std::path::Path;

use aws_config::BehaviorVersion;
use aws_sdk_cloudformation as cloudformation;
use aws_sdk_cloudformation::types::{Capability, ChangeSetType, Parameter};
use aws_sdk_s3 as s3;

use super::{Endpoint, LocalAccount};

const REGION: &str = "us-east-1";
const ACCOUNT: &str = "000000000000";

/// An account with its endpoint and the clients for it.
struct Local {
    account: LocalAccount,
    endpoint: Endpoint,
    cloudformation: cloudformation::Client,
    s3: s3::Client,
    config: aws_config::SdkConfig,
}

impl Local {
    async fn open(directory: &Path) -> Self {
        let account = LocalAccount::open(directory, ACCOUNT, REGION).unwrap();
        let endpoint = account.serve(0).await.unwrap();
        let credentials = aws_sdk_s3::config::Credentials::new(account.access_key("test"), "test", None, None, "test");
        let config = aws_config::SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(aws_config::Region::new(REGION))
            .credentials_provider(aws_sdk_s3::config::SharedCredentialsProvider::new(credentials))
            .http_client(
                aws_smithy_http_client::Builder::new()
                    .tls_provider(aws_smithy_http_client::tls::Provider::Rustls(
                        aws_smithy_http_client::tls::rustls_provider::CryptoMode::Ring,
                    ))
                    .build_https(),
            )
            .endpoint_url(endpoint.url())
            .build();
        let s3 = s3::Client::from_conf(s3::config::Builder::from(&config).force_path_style(true).build());
        Self { account, endpoint, cloudformation: cloudformation::Client::new(&config), s3, config }
    }

    /// Makes a change set and answers its ARN.
    async fn change_set(&self, stack: &str, template: &str, parameters: &[(&str, &str)]) -> Result<String, String> {
        let known = self.cloudformation.describe_stacks().stack_name(stack).send().await;
        let exists = known.is_ok_and(|answer| {
            answer.stacks().iter().any(|stack| stack.stack_status().is_some_and(|s| s.as_str() != "REVIEW_IN_PROGRESS"))
        });
        let kind = if exists { ChangeSetType::Update } else { ChangeSetType::Create };
        let parameters = parameters
            .iter()
            .map(|(key, value)| Parameter::builder().parameter_key(*key).parameter_value(*value).build())
            .collect();
        let answer = self
            .cloudformation
            .create_change_set()
            .stack_name(stack)
            .change_set_name(format!("cs-{}", super::clock::random(8, super::clock::LOWER)))
            .change_set_type(kind)
            .template_body(template)
            .set_parameters(Some(parameters))
            .capabilities(Capability::CapabilityNamedIam)
            .send()
            .await;
        answer.map(|answer| answer.id().unwrap().to_owned()).map_err(message)
    }

    async fn execute(&self, change_set: &str) -> Result<(), String> {
        self.cloudformation.execute_change_set().change_set_name(change_set).send().await.map_err(message)?;
        self.endpoint_idle().await;
        Ok(())
    }

    async fn endpoint_idle(&self) {
        self.account.0.idle().await;
    }

    /// Deploys a template and answers the status of the stack.
    async fn deploy(&self, stack: &str, template: &str, parameters: &[(&str, &str)]) -> String {
        let change_set = self.change_set(stack, template, parameters).await.unwrap();
        self.execute(&change_set).await.unwrap();
        self.status(stack).await
    }

    async fn status(&self, stack: &str) -> String {
        let answer = self.cloudformation.describe_stacks().stack_name(stack).send().await;
        match answer {
            Ok(answer) => answer.stacks()[0].stack_status().unwrap().as_str().to_owned(),
            Err(error) => message(error),
        }
    }

    async fn delete(&self, stack: &str) -> String {
        let id = self.cloudformation.describe_stacks().stack_name(stack).send().await.unwrap();
        let id = id.stacks()[0].stack_id().unwrap().to_owned();
        self.cloudformation.delete_stack().stack_name(stack).send().await.unwrap();
        self.endpoint_idle().await;
        self.status(&id).await
    }

    /// `logical id status: reason` of the events, oldest first.
    async fn events(&self, stack: &str) -> Vec<String> {
        let answer = self.cloudformation.describe_stack_events().stack_name(stack).send().await.unwrap();
        let line = |event: &cloudformation::types::StackEvent| {
            let reason = event.resource_status_reason().map(|reason| format!(": {reason}")).unwrap_or_default();
            format!("{} {}{reason}", event.logical_resource_id().unwrap(), event.resource_status().unwrap().as_str())
        };
        answer.stack_events().iter().rev().map(line).collect()
    }

    async fn put(&self, bucket: &str, key: &str, body: &[u8]) {
        self.s3.put_object().bucket(bucket).key(key).body(body.to_vec().into()).send().await.unwrap();
    }
}

/// `Code: message` of an SDK error.
#[expect(clippy::needless_pass_by_value, reason = "it is handed to `map_err`")]
fn message<E, R>(error: aws_sdk_s3::error::SdkError<E, R>) -> String
where
    E: aws_sdk_s3::error::ProvideErrorMetadata + std::error::Error + 'static,
    R: std::fmt::Debug,
{
    match error.as_service_error() {
        Some(service) => {
            let meta = service.meta();
            format!("{}: {}", meta.code().unwrap_or_default(), meta.message().unwrap_or_default())
        }
        None => format!("{:?}", error.to_string()),
    }
}
