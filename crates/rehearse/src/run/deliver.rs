//! What an event comes to: the rules that take it, the targets that it reaches, and what kept it from others.

use std::time::Duration;

use pipectl_contract::keys;
use serde_json::Value;

use super::{Actor, Due, Run};
use crate::error::Error;
use crate::resource::Resource;
use crate::timeline::{Kind, Severity};
use pipectl_emulator::events::{self, ObjectWritten, Stop, Target};

impl Run<'_> {
    /// An object was written: the trail or the bucket notifies the bus.
    pub(super) fn object(&mut self, object: &ObjectWritten) {
        self.pipeline.authorizer.replicated(&self.pipeline.resources, &object.bucket, &object.key);
        let (sent, mut stops) = events::object_events(&self.pipeline.resources, object);
        let mut reached = false;
        for sent in &sent {
            if let Some(trail) = sent.by.strip_prefix("trail ") {
                self.pipeline.authorizer.recorded(&self.pipeline.resources, trail);
            }
            let (one, more) = self.deliver(&sent.event, &format!("{}: {}", folder(&object.key), sent.by));
            reached |= one;
            stops.extend(more);
        }
        // Only what lands is meant to start something.
        if !reached && object.bucket == self.raw && object.key.starts_with(keys::LANDING) {
            let text = format!("nothing starts when s3://{}/{} arrives", object.bucket, object.key);
            self.timeline.find(Severity::Error, format!("{text}\n{}", explain(&stops)));
        }
    }

    /// Gives an event to the rules. Answers whether a workflow or function was reached, and what kept it from others.
    pub(super) fn deliver(&mut self, event: &Value, by: &str) -> (bool, Vec<Stop>) {
        let (deliveries, stops) = events::deliver(&self.pipeline.resources, &self.pipeline.authorizer, event);
        let mut reached = false;
        for delivery in deliveries {
            match &delivery.target {
                Err(stop) => {
                    self.stopped(stop);
                    self.not_delivered(&delivery, event, stop);
                }
                Ok(target) => {
                    let target = target.clone();
                    let loops = event["source"] == "aws.s3"
                        && self.actor.as_ref().is_some_and(|actor| actor.started_as == target);
                    if loops {
                        let rule = self.pipeline.resources.named("AWS::Events::Rule", &delivery.rule);
                        let text = looping(rule, &target, self.actor.as_ref(), by);
                        self.timeline.find(Severity::Error, text);
                        continue;
                    }
                    reached |= !matches!(target, Target::Recorded(_));
                    self.timeline.happened(Kind::Event, by, format!("rule {} → {}", delivery.rule, name(&target)));
                    self.rule_triggered(&delivery, event);
                    self.reach(target, event);
                }
            }
        }
        (reached, stops)
    }

    pub(super) fn reach(&mut self, target: Target, event: &Value) {
        match target {
            Target::Function(function) => self.due.push_back(Due::Call { function, event: event.clone() }),
            Target::Workflow(workflow) => {
                match self.workflows.notify(&self.pipeline.resources, &workflow, self.clock) {
                    Ok(Some(triggered)) => self.due.push_back(Due::Start(triggered)),
                    Ok(None) => {}
                    Err(stop) => self.stopped(&stop),
                }
            }
            Target::Recorded(_) => {}
        }
    }

    pub(super) fn stopped(&mut self, stop: &Stop) {
        self.timeline.find(Severity::Error, Error::from(stop).to_string());
    }

    /// Records the end of a statement.
    pub(super) async fn statement_ended(&mut self, event: &Value) {
        let text = |name: &str| event["detail"][name].as_str().unwrap_or_default().to_owned();
        let (id, name, state) = (text("statementId"), text("statementName"), text("state"));
        if event["source"] != "aws.redshift-data" {
            return;
        }
        let known = self.pipeline.statement(&id).await;
        let took = Duration::from_nanos(known["Duration"].as_u64().unwrap_or_default());
        let parts = known["SubStatements"].as_array().map_or(1, Vec::len);
        let detail = if parts == 1 { "1 statement".to_owned() } else { format!("{parts} statements, one transaction") };
        let failed = state != "FINISHED";
        self.timeline.ended(Kind::Statement, &short(&name), detail, took, failed);
        if failed {
            let why = known["Error"].as_str().unwrap_or("no reason was given");
            self.timeline.find(Severity::Error, format!("the statement `{name}` ended as {state}: {why}"));
        }
    }
}

fn looping(rule: Option<&Resource>, target: &Target, actor: Option<&Actor>, by: &str) -> String {
    let actor = actor.map_or("it", |actor| actor.name.as_str());
    let error = Error::new(format!(
        "a loop: the rule `{}` would start {} again by what `{actor}` has just written ({by})",
        rule.map_or("", |rule| rule.name.as_str()),
        name(target)
    ))
    .hint(
        "narrow the rule's pattern or the trail's selector, so that it does not take what the pipeline itself writes",
    );
    match rule.and_then(|rule| rule.span_of(&["EventPattern"])) {
        Some(pipeline) => error.at(&pipeline, "").to_string(),
        None => error.to_string(),
    }
}

fn name(target: &Target) -> String {
    match target {
        Target::Workflow(name) => format!("workflow {name}"),
        Target::Function(name) => format!("lambda {name}"),
        Target::Recorded(arn) => arn.rsplit(':').next().unwrap_or(arn).to_owned(),
    }
}

/// `shop-dev/load/<batch>/orders` → `load orders`; another name stays.
fn short(statement: &str) -> String {
    match statement.split('/').collect::<Vec<_>>()[..] {
        [_, what, _, of] => format!("{what} {of}"),
        [_, "setup", _] => "setup".to_owned(),
        _ => statement.to_owned(),
    }
}

/// `landing/orders/2026/x.jsonl` → `landing/orders`.
fn folder(key: &str) -> &str {
    let end = key.match_indices('/').nth(1).map_or(key.len(), |(at, _)| at);
    &key[..end]
}

/// The reasons, the nearest to the target first.
pub(crate) fn explain(stops: &[Stop]) -> String {
    let mut stops: Vec<&Stop> = stops.iter().collect();
    stops.sort_by_key(|stop| !stop.hop.starts_with("rule"));
    let lines: Vec<String> = stops.iter().take(3).map(|stop| Error::from(*stop).to_string()).collect();
    lines.join("\n")
}
