//! AWS Lambda on this machine: the packaged `bootstrap` behind its own Runtime API.
//!
//! The process gets the environment of the template and Lambda's own variables, and nothing else. Its memory and its time
//! are limited as the template says. Errors have Lambda's wording.

mod api;
mod environment;
mod log;
mod package;
mod process;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde_json::Value;

pub use log::{Level, Line, Log};
pub use package::extract;

use process::{End, Process};

/// A Lambda function as it is deployed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Function {
    pub name: String,
    pub arn: String,
    /// Where its zip was extracted to.
    pub directory: PathBuf,
    pub handler: String,
    /// In MiB.
    pub memory: u64,
    pub timeout: Duration,
    /// The variables of the template, and those by which the rehearsal redirects its calls.
    pub environment: BTreeMap<String, String>,
    pub region: String,
    pub log_group: String,
    pub log_format: String,
}

/// A function and, once it was invoked, its warm process.
#[derive(Debug)]
pub struct Runtime {
    function: Function,
    process: Option<Process>,
}

/// What came of one invocation.
#[derive(Debug, Clone)]
pub struct Invocation {
    pub outcome: Outcome,
    pub duration: Duration,
    /// From the start of the process to its first request for work, when the start was cold.
    pub init: Option<Duration>,
    /// The most memory that the process has used, in bytes.
    pub memory: u64,
    pub log: Log,
}

/// How an invocation ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    Success(Value),
    /// An error type and message, as Lambda gives them to the caller.
    Failure {
        kind: String,
        message: String,
    },
}

impl Outcome {
    fn failure(kind: &str, message: impl Into<String>) -> Self {
        Self::Failure { kind: kind.to_owned(), message: message.into() }
    }
}

/// How long a function may take for its next request after its response. Lambda would freeze it; here it only must not
/// hold up the rehearsal.
const GRACE: Duration = Duration::from_secs(2);

impl Runtime {
    pub fn new(function: Function) -> Self {
        Self { function, process: None }
    }

    pub fn function(&self) -> &Function {
        &self.function
    }

    /// Invokes the function and waits for its end. A failed process is replaced by the next invocation.
    pub async fn invoke(&mut self, request: &str, event: Bytes) -> Invocation {
        let began = Instant::now();
        let mut init = None;
        let mut process = match self.process.take() {
            Some(process) => process,
            None => match Process::start(&self.function).await {
                Ok(process) => process,
                Err(error) => return not_started(request, &error, began.elapsed()),
            },
        };
        let end = if process.is_warm() { None } else { process.init(self.function.timeout, &mut init).await.err() };
        // The initialisation is not part of the function's time.
        let invoked = Instant::now();
        let end = match end {
            Some(end) => end,
            None => process.handle(&self.function, request, event).await,
        };
        let duration = if process.is_warm() { invoked.elapsed() } else { began.elapsed() };
        let keep = matches!(end, End::Response(_) | End::Error(_)) && process.settle(GRACE).await;
        let (memory, log) = (process.memory(), process.take_log().await);
        let outcome = self.outcome(end, request);
        if keep {
            self.process = Some(process);
        } else {
            process.kill().await;
        }
        Invocation { outcome, duration, init, memory, log }
    }

    /// Ends the warm process, if there is one.
    pub async fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().await;
        }
    }

    fn outcome(&self, end: End, request: &str) -> Outcome {
        let exited = |what: &str| format!("RequestId: {request} Error: Runtime exited with error: {what}");
        match end {
            End::Response(body) if body.is_empty() => Outcome::Success(Value::Null),
            End::Response(body) => match serde_json::from_slice(&body) {
                Ok(value) => Outcome::Success(value),
                Err(_) => Outcome::Success(Value::String(String::from_utf8_lossy(&body).into_owned())),
            },
            End::Error(error) => {
                let text = |key: &str| error.get(key).and_then(Value::as_str).map(str::to_owned);
                Outcome::Failure {
                    kind: text("errorType").unwrap_or_else(|| "Unhandled".into()),
                    message: text("errorMessage").unwrap_or_default(),
                }
            }
            End::Exit(status) => Outcome::failure("Runtime.ExitError", exited(&status)),
            End::OutOfMemory => Outcome::failure(
                "Runtime.OutOfMemory",
                format!("{} (more than its {} MB of memory)", exited("signal: killed"), self.function.memory),
            ),
            End::TimedOut => Outcome::failure(
                "Sandbox.Timedout",
                format!(
                    "RequestId: {request} Error: Task timed out after {:.2} seconds",
                    self.function.timeout.as_secs_f64()
                ),
            ),
        }
    }
}

fn not_started(request: &str, error: &std::io::Error, duration: Duration) -> Invocation {
    let message = format!("RequestId: {request} Error: Couldn't start the bootstrap: {error}");
    Invocation {
        outcome: Outcome::failure("Runtime.InvalidEntrypoint", message),
        duration,
        init: None,
        memory: 0,
        log: Log::default(),
    }
}

#[cfg(test)]
mod tests;
