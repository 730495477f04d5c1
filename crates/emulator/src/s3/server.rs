//! The S3 endpoint: requests in, events out.

use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderValue, Response, StatusCode, header};
use s3s::access::{S3Access, S3AccessContext};
use s3s::path::S3Path;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{S3Error, S3ErrorCode, S3Result};
use tokio::sync::mpsc;

use super::api::Api;
use super::chunked::{self, Trailers};
use super::replication;
use super::store::{Store, StoreError};
use crate::account::call::Call;
use crate::account::local_account::CallAuthorizer;
use crate::error::{Error, Result};

/// An object that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectEvent {
    pub bucket: String,
    pub key: String,
    pub size: u64,
    /// Without quotes.
    pub etag: String,
    /// The call that wrote it: `PutObject`, `CompleteMultipartUpload` or `CopyObject`.
    pub event_name: &'static str,
    /// Who wrote it.
    pub access_key: String,
    /// `2026-11-20T11:20:04.123Z`.
    pub time: String,
}

/// Who calls, carried along with a request.
#[derive(Clone)]
pub(super) struct Caller {
    pub(super) access_key: String,
    authorizer: Option<CallAuthorizer>,
}

/// The S3 service of the account.
pub(crate) struct S3Server {
    service: S3Service,
    store: Arc<Store>,
    listeners: Arc<Listeners>,
}

#[derive(Default)]
pub(super) struct Listeners(Mutex<Vec<mpsc::UnboundedSender<ObjectEvent>>>);

impl Listeners {
    pub(super) fn tell(&self, event: &ObjectEvent) {
        let mut listeners = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        listeners.retain(|listener| listener.send(event.clone()).is_ok());
    }
}

impl S3Server {
    pub(crate) fn new(store: Arc<Store>, region: &str) -> Self {
        let listeners = Arc::<Listeners>::default();
        let api = Api { store: Arc::clone(&store), listeners: Arc::clone(&listeners), region: region.to_owned() };
        let mut builder = S3ServiceBuilder::new(api);
        builder.set_access(Gate(Arc::clone(&store)));
        // s3s asks for an authentication provider before it looks at the access rules; see `answer` for why none is
        // ever asked.
        builder.set_auth(s3s::auth::SimpleAuth::new());
        Self { service: builder.build(), store, listeners }
    }

    pub(crate) fn subscribe(&self) -> mpsc::UnboundedReceiver<ObjectEvent> {
        let (sender, receiver) = mpsc::unbounded_channel();
        self.listeners.0.lock().unwrap_or_else(PoisonError::into_inner).push(sender);
        receiver
    }

    pub(crate) fn replicate_all(&self) -> Result<()> {
        replication::replicate_all(&self.store).map_err(|error| {
            Error::new("objects could not be replicated").cause(&error).hint("free some space on the disk")
        })
    }

    /// Answers a request.
    ///
    /// Its signature is not verified: its access key has been, and that is a secret of the run. So the signature is
    /// taken off before the protocol layer sees the request, and a body in signed chunks is taken out of them.
    pub(crate) async fn answer(
        &self,
        access_key: String,
        authorizer: Option<CallAuthorizer>,
        request: Request,
    ) -> Response<Body> {
        let (mut parts, body) = request.into_parts();
        parts.headers.remove(header::AUTHORIZATION);
        unsign(&mut parts.uri);
        let trailers = Trailers::default();
        let body = if chunked::is_chunked(&parts.headers) {
            chunked::strip_headers(&mut parts.headers);
            Body::from_stream(chunked::decode(body.into_data_stream(), trailers.clone()))
        } else {
            body
        };
        parts.extensions.insert(Caller { access_key, authorizer });
        parts.extensions.insert(trailers);
        let request = s3s::HttpRequest::from_parts(parts, s3s::Body::http_body_unsync(body));
        let Ok(response) = self.service.call(request).await else {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
            return response;
        };
        let mut response = response.map(Body::new);
        if let Ok(id) = HeaderValue::from_str(&crate::account::clock::random(16, b"0123456789ABCDEF")) {
            response.headers_mut().insert("x-amz-request-id", id);
        }
        response
    }
}

/// Takes the signature, of version 4 or 2, off a presigned URL.
fn unsign(uri: &mut axum::http::Uri) {
    const SIGNATURE: [&str; 4] = ["X-Amz-", "AWSAccessKeyId=", "Signature=", "Expires="];
    let signs = |pair: &str| SIGNATURE.iter().any(|start| pair.starts_with(start));
    let Some(query) = uri.query().filter(|query| query.split('&').any(signs)) else { return };
    let kept: Vec<&str> = query.split('&').filter(|pair| !signs(pair)).collect();
    let target = if kept.is_empty() { uri.path().to_owned() } else { format!("{}?{}", uri.path(), kept.join("&")) };
    if let Ok(target) = target.parse() {
        *uri = target;
    }
}

impl Caller {
    /// Authorizes an action on an object or a bucket.
    pub(super) fn may(&self, action: &str, resource: &str, context: Vec<(String, String)>) -> S3Result<()> {
        let Some(authorizer) = &self.authorizer else { return Ok(()) };
        let call = Call {
            access_key: self.access_key.clone(),
            action: format!("s3:{action}"),
            resource: resource.to_owned(),
            context,
        };
        authorizer(&call).map_err(|reason| S3Error::with_message(S3ErrorCode::AccessDenied, reason))
    }
}

/// Authorizes every call.
struct Gate(Arc<Store>);

#[async_trait::async_trait]
impl S3Access for Gate {
    async fn check(&self, context: &mut S3AccessContext<'_>) -> S3Result<()> {
        let operation = context.s3_op().name().to_owned();
        let (bucket, key) = match context.s3_path() {
            S3Path::Root => (None, None),
            S3Path::Bucket { bucket } => (Some(bucket.to_string()), None),
            S3Path::Object { bucket, key } => (Some(bucket.to_string()), Some(key.to_string())),
        };
        let Some(caller) = context.extensions_mut().get::<Caller>().cloned() else {
            return Err(S3Error::new(S3ErrorCode::AccessDenied));
        };
        // Of these, each object is asked for by itself.
        if caller.authorizer.is_none() || operation == "DeleteObjects" {
            return Ok(());
        }
        let arn = bucket.as_ref().map(|bucket| format!("arn:aws:s3:::{bucket}"));
        let resource = match (&arn, &key) {
            (Some(arn), Some(key)) => format!("{arn}/{key}"),
            (Some(arn), None) => arn.clone(),
            (None, _) => "*".to_owned(),
        };
        let action = action_of(&operation);
        let circumstances = circumstances(context.uri(), context.headers());
        caller.may(action, &resource, circumstances)?;
        if let Some(source) = context.headers().get("x-amz-copy-source").and_then(|value| value.to_str().ok()) {
            let source = percent_encoding::percent_decode_str(source.trim_start_matches('/')).decode_utf8_lossy();
            let source = source.split('?').next().unwrap_or_default();
            caller.may("GetObject", &format!("arn:aws:s3:::{source}"), Vec::new())?;
        }
        if let (Some(bucket), Some(arn), Some(key), "GetObject") = (&bucket, &arn, &key, action)
            && matches!(self.0.object(bucket, key), Err(StoreError::NoSuchKey))
        {
            // Callers without `s3:ListBucket` do not learn that an object is missing.
            caller.may("ListBucket", arn, vec![("s3:prefix".to_owned(), key.clone())])?;
        }
        Ok(())
    }
}

/// The condition keys of a request.
fn circumstances(uri: &axum::http::Uri, headers: &axum::http::HeaderMap) -> Vec<(String, String)> {
    let query = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
    let named = query.filter(|(name, _)| matches!(name.as_ref(), "prefix" | "delimiter" | "max-keys"));
    let mut found: Vec<(String, String)> =
        named.map(|(name, value)| (format!("s3:{name}"), value.into_owned())).collect();
    for name in ["x-amz-acl", "x-amz-server-side-encryption", "x-amz-storage-class"] {
        if let Some(value) = headers.get(name).and_then(|value| value.to_str().ok()) {
            found.push((format!("s3:{name}"), value.to_owned()));
        }
    }
    found
}

/// The action that a policy names for an operation of the API.
fn action_of(operation: &str) -> &str {
    match operation {
        "HeadObject" => "GetObject",
        "ListObjects" | "ListObjectsV2" | "HeadBucket" => "ListBucket",
        "CreateMultipartUpload" | "UploadPart" | "CompleteMultipartUpload" | "CopyObject" | "UploadPartCopy" => {
            "PutObject"
        }
        "DeleteObjects" => "DeleteObject",
        "ListObjectVersions" => "ListBucketVersions",
        "ListBuckets" => "ListAllMyBuckets",
        "ListParts" => "ListMultipartUploadParts",
        operation => operation,
    }
}
