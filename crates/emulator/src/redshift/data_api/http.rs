//! The HTTP interface of the service: `POST /` with the header `X-Amz-Target: RedshiftData.<action>`.

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use serde_json::Value;

use super::DataApi;
use super::answer::{Answer, Fault};

/// A statement is at most 100 KB, a batch at most 40 of them; escapes take more.
const LONGEST_BODY: usize = 32 * 1024 * 1024;

impl DataApi {
    /// A router that answers at `/`, for a server that the caller runs. All requests count as `caller`'s.
    pub fn router(&self, caller: &str) -> axum::Router {
        axum::Router::new()
            .route("/", post(answer))
            .layer(axum::extract::DefaultBodyLimit::max(LONGEST_BODY))
            .with_state((self.clone(), caller.to_owned()))
    }
}

async fn answer(State((api, caller)): State<(DataApi, String)>, headers: HeaderMap, body: Bytes) -> Response {
    let target = headers.get("x-amz-target").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let answer = match (target.strip_prefix("RedshiftData."), serde_json::from_slice::<Value>(&body)) {
        (Some(action), Ok(body)) => api.handle(action, &body, &caller).await,
        (None, _) => Answer::from(Err(Fault::new("UnknownOperationException", "no action of RedshiftData"))),
        (_, Err(error)) => Answer::from(Err(Fault::new("SerializationException", error.to_string()))),
    };
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, [(header::CONTENT_TYPE, "application/x-amz-json-1.1")], answer.body.to_string()).into_response()
}
