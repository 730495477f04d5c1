//! The download of an operation's result.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream;
use tokio::io::{AsyncReadExt, AsyncSeekExt, BufReader};

use super::operation::Operation;
use super::shop::Shop;

/// The largest piece that is held in memory.
const PIECE: usize = 1 << 16;

/// How often a slow download sends a piece.
const QUARTER: Duration = Duration::from_millis(250);

/// The result of an operation, piece by piece.
pub(super) async fn download(State(shop): State<Arc<Shop>>, Path(file): Path<String>, headers: HeaderMap) -> Response {
    let known = file.strip_suffix(".jsonl").and_then(|number| number.parse().ok());
    let path = known.map(|number| shop.results.path().join(Operation::file(number)));
    let opened = match &path {
        Some(path) => tokio::fs::File::open(path).await.ok(),
        None => None,
    };
    let Some(mut opened) = opened else { return StatusCode::NOT_FOUND.into_response() };
    let whole = opened.metadata().await.map_or(0, |metadata| metadata.len());
    let range = headers.get(header::RANGE).and_then(|range| range.to_str().ok());
    let from: u64 = range
        .and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok())
        .filter(|from| *from < whole)
        .unwrap_or_default();
    if opened.seek(io::SeekFrom::Start(from)).await.is_err() {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    let size = whole - from;
    let end = if shop.fails(|faults| &mut faults.truncated_download) { size / 2 } else { size };
    let slow = usize::try_from(shop.faults().download_bytes_a_second).unwrap_or_default();
    let (largest, pause) = if slow == 0 { (PIECE, Duration::ZERO) } else { (PIECE.min(slow / 4 + 1), QUARTER) };
    let pieces = stream::unfold((BufReader::new(opened.take(end)), end), move |(mut reader, left)| async move {
        if left == 0 {
            // Announced but not sent: the connection breaks, as it does in the wild.
            // What came before is sent first.
            tokio::time::sleep(Duration::from_millis(20)).await;
            let cut = (end < size).then(|| Err(io::Error::from(io::ErrorKind::ConnectionReset)));
            return cut.map(|piece| (piece, (reader, u64::MAX)));
        }
        if left == u64::MAX {
            return None;
        }
        tokio::time::sleep(pause).await;
        let mut piece = vec![0; largest];
        let read = reader.read(&mut piece).await;
        let piece = read.map(|count| {
            piece.truncate(count);
            (count as u64, Bytes::from(piece))
        });
        match piece {
            Ok((0, _)) => None,
            Ok((count, piece)) => Some((Ok(piece), (reader, left - count))),
            Err(error) => Some((Err(error), (reader, u64::MAX))),
        }
    });
    let headers = [(header::CONTENT_TYPE, "application/jsonl".to_owned()), (header::CONTENT_LENGTH, size.to_string())];
    if from > 0 {
        let range = [(header::CONTENT_RANGE, format!("bytes {from}-{}/{whole}", whole - 1))];
        return (StatusCode::PARTIAL_CONTENT, headers, range, Body::from_stream(pieces)).into_response();
    }
    (headers, Body::from_stream(pieces)).into_response()
}
