//! A local HTTP service with responses from a test: faults and recordings.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

use serde_json::Value;

/// A request of AWS's query protocol; of another protocol it has no fields.
pub(crate) struct Request {
    /// The action of a query, else method and path.
    pub(crate) action: String,
    pub(crate) fields: BTreeMap<String, String>,
}

impl Request {
    /// A field; empty if it is not there.
    pub(crate) fn field(&self, name: &str) -> &str {
        self.fields.get(name).map_or("", String::as_str)
    }
}

pub(crate) enum Reply {
    /// A good answer: the members of the result.
    Result(Value),
    /// An error, with its HTTP status, code and message.
    Error(u16, &'static str, String),
}

/// Starts a service and returns its address. It ends with the test's process.
pub(crate) fn serve(answer: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let answer = Arc::new(answer);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let answer = Arc::clone(&answer);
            std::thread::spawn(move || talk(stream, answer.as_ref()));
        }
    });
    address
}

fn talk(mut stream: TcpStream, answer: &(impl Fn(&Request) -> Reply + ?Sized)) {
    while let Some(request) = read(&mut stream) {
        let (status, body) = match answer(&request) {
            Reply::Result(result) => {
                let action = &request.action;
                let result = to_xml(&result);
                (200, format!("<{action}Response><{action}Result>{result}</{action}Result></{action}Response>"))
            }
            Reply::Error(status, code, message) => {
                let message = escape(&message);
                let error =
                    format!("<Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>");
                (status, format!("<ErrorResponse>{error}</ErrorResponse>"))
            }
        };
        let length = body.len();
        let head = format!("HTTP/1.1 {status} X\r\ncontent-type: text/xml\r\ncontent-length: {length}\r\n\r\n");
        if stream.write_all(format!("{head}{body}").as_bytes()).is_err() {
            return;
        }
    }
}

fn read(stream: &mut TcpStream) -> Option<Request> {
    let mut bytes = Vec::new();
    let mut more = |bytes: &mut Vec<u8>| {
        let mut chunk = [0; 8192];
        let count = stream.read(&mut chunk).ok().filter(|count| *count > 0)?;
        bytes.extend_from_slice(&chunk[..count]);
        Some(())
    };
    let end = loop {
        match bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            Some(end) => break end,
            None => more(&mut bytes)?,
        }
    };
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("content-length").then(|| value.parse::<usize>().ok())?
    });
    let body_at = end + 4;
    while bytes.len() < body_at + length.unwrap_or(0) {
        more(&mut bytes)?;
    }
    let pairs = String::from_utf8_lossy(&bytes[body_at..]).into_owned();
    let fields: BTreeMap<String, String> = pairs
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (decode(name), decode(value)))
        .collect();
    let mut line = head.split(' ');
    let action = fields.get("Action").cloned();
    let action = action.unwrap_or_else(|| format!("{} {}", line.next().unwrap(), line.next().unwrap()));
    Some(Request { action, fields })
}

fn decode(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits = [rest.next().unwrap_or(b'0'), rest.next().unwrap_or(b'0')];
                u8::from_str_radix(&String::from_utf8_lossy(&digits), 16).unwrap_or(b'?')
            }
            byte => byte,
        });
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// JSON, as the API models name it, in the XML of the query protocol.
pub(crate) fn to_xml(json: &Value) -> String {
    match json {
        Value::Null => String::new(),
        Value::Object(entries) => {
            entries.iter().filter(|(_, value)| !value.is_null()).fold(String::new(), |mut xml, (key, value)| {
                let _ = write!(xml, "<{key}>{}</{key}>", to_xml(value));
                xml
            })
        }
        Value::Array(items) => items.iter().map(|item| format!("<member>{}</member>", to_xml(item))).collect(),
        Value::String(text) => escape(text),
        other => other.to_string(),
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
