//! What starts what, evaluated from the deployed resources: trails, bus, rules, targets, schedules.

mod event;
mod pattern;
mod selector;
mod workflow;

use serde_json::Value;

use crate::error::Error;
use crate::iam::{Denial, Principal, Request};
use crate::yaml::Span;

use crate::authorizer::{Authorizer, Source};
use pipectl_core::resource::{Resource, Resources};
use selector::DataEvent;

pub use event::{ObjectWritten, call_failed, job_state_change, webhook};
pub use pattern::wildcard;
pub use pattern::{Mismatch, matches};
pub use workflow::{Triggered, Workflows, broken, follow, scheduled};

/// An event on the bus, and what put it there.
#[derive(Debug, Clone)]
pub struct Sent {
    pub event: Value,
    /// Such as `trail shop-dev-landing`.
    pub by: String,
}

/// What a rule does with an event.
#[derive(Debug, Clone)]
pub struct Delivery {
    pub rule: String,
    /// The ARN of the target.
    pub arn: String,
    pub target: Result<Target, Stop>,
}

/// Where a rule sends an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A Glue workflow, by its name.
    Workflow(String),
    /// A Lambda function by its name.
    Function(String),
    /// Anything that only takes note, such as a queue or a topic.
    Recorded(String),
}

/// A schedule and its function.
#[derive(Debug, Clone)]
pub struct Scheduled {
    pub schedule: String,
    pub expression: String,
    pub function: Result<String, Stop>,
    pub input: String,
}

/// A hop that stopped an event, and the place in the template to change.
#[derive(Debug, Clone)]
pub struct Stop {
    pub hop: String,
    pub why: String,
    pub span: Option<Span>,
    pub fix: String,
}

impl Stop {
    fn new(resource: &Resource, path: &[&str], why: impl Into<String>, fix: impl Into<String>) -> Self {
        let kind = resource.kind.rsplit("::").next().unwrap_or_default().to_lowercase();
        let hop = format!("{kind} `{}`", resource.name);
        Self { hop, why: why.into(), span: resource.span_of(path), fix: fix.into() }
    }

    /// A call that IAM denies.
    fn denied(user: &Resource, path: &[&str], denial: &Denial) -> Self {
        let (hop, call) = match &denial.principal {
            Principal::Role(name) => {
                (format!("role `{name}`"), format!("it may not {} on {}", denial.action, denial.pattern()))
            }
            Principal::Service(_) => (Self::new(user, path, "", "").hop, denial.call()),
        };
        let span = denial.span.clone().or_else(|| user.span_of(path));
        Self { hop, why: format!("{call}: {}", denial.why), span, fix: denial.fix.clone() }
    }
}

impl From<&Stop> for Error {
    fn from(stop: &Stop) -> Self {
        let error = Self::new(format!("{} stops the event: {}", stop.hop, stop.why)).hint(&stop.fix);
        match &stop.span {
            Some(span) => error.at(span, "here"),
            None => error,
        }
    }
}

/// The events that a written object puts on the bus, and what kept others from it.
pub fn object_events(resources: &Resources, object: &ObjectWritten) -> (Vec<Sent>, Vec<Stop>) {
    let (mut sent, mut stops) = (Vec::new(), Vec::new());
    let data = DataEvent {
        event_name: &object.operation,
        resource_arn: format!("arn:aws:s3:::{}/{}", object.bucket, object.key),
    };
    for trail in resources.of("AWS::CloudTrail::Trail") {
        if !trail.is_true("/IsLogging") {
            stops.push(Stop::new(trail, &["IsLogging"], "it does not log", "set `IsLogging: true`"));
            continue;
        }
        match selector::selects(trail.list("/AdvancedEventSelectors"), &data) {
            Ok(()) => sent.push(Sent {
                event: event::through_cloudtrail(resources, object),
                by: format!("trail {}", trail.name),
            }),
            Err(None) => stops.push(Stop::new(
                trail,
                &["AdvancedEventSelectors"],
                "it has no advanced event selector",
                "add a selector for data events of the bucket",
            )),
            Err(Some(refusal)) => {
                let (selector, field) = (refusal.selector.to_string(), refusal.field.to_string());
                let path = ["AdvancedEventSelectors", &selector, "FieldSelectors", &field];
                stops.push(Stop::new(
                    trail,
                    &path,
                    refusal.why,
                    "change this field selector so that it takes the object",
                ));
            }
        }
    }
    if let Some(bucket) = resources.named("AWS::S3::Bucket", &object.bucket) {
        let configuration = "/NotificationConfiguration/EventBridgeConfiguration";
        let enabled = format!("{configuration}/EventBridgeEnabled");
        if bucket.get(configuration).is_some() && bucket.get(&enabled).is_none_or(|_| bucket.is_true(&enabled)) {
            sent.push(Sent {
                event: event::object_created(resources, object),
                by: format!("bucket {}", object.bucket),
            });
        }
    }
    if sent.is_empty() && stops.is_empty() {
        let hop = format!("bucket `{}`", object.bucket);
        let bucket = resources.named("AWS::S3::Bucket", &object.bucket);
        stops.push(Stop {
            hop,
            why: "no trail records its writes, and it sends no events to EventBridge".into(),
            span: bucket.and_then(|bucket| bucket.span_of(&["NotificationConfiguration"])),
            fix: "set `trigger: {mode: s3}` or `trigger: {mode: cloudtrail}` in the pipeline".into(),
        });
    }
    (sent, stops)
}

/// What the rules do with an event; and of the rules for the same source that did not match, why not.
pub fn deliver(resources: &Resources, authorizer: &Authorizer, event: &Value) -> (Vec<Delivery>, Vec<Stop>) {
    let (mut deliveries, mut stops) = (Vec::new(), Vec::new());
    // A partner's events come on a bus that has the name of their source; all others on the default one.
    let source = event["source"].as_str().unwrap_or_default();
    let bus = if source.starts_with("aws.partner/") { source } else { "default" };
    for rule in resources.of("AWS::Events::Rule") {
        let own = rule.text("/EventBusName").filter(|name| !name.is_empty()).unwrap_or("default");
        if own != bus && own.split_once(":event-bus/").is_none_or(|(_, name)| name != bus) {
            continue;
        }
        let Some(pattern) = rule.get("/EventPattern") else { continue };
        if let Err(mismatch) = matches(pattern, event) {
            // A rule that only reports failures is not the target of an event.
            let goes_on = rule.list("/Targets").iter().any(|target| {
                let arn = target.get("Arn").and_then(Value::as_str).unwrap_or_default();
                matches!(arn.split(':').nth(2), Some("glue" | "lambda"))
            });
            if mismatch.path != ["source"] && goes_on {
                stops.push(unmatched(rule, &mismatch));
            }
            continue;
        }
        if rule.text("/State") == Some("DISABLED") {
            stops.push(Stop::new(rule, &["State"], "it is disabled", "set `State: ENABLED`"));
            continue;
        }
        if rule.list("/Targets").is_empty() {
            stops.push(Stop::new(rule, &["Targets"], "it has no target", "add a target"));
        }
        for (index, target) in rule.list("/Targets").iter().enumerate() {
            let arn = target.get("Arn").and_then(Value::as_str).unwrap_or_default().to_owned();
            let target = reach(resources, authorizer, rule, index, target);
            deliveries.push(Delivery { rule: rule.name.clone(), arn, target });
        }
    }
    (deliveries, stops)
}

fn unmatched(rule: &Resource, mismatch: &Mismatch) -> Stop {
    let path: Vec<&str> = std::iter::once("EventPattern").chain(mismatch.path.iter().map(String::as_str)).collect();
    let name = mismatch.path.join(".");
    let found = match &mismatch.found {
        Some(found) => format!("`{name}` is {found}"),
        None => format!("the event has no `{name}`"),
    };
    Stop::new(
        rule,
        &path,
        format!("{found}, the pattern wants {}", mismatch.expected),
        "change the pattern so that it takes the event",
    )
}

/// Whether a rule's target can be reached.
fn reach(
    resources: &Resources,
    authorizer: &Authorizer,
    rule: &Resource,
    index: usize,
    target: &Value,
) -> Result<Target, Stop> {
    let number = index.to_string();
    let arn = target.get("Arn").and_then(Value::as_str).unwrap_or_default();
    let path = |last| ["Targets", &number, last];
    match arn.split(':').nth(2) {
        Some("glue") => {
            let name = arn.rsplit_once(":workflow/").map(|(_, name)| name).unwrap_or_default();
            if resources.named("AWS::Glue::Workflow", name).is_none() {
                let why = format!("no workflow has the ARN `{arn}`");
                return Err(Stop::new(rule, &path("Arn"), why, "name a workflow of the stack `glue`"));
            }
            let Some(role) = target.get("RoleArn").and_then(Value::as_str) else {
                let why = "a workflow is started only with a role";
                return Err(Stop::new(rule, &path("Arn"), why, "add `RoleArn` of a role that allows glue:notifyEvent"));
            };
            let source = resources.rule_arn(rule);
            let by = ("events.amazonaws.com", source.as_str());
            may(resources, authorizer, rule, &path("RoleArn"), by, role, "glue:notifyEvent", arn)?;
            Ok(Target::Workflow(name.to_owned()))
        }
        Some("lambda") => {
            let name = arn.rsplit(':').next().unwrap_or_default();
            if resources.named("AWS::Lambda::Function", name).is_none() {
                let why = format!("no function has the ARN `{arn}`");
                return Err(Stop::new(rule, &path("Arn"), why, "name a function of the stack `ingest`"));
            }
            let rule_arn = resources.rule_arn(rule);
            let mut request = Request::of_service("events.amazonaws.com", "lambda:InvokeFunction", arn);
            Source { arn: Some(&rule_arn), account: Some(&resources.account) }.describe(&mut request);
            if let Err(denial) = authorizer.evaluate(&request) {
                let near = resources.of("AWS::Lambda::Permission").any(|permission| {
                    permission.text("/FunctionName").is_some_and(|function| function == name || function == arn)
                });
                if near && denial.span.is_some() {
                    return Err(Stop::denied(rule, &path("Arn"), &denial));
                }
                let why = format!("the function `{name}` does not let it call");
                let fix =
                    format!("add an `AWS::Lambda::Permission` for events.amazonaws.com with `SourceArn: {rule_arn}`");
                return Err(Stop::new(rule, &path("Arn"), why, fix));
            }
            Ok(Target::Function(name.to_owned()))
        }
        _ => Ok(Target::Recorded(arn.to_owned())),
    }
}

/// Whether a service may take a role on, for one of its resources, and do something with it.
#[expect(clippy::too_many_arguments, reason = "a call has many sides")]
fn may(
    resources: &Resources,
    authorizer: &Authorizer,
    user: &Resource,
    path: &[&str],
    (service, source): (&str, &str),
    role: &str,
    action: &str,
    arn: &str,
) -> Result<(), Stop> {
    let name = role.rsplit('/').next().unwrap_or_default();
    if resources.named("AWS::IAM::Role", name).is_none() {
        return Err(Stop::new(user, path, format!("there is no role `{role}`"), "name a role of the stack `iam`"));
    }
    let mut trust = Request::of_service(service, "sts:AssumeRole", role);
    Source { arn: Some(source), account: Some(&resources.account) }.describe(&mut trust);
    for request in [trust, Request::of_role(name, action, arn)] {
        authorizer.evaluate(&request).map_err(|denial| Stop::denied(user, path, &denial))?;
    }
    Ok(())
}

/// Every schedule with the function that it calls.
pub fn schedules(resources: &Resources, authorizer: &Authorizer) -> Vec<Scheduled> {
    let all = resources.of("AWS::Scheduler::Schedule").map(|schedule| Scheduled {
        schedule: schedule.name.clone(),
        expression: schedule.text("/ScheduleExpression").unwrap_or_default().to_owned(),
        function: called(resources, authorizer, schedule),
        input: schedule.text("/Target/Input").unwrap_or("{}").to_owned(),
    });
    all.collect()
}

fn called(resources: &Resources, authorizer: &Authorizer, schedule: &Resource) -> Result<String, Stop> {
    if schedule.text("/State") == Some("DISABLED") {
        return Err(Stop::new(schedule, &["State"], "it is disabled", "set `State: ENABLED`"));
    }
    let arn = schedule.text("/Target/Arn").unwrap_or_default();
    let name = arn.rsplit(':').next().unwrap_or_default();
    if resources.named("AWS::Lambda::Function", name).is_none() {
        let why = format!("no function has the ARN `{arn}`");
        return Err(Stop::new(schedule, &["Target", "Arn"], why, "name a function of the stack `ingest`"));
    }
    let role = schedule.text("/Target/RoleArn").unwrap_or_default();
    let path = ["Target", "RoleArn"];
    let source = resources.arn_of("AWS::Scheduler::Schedule", &schedule.name);
    let by = ("scheduler.amazonaws.com", source.as_str());
    may(resources, authorizer, schedule, &path, by, role, "lambda:InvokeFunction", arn)?;
    Ok(name.to_owned())
}

#[cfg(test)]
mod reference_tests;
#[cfg(test)]
mod tests;
