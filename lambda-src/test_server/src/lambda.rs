//! A Lambda Runtime API for one invocation of a real binary.

use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use serde_json::Value;
use tokio::io::AsyncReadExt;
use tokio::process::Command;
use tokio::sync::mpsc;

use crate::http::{Reply, Server};

/// A Lambda: its binary, and the environment that its template gives it.
#[derive(Clone, Debug)]
pub struct Lambda {
    pub binary: &'static str,
    pub environment: Vec<(&'static str, String)>,
    /// The time that the function is given, from the moment at which it takes its event.
    pub timeout: Duration,
    /// How long after that time the function is killed. A busy machine needs more than the function's reserve; a test of a
    /// killed function wants none.
    pub grace: Duration,
    /// The same in each retry of an invocation.
    pub request_id: String,
}

/// What came of an invocation.
#[derive(Debug)]
pub struct Invocation {
    /// The result, or the text of the error.
    pub result: Result<Value, String>,
    pub logs: String,
}

impl Lambda {
    pub fn new(binary: &'static str) -> Self {
        let environment = [
            ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
            ("AWS_SECRET_ACCESS_KEY", "hidden-key"),
            ("AWS_SESSION_TOKEN", "hidden-session"),
            ("AWS_REGION", "us-east-1"),
            ("AWS_LAMBDA_FUNCTION_NAME", "test"),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128"),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
            ("RUST_LOG", "info"),
        ];
        Self {
            binary,
            environment: environment.map(|(name, value)| (name, value.to_owned())).into(),
            timeout: Duration::from_mins(1),
            grace: Duration::from_mins(1),
            request_id: "request-1".to_owned(),
        }
    }

    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.environment.push((name, value.into()));
        self
    }

    /// Starts the binary with nothing but the environment, gives it one event, and waits for its answer.
    pub async fn invoke(&self, event: &Value) -> std::io::Result<Invocation> {
        let (sender, mut receiver) = mpsc::unbounded_channel();
        let timeout = self.timeout;
        let waiting = Arc::new(Mutex::new(Some(event.to_string())));
        let request_id = self.request_id.clone();
        let api = Server::start(move |request| {
            if request.path.ends_with("/next") {
                let event = waiting.lock().unwrap_or_else(PoisonError::into_inner).take();
                let deadline = SystemTime::now() + timeout;
                let deadline = deadline.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_millis();
                return match event {
                    Some(event) => Reply::new(200, event)
                        .header("lambda-runtime-aws-request-id", request_id.clone())
                        .header(
                            "lambda-runtime-invoked-function-arn",
                            "arn:aws:lambda:us-east-1:000000000000:function:test",
                        )
                        .header("lambda-runtime-deadline-ms", deadline.to_string()),
                    None => Reply::reset(),
                };
            }
            let body: Value = serde_json::from_slice(&request.body).unwrap_or(Value::Null);
            let message = || body["errorMessage"].as_str().unwrap_or_default().to_owned();
            let result = if request.path.ends_with("/response") { Ok(body.clone()) } else { Err(message()) };
            // The receiver is gone only when the invocation is over.
            let _ = sender.send(result);
            Reply::new(202, "{}")
        });
        let api = api.await?;
        let mut child = Command::new(self.binary)
            .env_clear()
            .envs(shifted_clock())
            .envs(self.environment.clone())
            .env("AWS_LAMBDA_RUNTIME_API", api.url.trim_start_matches("http://"))
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let result = tokio::time::timeout(self.timeout + self.grace, receiver.recv()).await;
        let result = result.ok().flatten().unwrap_or_else(|| Err("no answer".to_owned()));
        child.kill().await?;
        let mut logs = String::new();
        if let Some(mut stdout) = child.stdout.take() {
            stdout.read_to_string(&mut logs).await?;
        }
        Ok(Invocation { result, logs })
    }
}

/// The variables with which `scripts/test-clock.sh` shifts the clock: the function and the deadline that it is given must
/// agree on the time.
fn shifted_clock() -> impl Iterator<Item = (String, String)> {
    ["LD_PRELOAD", "FAKETIME", "FAKETIME_DONT_FAKE_MONOTONIC", "FAKE_UTIME", "PIPECTL_TEST_SHIFT"]
        .into_iter()
        .filter_map(|name| Some((name.to_owned(), std::env::var(name).ok()?)))
}
