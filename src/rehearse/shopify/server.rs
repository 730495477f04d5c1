//! The shop over HTTP.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use bytes::Bytes;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use time::OffsetDateTime;

use super::answer::answer;
use super::bulk::Bulk;
use super::operation::Operation;
use super::search::Search;
use super::{Credentials, Faults, Webhook, changes, cost, download, query};
use crate::error::Result;

/// What an app of the stand-in may read, unless a test says otherwise.
pub(super) const SCOPES: [&str; 7] = [
    "read_all_orders",
    "read_customers",
    "read_inventory",
    "read_locations",
    "read_orders",
    "read_products",
    "read_users",
];

/// Without `read_all_orders` older orders do not show, and nothing says so.
const VISIBLE: time::Duration = time::Duration::days(60);

/// The oldest version that still answers as itself; older ones are answered by it.
const OLDEST_VERSION: &str = "2026-01";

/// Points of the bucket that costs are taken from.
const BUCKET: f64 = 2_000.0;
const RESTORED_A_SECOND: f64 = 100.0;

#[derive(Debug)]
pub(super) struct Shop {
    /// The folder of its rows, and where those of later steps are kept.
    data: Mutex<PathBuf>,
    later: Mutex<Vec<TempDir>>,
    credentials: Credentials,
    endpoint: String,
    pub(super) results: TempDir,
    state: Mutex<Shared>,
    faults: Mutex<Faults>,
}

#[derive(Debug)]
struct Shared {
    operations: BTreeMap<u64, Operation>,
    tokens: u64,
    points: f64,
    since: Instant,
    missing: BTreeSet<String>,
    /// Rows that no query finds: the file, the date that they lack, and how many they are.
    undated: BTreeSet<(String, &'static str, u64)>,
    broken: Vec<String>,
    scopes: Vec<String>,
}

impl Shop {
    pub(super) fn new(
        data: PathBuf,
        credentials: Credentials,
        endpoint: String,
        work: &std::path::Path,
    ) -> Result<Self> {
        let state = Shared {
            operations: BTreeMap::new(),
            tokens: 0,
            points: BUCKET,
            since: Instant::now(),
            missing: BTreeSet::new(),
            undated: BTreeSet::new(),
            broken: Vec::new(),
            scopes: SCOPES.map(str::to_owned).into(),
        };
        Ok(Self {
            data: Mutex::new(data),
            later: Mutex::default(),
            credentials,
            endpoint,
            results: TempDir::new_in(work)?,
            state: Mutex::new(state),
            faults: Mutex::default(),
        })
    }

    fn state(&self) -> MutexGuard<'_, Shared> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes one failure of a kind, if one is still to come.
    pub(super) fn fails(&self, kind: impl Fn(&mut Faults) -> &mut u32) -> bool {
        let mut faults = self.faults();
        let left = kind(&mut faults);
        let fails = *left > 0;
        *left = left.saturating_sub(1);
        fails
    }

    pub(super) fn missing_fields(&self) -> BTreeSet<String> {
        self.state().missing.clone()
    }

    pub(super) fn undated_rows(&self) -> BTreeSet<(String, &'static str, u64)> {
        self.state().undated.clone()
    }

    pub(super) fn broken_data(&self) -> Vec<String> {
        self.state().broken.clone()
    }

    pub(super) fn under_way(&self) -> usize {
        self.state().operations.values().filter(|operation| operation.is_under_way()).count()
    }

    /// Does something with an operation, and gives what is to be shown of it.
    pub(super) fn with_operation(&self, id: &str, show: impl FnOnce(&mut Operation) -> Value) -> Option<Value> {
        let number = id.strip_prefix("gid://shopify/BulkOperation/")?.parse().ok()?;
        Some(self.absolute(show(self.state().operations.get_mut(&number)?)))
    }

    pub(super) fn look_at_newest(&self) -> Value {
        let newest = self.state().operations.values_mut().next_back().map(Operation::look);
        newest.map_or(Value::Null, |operation| self.absolute(operation))
    }

    pub(super) fn look_at_all(&self) -> Vec<Value> {
        let operations: Vec<Value> = self.state().operations.values_mut().rev().map(Operation::look).collect();
        operations.into_iter().map(|operation| self.absolute(operation)).collect()
    }

    /// Starts an operation; its rows are written by a thread of their own.
    pub(super) fn run(self: &Arc<Self>, bulk: Bulk, query: String) -> Value {
        let fails = self.fails(|faults| &mut faults.failed_operation);
        let miscounts = self.fails(|faults| &mut faults.miscounted_operation);
        let never_ends = self.fails(|faults| &mut faults.endless_operation);
        let takes = Duration::from_secs(self.faults().operation_seconds.into());
        let (number, shown) = {
            let mut state = self.state();
            let number = 7_000_001 + state.operations.len() as u64;
            let operation = Operation::new(number, query);
            let shown = operation.show();
            state.operations.insert(number, operation);
            (number, shown)
        };
        let shop = Arc::clone(self);
        tokio::task::spawn_blocking(move || {
            let to = shop.results.path().join(Operation::file(number));
            let result = bulk.write(&shop.data(), &to).map(|mut counts| {
                counts.objects += u64::from(miscounts);
                counts
            });
            if never_ends {
                return;
            }
            std::thread::sleep(takes);
            let mut state = shop.state();
            let counts = match result {
                Ok(counts) if !fails => {
                    state.missing.extend(counts.missing.iter().cloned());
                    let file = format!("{}.jsonl", bulk.object);
                    state.undated.extend(counts.undated.map(|(date, rows)| (file, date, rows)));
                    Some(counts)
                }
                // What was written until then is there to be had.
                Ok(counts) => {
                    if let Some(operation) = state.operations.get_mut(&number) {
                        operation.partial(&counts);
                    }
                    None
                }
                Err(broken) => {
                    state.broken.push(broken);
                    None
                }
            };
            if let Some(operation) = state.operations.get_mut(&number) {
                operation.finish(counts);
            }
        });
        shown
    }

    fn absolute(&self, mut operation: Value) -> Value {
        for name in ["url", "partialDataUrl"] {
            if let Some(path) = operation.get(name).and_then(Value::as_str) {
                operation[name] = format!("{}{path}", self.endpoint).into();
            }
        }
        operation
    }

    /// A token is a function of the secret and of its number, so it need not be kept.
    fn token(&self, number: u64) -> String {
        let secret = self.credentials.client_secret.as_bytes();
        let digest = Sha256::new().chain_update(secret).chain_update(number.to_le_bytes()).finalize();
        digest.iter().take(16).fold(String::from("shpat_"), |text, byte| format!("{text}{byte:02x}"))
    }

    fn accepts(&self, token: &str) -> bool {
        (1..=self.state().tokens).any(|number| self.token(number) == token)
    }

    /// Takes the points of a request out of the bucket. Answers what is left, or that it is throttled.
    fn pay(&self, points: f64) -> (f64, bool) {
        let mut state = self.state();
        let restored = state.since.elapsed().as_secs_f64() * RESTORED_A_SECOND;
        state.points = (state.points + restored).min(BUCKET);
        state.since = Instant::now();
        let throttled = state.points < points;
        if !throttled {
            state.points -= points;
        }
        (state.points.floor(), throttled)
    }

    /// Gives back what a query did not use of its price.
    fn give_back(&self, points: f64) -> f64 {
        let mut state = self.state();
        state.points = (state.points + points.max(0.0)).min(BUCKET);
        state.points.floor()
    }

    pub(super) fn data(&self) -> PathBuf {
        self.data.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// From now on its rows are those that they are after a step.
    pub(super) fn change(&self, step: &std::path::Path) -> Result<Vec<Webhook>> {
        let after = TempDir::new_in(self.results.path())?;
        let webhooks = changes::apply(&self.data(), step, after.path())?;
        after.path().clone_into(&mut self.data.lock().unwrap_or_else(PoisonError::into_inner));
        self.later.lock().unwrap_or_else(PoisonError::into_inner).push(after);
        Ok(webhooks)
    }

    pub(super) fn miss(&self, missing: Vec<String>) {
        self.state().missing.extend(missing);
    }

    pub(super) fn scopes(&self) -> Vec<String> {
        self.state().scopes.clone()
    }

    pub(super) fn has_scope(&self, scope: &str) -> bool {
        self.state().scopes.iter().any(|granted| granted == scope)
    }

    pub(super) fn grant(&self, scopes: &[&str]) {
        self.state().scopes = scopes.iter().map(|scope| (*scope).to_owned()).collect();
    }

    /// What a search of a connection may find.
    pub(super) fn visible(&self, connection: &str, search: Search) -> Search {
        if connection == "orders" && !self.has_scope("read_all_orders") {
            return search.and_created_since(OffsetDateTime::now_utc() - VISIBLE);
        }
        search
    }

    pub(super) fn faults(&self) -> MutexGuard<'_, Faults> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

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
    let number = {
        let mut state = shop.state();
        state.tokens += 1;
        state.tokens
    };
    Json(json!({"access_token": shop.token(number), "scope": shop.scopes().join(","), "expires_in": 86_399}))
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
    // An old version silently falls forward, which only this header tells.
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
