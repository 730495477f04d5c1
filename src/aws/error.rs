//! The one way from an SDK error to our own: code, message and request id, and nothing else of it.

use aws_sdk_cloudformation::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_cloudformation::operation::RequestId;

use crate::error::Error;

/// What an AWS call answered instead of a result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{action} failed: {message}")]
pub struct Failure {
    pub kind: Kind,
    /// What was called, such as `CreateChangeSet`.
    pub action: &'static str,
    /// AWS's code, such as `ValidationError`; empty if the answer had none.
    pub code: String,
    pub message: String,
    pub request_id: Option<String>,
}

/// The kinds of failures that code distinguishes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    NoSuchStack,
    NoSuchBucket,
    /// An object is not there.
    NotFound,
    ChangeSetNotFound,
    InvalidChangeSetStatus,
    AlreadyExists,
    /// A conditional write found its condition not met.
    PreconditionFailed,
    AccessDenied,
    /// The credentials are wrong or too old.
    Credentials,
    Throttled,
    /// The stack is in a state that does not allow the call.
    WrongState,
    /// No answer, or one that was cut off: whether the call had an effect is not known.
    NoAnswer,
    /// The service failed.
    Server,
    Other,
}

impl Failure {
    pub(super) fn new<E, R>(action: &'static str, error: &SdkError<E, R>) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
        SdkError<E, R>: RequestId,
        R: std::fmt::Debug + StatusCode + 'static,
    {
        let request_id = error.request_id().map(str::to_owned);
        let status = error.raw_response().map(StatusCode::status_code);
        let service = error.as_service_error();
        let code = service.and_then(ProvideErrorMetadata::code).unwrap_or_default().to_owned();
        let text = service.and_then(ProvideErrorMetadata::message).unwrap_or_default().trim().to_owned();
        let kind = kind(&code, &text, status);
        let message = match (error, status) {
            _ if !text.is_empty() => text,
            _ if !code.is_empty() => code.clone(),
            (SdkError::TimeoutError(_), _) => "no answer in time".to_owned(),
            (_, Some(status)) => format!("the service answered with HTTP status {status} and no message"),
            // The innermost cause says what happened; the layers above it only say that something did.
            _ => innermost(error),
        };
        Self { kind, action, code, message, request_id }
    }

    /// Whether the same call may succeed a little later.
    pub fn is_transient(&self) -> bool {
        matches!(self.kind, Kind::Throttled | Kind::NoAnswer | Kind::Server)
    }
}

pub(super) fn kind(code: &str, message: &str, status: Option<u16>) -> Kind {
    match code {
        "ValidationError" if message.contains("does not exist") && message.contains("Stack") => Kind::NoSuchStack,
        "ValidationError"
            if message.contains(" state and can not ") || message.contains("cannot be deleted while in status") =>
        {
            Kind::WrongState
        }
        "ValidationError" if message.contains("already exists") => Kind::AlreadyExists,
        "ChangeSetNotFound" | "ChangeSetNotFoundException" => Kind::ChangeSetNotFound,
        "InvalidChangeSetStatus" | "InvalidChangeSetStatusException" => Kind::InvalidChangeSetStatus,
        "AlreadyExistsException"
        | "TokenAlreadyExistsException"
        | "BucketAlreadyOwnedByYou"
        | "BucketAlreadyExists" => Kind::AlreadyExists,
        "NoSuchBucket" => Kind::NoSuchBucket,
        "NotFound" | "NoSuchKey" | "ResourceNotFoundFault" => Kind::NotFound,
        "InvalidResourceStateFault" | "OperationInProgressException" | "OperationInProgress" => Kind::WrongState,
        "PreconditionFailed" | "ConditionalRequestConflict" => Kind::PreconditionFailed,
        "AccessDenied" | "AccessDeniedException" | "UnauthorizedOperation" => Kind::AccessDenied,
        "ExpiredToken"
        | "ExpiredTokenException"
        | "TokenRefreshRequired"
        | "InvalidClientTokenId"
        | "UnrecognizedClientException"
        | "InvalidAccessKeyId"
        | "SignatureDoesNotMatch"
        | "RequestExpired"
        | "AuthFailure"
        | "IncompleteSignature"
        | "MissingAuthenticationToken" => Kind::Credentials,
        "Throttling"
        | "ThrottlingException"
        | "RequestLimitExceeded"
        | "TooManyRequestsException"
        | "SlowDown"
        | "RequestThrottled" => Kind::Throttled,
        _ => match status {
            Some(404) => Kind::NotFound,
            Some(403) => Kind::AccessDenied,
            Some(412) => Kind::PreconditionFailed,
            Some(429) => Kind::Throttled,
            Some(500..) => Kind::Server,
            // A good status with a body that cannot be read is an answer that was cut off.
            None | Some(200..=299) => Kind::NoAnswer,
            Some(_) => Kind::Other,
        },
    }
}

pub(super) fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

/// The HTTP status of a response, without naming the response's crate.
pub(super) trait StatusCode {
    fn status_code(&self) -> u16;
}

impl StatusCode for aws_sdk_cloudformation::config::http::HttpResponse {
    fn status_code(&self) -> u16 {
        self.status().as_u16()
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        let Failure { kind, action, code, message, request_id } = failure;
        let mut error = Self::new(format!("AWS refused `{action}`: {message}"));
        if matches!(kind, Kind::NoAnswer) {
            error = Self::new(format!("AWS did not answer `{action}`: {message}"));
        }
        error = match kind {
            Kind::Credentials => error.hint(CREDENTIALS),
            Kind::AccessDenied => error.hint(format!(
                "let the role of these credentials do `{action}`, or use the role that `pipectl bootstrap` made"
            )),
            Kind::NoAnswer => error.hint("check the network, the region and AWS_ENDPOINT_URL, then run the command again: it resumes where it stopped"),
            Kind::Throttled | Kind::Server => error.hint("run the command again in a minute: it resumes where it stopped"),
            _ if code == "InsufficientStorage" => {
                error.hint("free some space on the disk, then run the command again: it resumes where it stopped")
            }
            _ => error,
        };
        match (code.is_empty(), request_id) {
            (false, Some(id)) => error.note(format!("code {code}, request id {id}")),
            (false, None) => error.note(format!("code {code}")),
            (true, Some(id)) => error.note(format!("request id {id}")),
            (true, None) => error,
        }
    }
}

/// How to come by credentials.
pub(super) const CREDENTIALS: &str = "log in with `aws sso login` (first time: `aws configure sso`) and set AWS_PROFILE; \
in GitHub Actions give the job `permissions: id-token: write` and the role that `pipectl bootstrap` made";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_come_from_code_message_and_status() {
        for (code, message, status, expected) in [
            ("ValidationError", "Stack with id shop-dev does not exist", Some(400), Kind::NoSuchStack),
            ("ValidationError", "Stack [shop-dev] does not exist", Some(400), Kind::NoSuchStack),
            (
                "ValidationError",
                "Stack:arn is in UPDATE_IN_PROGRESS state and can not be updated.",
                Some(400),
                Kind::WrongState,
            ),
            (
                "ValidationError",
                "Stack [arn] cannot be deleted while in status UPDATE_IN_PROGRESS",
                Some(400),
                Kind::WrongState,
            ),
            ("OperationInProgressException", "", Some(400), Kind::WrongState),
            ("ChangeSetNotFound", "ChangeSet [x] does not exist", Some(404), Kind::ChangeSetNotFound),
            ("AlreadyExistsException", "", Some(400), Kind::AlreadyExists),
            ("Throttling", "Rate exceeded", Some(400), Kind::Throttled),
            ("ExpiredToken", "", Some(403), Kind::Credentials),
            ("", "", Some(500), Kind::Server),
            ("", "", None, Kind::NoAnswer),
            ("", "", Some(200), Kind::NoAnswer),
            ("ValidationError", "Template error", Some(400), Kind::Other),
        ] {
            assert_eq!(kind(code, message, status), expected, "{code} {message}");
        }
    }

    #[test]
    fn an_error_has_code_and_request_id() {
        let failure = Failure {
            kind: Kind::AccessDenied,
            action: "CreateChangeSet",
            code: "AccessDenied".into(),
            message: "not allowed".into(),
            request_id: Some("r-1".into()),
        };
        insta::assert_snapshot!(Error::from(failure), @r"
        error: AWS refused `CreateChangeSet`: not allowed
        = note: code AccessDenied, request id r-1
        = hint: let the role of these credentials do `CreateChangeSet`, or use the role that `pipectl bootstrap` made
        ");
    }
}
