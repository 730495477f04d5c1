//! A small HTTP server with configured responses, for protocol tests below the SDK.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::spec::Environment;

/// The account that the fake says it is.
pub(crate) const ACCOUNT: &str = "111111111111";

/// What the fake answers to one request.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    /// A good answer: the XML inside of `<…Result>`.
    Result(String),
    /// An error of the service, with its HTTP status, code and message.
    Error(u16, &'static str, String),
    /// Any body.
    Raw(u16, &'static str, String),
    /// The connection is cut.
    Reset,
}

/// A request as it came in.
#[derive(Debug, Clone, Default)]
pub(crate) struct Request {
    /// The action of a query, or method and path of an S3 request.
    pub(crate) action: String,
    pub(crate) fields: BTreeMap<String, String>,
    pub(crate) headers: BTreeMap<String, String>,
}

#[derive(Default)]
struct Script {
    replies: BTreeMap<String, VecDeque<Reply>>,
    requests: Vec<Request>,
}

/// A running fake.
#[derive(Clone)]
pub(crate) struct Fake {
    pub(crate) endpoint: String,
    script: Arc<Mutex<Script>>,
}

impl Fake {
    /// Starts a fake that knows who is calling and nothing else.
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let fake = Self {
            endpoint: format!("http://{}", listener.local_addr().unwrap()),
            script: Arc::new(Mutex::new(Script::default())),
        };
        let script = Arc::clone(&fake.script);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&script)));
            }
        });
        fake.on(
            "GetCallerIdentity",
            Reply::Result(format!("<Arn>arn:aws:iam::{ACCOUNT}:user/me</Arn><Account>{ACCOUNT}</Account>")),
        )
    }

    /// Adds an answer to an action. The last one is given again and again. `Action:Stack` answers for one stack only.
    pub(crate) fn on(self, action: &str, reply: Reply) -> Self {
        self.script.lock().unwrap().replies.entry(action.to_owned()).or_default().push_back(reply);
        self
    }

    /// Gives this answer instead of all that were added.
    pub(crate) fn instead(self, action: &str, reply: Reply) -> Self {
        self.script.lock().unwrap().replies.remove(action);
        self.on(action, reply)
    }

    /// The actions that were asked for; if `changing`, without those that only read and without the record of the run.
    pub(crate) fn calls(&self, changing: bool) -> Vec<String> {
        let reads = ["Describe", "Get", "List", "HEAD", "GET"];
        let script = self.script.lock().unwrap();
        let actions = script.requests.iter().map(|request| request.action.clone());
        let changes =
            |action: &String| !action.contains("/deploys/") && !reads.iter().any(|read| action.starts_with(read));
        actions.filter(|action| !changing || changes(action)).collect()
    }

    /// The requests of an action.
    pub(crate) fn requests(&self, action: &str) -> Vec<Request> {
        self.script.lock().unwrap().requests.iter().filter(|request| request.action == action).cloned().collect()
    }

    /// Connects to the fake.
    pub(crate) async fn connect(&self) -> super::Aws {
        super::Aws::connect(&environment(ACCOUNT), Some((&self.endpoint, "local"))).await.unwrap()
    }
}

/// An environment in an account.
pub(crate) fn environment(account: &str) -> Environment {
    Environment {
        account: account.to_owned(),
        region: "us-east-1".to_owned(),
        production: false,
        local: false,
        port: None,
        overrides: serde_json::Map::new(),
    }
}

/// The roles are granted stacks, so a call that names a change set alone is denied to them.
fn names_no_stack(request: &Request) -> bool {
    let about = request.fields.contains_key("ChangeSetName") || request.action == "DescribeEvents";
    about && !request.fields.contains_key("StackName")
}

/// The message of such a denial.
const NO_STACK: &str = "not authorized on resource: arn:aws:cloudformation:us-east-1:111111111111:changeSet/c/1";

async fn serve(mut stream: TcpStream, script: Arc<Mutex<Script>>) {
    while let Some(request) = read(&mut stream).await {
        let reply = {
            let mut script = script.lock().unwrap();
            script.requests.push(request.clone());
            let names = ["StackName", "ChangeSetName"].into_iter().filter_map(|field| request.fields.get(field));
            let key =
                names.map(|name| format!("{}:{name}", request.action)).find(|key| script.replies.contains_key(key));
            let key = key.unwrap_or_else(|| request.action.clone());
            match script.replies.get_mut(&key) {
                _ if names_no_stack(&request) => Some(Reply::Error(403, "AccessDenied", NO_STACK.into())),
                Some(replies) if replies.len() > 1 => replies.pop_front(),
                Some(replies) => replies.front().cloned(),
                None => None,
            }
        };
        let (status, content_type, body) = match reply {
            None => (400, "text/xml", error("Unexpected", &format!("no answer is configured for {}", request.action))),
            Some(Reply::Reset) => return,
            Some(Reply::Raw(status, content_type, body)) => (status, content_type, body),
            Some(Reply::Error(status, code, message)) => (status, "text/xml", error(code, &message)),
            Some(Reply::Result(result)) => {
                let action = &request.action;
                (
                    200,
                    "text/xml",
                    format!(
                        "<{action}Response><{action}Result>{result}</{action}Result><ResponseMetadata><RequestId>r-1</RequestId></ResponseMetadata></{action}Response>"
                    ),
                )
            }
        };
        let head = format!(
            "HTTP/1.1 {status} X\r\ncontent-type: {content_type}\r\ncontent-length: {}\r\nx-amzn-requestid: r-1\r\n\r\n",
            body.len()
        );
        let body = if request.action.starts_with("HEAD") { String::new() } else { body };
        if stream.write_all(format!("{head}{body}").as_bytes()).await.is_err() {
            return;
        }
    }
}

fn error(code: &str, message: &str) -> String {
    format!(
        "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error><RequestId>r-1</RequestId></ErrorResponse>"
    )
}

async fn read(stream: &mut TcpStream) -> Option<Request> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        let mut chunk = [0; 4096];
        match stream.read(&mut chunk).await {
            Ok(count) if count > 0 => bytes.extend_from_slice(&chunk[..count]),
            _ => return None,
        }
    };
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let headers: BTreeMap<String, String> = head
        .lines()
        .skip(1)
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let length = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = bytes.split_off(end + 4);
    while body.len() < length {
        let mut chunk = [0; 4096];
        match stream.read(&mut chunk).await {
            Ok(count) if count > 0 => body.extend_from_slice(&chunk[..count]),
            _ => return None,
        }
    }
    let form = headers.get("content-type").is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
    let mut fields = BTreeMap::new();
    if form {
        for pair in String::from_utf8_lossy(&body).split('&') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            fields.insert(decode(name), decode(value));
        }
    }
    let line: Vec<&str> = head.lines().next().unwrap_or_default().split(' ').collect();
    // The query protocol names the action in its body, the JSON protocols in a header.
    let target = headers.get("x-amz-target").and_then(|target| Some(target.rsplit_once('.')?.1.to_owned()));
    let named = fields.get("Action").cloned().or(target);
    let action = named.unwrap_or_else(|| format!("{} {}", line[0], line[1]));
    Some(Request { action, fields, headers })
}

fn decode(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'+' => bytes.push(b' '),
            b'%' => {
                let digits = [rest.next().unwrap(), rest.next().unwrap()];
                bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap());
            }
            byte => bytes.push(byte),
        }
    }
    String::from_utf8(bytes).unwrap()
}

/// JSON, as the API models name it, in the XML of the query protocol.
pub(crate) fn to_xml(json: &serde_json::Value) -> String {
    use serde_json::Value;
    match json {
        Value::Null => String::new(),
        Value::Object(entries) => entries.iter().fold(String::new(), |mut xml, (key, value)| {
            let value = match value {
                // Contexts travel as JSON text.
                Value::Object(_) if key.ends_with("Context") => escape(&value.to_string()),
                Value::String(text) if text == "datetime" || text == "timestamp" => "2026-01-01T00:00:00Z".to_owned(),
                value => to_xml(value),
            };
            let _ = write!(xml, "<{key}>{value}</{key}>");
            xml
        }),
        Value::Array(items) => items.iter().fold(String::new(), |mut xml, item| {
            let _ = write!(xml, "<member>{}</member>", to_xml(item));
            xml
        }),
        Value::String(text) => escape(text),
        other => other.to_string(),
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
