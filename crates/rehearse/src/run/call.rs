//! Calls of Lambda functions.

use bytes::Bytes;
use serde_json::Value;

use super::{Actor, Run};
use crate::error::Result;
use crate::timeline::{Kind, Severity};
use pipectl_emulator::events::Target;
use pipectl_emulator::lambda::{Invocation, Level, Outcome, Runtime};

impl Run<'_> {
    /// Calls a function as an event does: what fails is tried again, as often as the template says.
    pub(super) async fn call(&mut self, name: &str, event: &Value) -> Result<()> {
        if self.has_no_data(name) {
            return Ok(());
        }
        let mut runtime = match self.functions.remove(name) {
            Some(runtime) => runtime,
            None => match self.pipeline.resources.named("AWS::Lambda::Function", name) {
                Some(resource) => Runtime::new(self.pipeline.function(resource)?),
                None => return Ok(()),
            },
        };
        (self.status)(&format!("lambda {name}"));
        let retries = self
            .pipeline
            .resources
            .of("AWS::Lambda::EventInvokeConfig")
            .find(|config| config.text("/FunctionName") == Some(name))
            .and_then(|config| config.number("/MaximumRetryAttempts"))
            .unwrap_or(2);
        self.calls += 1;
        let request = format!("00000000-0000-4000-8000-{:012x}", self.calls);
        self.actor = Some(Actor { name: name.to_owned(), started_as: Target::Function(name.to_owned()), spark: None });
        for attempt in 0..=retries {
            let invocation = runtime.invoke(&request, Bytes::from(event.to_string())).await;
            if let Some(resource) = self.pipeline.resources.named("AWS::Lambda::Function", name) {
                let wrote = !invocation.log.lines.is_empty();
                self.pipeline.authorizer.function_ran(&self.pipeline.resources, resource, wrote);
            }
            self.attempted(name, &runtime.function().log_group, &invocation);
            let succeeded = self.called(&runtime, &invocation, attempt, retries);
            self.listen_as_actor();
            // It may have asked for itself, to go on.
            self.take_waiting(Some(name));
            if succeeded {
                break;
            }
            if attempt == retries {
                self.failed_for_good(name, &request, event, attempt + 1, &invocation.outcome);
            }
            // Lambda waits one minute, then two.
            self.clock += 60 * (attempt + 1);
        }
        self.actor = None;
        self.functions.insert(name.to_owned(), runtime);
        Ok(())
    }

    /// Records an invocation; answers whether it was a success.
    pub(super) fn called(&mut self, runtime: &Runtime, invocation: &Invocation, attempt: u64, retries: u64) -> bool {
        let function = runtime.function();
        let name = &function.name;
        let used = invocation.memory.div_ceil(1024 * 1024);
        let mut details = vec![format!("{used} of {} MB", function.memory)];
        if let Some(init) = invocation.init {
            details.push(format!("init {:.0} ms", init.as_secs_f64() * 1000.0));
        }
        if attempt > 0 {
            details.push(format!("retry {attempt}"));
        }
        match &invocation.outcome {
            Outcome::Success(value) => {
                // A failure is reported by its outcome.
                for line in invocation.log.at_least(Level::Error) {
                    let text = format!("the log of `{name}` has an error: {}", line.message);
                    self.timeline.find(Severity::Warning, text);
                }
                details.extend(summary(value));
                self.timeline.ended(Kind::Function, name, details.join(", "), invocation.duration, false);
                true
            }
            Outcome::Failure { kind, message } => {
                details.push(kind.clone());
                self.timeline.ended(Kind::Function, name, details.join(", "), invocation.duration, true);
                let text = format!("the function `{name}` failed: {kind}: {message}");
                if attempt < retries {
                    self.timeline.find(Severity::Warning, format!("{text} (it was tried again)"));
                } else {
                    let last = invocation.log.lines.iter().rev().take(5).map(|line| line.message.as_str());
                    let last: Vec<&str> = last.collect::<Vec<_>>().into_iter().rev().collect();
                    let log =
                        if last.is_empty() { String::new() } else { format!("\nits log ends:\n{}", last.join("\n")) };
                    self.timeline.find(Severity::Error, format!("{text}{log}"));
                }
                false
            }
        }
    }
}

/// `orders 1,000 rows` of what an ingest answers.
fn summary(value: &Value) -> Option<String> {
    if let (Some(id), Some(rows)) = (value["webhook"].as_str(), value["rows"].as_u64()) {
        return Some(format!("{rows} {} of {id}", if rows == 1 { "row" } else { "rows" }));
    }
    let objects = value.get("objects")?.as_object()?;
    let rows = objects.iter().filter_map(|(name, object)| Some(format!("{name} {}", object.get("rows")?)));
    Some(rows.collect::<Vec<_>>().join(", ")).filter(|text| !text.is_empty())
}
