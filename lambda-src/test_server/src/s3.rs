//! An S3 in memory: objects, conditional writes, lists and multipart uploads, path-style.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::http::{Reply, Request, Server, decode};

/// The buckets, by `bucket/key`, and everything that was asked of them.
#[derive(Clone, Debug, Default)]
pub struct S3 {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug, Default)]
struct Inner {
    objects: BTreeMap<String, Vec<u8>>,
    uploads: BTreeMap<String, BTreeMap<u32, Vec<u8>>>,
    created: usize,
    log: Vec<String>,
    /// How many writes are let through before one never gets its answer, and whether that one still takes effect.
    stop: Option<(usize, bool)>,
    /// Requests (as they stand in the log) that are answered with a status, each a number of times.
    faults: Vec<(String, u16, u32)>,
}

impl S3 {
    pub async fn serve(&self) -> std::io::Result<Server> {
        let s3 = self.clone();
        Server::start(move |request| s3.answer(&request)).await
    }

    pub fn put(&self, key: &str, body: impl Into<Vec<u8>>) {
        self.lock().objects.insert(key.to_owned(), body.into());
    }

    pub fn remove(&self, key: &str) {
        self.lock().objects.remove(key);
    }

    pub fn text(&self, key: &str) -> Option<String> {
        self.lock().objects.get(key).map(|body| String::from_utf8_lossy(body).into_owned())
    }

    pub fn keys(&self) -> Vec<String> {
        self.lock().objects.keys().cloned().collect()
    }

    /// Uploads that were neither completed nor aborted.
    pub fn open_uploads(&self) -> usize {
        self.lock().uploads.len()
    }

    /// The requests so far, such as `PUT bucket/key`.
    pub fn log(&self) -> Vec<String> {
        self.lock().log.clone()
    }

    /// Answers requests whose line in the log starts like this with a status, so many times.
    pub fn fail(&self, start: &str, status: u16, times: u32) {
        self.lock().faults.push((start.to_owned(), status, times));
    }

    /// Lets so many writes through; the next one never gets an answer, whether it took effect or not.
    pub fn stop_after(&self, writes: usize, takes_effect: bool) {
        self.lock().stop = Some((writes, takes_effect));
    }

    /// Answers again.
    pub fn go_on(&self) {
        self.lock().stop = None;
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answer(&self, request: &Request) -> Reply {
        let path = decode(request.path.trim_start_matches('/'));
        let has = |name: &str| request.query.contains_key(name);
        let verb = match request.method.as_str() {
            "POST" if has("uploads") => "CREATE",
            "POST" => "COMPLETE",
            "PUT" if has("partNumber") => "PART",
            "DELETE" if has("uploadId") => "ABORT",
            "GET" if has("list-type") => "LIST",
            other => other,
        };
        let line = format!("{verb} {path}");
        let mut inner = self.lock();
        inner.log.push(line.clone());
        if let Some(fault) =
            inner.faults.iter_mut().find(|(start, _, times)| line.starts_with(start.as_str()) && *times > 0)
        {
            fault.2 -= 1;
            let code = if fault.1 == 403 { "AccessDenied" } else { "InternalError" };
            return error(fault.1, code);
        }
        if !matches!(verb, "GET" | "HEAD" | "LIST")
            && let Some((left, takes_effect)) = inner.stop
        {
            if left == 0 {
                if takes_effect {
                    inner.perform(verb, path, request);
                }
                inner.stop = Some((0, false));
                return Reply::hang();
            }
            inner.stop = Some((left - 1, takes_effect));
        }
        inner.perform(verb, path, request)
    }
}

impl Inner {
    fn differs(&self, path: &str, expected: &str) -> bool {
        self.objects.get(path).is_none_or(|body| tag(body) != expected)
    }

    fn perform(&mut self, verb: &str, path: String, request: &Request) -> Reply {
        let query = |name: &str| request.query.get(name).cloned().unwrap_or_default();
        match verb {
            "GET" => match self.objects.get(&path) {
                Some(body) => Reply::new(200, body.clone()).header("etag", tag(body)),
                None => error(404, "NoSuchKey"),
            },
            "PUT" if !request.header("if-match").is_empty() && self.differs(&path, request.header("if-match")) => {
                error(412, "PreconditionFailed")
            }
            "PUT" if request.header("if-none-match") == "*" && self.objects.contains_key(&path) => {
                error(412, "PreconditionFailed")
            }
            "PUT" => {
                self.objects.insert(path, request.body.clone());
                Reply::new(200, "").header("etag", tag(&request.body))
            }
            "DELETE" => {
                self.objects.remove(&path);
                Reply::new(204, "")
            }
            "LIST" => {
                let bucket = format!("{}/", path.trim_end_matches('/'));
                let start = format!("{bucket}{}", query("prefix"));
                let keys = self.objects.keys().filter(|key| key.starts_with(&start));
                let entry = |key: &String| format!("<Contents><Key>{}</Key></Contents>", &key[bucket.len()..]);
                let entries: String = keys.map(entry).collect();
                Reply::new(
                    200,
                    format!("<ListBucketResult><IsTruncated>false</IsTruncated>{entries}</ListBucketResult>"),
                )
            }
            "CREATE" => {
                self.created += 1;
                let id = format!("upload-{}", self.created);
                self.uploads.insert(id.clone(), BTreeMap::new());
                Reply::new(
                    200,
                    format!("<InitiateMultipartUploadResult><UploadId>{id}</UploadId></InitiateMultipartUploadResult>"),
                )
            }
            "PART" => match self.uploads.get_mut(&query("uploadId")) {
                Some(parts) => {
                    parts.insert(query("partNumber").parse().unwrap_or(0), request.body.clone());
                    Reply::new(200, "").header("etag", "\"p\"")
                }
                None => error(404, "NoSuchUpload"),
            },
            "COMPLETE" => match self.uploads.remove(&query("uploadId")) {
                Some(parts) => {
                    self.objects.insert(path, parts.into_values().flatten().collect());
                    Reply::new(200, "<CompleteMultipartUploadResult><ETag>e</ETag></CompleteMultipartUploadResult>")
                }
                None => error(404, "NoSuchUpload"),
            },
            "ABORT" => {
                self.uploads.remove(&query("uploadId"));
                Reply::new(204, "")
            }
            _ => error(501, "NotImplemented"),
        }
    }
}

/// An `ETag`: a function of the content, as in S3.
fn tag(body: &[u8]) -> String {
    let mut hasher = DefaultHasher::new();
    body.hash(&mut hasher);
    format!("\"{:016x}\"", hasher.finish())
}

fn error(status: u16, code: &str) -> Reply {
    Reply::new(status, format!("<Error><Code>{code}</Code><Message>{code}</Message></Error>"))
}
