//! One port for all services, selected by the credential scope and the headers of a request.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::serve::ListenerExt;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::access::{Refusal, check_headers};
use super::call;
use super::json::{JsonCall, JsonError, JsonResult};
use super::query::{Fault, Query};
use super::{clock, offline_calls, xml};
use crate::account::local_account::Account;
use crate::error::{Error, Result};
use crate::{cloudformation, sts};

/// The largest request outside of S3: a template body is 51,200 bytes.
const LARGEST_REQUEST: usize = 4 * 1024 * 1024;

/// Where the account answers, as long as it does.
pub struct Endpoint {
    address: SocketAddr,
    account: Arc<Account>,
    stop: Option<oneshot::Sender<()>>,
    server: Option<JoinHandle<()>>,
}

impl Endpoint {
    /// The URL for every service.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Ends what is under way, copies what is still to be replicated, and stops answering.
    pub async fn stop(mut self) -> Result<()> {
        self.account.idle().await;
        let replicated = self.account.s3.replicate_all();
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(server) = self.server.take() {
            // Idle keep-alive connections of clients would hold a graceful shutdown up.
            let abort = server.abort_handle();
            if tokio::time::timeout(Duration::from_millis(200), server).await.is_err() {
                abort.abort();
            }
        }
        replicated
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        if let Some(server) = self.server.take() {
            server.abort();
        }
    }
}

pub(crate) async fn serve(account: Arc<Account>, port: u16) -> Result<Endpoint> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(|error| {
        let taken = error.kind() == std::io::ErrorKind::AddrInUse;
        let message = if taken {
            format!("port {port} on 127.0.0.1 is taken by another program")
        } else {
            format!("cannot listen on 127.0.0.1:{port}")
        };
        Error::new(message).cause(&error).hint("choose another port, or 0 for any free one")
    })?;
    let address = listener.local_addr()?;
    let router = Router::new().fallback(answer).with_state(Arc::clone(&account));
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    let (stop, stopped) = oneshot::channel::<()>();
    // Without it every small answer waits 40 ms for the client's acknowledgement.
    let listener = listener.tap_io(|stream| {
        let _ = stream.set_nodelay(true);
    });
    let server = tokio::spawn(async move {
        let served = axum::serve(listener, service).with_graceful_shutdown(async {
            let _ = stopped.await;
        });
        let _ = served.await;
    });
    Ok(Endpoint { address, account, stop: Some(stop), server: Some(server) })
}

async fn answer(
    State(account): State<Arc<Account>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
) -> Response {
    let scope = match admit(&account, &request) {
        Ok(scope) => scope,
        Err(refusal) => {
            let method = request.method().as_str().to_owned();
            // Without the query, which may hold a signature.
            account.access.refuse(&refusal, Some(peer), &method, request.uri().path());
            return refused(&refusal, request.headers().contains_key("x-amz-target"));
        }
    };
    if let Some(target) = request.headers().get("x-amz-target").and_then(|value| value.to_str().ok()) {
        let target = target.to_owned();
        return answer_json(&account, &scope, &target, request.into_body()).await;
    }
    match scope.service.as_str() {
        "cloudformation" | "sns" | "sts" => answer_query(&account, &scope, request).await,
        "lambda" => offline_calls::invoke(&account, &scope.access_key, request).await,
        _ => account.s3.answer(scope.access_key, account.current_authorizer(), request).await,
    }
}

/// Who asks which service; a refusal if it is nobody of this run.
fn admit(account: &Account, request: &Request) -> std::result::Result<Scope, Refusal> {
    check_headers(request.headers())?;
    let mut scope = Scope::of(request).unwrap_or_default();
    scope.access_key = account.access.who(&scope.access_key)?.to_owned();
    Ok(scope)
}

fn refused(refusal: &Refusal, json: bool) -> Response {
    let (kind, body) = if json {
        let body = json!({"__type": refusal.code, "message": refusal.message, "Message": refusal.message});
        ("application/x-amz-json-1.1", body.to_string())
    } else {
        ("text/xml", xml::error("", refusal.code, refusal.message, &clock::uuid()))
    };
    (StatusCode::FORBIDDEN, [(header::CONTENT_TYPE, kind)], body).into_response()
}

/// Who asks which service, from the signature of the request.
#[derive(Default)]
pub(crate) struct Scope {
    /// Within this module the whole key, after `admit` whom it stands for.
    pub(crate) access_key: String,
    service: String,
}

impl Scope {
    fn of(request: &Request) -> Option<Self> {
        let credential = match request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()) {
            Some(value) => value.split("Credential=").nth(1)?.split([',', ' ']).next()?.to_owned(),
            // A presigned URL, of version 4 or 2.
            None => form_urlencoded::parse(request.uri().query()?.as_bytes())
                .find(|(name, _)| name == "X-Amz-Credential" || name == "AWSAccessKeyId")?
                .1
                .into_owned(),
        };
        let mut parts = credential.split('/');
        let access_key = parts.next()?.to_owned();
        let service = parts.nth(2).unwrap_or("s3").to_owned();
        Some(Self { access_key, service })
    }
}

async fn answer_query(account: &Arc<Account>, scope: &Scope, request: Request) -> Response {
    let namespace = match scope.service.as_str() {
        "sts" => sts::NAMESPACE,
        "sns" => offline_calls::SNS_NAMESPACE,
        _ => cloudformation::NAMESPACE,
    };
    let request_id = clock::uuid();
    let outcome = match to_bytes(request.into_body(), LARGEST_REQUEST).await {
        Ok(body) => {
            let query = Query::parse(&body);
            let action = query.get("Action").unwrap_or_default().to_owned();
            let calls = call::of_query(account, &scope.access_key, &scope.service, &action, &query);
            let allowed = calls.iter().try_for_each(|call| account.allows(call)).map_err(|reason| Fault {
                status: 403,
                code: "AccessDenied",
                message: reason,
            });
            let answered = allowed.and_then(|()| match scope.service.as_str() {
                "sts" => sts::answer(account, &action, &query, &scope.access_key),
                "sns" => offline_calls::sns(account, &action, &query),
                _ => cloudformation::answer(account, &action, &query),
            });
            answered.map(|result| xml::answer(&action, namespace, &result, &request_id))
        }
        Err(error) => Err(Fault::validation(format!("the request cannot be read: {error}"))),
    };
    let (status, body) = match outcome {
        Ok(body) => (StatusCode::OK, body),
        Err(fault) => (
            StatusCode::from_u16(fault.status).unwrap_or(StatusCode::BAD_REQUEST),
            xml::error(namespace, fault.code, &fault.message, &request_id),
        ),
    };
    let mut response = (status, [(header::CONTENT_TYPE, "text/xml")], body).into_response();
    tag(response.headers_mut(), &request_id);
    response
}

async fn answer_json(account: &Arc<Account>, scope: &Scope, target: &str, body: Body) -> Response {
    let request_id = clock::uuid();
    let (prefix, operation) = target.rsplit_once('.').unwrap_or((target, ""));
    let outcome = match to_bytes(body, LARGEST_REQUEST).await {
        Ok(bytes) => {
            let body = if bytes.is_empty() { Ok(json!({})) } else { serde_json::from_slice(&bytes) };
            match body {
                Ok(body) => call_json(account, scope, prefix, operation, body).await,
                Err(_) => Err(JsonError::new("SerializationException", "the body is not JSON")),
            }
        }
        Err(error) => Err(JsonError::new("SerializationException", &format!("the request cannot be read: {error}"))),
    };
    let (status, body) = match outcome {
        Ok(body) => (200, body),
        Err(error) => (error.status, json!({"__type": error.code, "message": error.message, "Message": error.message})),
    };
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
    let mut response =
        (status, [(header::CONTENT_TYPE, "application/x-amz-json-1.1")], body.to_string()).into_response();
    tag(response.headers_mut(), &request_id);
    response
}

async fn call_json(account: &Arc<Account>, scope: &Scope, prefix: &str, operation: &str, body: Value) -> JsonResult {
    let calls = call::of_json(account, &scope.access_key, &scope.service, prefix, operation, &body);
    calls.iter().try_for_each(|call| account.allows(call)).map_err(|reason| JsonError {
        status: 400,
        code: "AccessDeniedException".to_owned(),
        message: reason,
    })?;
    if let Some(handler) = account.handler(prefix) {
        let call = JsonCall { operation: operation.to_owned(), body, access_key: scope.access_key.clone() };
        return handler(call).await;
    }
    match prefix {
        "AmazonDMSv20160101" => account.replications.call(account, operation, &body),
        "secretsmanager" => account.secrets.call(operation, &body),
        "AmazonSQS" => account.queues.call(operation, &body, |name| account.has("AWS::SQS::Queue", name)),
        "AWSGlue" => offline_calls::glue(account, operation, &body),
        _ => Err(JsonError::unknown_operation(prefix, operation)),
    }
}

fn tag(headers: &mut HeaderMap, request_id: &str) {
    if let Ok(value) = HeaderValue::from_str(request_id) {
        headers.insert("x-amzn-requestid", value);
    }
}
