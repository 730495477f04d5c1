//! What the service answers with.

use serde_json::{Value, json};

/// The status and the body of a response.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    pub status: u16,
    pub body: Value,
}

/// An error of the service, as its model names it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Fault {
    kind: &'static str,
    message: String,
    resource: Option<String>,
}

impl Fault {
    pub(super) fn new(kind: &'static str, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), resource: None }
    }

    pub(super) fn validation(message: impl Into<String>) -> Self {
        Self::new("ValidationException", message)
    }

    pub(super) fn not_found(message: &str, id: &str) -> Self {
        Self { kind: "ResourceNotFoundException", message: message.to_owned(), resource: Some(id.to_owned()) }
    }
}

impl From<Result<Value, Fault>> for Answer {
    fn from(reply: Result<Value, Fault>) -> Self {
        match reply {
            Ok(body) => Self { status: 200, body },
            Err(fault) => {
                let mut body = json!({ "__type": fault.kind, "Message": fault.message });
                if let Some(resource) = fault.resource {
                    body["ResourceId"] = resource.into();
                }
                Self { status: 400, body }
            }
        }
    }
}
