//! From `main` to the handler: logs, the Runtime API, and errors as Lambda wants them.

use std::time::{Duration, SystemTime};

use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use serde_json::Value;
use tracing::Instrument;

use crate::{Deadline, Error, Result};

/// One invocation.
#[derive(Clone, Debug)]
pub struct Invocation {
    pub event: Value,
    pub deadline: Deadline,
    /// The same in each retry of an invocation.
    pub request_id: String,
}

/// Serves invocations of a handler that needs the event and the time that is left.
pub async fn run(
    handler: impl AsyncFn(Value, Deadline) -> Result<Value>,
) -> std::result::Result<(), lambda_runtime::Error> {
    serve(async |invocation: Invocation| handler(invocation.event, invocation.deadline).await).await
}

/// Serves invocations until Lambda ends the process.
///
/// An error is logged at level ERROR before Lambda gets it, so that the log scan and the failure destination both see it.
pub async fn serve(
    handler: impl AsyncFn(Invocation) -> Result<Value>,
) -> std::result::Result<(), lambda_runtime::Error> {
    crate::logging::start();
    let handler = &handler;
    let service = service_fn(move |event: LambdaEvent<Value>| {
        let context = event.context;
        let span = tracing::info_span!("invocation", request_id = %context.request_id);
        let end = SystemTime::UNIX_EPOCH + Duration::from_millis(context.deadline);
        let invocation =
            Invocation { event: event.payload, deadline: Deadline::new(end), request_id: context.request_id };
        async move {
            // Boxed, as the compiler lays out nested futures only so deep.
            let result = Box::pin(handler(invocation)).await;
            result.map_err(|error| {
                tracing::error!("{error}");
                diagnostic(&error)
            })
        }
        .instrument(span)
    });
    lambda_runtime::run(service).await
}

fn diagnostic(error: &Error) -> Diagnostic {
    Diagnostic { error_type: "PipelineError".to_owned(), error_message: error.to_string() }
}
