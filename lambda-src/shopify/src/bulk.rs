//! Bulk operations: starts one, polls one.

use aws_smithy_types::DateTime;
use pipeline::{Error, Result, instant};
use serde::{Deserialize, Deserializer};
use serde_json::json;

use crate::client::Client;

const RUN: &str = "mutation($query: String!) { bulkOperationRunQuery(query: $query) { \
     bulkOperation { id status createdAt } userErrors { code field message } } }";

const CANCEL: &str = "mutation($id: ID!) { bulkOperationCancel(id: $id) { \
     bulkOperation { id status } userErrors { field message } } }";

const LOOK: &str = "query($id: ID!) { node(id: $id) { ... on BulkOperation { \
     id status errorCode createdAt objectCount fileSize url partialDataUrl } } }";

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Status {
    Created,
    Running,
    Canceling,
    Completed,
    Canceled,
    Expired,
    Failed,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Operation {
    pub id: String,
    pub status: Status,
    pub error_code: Option<String>,
    pub created_at: String,
    #[serde(default, deserialize_with = "unsigned")]
    pub object_count: Option<u64>,
    #[serde(default, deserialize_with = "unsigned")]
    pub file_size: Option<u64>,
    pub url: Option<String>,
    pub partial_data_url: Option<String>,
}

/// What came of the wish to start an operation.
#[derive(Debug)]
pub enum Start {
    Started(String),
    /// Shopify runs as many operations as it allows; ask again when one is done.
    Busy(String),
}

impl Operation {
    pub fn started(&self) -> Result<DateTime> {
        instant::parse(&self.created_at)
    }

    /// True when the operation will not change any more.
    pub fn over(&self) -> bool {
        !matches!(self.status, Status::Created | Status::Running | Status::Canceling)
    }

    /// Says why an operation that is over has no whole result.
    pub fn failure(&self, object: &str) -> Option<Error> {
        let reason = match self.status {
            Status::Created | Status::Running | Status::Canceling | Status::Completed => {
                return None;
            }
            Status::Canceled => "was cancelled",
            Status::Expired => "has expired",
            Status::Failed => "has failed",
        };
        let code = self.error_code.as_deref();
        let error = Error::new(format!("the bulk operation {} of `{object}` {reason}", self.id));
        let error = match code {
            Some(code) => error.cause(code),
            None => error,
        };
        let kept = match self.partial_data_url {
            Some(_) => "its partial result is not used; ",
            None => "",
        };
        Some(error.hint(match code {
            Some("ACCESS_DENIED") => {
                format!("{kept}the app lacks a scope that the query of `{object}` needs")
            }
            Some("TIMEOUT") => {
                format!("{kept}the query takes too long: select fewer nested connections")
            }
            _ => format!("{kept}the next invocation starts a new operation from the same cursor"),
        }))
    }
}

pub async fn start(client: &Client<'_>, object: &str, query: &str) -> Result<Start> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Data {
        bulk_operation_run_query: Payload,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Payload {
        bulk_operation: Option<Operation>,
        user_errors: Vec<UserError>,
    }
    #[derive(Deserialize)]
    struct UserError {
        code: Option<String>,
        field: Option<Vec<String>>,
        message: String,
    }
    let data: Data = client.query(RUN, json!({"query": query})).await?;
    let payload = data.bulk_operation_run_query;
    let errors = payload.user_errors.iter().map(|error| {
        let field = error.field.as_ref().map(|field| format!("{}: ", field.join(".")));
        format!("{}{}", field.unwrap_or_default(), error.message)
    });
    let errors = errors.collect::<Vec<_>>().join("; ");
    let busy = |error: &UserError| matches!(error.code.as_deref(), Some("OPERATION_IN_PROGRESS" | "LIMIT_REACHED"));
    if payload.user_errors.iter().any(busy) {
        return Ok(Start::Busy(errors));
    }
    match payload.bulk_operation {
        Some(operation) if payload.user_errors.is_empty() => Ok(Start::Started(operation.id)),
        _ => Err(Error::new(format!("Shopify does not accept the bulk query of `{object}`"))
            .cause(errors)
            .hint(format!("correct the query of `{object}`; try it in the shop's GraphiQL app first"))),
    }
}

/// Looks at an operation; `None` when Shopify does not know it any more.
pub async fn look(client: &Client<'_>, id: &str) -> Result<Option<Operation>> {
    #[derive(Deserialize)]
    struct Data {
        node: Option<Operation>,
    }
    let data: Data = client.query(LOOK, json!({"id": id})).await?;
    Ok(data.node)
}

/// Asks Shopify to give an operation up. That it does not obey is no harm: its place is free when it ends.
pub async fn cancel(client: &Client<'_>, id: &str) {
    if let Err(error) = client.query::<serde_json::Value>(CANCEL, json!({"id": id})).await {
        tracing::warn!("the bulk operation {id} cannot be cancelled: {error}");
    }
}

/// Reads an `UnsignedInt64`, which GraphQL carries as text.
fn unsigned<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    use serde::de::Error;
    match serde_json::Value::deserialize(deserializer)? {
        serde_json::Value::Null => Ok(None),
        serde_json::Value::Number(number) => number.as_u64().map(Some).ok_or_else(|| D::Error::custom("not a count")),
        serde_json::Value::String(text) => text.parse().map(Some).map_err(D::Error::custom),
        _ => Err(D::Error::custom("not a count")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_are_read_as_shopify_writes_them() {
        let text = r#"{"id":"gid:\/\/shopify\/BulkOperation\/7","status":"FAILED","errorCode":"ACCESS_DENIED","createdAt":"2026-10-01T00:00:00Z",
            "objectCount":"12","fileSize":null,"url":null,"partialDataUrl":"https://x"}"#;
        let operation: Operation = serde_json::from_str(text).unwrap();
        assert_eq!((operation.object_count, operation.file_size), (Some(12), None));
        let failure = operation.failure("orders").unwrap().to_string();
        assert!(
            failure.contains("ACCESS_DENIED")
                && failure.contains("partial result is not used")
                && failure.contains("scope"),
            "{failure}"
        );
    }
}
