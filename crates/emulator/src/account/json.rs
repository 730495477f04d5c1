//! Services that speak AWS's JSON 1.1 protocol: the prefix of `X-Amz-Target` selects the service.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use serde_json::Value;

/// A call of a JSON service.
#[derive(Debug, Clone)]
pub struct JsonCall {
    /// The operation, such as `GetSecretValue`.
    pub operation: String,
    pub body: Value,
    pub access_key: String,
}

/// An error of a JSON service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonError {
    pub status: u16,
    pub code: String,
    pub message: String,
}

/// The answer of a JSON service.
pub type JsonResult = Result<Value, JsonError>;

/// What answers the calls of a JSON service.
pub type JsonHandler = Arc<dyn Fn(JsonCall) -> Pin<Box<dyn Future<Output = JsonResult> + Send>> + Send + Sync>;

impl JsonError {
    pub fn new(code: &str, message: &str) -> Self {
        Self { status: 400, code: code.to_owned(), message: message.to_owned() }
    }

    /// The answer to an operation that the local account does not have.
    pub fn unknown_operation(service: &str, operation: &str) -> Self {
        Self::new("UnknownOperationException", &format!("the local account has no operation {operation} of {service}"))
    }
}
