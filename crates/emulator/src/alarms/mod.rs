//! What people hear when something goes wrong: rules and alarms that end in a topic, and the queues that keep the rest.
//!
//! Evaluated from the deployed resources, like all wiring: a mail is shown as the templates would send it.

mod alarm;
mod policy;
mod transform;

use serde::Serialize;
use serde_json::Value;

use crate::events::Stop;
use crate::log_pattern::LogPattern;
use pipectl_core::resource::{Resource, Resources};

pub use transform::target_input;

/// A mail as the subscribers of a topic get it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Mail {
    /// Nobody, as long as `alerts.emails` is empty.
    pub to: Vec<String>,
    pub subject: String,
    pub text: String,
}

impl Mail {
    /// What it is about, in a line.
    pub fn gist(&self) -> &str {
        if self.subject == RULE_SUBJECT { self.text.lines().next().unwrap_or_default() } else { &self.subject }
    }

    pub fn recipients(&self) -> String {
        if self.to.is_empty() { "nobody: `alerts.emails` is empty".to_owned() } else { self.to.join(", ") }
    }
}

/// SNS gives this subject to whatever brings none, and a rule cannot bring one.
const RULE_SUBJECT: &str = "AWS Notification Message";

/// A measured value.
#[derive(Debug, Clone)]
struct Point {
    namespace: String,
    metric: String,
    dimension: Option<(String, String)>,
    /// In simulated seconds.
    at: u64,
    value: f64,
}

/// What is measured in a run.
#[derive(Debug, Default)]
pub struct Metrics {
    points: Vec<Point>,
}

impl Metrics {
    /// Measures a value; the dimension is a name and its value.
    pub fn count(&mut self, namespace: &str, metric: &str, dimension: (&str, &str), at: u64, value: f64) {
        self.points.push(Point {
            namespace: namespace.to_owned(),
            metric: metric.to_owned(),
            dimension: Some((dimension.0.to_owned(), dimension.1.to_owned())),
            at,
            value,
        });
    }

    /// Counts the lines of a log group that its metric filters take.
    pub fn scan(&mut self, resources: &Resources, group: &str, lines: &[&str], at: u64) {
        for filter in resources.of("AWS::Logs::MetricFilter") {
            if filter.text("/LogGroupName") != Some(group) {
                continue;
            }
            let Ok(pattern) = LogPattern::parse(filter.text("/FilterPattern").unwrap_or_default()) else { continue };
            let found = lines.iter().filter(|line| pattern.matches(line)).count();
            for transformation in filter.list("/MetricTransformations").iter().filter(|_| found > 0) {
                let text = |name: &str| transformation[name].as_str().unwrap_or_default().to_owned();
                #[expect(clippy::cast_precision_loss, reason = "a count of lines")]
                let value = text("MetricValue").parse::<f64>().unwrap_or(1.0) * found as f64;
                let (namespace, metric) = (text("MetricNamespace"), text("MetricName"));
                self.points.push(Point { namespace, metric, dimension: None, at, value });
            }
        }
    }

    /// The mails of the alarms that changed their state until `now`, and what kept others from being sent.
    pub fn alarms(&self, resources: &Resources, now: u64) -> (Vec<Mail>, Vec<Stop>) {
        let (mut mails, mut stops) = (Vec::new(), Vec::new());
        for change in resources.of("AWS::CloudWatch::Alarm").flat_map(|alarm| alarm::changes(alarm, &self.points, now))
        {
            for topic in change.actions() {
                match published(resources, topic, "cloudwatch.amazonaws.com", change.alarm) {
                    Ok(to) => mails.push(change.mail(resources, to)),
                    Err(stop) => stops.push(stop),
                }
            }
        }
        (mails, stops)
    }
}

/// Where an event went that a rule sent to a queue or a topic.
#[derive(Debug)]
pub enum Received {
    Mail(Mail),
    /// The queue's name, and what was put into it.
    Queued(String, String),
    /// Anything else, of which nothing is known here.
    Unknown,
}

/// What a rule's target makes of an event. Fails with what keeps it from the target.
pub fn receive(resources: &Resources, rule: &Resource, arn: &str, event: &Value) -> Result<Received, Stop> {
    let input = target_input(rule, arn, event, &resources.rule_arn(rule))?;
    match arn.split(':').nth(2) {
        Some("sns") => {
            let to = published(resources, arn, "events.amazonaws.com", rule)?;
            Ok(Received::Mail(Mail { to, subject: RULE_SUBJECT.to_owned(), text: input }))
        }
        Some("sqs") => {
            let queue = queue(resources, arn, rule)?;
            policy::admits(resources, "events.amazonaws.com", "sqs:SendMessage", arn, queue, rule)?;
            Ok(Received::Queued(name_of(queue).to_owned(), input))
        }
        _ => Ok(Received::Unknown),
    }
}

/// The queue that takes what a target of a rule did not; none if the target has none.
pub fn dead_letters<'a>(resources: &'a Resources, rule: &Resource, arn: &str) -> Result<Option<&'a str>, Stop> {
    let target = rule.list("/Targets").iter().find(|target| target["Arn"] == arn);
    let Some(queue_arn) = target.and_then(|target| target.pointer("/DeadLetterConfig/Arn")?.as_str()) else {
        return Ok(None);
    };
    let queue = queue(resources, queue_arn, rule)?;
    policy::admits(resources, "events.amazonaws.com", "sqs:SendMessage", queue_arn, queue, rule)?;
    Ok(Some(name_of(queue)))
}

fn queue<'a>(resources: &'a Resources, arn: &str, rule: &Resource) -> Result<&'a Resource, Stop> {
    let name = arn.rsplit(':').next().unwrap_or_default();
    resources.of("AWS::SQS::Queue").find(|queue| name_of(queue) == name).ok_or_else(|| Stop {
        hop: format!("rule `{}`", rule.name),
        why: format!("no queue has the ARN `{arn}`"),
        span: rule.span_of(&["Targets"]),
        fix: "name a queue of the pipeline".to_owned(),
    })
}

/// A queue's physical id is its URL.
pub fn name_of(queue: &Resource) -> &str {
    queue.name.rsplit('/').next().unwrap_or(&queue.name)
}

/// The addresses that a message of a service to a topic reaches.
fn published(resources: &Resources, topic: &str, service: &str, sender: &Resource) -> Result<Vec<String>, Stop> {
    let Some(resource) = resources.named("AWS::SNS::Topic", topic) else {
        return Err(Stop {
            hop: format!("topic `{topic}`"),
            why: "it does not exist".to_owned(),
            span: sender.span_of(&[]),
            fix: "name the topic of the stack `monitoring`".to_owned(),
        });
    };
    policy::admits(resources, service, "sns:Publish", topic, resource, sender)?;
    let subscriptions = resources
        .of("AWS::SNS::Subscription")
        .filter(|one| one.text("/TopicArn") == Some(topic) && one.text("/Protocol") == Some("email"));
    Ok(subscriptions.filter_map(|one| one.text("/Endpoint")).map(str::to_owned).collect())
}

#[cfg(test)]
mod tests;
