//! Signed calls to services with few operations, for which an SDK would be too large.

use std::time::SystemTime;

use aws_config::SdkConfig;
use aws_sdk_sts::config::ProvideCredentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4::SigningParams;
use aws_smithy_runtime::client::orchestrator::operation::Operation;
use aws_smithy_runtime_api::client::behavior_version::BehaviorVersion;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, OrchestratorError};
use aws_smithy_runtime_api::http::Response;
use serde_json::Value;

use super::error::{Failure, Kind, kind};

/// How often a call is made that fails for a passing reason.
const TRIES: u32 = 4;

/// A client for every service of a region.
#[derive(Debug, Clone)]
pub struct SignedCalls {
    config: SdkConfig,
    region: String,
    endpoint: Option<String>,
}

/// What is sent.
#[derive(Debug, Clone)]
struct Request {
    action: &'static str,
    service: &'static str,
    path: String,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

/// What came back.
#[derive(Debug, Clone)]
struct Answer {
    status: u16,
    /// The error's code, where a header has it.
    code: Option<String>,
    request_id: Option<String>,
    body: Vec<u8>,
}

impl SignedCalls {
    pub(super) fn new(config: &SdkConfig, region: &str, endpoint: Option<String>) -> Self {
        Self { config: config.clone(), region: region.to_owned(), endpoint }
    }

    /// Calls an operation of SQS.
    pub async fn sqs(&self, action: &'static str, body: &Value) -> Result<Value, Failure> {
        self.json(action, "sqs", format!("AmazonSQS.{action}"), "application/x-amz-json-1.0", body).await
    }

    /// Calls an operation of the Redshift Data API.
    pub async fn redshift_data(&self, action: &'static str, body: &Value) -> Result<Value, Failure> {
        self.json(action, "redshift-data", format!("RedshiftData.{action}"), "application/x-amz-json-1.1", body).await
    }

    /// Starts a run of a Glue workflow.
    pub async fn start_workflow(&self, name: &str) -> Result<(), Failure> {
        let body = serde_json::json!({ "Name": name });
        let target = "AWSGlue.StartWorkflowRun".to_owned();
        self.json("StartWorkflowRun", "glue", target, "application/x-amz-json-1.1", &body).await.map(drop)
    }

    /// Calls a Lambda as an event does: it answers at once, and tries again by itself.
    pub async fn invoke(&self, function: &str, payload: &str) -> Result<(), Failure> {
        let request = Request {
            action: "Invoke",
            service: "lambda",
            path: format!("/2015-03-31/functions/{function}/invocations"),
            headers: vec![("x-amz-invocation-type", "Event".into()), ("content-type", "application/json".into())],
            body: payload.as_bytes().to_vec(),
        };
        self.send(request).await.map(drop)
    }

    /// Sends a text to the subscribers of a topic.
    pub async fn publish(&self, topic: &str, text: &str) -> Result<(), Failure> {
        let fields = [("Action", "Publish"), ("Version", "2010-03-31"), ("TopicArn", topic), ("Message", text)];
        let body: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={}", escaped(value))).collect();
        let request = Request {
            action: "Publish",
            service: "sns",
            path: "/".into(),
            headers: vec![("content-type", "application/x-www-form-urlencoded".into())],
            body: body.join("&").into_bytes(),
        };
        self.send(request).await.map(drop)
    }

    async fn json(
        &self,
        action: &'static str,
        service: &'static str,
        target: String,
        content_type: &str,
        body: &Value,
    ) -> Result<Value, Failure> {
        let headers = vec![("x-amz-target", target), ("content-type", content_type.to_owned())];
        let body = body.to_string().into_bytes();
        let answer = self.send(Request { action, service, path: "/".into(), headers, body }).await?;
        let cut_off = |error: serde_json::Error| failure(action, Kind::NoAnswer, error.to_string());
        if answer.body.is_empty() { Ok(Value::Null) } else { serde_json::from_slice(&answer.body).map_err(cut_off) }
    }

    /// Sends, again after a pause where that may help.
    async fn send(&self, request: Request) -> Result<Answer, Failure> {
        let mut pause = std::time::Duration::from_millis(300);
        for _ in 1..TRIES {
            match self.once(&request).await {
                Err(failure) if failure.is_transient() => {
                    tokio::time::sleep(pause).await;
                    pause *= 3;
                }
                done => return done,
            }
        }
        self.once(&request).await
    }

    async fn once(&self, request: &Request) -> Result<Answer, Failure> {
        let action = request.action;
        let wrong = |why: String| failure(action, Kind::Other, why);
        let endpoint = self.address(request.service);
        let signed = self.signed(request, &endpoint).await?;
        let client = self.config.http_client().ok_or_else(|| wrong("no HTTP client".into()))?;
        let headers = std::sync::Mutex::new(Some(signed));
        let operation = Operation::builder()
            .service_name(request.service)
            .operation_name(action)
            .behavior_version(BehaviorVersion::latest())
            .http_client(client)
            .endpoint_url(&endpoint)
            .no_auth()
            .no_retry()
            .serializer(move |(): ()| {
                let request = headers.lock().ok().and_then(|mut request| request.take());
                request.ok_or_else(|| "the request was sent before".into())
            })
            .deserializer(|response: &Response| Ok::<_, OrchestratorError<std::convert::Infallible>>(answer(response)));
        let operation = match self.config.timeout_config() {
            Some(timeouts) => operation.timeout_config(timeouts.clone()),
            None => operation,
        };
        let operation = match self.config.sleep_impl() {
            Some(sleep) => operation.sleep_impl(sleep),
            None => operation,
        };
        let sent = operation.build().invoke(()).await;
        let answer = sent.map_err(|error| failure(action, Kind::NoAnswer, super::error::innermost(&error)))?;
        if answer.status < 300 { Ok(answer) } else { Err(refused(action, &answer)) }
    }

    fn address(&self, service: &str) -> String {
        let own = std::env::var(format!("AWS_ENDPOINT_URL_{}", service.to_uppercase())).ok();
        let suffix = if self.region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
        self.endpoint.clone().or(own).unwrap_or_else(|| format!("https://{service}.{}.{suffix}", self.region))
    }

    async fn signed(&self, request: &Request, endpoint: &str) -> Result<HttpRequest, Failure> {
        let action = request.action;
        let wrong = |why: String| failure(action, Kind::Other, why);
        let provider = self.config.credentials_provider();
        let provider = provider.ok_or_else(|| failure(action, Kind::Credentials, "no credentials".into()))?;
        let credentials = provider.provide_credentials().await;
        let identity =
            credentials.map_err(|error| failure(action, Kind::Credentials, super::error::innermost(&error)))?.into();
        let parameters = SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name(request.service)
            .time(SystemTime::now())
            .settings(SigningSettings::default())
            .build()
            .map_err(|error| wrong(error.to_string()))?;
        let url = format!("{}{}", endpoint.trim_end_matches('/'), request.path);
        let headers = request.headers.iter().map(|(name, value)| (*name, value.as_str()));
        let signable = SignableRequest::new("POST", &url, headers, SignableBody::Bytes(&request.body));
        let signable = signable.map_err(|error| wrong(error.to_string()))?;
        let (instructions, _) =
            sign(signable, &parameters.into()).map_err(|error| wrong(error.to_string()))?.into_parts();
        let mut http = HttpRequest::new(request.body.clone().into());
        http.set_method("POST").map_err(|error| wrong(error.to_string()))?;
        http.set_uri(request.path.as_str()).map_err(|error| wrong(error.to_string()))?;
        for (name, value) in request.headers.iter().map(|(name, value)| (*name, value.as_str())) {
            http.headers_mut().insert(name, value.to_owned());
        }
        for (name, value) in instructions.headers() {
            http.headers_mut().insert(name.to_owned(), value.to_owned());
        }
        Ok(http)
    }
}

fn answer(response: &Response) -> Answer {
    let header = |name: &str| response.headers().get(name).map(str::to_owned);
    Answer {
        status: response.status().as_u16(),
        code: header("x-amzn-errortype"),
        request_id: header("x-amzn-requestid"),
        body: response.body().bytes().unwrap_or_default().to_vec(),
    }
}

/// A refusal, in whichever of AWS's forms it comes.
fn refused(action: &'static str, answer: &Answer) -> Failure {
    let text = String::from_utf8_lossy(&answer.body);
    let json: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let within = |tag: &str| {
        let (_, rest) = text.split_once(&format!("<{tag}>"))?;
        Some(rest.split_once(&format!("</{tag}>"))?.0.to_owned())
    };
    let code = answer.code.clone().or_else(|| json["__type"].as_str().map(str::to_owned)).or_else(|| within("Code"));
    let code = code.unwrap_or_default();
    // `com.amazonaws.sqs#QueueDoesNotExist`, `ResourceNotFoundException:http://…`
    let code = code.split(':').next().unwrap_or_default().rsplit('#').next().unwrap_or_default().to_owned();
    let message = ["message", "Message"].iter().find_map(|name| json[*name].as_str().map(str::to_owned));
    let message = message.or_else(|| within("Message")).unwrap_or_else(|| format!("HTTP status {}", answer.status));
    let kind = match code.as_str() {
        "QueueDoesNotExist" | "ResourceNotFoundException" | "EntityNotFoundException" => Kind::NotFound,
        code => kind(code, &message, Some(answer.status)),
    };
    Failure { kind, action, code, message, request_id: answer.request_id.clone() }
}

fn failure(action: &'static str, kind: Kind, message: String) -> Failure {
    Failure { kind, action, code: String::new(), message, request_id: None }
}

/// A text as a form's value.
fn escaped(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
            byte => format!("%{byte:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn service_errors_are_parsed_in_every_form() {
        let reported = |code: Option<&str>, status: u16, body: &str| {
            let code = code.map(str::to_owned);
            let answer = Answer { status, code, request_id: None, body: body.as_bytes().to_vec() };
            let failure = refused("X", &answer);
            format!("{:?} {} {}", failure.kind, failure.code, failure.message)
        };
        let text = [
            reported(None, 400, r#"{"__type":"com.amazonaws.sqs#QueueDoesNotExist","message":"no queue"}"#),
            reported(Some("ResourceNotFoundException:http://x/"), 404, r#"{"Message":"no function"}"#),
            reported(
                None,
                403,
                "<ErrorResponse><Error><Code>AuthorizationError</Code><Message>no</Message></Error></ErrorResponse>",
            ),
            reported(None, 503, "busy"),
        ];
        insta::assert_snapshot!(text.join("\n"), @r"
        NotFound QueueDoesNotExist no queue
        NotFound ResourceNotFoundException no function
        AccessDenied AuthorizationError no
        Server  HTTP status 503
        ");
    }
}
