//! What becomes of what goes wrong in a run: mails, and messages in queues.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Due, Run};
use crate::error::Error;
use crate::resource::Resource;
use crate::timeline::{Kind, Severity};
use pipectl_emulator::account::Waiting;
use pipectl_emulator::alarms::{self, Mail, Received};
use pipectl_emulator::events::{self, Delivery, Stop, Target};
use pipectl_emulator::lambda::{Invocation, Outcome};

impl Run<'_> {
    /// What was accepted is due now: what the function `by` has asked for, or else, since the last rehearsal,
    /// `pipectl redrive` for one.
    pub(super) fn take_waiting(&mut self, by: Option<&str>) {
        let who = |what: &str| by.map_or_else(|| format!("{what} that waited"), |name| format!("lambda {name}"));
        for waiting in self.pipeline.account.take_waiting() {
            match waiting {
                Waiting::Call { function, payload } => {
                    self.timeline.happened(Kind::Event, who("a call"), format!("→ lambda {function}"));
                    self.due.push_back(Due::Call { function, event: payload });
                }
                Waiting::Workflow { name } => {
                    self.timeline.happened(Kind::Event, who("a run"), format!("→ workflow {name}"));
                    match self.workflows.run(&self.pipeline.resources, &name) {
                        Ok(triggered) => self.due.push_back(Due::Start(triggered)),
                        Err(why) => self.timeline.find(Severity::Error, why),
                    }
                }
                Waiting::Message { topic, text } => {
                    let to = self.pipeline.resources.of("AWS::SNS::Subscription");
                    let to = to.filter(|one| one.text("/TopicArn") == Some(&topic));
                    let to = to.filter_map(|one| one.text("/Endpoint")).map(str::to_owned).collect();
                    self.mail(Mail { to, subject: "AWS Notification Message".into(), text });
                }
            }
        }
    }

    /// A rule took an event.
    pub(super) fn rule_triggered(&mut self, delivery: &Delivery, event: &Value) {
        let dimension = ("RuleName", delivery.rule.as_str());
        self.metrics.count("AWS/Events", "TriggeredRules", dimension, self.clock, 1.0);
        if let Ok(Target::Recorded(arn)) = &delivery.target {
            let Some(rule) = self.rule(&delivery.rule) else { return };
            match alarms::receive(&self.pipeline.resources, &rule, arn, event) {
                Ok(Received::Mail(mail)) => self.mail(mail),
                Ok(Received::Queued(queue, text)) => {
                    self.pipeline.account.send_to_queue(&queue, &text, BTreeMap::new());
                    self.timeline.happened(Kind::Queue, queue, format!("what the rule {} sent", rule.name));
                }
                Ok(Received::Unknown) => {}
                Err(stop) => {
                    self.stopped(&stop);
                    self.undelivered(&rule, arn, event, &stop);
                }
            }
        }
    }

    /// A rule could not call its target: EventBridge keeps the event in the target's dead-letter queue.
    pub(super) fn not_delivered(&mut self, delivery: &Delivery, event: &Value, stop: &Stop) {
        if let Some(rule) = self.rule(&delivery.rule) {
            self.undelivered(&rule, &delivery.arn, event, stop);
        }
    }

    fn undelivered(&mut self, rule: &Resource, arn: &str, event: &Value, stop: &Stop) {
        self.metrics.count("AWS/Events", "FailedInvocations", ("RuleName", &rule.name), self.clock, 1.0);
        match alarms::dead_letters(&self.pipeline.resources, rule, arn) {
            Ok(Some(queue)) => {
                let attributes = BTreeMap::from([
                    ("RULE_ARN".to_owned(), self.pipeline.resources.rule_arn(rule)),
                    ("TARGET_ARN".to_owned(), arn.to_owned()),
                    ("ERROR_CODE".to_owned(), "NO_PERMISSIONS".to_owned()),
                    ("ERROR_MESSAGE".to_owned(), format!("{}: {}", stop.hop, stop.why)),
                ]);
                let queue = queue.to_owned();
                self.pipeline.account.send_to_queue(&queue, &event.to_string(), attributes);
                self.timeline.happened(Kind::Queue, queue, format!("what the rule {} could not deliver", rule.name));
            }
            Ok(None) => {
                let text =
                    format!("what the rule `{}` could not deliver is lost: {arn} has no dead-letter queue", rule.name);
                self.timeline.find(Severity::Error, text);
            }
            Err(stop) => self.stopped(&stop),
        }
    }

    fn rule(&self, name: &str) -> Option<Resource> {
        self.pipeline.resources.named("AWS::Events::Rule", name).cloned()
    }

    /// An attempt of a Lambda ended: what is measured of it.
    pub(super) fn attempted(&mut self, name: &str, group: &str, invocation: &Invocation) {
        let failed = matches!(invocation.outcome, Outcome::Failure { .. });
        self.metrics.count("AWS/Lambda", "Errors", ("FunctionName", name), self.clock, f64::from(u8::from(failed)));
        let lines: Vec<_> = invocation.log.lines.iter().map(|line| line.raw.as_str()).collect();
        self.metrics.scan(&self.pipeline.resources, group, &lines, self.clock);
    }

    /// A call failed after all retries: Lambda hands it to the function's destination for failures.
    pub(super) fn failed_for_good(&mut self, name: &str, request: &str, event: &Value, attempts: u64, last: &Outcome) {
        let Outcome::Failure { kind, message } = last else { return };
        let config = self.pipeline.resources.of("AWS::Lambda::EventInvokeConfig");
        let config = config.into_iter().find(|config| config.text("/FunctionName") == Some(name));
        let destination = config.and_then(|config| config.text("/DestinationConfig/OnFailure/Destination"));
        let report = events::call_failed(&self.pipeline.resources, name, request, event, attempts, (kind, message));
        match destination.map(|arn| (arn.split(':').nth(2).unwrap_or_default(), arn)) {
            Some(("events", _)) => {
                self.due.push_back(Due::Event {
                    event: report,
                    by: format!("{name} failed after all retries"),
                    goes_on: false,
                });
            }
            Some(("sqs", arn)) => {
                let queue = arn.rsplit(':').next().unwrap_or(arn).to_owned();
                self.pipeline.account.send_to_queue(&queue, &report["detail"].to_string(), BTreeMap::new());
                self.timeline.happened(Kind::Queue, queue, format!("what {name} was asked"));
            }
            _ => {
                let text = format!(
                    "the call of `{name}` that failed is lost\ngive the function an `AWS::Lambda::EventInvokeConfig` with a \
                     destination for failures"
                );
                self.timeline.find(Severity::Error, text);
            }
        }
    }

    /// A job ended: its output is what its logs hold.
    pub(super) fn job_logged(&mut self, prefix: Option<&str>, output: &[String]) {
        let Some(prefix) = prefix else { return };
        let lines: Vec<_> = output.iter().map(String::as_str).collect();
        for group in ["output", "error"] {
            self.metrics.scan(&self.pipeline.resources, &format!("{prefix}/{group}"), &lines, self.clock);
        }
    }

    /// At the end, what lies in the queues is measured, and the alarms are looked at.
    pub(super) fn look_at_alarms(&mut self) {
        for queue in self.pipeline.resources.of("AWS::SQS::Queue") {
            let name = alarms::name_of(queue);
            #[expect(clippy::cast_precision_loss, reason = "a count of messages")]
            let length = self.pipeline.account.queue_length(name) as f64;
            let metric = "ApproximateNumberOfMessagesVisible";
            self.metrics.count("AWS/SQS", metric, ("QueueName", name), self.clock, length);
        }
        let (mails, stops) = self.metrics.alarms(&self.pipeline.resources, self.clock);
        for mail in mails {
            self.mail(mail);
        }
        for stop in stops {
            self.timeline.find(Severity::Error, Error::from(&stop).to_string());
        }
    }

    fn mail(&mut self, mail: Mail) {
        self.timeline.happened(Kind::Mail, format!("to {}", mail.recipients()), mail.gist());
        self.timeline.mails.push(mail);
    }
}
