//! Lambda, Glue workflows and SNS, as far as they can be asked without a rehearsal: what they accept waits for the next.

use axum::body::to_bytes;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::call::of_function;
use super::clock;
use super::json::{JsonError, JsonResult};
use super::query::{Fault, Query};
use crate::account::local_account::{Account, exists};
use crate::account::queued_calls::Waiting;

pub(crate) const SNS_NAMESPACE: &str = "http://sns.amazonaws.com/doc/2010-03-31/";

/// An event is at most 1 MB.
const LARGEST_PAYLOAD: usize = 1024 * 1024;

impl Account {
    /// Whether a stack has a resource of this type and name.
    pub(crate) fn has(&self, kind: &str, name: &str) -> bool {
        let stacks = self.stacks();
        let mut resources = stacks.live.values().flat_map(|stack| &stack.resources);
        resources.any(|one| {
            one.resource_type == kind
                && exists(one)
                && (one.physical_id == name || one.physical_id.rsplit('/').next() == Some(name))
        })
    }
}

/// Answers Lambda's `Invoke` for asynchronous calls.
pub(crate) async fn invoke(account: &Account, access_key: &str, request: Request) -> Response {
    let path = request.uri().path().to_owned();
    let steps: Vec<&str> = path.trim_matches('/').split('/').collect();
    let [_, "functions", function, "invocations"] = steps[..] else {
        return refusal(404, "ResourceNotFoundException", "the local account has only the operation Invoke of lambda");
    };
    let function = function.rsplit(':').next().unwrap_or(function).to_owned();
    let call = of_function(access_key, "InvokeFunction", &account.arn_of("AWS::Lambda::Function", &function));
    if let Err(reason) = account.allows(&call) {
        return refusal(403, "AccessDeniedException", &reason);
    }
    let kind = request.headers().get("x-amz-invocation-type").and_then(|value| value.to_str().ok());
    if kind != Some("Event") {
        let text = "the local account takes only calls with the invocation type Event, for the next rehearsal";
        return refusal(400, "InvalidParameterValueException", text);
    }
    if !account.has("AWS::Lambda::Function", &function) {
        let text = format!("Function not found: {}", account.arn_of("AWS::Lambda::Function", &function));
        return refusal(404, "ResourceNotFoundException", &text);
    }
    let Ok(bytes) = to_bytes(request.into_body(), LARGEST_PAYLOAD).await else {
        return refusal(413, "RequestTooLargeException", "the payload is larger than 1 MB");
    };
    let payload = if bytes.is_empty() { Ok(json!({})) } else { serde_json::from_slice(&bytes) };
    match payload {
        Ok(payload) => {
            account.waiting.add(Waiting::Call { function, payload });
            StatusCode::ACCEPTED.into_response()
        }
        Err(_) => refusal(400, "InvalidRequestContentException", "Could not parse request body into json"),
    }
}

fn refusal(status: u16, code: &str, message: &str) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
    let body = json!({"Type": "User", "Message": message}).to_string();
    (status, [("x-amzn-errortype", code.to_owned()), ("content-type", "application/json".to_owned())], body)
        .into_response()
}

/// Answers Glue's `StartWorkflowRun`, and the calls of its catalog.
pub(crate) fn glue(account: &Account, operation: &str, body: &Value) -> JsonResult {
    if ["Database", "Table"].iter().any(|what| operation.ends_with(what)) {
        return account.catalog.call(account, operation, body);
    }
    if operation != "StartWorkflowRun" {
        return Err(JsonError::unknown_operation("glue", operation));
    }
    let name = body["Name"].as_str().unwrap_or_default();
    if !account.has("AWS::Glue::Workflow", name) {
        return Err(JsonError::new("EntityNotFoundException", "Entity not found"));
    }
    account.waiting.add(Waiting::Workflow { name: name.to_owned() });
    Ok(json!({"RunId": format!("wr_{}", clock::random(64, clock::HEX))}))
}

/// Answers an action of SNS.
pub(crate) fn sns(account: &Account, action: &str, query: &Query) -> Result<Value, Fault> {
    if action != "Publish" {
        return Err(Fault::validation(format!("the local account has no operation {action} of sns")));
    }
    let (topic, text) = (query.required("TopicArn")?, query.required("Message")?);
    if !account.has("AWS::SNS::Topic", topic) {
        return Err(Fault { status: 404, code: "NotFound", message: "Topic does not exist".into() });
    }
    account.waiting.add(Waiting::Message { topic: topic.to_owned(), text: text.to_owned() });
    Ok(json!({"MessageId": clock::uuid()}))
}
