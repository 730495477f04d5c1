//! The Lambda Runtime API of one process (version 2018-06-01).

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::extract::{ConnectInfo, DefaultBodyLimit, Path, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use bytes::Bytes;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::{Mutex, mpsc, watch};
use tokio::task::JoinHandle;

/// Lambda's limit for a response.
const LARGEST_RESPONSE: usize = 6 * 1024 * 1024;

/// One invocation for the process to do.
#[derive(Debug)]
pub(super) struct Work {
    pub(super) request: String,
    pub(super) arn: String,
    pub(super) timeout: Duration,
    pub(super) event: Bytes,
}

/// What the process said.
#[derive(Debug)]
pub(super) enum Message {
    Response { request: String, body: Bytes },
    Error { request: String, error: Value },
    InitError(Value),
}

/// The server's end of the talk with one process.
#[derive(Debug)]
pub(super) struct Api {
    pub(super) address: SocketAddr,
    pub(super) work: mpsc::Sender<Work>,
    pub(super) messages: mpsc::Receiver<Message>,
    /// How often the process has asked for work.
    pub(super) asked: watch::Receiver<u64>,
    server: JoinHandle<()>,
}

impl Drop for Api {
    fn drop(&mut self) {
        self.server.abort();
    }
}

#[derive(Debug)]
struct Shared {
    work: Mutex<mpsc::Receiver<Work>>,
    messages: mpsc::Sender<Message>,
    asked: watch::Sender<u64>,
}

impl Api {
    /// Opens a Runtime API on a free port of loopback.
    pub(super) async fn open() -> std::io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let (work, waiting) = mpsc::channel(1);
        let (speaker, messages) = mpsc::channel(4);
        let (counter, asked) = watch::channel(0);
        let shared = Arc::new(Shared { work: Mutex::new(waiting), messages: speaker, asked: counter });
        let router = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next))
            .route("/2018-06-01/runtime/invocation/{request}/response", post(response))
            .route("/2018-06-01/runtime/invocation/{request}/error", post(error))
            .route("/2018-06-01/runtime/init/error", post(init_error))
            .layer(DefaultBodyLimit::max(LARGEST_RESPONSE))
            .layer(middleware::from_fn(refuse_other_users))
            .with_state(shared)
            .into_make_service_with_connect_info::<SocketAddr>();
        let server = tokio::spawn(async move {
            // The task is aborted with the process; an error of the listener shows as a process that never asks.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { address, work, messages, asked, server })
    }
}

/// The real API asks for no key, as only the function reaches it; here every user of the machine does.
async fn refuse_other_users(ConnectInfo(peer): ConnectInfo<SocketAddr>, request: Request, next: Next) -> Response {
    if pipectl_process::peer::is_this_user(peer) {
        next.run(request).await
    } else {
        StatusCode::FORBIDDEN.into_response()
    }
}

async fn next(State(shared): State<Arc<Shared>>) -> Response {
    shared.asked.send_modify(|count| *count += 1);
    let Some(work) = shared.work.lock().await.recv().await else {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    let deadline = SystemTime::now() + work.timeout;
    let deadline = deadline.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("lambda-runtime-aws-request-id", work.request),
        ("lambda-runtime-deadline-ms", deadline.to_string()),
        ("lambda-runtime-invoked-function-arn", work.arn),
        ("lambda-runtime-trace-id", "Root=1-00000000-000000000000000000000000;Sampled=0".to_owned()),
        ("content-type", "application/json".to_owned()),
    ] {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    (headers, work.event).into_response()
}

async fn response(State(shared): State<Arc<Shared>>, Path(request): Path<String>, body: Bytes) -> StatusCode {
    accept(&shared, Message::Response { request, body }).await
}

async fn error(State(shared): State<Arc<Shared>>, Path(request): Path<String>, body: Bytes) -> StatusCode {
    accept(&shared, Message::Error { request, error: parse(&body) }).await
}

async fn init_error(State(shared): State<Arc<Shared>>, body: Bytes) -> StatusCode {
    accept(&shared, Message::InitError(parse(&body))).await
}

fn parse(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap_or_else(
        |_| serde_json::json!({"errorType": "Unhandled", "errorMessage": String::from_utf8_lossy(body)}),
    )
}

async fn accept(shared: &Shared, messages: Message) -> StatusCode {
    match shared.messages.send(messages).await {
        Ok(()) => StatusCode::ACCEPTED,
        Err(_) => StatusCode::GONE,
    }
}
