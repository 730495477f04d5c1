//! As much HTTP/1.1 as a test needs.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

#[derive(Clone, Debug)]
pub struct Request {
    pub method: String,
    /// The path, still percent-encoded.
    pub path: String,
    pub query: BTreeMap<String, String>,
    /// By their names in lower case.
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
}

impl Request {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }
}

#[derive(Debug)]
pub struct Reply {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    fault: Option<Fault>,
}

#[derive(Clone, Copy, Debug)]
enum Fault {
    /// Closes the connection instead of an answer.
    Reset,
    /// Announces the whole body, sends this much of it, and closes the connection.
    CutAt(usize),
    /// Sends the body in pieces of this size, with a pause after each.
    Slow(usize, Duration),
    /// Never answers.
    Hang,
}

impl Reply {
    pub fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self { status, headers: Vec::new(), body: body.into(), fault: None }
    }

    pub fn reset() -> Self {
        Self { fault: Some(Fault::Reset), ..Self::new(0, "") }
    }

    /// An answer that never comes.
    pub fn hang() -> Self {
        Self { fault: Some(Fault::Hang), ..Self::new(0, "") }
    }

    /// Sends the body in pieces of this size, with a pause after each.
    #[must_use]
    pub fn slow(mut self, piece: usize, pause: Duration) -> Self {
        self.fault = Some(Fault::Slow(piece, pause));
        self
    }

    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    #[must_use]
    pub fn cut_at(mut self, length: usize) -> Self {
        self.fault = Some(Fault::CutAt(length));
        self
    }
}

/// A server that lives as long as the test's runtime.
#[derive(Debug)]
pub struct Server {
    pub url: String,
}

impl Server {
    pub async fn start(handler: impl Fn(Request) -> Reply + Send + Sync + 'static) -> std::io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let handler = Arc::new(handler);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let handler = Arc::clone(&handler);
                tokio::spawn(async move {
                    // A connection that breaks is the client's business.
                    let _ = serve(stream, &*handler).await;
                });
            }
        });
        Ok(Self { url })
    }
}

async fn serve(stream: TcpStream, handler: &(impl Fn(Request) -> Reply + Sync)) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut stream = BufReader::new(stream);
    while let Some(request) = read(&mut stream).await? {
        let head = request.method == "HEAD";
        let reply = handler(request);
        match reply.fault {
            Some(Fault::Reset) => return Ok(()),
            Some(Fault::Hang) => std::future::pending().await,
            _ => {}
        }
        let mut text = format!("HTTP/1.1 {} reply\r\ncontent-length: {}\r\n", reply.status, reply.body.len());
        for (name, value) in &reply.headers {
            text.extend([name, ": ", value, "\r\n"]);
        }
        text.push_str("\r\n");
        stream.write_all(text.as_bytes()).await?;
        if let Some(Fault::CutAt(length)) = reply.fault {
            stream.write_all(&reply.body[..length]).await?;
            return stream.flush().await;
        }
        if let Some(Fault::Slow(piece, pause)) = reply.fault {
            for piece in reply.body.chunks(piece) {
                stream.write_all(piece).await?;
                stream.flush().await?;
                tokio::time::sleep(pause).await;
            }
        } else if !head {
            stream.write_all(&reply.body).await?;
        }
        stream.flush().await?;
    }
    Ok(())
}

async fn read(stream: &mut BufReader<TcpStream>) -> std::io::Result<Option<Request>> {
    let mut line = String::new();
    if stream.read_line(&mut line).await? == 0 {
        return Ok(None);
    }
    let mut words = line.split_whitespace().map(str::to_owned);
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await?;
        let Some((name, value)) = line.trim_end().split_once(':') else {
            break;
        };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let pair = |pair: &str| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (name.to_owned(), decode(value))
    };
    let query = query.split('&').filter(|pair| !pair.is_empty()).map(pair).collect();
    Ok(Some(Request { method, path: path.to_owned(), query, headers, body }))
}

/// Undoes percent-encoding.
pub(crate) fn decode(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let code = (*first == b'%').then(|| tail.get(..2)).flatten();
        let code = code.and_then(|code| u8::from_str_radix(std::str::from_utf8(code).ok()?, 16).ok());
        bytes.push(code.unwrap_or(*first));
        rest = if code.is_some() { &tail[2..] } else { tail };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
