//! Bodies in AWS's own chunks (`aws-chunked`): what is signed piece by piece, with checksums behind.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use axum::http::{HeaderMap, HeaderValue, header};
use bytes::{Buf, Bytes, BytesMut};
use futures_util::{Stream, StreamExt, stream};

/// What stood behind the body, known once it is read.
#[derive(Debug, Clone, Default)]
pub(super) struct Trailers(Arc<Mutex<Vec<(String, String)>>>);

/// A chunk's header, or the trailers, are never longer.
const LONGEST_LINE: usize = 16 * 1024;

impl Trailers {
    pub(super) fn get(&self, name: &str) -> Option<String> {
        let trailers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        trailers.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
    }

    fn push(&self, line: &str) {
        if let Some((name, value)) = line.split_once(':') {
            let mut trailers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            trailers.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
        }
    }
}

pub(super) fn is_chunked(headers: &HeaderMap) -> bool {
    headers
        .get("x-amz-content-sha256")
        .is_some_and(|value| value.to_str().is_ok_and(|value| value.starts_with("STREAMING-")))
}

/// Makes the headers those of the body without its chunks.
pub(super) fn strip_headers(headers: &mut HeaderMap) {
    headers.remove("x-amz-content-sha256");
    if let Some(length) = headers.remove("x-amz-decoded-content-length") {
        headers.insert(header::CONTENT_LENGTH, length);
    }
    let encoding = headers.get(header::CONTENT_ENCODING).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kept: Vec<&str> =
        encoding.split(',').map(str::trim).filter(|one| !one.is_empty() && *one != "aws-chunked").collect();
    match HeaderValue::from_str(&kept.join(", ")) {
        Ok(value) if !kept.is_empty() => {
            headers.insert(header::CONTENT_ENCODING, value);
        }
        _ => {
            headers.remove(header::CONTENT_ENCODING);
        }
    }
}

enum DecoderState {
    Header,
    Data(usize),
    /// The line break behind a chunk.
    Break,
    Trailers,
    End,
}

struct Decoder<S> {
    source: S,
    buffer: BytesMut,
    state: DecoderState,
    trailers: Trailers,
}

/// The content of a chunked body. A body that ends early is an error, never a shorter object.
pub(super) fn decode<S, E>(source: S, trailers: Trailers) -> impl Stream<Item = io::Result<Bytes>> + Send
where
    S: Stream<Item = Result<Bytes, E>> + Send + Unpin + 'static,
    E: std::error::Error + Send + Sync + 'static,
{
    let decoder = Decoder { source, buffer: BytesMut::new(), state: DecoderState::Header, trailers };
    stream::try_unfold(decoder, |mut decoder| async move { Ok(decoder.next().await?.map(|bytes| (bytes, decoder))) })
}

impl<S, E> Decoder<S>
where
    S: Stream<Item = Result<Bytes, E>> + Unpin,
    E: std::error::Error + Send + Sync + 'static,
{
    async fn next(&mut self) -> io::Result<Option<Bytes>> {
        loop {
            match self.state {
                DecoderState::Header => {
                    let line = self.line().await?;
                    let size = line.split(';').next().unwrap_or_default().trim();
                    let size =
                        usize::from_str_radix(size, 16).map_err(|_| broken("the size of a chunk is no number"))?;
                    self.state = if size == 0 { DecoderState::Trailers } else { DecoderState::Data(size) };
                }
                DecoderState::Data(left) => {
                    if self.buffer.is_empty() {
                        self.fill().await?;
                    }
                    let bytes = self.buffer.split_to(left.min(self.buffer.len())).freeze();
                    self.state =
                        if bytes.len() == left { DecoderState::Break } else { DecoderState::Data(left - bytes.len()) };
                    return Ok(Some(bytes));
                }
                DecoderState::Break => {
                    if !self.line().await?.is_empty() {
                        return Err(broken("a chunk is longer than it says"));
                    }
                    self.state = DecoderState::Header;
                }
                DecoderState::Trailers => match self.line().await {
                    Ok(line) if line.is_empty() => self.state = DecoderState::End,
                    Ok(line) => self.trailers.push(&line),
                    // The last line break may be missing.
                    Err(_) if self.buffer.is_empty() => self.state = DecoderState::End,
                    Err(error) => return Err(error),
                },
                DecoderState::End => return Ok(None),
            }
        }
    }

    async fn line(&mut self) -> io::Result<String> {
        loop {
            if let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                let line = self.buffer.split_to(end);
                self.buffer.advance(1);
                let line = String::from_utf8_lossy(&line).trim_end_matches('\r').to_owned();
                return Ok(line);
            }
            if self.buffer.len() > LONGEST_LINE {
                return Err(broken("a line between the chunks is too long"));
            }
            self.fill().await?;
        }
    }

    async fn fill(&mut self) -> io::Result<()> {
        match self.source.next().await {
            Some(Ok(bytes)) => {
                self.buffer.extend_from_slice(&bytes);
                Ok(())
            }
            Some(Err(error)) => Err(io::Error::other(error)),
            None => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the body ends inside a chunk")),
        }
    }
}

fn broken(message: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(body: &'static str, step: usize) -> (io::Result<Vec<u8>>, Option<String>) {
        let pieces: Vec<Result<Bytes, io::Error>> =
            body.as_bytes().chunks(step).map(|piece| Ok(Bytes::from_static(piece))).collect();
        let trailers = Trailers::default();
        let mut content = Vec::new();
        let mut decoded = Box::pin(decode(stream::iter(pieces), trailers.clone()));
        while let Some(bytes) = decoded.next().await {
            match bytes {
                Ok(bytes) => content.extend_from_slice(&bytes),
                Err(error) => return (Err(error), None),
            }
        }
        (Ok(content), trailers.get("x-amz-checksum-crc32"))
    }

    #[tokio::test]
    async fn chunks_are_joined_however_they_arrive() {
        let body = "5;chunk-signature=ab\r\nhello\r\n6\r\n world\r\n0\r\nx-amz-checksum-crc32:DUoRhQ==\r\n\r\n";
        for step in [1, 3, 1000] {
            let (content, checksum) = read(body, step).await;
            assert_eq!(content.unwrap(), b"hello world");
            assert_eq!(checksum.as_deref(), Some("DUoRhQ=="));
        }
        for cut in ["5\r\nhel", "5\r\nhello", "5\r\nhelloo\r\n0\r\n\r\n", "x\r\n"] {
            assert!(read(cut, 2).await.0.is_err(), "{cut:?}");
        }
    }
}
