//! A proxy between the real binary and an account. It logs every call, and injects a fault into one of them: not at
//! all, in part, with an error, late; or it kills the one who asks.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use regex::Regex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;

use super::cloud::RUNTIME;

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    /// 400 `Throttling`, of S3 503 `SlowDown`.
    Throttled,
    /// 500 with a page of HTML, as a load balancer between gives it.
    Html,
    /// The connection is reset before the account has seen the call.
    ResetBefore,
    /// The account has done it, then the connection is reset.
    ResetAfter,
    /// The account has done it, half of the answer arrives.
    Cut,
    /// The answer is late.
    Late,
    /// The credentials are too old, for this call and all that follow.
    Expired,
    /// Who asks is killed before the account has seen the call.
    KillBefore,
    /// The account has done it, then who asks is killed without an answer.
    KillAfter,
    /// Who asks is killed as soon as the answer is sent.
    KillAnswered,
}

/// Which call: the `nth` (from 1) of this operation on this subject.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct CallPosition {
    pub(crate) operation: String,
    pub(crate) subject: String,
    pub(crate) nth: usize,
}

/// A call as the account saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Call {
    pub(crate) position: CallPosition,
    /// The HTTP status of the account's own answer; none if it did not see the call.
    pub(crate) status: Option<u16>,
    /// What was asked for, to recognize repetitions: the ARN of a change set, the key of an object.
    pub(crate) target: String,
}

/// How long a late answer takes. The binary's own limit is a minute.
const LATE: Duration = Duration::from_secs(10);

#[derive(Default)]
struct State {
    calls: Vec<Call>,
    seen: BTreeMap<(String, String), usize>,
    fault: Option<(CallPosition, Fault)>,
    /// How many more calls of the place's operation and subject the fault hits.
    left: usize,
    struck: bool,
    /// Who is killed.
    victim: Option<u32>,
    /// The stacks of change sets, by ARN.
    owners: BTreeMap<String, String>,
    /// Added to every answer.
    latency: Duration,
}

/// A running proxy. It ends when it is dropped.
pub(crate) struct Proxy {
    pub(crate) url: String,
    state: Arc<Mutex<State>>,
    task: AbortHandle,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Proxy {
    /// Stands before an account. `prefix` is what the names of all stacks begin with.
    pub(crate) fn before(account: SocketAddr, prefix: &str) -> Self {
        let state = Arc::new(Mutex::new(State::default()));
        let (shared, prefix) = (Arc::clone(&state), prefix.to_owned());
        let listener = RUNTIME.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let task = RUNTIME.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let _ = stream.set_nodelay(true);
                let (state, prefix) = (Arc::clone(&shared), prefix.clone());
                tokio::spawn(async move {
                    // A client that goes away is none of our business: it may have been killed.
                    let _ = serve(stream, account, &prefix, &state).await;
                });
            }
        });
        Self { url, state, task: task.abort_handle() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// Lets a fault strike at a call and, if it is made again, at the tries after it, `times` in all.
    pub(crate) fn strike(&self, position: &CallPosition, fault: Fault, times: usize) {
        let mut state = self.state();
        state.fault = Some((position.clone(), fault));
        state.left = times;
        state.struck = false;
    }

    /// Everything is well again; returns whether the fault ever struck. Calls are counted again.
    pub(crate) fn heal(&self) -> bool {
        let mut state = self.state();
        (state.fault, state.victim) = (None, None);
        state.seen.clear();
        std::mem::take(&mut state.struck)
    }

    /// Delays every answer.
    pub(crate) fn delay(&self, latency: Duration) {
        self.state().latency = latency;
    }

    /// The process that the faults kill.
    pub(crate) fn victim(&self, process: u32) {
        self.state().victim = Some(process);
    }

    /// Takes the log.
    pub(crate) fn take_calls(&self) -> Vec<Call> {
        std::mem::take(&mut self.state().calls)
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A request: its head without `connection` and `expect`, and its body.
struct Request {
    method: String,
    target: String,
    head: String,
    body: Vec<u8>,
}

impl Request {
    fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }
}

async fn serve(mut stream: TcpStream, account: SocketAddr, prefix: &str, state: &Mutex<State>) -> std::io::Result<()> {
    let Some(request) = read(&mut stream).await? else { return Ok(()) };
    let (operation, subject, target) = describe(&request, prefix, state);
    let (number, fault, latency) = note(state, operation.clone(), subject, target);
    tokio::time::sleep(latency).await;
    if names_no_stack(&request) {
        return stream.write_all(&denial()).await;
    }
    match fault {
        Some(Fault::KillBefore) => return kill(state).await,
        Some(Fault::ResetBefore) => return stream.set_zero_linger(),
        Some(fault @ (Fault::Throttled | Fault::Html | Fault::Expired)) => {
            return stream.write_all(&refusal(fault, &request)).await;
        }
        Some(Fault::Late) => tokio::time::sleep(LATE).await,
        _ => {}
    }
    let answer = forward(account, &request).await?;
    learn(state, number, &operation, &request, &answer, prefix);
    match fault {
        Some(Fault::KillAfter) => kill(state).await,
        Some(Fault::ResetAfter) => stream.set_zero_linger(),
        Some(Fault::Cut) => {
            let head = answer.windows(4).position(|four| four == b"\r\n\r\n").map_or(answer.len(), |at| at + 4);
            // Of an answer without a body a part of the head.
            let cut = if head == answer.len() { head / 2 } else { usize::midpoint(head, answer.len()) };
            stream.write_all(&answer[..cut]).await
        }
        fault => {
            stream.write_all(&answer).await?;
            stream.shutdown().await?;
            if fault == Some(Fault::KillAnswered) { kill(state).await } else { Ok(()) }
        }
    }
}

/// Whether a call names a change set, and not its stack. IAM authorizes calls of change sets on their stack, which is all
/// that the roles are granted.
fn names_no_stack(request: &Request) -> bool {
    let fields: BTreeMap<String, String> = form_urlencoded::parse(&request.body).into_owned().collect();
    let events = fields.get("Action").is_some_and(|action| action == "DescribeEvents");
    (fields.contains_key("ChangeSetName") || events) && !fields.contains_key("StackName")
}

async fn read(stream: &mut TcpStream) -> std::io::Result<Option<Request>> {
    let mut bytes = Vec::new();
    let mut piece = vec![0; 16384];
    let end = loop {
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break at;
        }
        let count = stream.read(&mut piece).await?;
        if count == 0 {
            return Ok(None);
        }
        bytes.extend_from_slice(&piece[..count]);
    };
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let mut body = bytes.split_off(end + 4);
    let first: Vec<&str> = head.lines().next().unwrap_or_default().split(' ').collect();
    let mut request = Request {
        method: first.first().copied().unwrap_or_default().to_owned(),
        target: first.get(1).copied().unwrap_or_default().to_owned(),
        head: head.clone(),
        body: Vec::new(),
    };
    assert!(request.header("transfer-encoding").is_none(), "a request in chunks: {head}");
    if request.header("expect").is_some() {
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
    }
    let length = request.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    while body.len() < length {
        let count = stream.read(&mut piece).await?;
        if count == 0 {
            return Ok(None);
        }
        body.extend_from_slice(&piece[..count]);
    }
    let drop = ["connection:", "expect:"];
    let kept = head.lines().filter(|line| !drop.iter().any(|name| line.to_lowercase().starts_with(name)));
    request.head = kept.collect::<Vec<_>>().join("\r\n");
    request.body = body;
    Ok(Some(request))
}

async fn forward(account: SocketAddr, request: &Request) -> std::io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(account).await?;
    stream.set_nodelay(true)?;
    let head = format!("{}\r\nconnection: close\r\n\r\n", request.head);
    stream.write_all(&[head.as_bytes(), &request.body].concat()).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    Ok(answer)
}

/// The operation, what it is about, and what exactly it asks for.
fn describe(request: &Request, prefix: &str, state: &Mutex<State>) -> (String, String, String) {
    if let Some(target) = request.header("x-amz-target") {
        let operation = target.rsplit('.').next().unwrap_or_default().to_owned();
        return (operation, String::new(), String::new());
    }
    let authorization = request.header("authorization").unwrap_or_default();
    let scope = authorization.split("Credential=").nth(1).unwrap_or_default();
    if scope.split('/').nth(3) == Some("s3") {
        return object(request);
    }
    let fields: BTreeMap<String, String> = form_urlencoded::parse(&request.body).into_owned().collect();
    let field = |name: &str| fields.get(name).cloned().unwrap_or_default();
    let (stack, change_set) = (field("StackName"), field("ChangeSetName"));
    let owner = lock(state).owners.get(&change_set).cloned();
    let stack = owner.unwrap_or_else(|| stack_of(&stack, prefix));
    (field("Action"), stack, if change_set.is_empty() { field("StackName") } else { change_set })
}

/// The short name of a stack, from its name or ARN.
fn stack_of(name: &str, prefix: &str) -> String {
    let name = name.split(":stack/").nth(1).and_then(|rest| rest.split('/').next()).unwrap_or(name);
    name.strip_prefix(prefix).unwrap_or(name).to_owned()
}

fn object(request: &Request) -> (String, String, String) {
    let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
    let (_, key) = path.trim_start_matches('/').split_once('/').unwrap_or_default();
    let has = |name: &str| query.split('&').any(|part| part.split('=').next() == Some(name));
    let operation = match (request.method.as_str(), key) {
        ("HEAD", "") => "HeadBucket",
        ("HEAD", _) => "HeadObject",
        ("PUT", _) => "PutObject",
        ("DELETE", "") => "DeleteBucket",
        ("DELETE", _) => "DeleteObject",
        ("POST", _) if has("delete") => "DeleteObjects",
        ("GET", "") if has("versions") => "ListObjectVersions",
        ("GET", "") => "ListObjectsV2",
        ("GET", _) => "GetObject",
        _ => "an unknown operation of S3",
    };
    let hash = Regex::new("-?[0-9a-f]{64}").unwrap();
    let time = Regex::new("[0-9]{8}T[0-9]{6}Z.*").unwrap();
    let subject = time.replace(&hash.replace(key, ""), "…").into_owned();
    (operation.to_owned(), subject, key.to_owned())
}

/// Notes a call, and says what becomes of it.
fn note(state: &Mutex<State>, operation: String, subject: String, target: String) -> (usize, Option<Fault>, Duration) {
    let mut state = lock(state);
    let seen = state.seen.entry((operation.clone(), subject.clone())).or_default();
    *seen += 1;
    let position = CallPosition { operation, subject, nth: *seen };
    let fault = match &state.fault {
        Some((at, fault)) if *at == position && !state.struck => Some(*fault),
        Some((_, Fault::Expired)) if state.struck => Some(Fault::Expired),
        Some((at, fault)) if state.struck && state.left > 0 => {
            (at.operation == position.operation && at.subject == position.subject).then_some(*fault)
        }
        _ => None,
    };
    if fault.is_some() {
        state.struck = true;
        state.left = state.left.saturating_sub(1);
    }
    state.calls.push(Call { position, status: None, target });
    (state.calls.len() - 1, fault, state.latency)
}

/// Takes from an answer what the log wants to know.
fn learn(state: &Mutex<State>, number: usize, operation: &str, request: &Request, answer: &[u8], prefix: &str) {
    let text = String::from_utf8_lossy(answer);
    let status = text.split(' ').nth(1).and_then(|status| status.parse().ok());
    let mut state = lock(state);
    // The log may have been taken meanwhile, when the one who asked was killed.
    if let Some(call) = state.calls.get_mut(number) {
        call.status = status;
    }
    let id = text.split("<Id>").nth(1).and_then(|rest| rest.split("</Id>").next());
    if let (Some(id), "CreateChangeSet") = (id, operation) {
        let fields: BTreeMap<String, String> = form_urlencoded::parse(&request.body).into_owned().collect();
        let stack = stack_of(fields.get("StackName").map_or("", String::as_str), prefix);
        state.owners.insert(id.to_owned(), stack);
        if let Some(call) = state.calls.get_mut(number) {
            id.clone_into(&mut call.target);
        }
    }
}

async fn kill(state: &Mutex<State>) -> std::io::Result<()> {
    loop {
        let victim = lock(state).victim.and_then(|process| rustix::process::Pid::from_raw(process.cast_signed()));
        if let Some(victim) = victim {
            rustix::process::kill_process(victim, rustix::process::Signal::KILL)?;
            // Nobody may see the connection end before he is dead.
            tokio::time::sleep(Duration::from_millis(20)).await;
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

fn denial() -> Vec<u8> {
    let body = "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>not authorized on a changeSet\
                </Message></Error><RequestId>r-1</RequestId></ErrorResponse>";
    let length = body.len();
    format!("HTTP/1.1 403 X\r\ncontent-type: text/xml\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}")
        .into_bytes()
}

/// An error in the words of the service that was asked.
fn refusal(fault: Fault, request: &Request) -> Vec<u8> {
    let s3 = request.header("authorization").is_some_and(|value| value.contains("/s3/aws4_request"));
    let json = request.header("x-amz-target").is_some();
    let (status, code, message) = match fault {
        Fault::Throttled if s3 => (503, "SlowDown", "Please reduce your request rate."),
        Fault::Throttled if json => (400, "ThrottlingException", "Rate exceeded"),
        Fault::Throttled => (400, "Throttling", "Rate exceeded"),
        Fault::Expired if s3 => (400, "ExpiredToken", "The provided token has expired."),
        Fault::Expired => (403, "ExpiredToken", "The security token included in the request is expired"),
        _ => (500, "", ""),
    };
    let (kind, body) = match code {
        "" => ("text/html", "<html><body><h1>500 Internal Server Error</h1></body></html>".to_owned()),
        code if json => ("application/x-amz-json-1.1", format!("{{\"__type\":\"{code}\",\"message\":\"{message}\"}}")),
        code if s3 => ("application/xml", format!("<Error><Code>{code}</Code><Message>{message}</Message></Error>")),
        code => (
            "text/xml",
            format!(
                "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>\
                 <RequestId>r-1</RequestId></ErrorResponse>"
            ),
        ),
    };
    let head = format!(
        "HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    // An answer to HEAD has no body, not even of an error.
    if request.method == "HEAD" { head.into_bytes() } else { (head + &body).into_bytes() }
}
