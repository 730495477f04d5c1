//! The shop over HTTP.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use bytes::Bytes;
use serde_json::{Map, Value, json};
use time::OffsetDateTime;

use super::answer::answer;
use super::shop::{BUCKET, RESTORED_A_SECOND, Shop};
use super::{cost, download, query};

/// The oldest version that still answers as itself; older ones are answered by it.
const OLDEST_VERSION: &str = "2026-01";

pub(super) fn router(shop: Arc<Shop>) -> Router {
    Router::new()
        .route("/admin/oauth/access_token", post(access_token))
        .route("/admin/api/{version}/graphql.json", post(graphql))
        .route("/bulk/{file}", get(download::download))
        .layer(axum::middleware::map_response(dated))
        .with_state(shop)
}

/// Every answer carries the clock of the server.
async fn dated(mut response: Response) -> Response {
    let format = time::macros::format_description!(
        "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT"
    );
    let now = OffsetDateTime::now_utc().format(&format).ok();
    if let Some(now) = now.and_then(|now| header::HeaderValue::from_str(&now).ok()) {
        response.headers_mut().insert(header::DATE, now);
    }
    response
}

/// The client credentials grant: a token for a day.
async fn access_token(
    State(shop): State<Arc<Shop>>,
    Query(query): Query<BTreeMap<String, String>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let form = headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
    let mut given: BTreeMap<String, String> = if form {
        serde_json::from_slice(&body).unwrap_or_default()
    } else {
        form_values(&String::from_utf8_lossy(&body))
    };
    given.extend(query);
    let is = |name: &str, expected: &str| given.get(name).is_some_and(|value| value == expected);
    if !is("grant_type", "client_credentials") {
        let error =
            json!({"error": "unsupported_grant_type", "error_description": "grant_type must be client_credentials"});
        return (StatusCode::BAD_REQUEST, Json(error)).into_response();
    }
    if !is("client_id", &shop.credentials.client_id) || !is("client_secret", &shop.credentials.client_secret) {
        let error = json!({"error": "invalid_client", "error_description": "The client id or secret is not valid"});
        return (StatusCode::UNAUTHORIZED, Json(error)).into_response();
    }
    Json(json!({"access_token": shop.grant_token(), "scope": shop.scopes().join(","), "expires_in": 86_399}))
        .into_response()
}

/// `a=b&c=d%20e`.
fn form_values(text: &str) -> BTreeMap<String, String> {
    text.split('&').filter_map(|pair| pair.split_once('=')).map(|(name, value)| (decode(name), decode(value))).collect()
}

fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, tail)) = rest.split_first() {
        let escaped = tail.get(..2).filter(|_| *byte == b'%').and_then(|hex| std::str::from_utf8(hex).ok());
        match escaped.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(value) => {
                bytes.push(value);
                rest = &tail[2..];
            }
            None => {
                bytes.push(if *byte == b'+' { b' ' } else { *byte });
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

async fn graphql(
    State(shop): State<Arc<Shop>>,
    Path(version): Path<String>,
    headers: HeaderMap,
    Json(request): Json<Value>,
) -> Response {
    // An old version silently falls forward; only this header shows it.
    let answered = if version.as_str() < OLDEST_VERSION { OLDEST_VERSION.to_owned() } else { version };
    let versions = [("x-shopify-api-version", answered)];
    let token = headers.get("x-shopify-access-token").and_then(|token| token.to_str().ok()).unwrap_or_default();
    if shop.fails(|faults| &mut faults.expired_token) || !shop.accepts(token) {
        let error = "[API] Invalid API key or access token (unrecognized login or wrong password)";
        return (StatusCode::UNAUTHORIZED, versions, Json(json!({ "errors": error }))).into_response();
    }
    if shop.fails(|faults| &mut faults.too_many_requests) {
        let error = json!({"errors": "Exceeded 2 calls per second for api client. Reduce request rates to resume uninterrupted service."});
        return (StatusCode::TOO_MANY_REQUESTS, versions, [("retry-after", "1.0")], Json(error)).into_response();
    }
    if shop.fails(|faults| &mut faults.server_error) {
        return (StatusCode::INTERNAL_SERVER_ERROR, versions, "<html><body>Something went wrong</body></html>")
            .into_response();
    }
    let text = request.get("query").and_then(Value::as_str).unwrap_or_default();
    let none = Map::new();
    let variables = request.get("variables").and_then(Value::as_object).unwrap_or(&none);
    let operation = match query::parse(text, variables) {
        Ok(operation) => operation,
        Err(message) => return (versions, Json(json!({"errors": [{"message": message}]}))).into_response(),
    };
    let requested = if operation.mutation { cost::MUTATION } else { cost::requested(&operation.selections) };
    if requested > cost::MOST {
        let most = cost::MOST;
        let message = format!("Query cost is {requested}, which exceeds the single query max cost limit ({most}).");
        let extensions = json!({"code": "MAX_COST_EXCEEDED", "cost": requested, "maxCost": most,
            "documentation": "https://shopify.dev/api/usage/rate-limits"});
        return (versions, Json(json!({"errors": [{"message": message, "extensions": extensions}]}))).into_response();
    }
    let (mut left, mut throttled) = shop.pay(requested);
    throttled |= shop.fails(|faults| &mut faults.throttled);
    let (mut answer, used) = if throttled {
        let answer = json!({"errors": [{"message": "Throttled", "extensions": {"code": "THROTTLED",
            "documentation": "https://shopify.dev/api/usage/rate-limits"}}]});
        (answer, Value::Null)
    } else {
        let asked = Arc::clone(&shop);
        // Rows are read from files.
        let task = tokio::task::spawn_blocking(move || answer(&asked, &operation));
        let answer = task.await.unwrap_or_else(|error| json!({"errors": [{"message": error.to_string()}]}));
        let used = cost::actual(&answer["data"]).min(requested);
        left = shop.give_back(requested - used);
        (answer, used.into())
    };
    answer["extensions"] = json!({"cost": {
        "requestedQueryCost": requested, "actualQueryCost": used,
        "throttleStatus": {
            "maximumAvailable": BUCKET, "currentlyAvailable": left, "restoreRate": RESTORED_A_SECOND,
        },
    }});
    (versions, Json(answer)).into_response()
}
