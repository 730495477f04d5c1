//! Whether a queue or a topic lets a service in.

use serde_json::Value;

use crate::events::{Stop, wildcard};
use pipectl_core::resource::{Resource, Resources};

/// Whether a policy of the queue or topic allows the service the action, on behalf of the rule or alarm `sender`.
pub(super) fn admits(
    resources: &Resources,
    service: &str,
    action: &str,
    arn: &str,
    target: &Resource,
    sender: &Resource,
) -> Result<(), Stop> {
    let (kind, list) = if target.kind == "AWS::SNS::Topic" {
        ("AWS::SNS::TopicPolicy", "/Topics")
    } else {
        ("AWS::SQS::QueuePolicy", "/Queues")
    };
    let policies = resources
        .of(kind)
        .filter(|policy| policy.list(list).iter().any(|one| one == target.name.as_str() || one == arn));
    let known = context(resources, service, target, sender);
    let (mut nearest, mut unmet) = (None, None);
    for policy in policies {
        nearest = Some(policy);
        for statement in policy.list("/PolicyDocument/Statement") {
            let takes = statement["Effect"] == "Allow"
                && texts(&statement["Principal"]["Service"]).any(|one| one == service)
                && texts(&statement["Action"]).any(|one| wildcard(&one.to_lowercase(), &action.to_lowercase()))
                && texts(&statement["Resource"]).any(|one| wildcard(one, arn));
            if !takes {
                continue;
            }
            match condition(&statement["Condition"], &known) {
                None => return Ok(()),
                Some(key) => unmet = Some(key),
            }
        }
    }
    let what = target.kind.split("::").nth(1).unwrap_or_default();
    let why = match (&unmet, nearest) {
        (Some(key), _) if known.is_empty() => {
            format!("its policy has a condition on `{key}`, and {service} sends {what} no such key")
        }
        (Some(key), _) => format!("the condition on `{key}` in its policy does not hold for {}", sender.name),
        (None, Some(_)) => format!("its policy does not allow {action} to {service}"),
        (None, None) => format!("it has no policy, so {service} may not do {action}"),
    };
    let fix = match &unmet {
        Some(_) if known.is_empty() => "remove the condition from this service's statement".to_owned(),
        Some(key) => format!("let `{key}` match {}", sender.name),
        None => format!("allow {action} to the service {service}"),
    };
    let short = target.kind.rsplit("::").next().unwrap_or_default().to_lowercase();
    let span = nearest.map_or_else(|| target.span_of(&[]), |policy| policy.span_of(&["PolicyDocument"]));
    Err(Stop { hop: format!("{short} `{}`", arn.rsplit(':').next().unwrap_or(arn)), why, span, fix })
}

/// The condition keys that a service sends. EventBridge sends SNS none: no condition on them ever matches.
fn context(resources: &Resources, service: &str, target: &Resource, sender: &Resource) -> Vec<(&'static str, String)> {
    let source = match service {
        "events.amazonaws.com" if target.kind == "AWS::SNS::Topic" => return Vec::new(),
        "events.amazonaws.com" => resources.rule_arn(sender),
        _ => resources.arn_of("AWS::CloudWatch::Alarm", &sender.name),
    };
    vec![("aws:sourcearn", source), ("aws:sourceaccount", resources.account.clone())]
}

/// The first key of a condition that does not hold.
fn condition(condition: &Value, known: &[(&str, String)]) -> Option<String> {
    for (operator, keys) in condition.as_object().into_iter().flatten() {
        for (key, expected) in keys.as_object().into_iter().flatten() {
            let found = known.iter().find(|(name, _)| *name == key.to_lowercase()).map(|(_, value)| value.as_str());
            let holds = found.is_some_and(|found| {
                texts(expected).any(|expected| match operator.as_str() {
                    "StringEquals" => expected == found,
                    "StringLike" | "ArnLike" | "ArnEquals" => wildcard(expected, found),
                    _ => false,
                })
            });
            if !holds {
                return Some(key.clone());
            }
        }
    }
    None
}

/// A text, or the texts of a list.
fn texts(value: &Value) -> impl Iterator<Item = &str> {
    let items = match value {
        Value::Array(items) => items.as_slice(),
        value => std::slice::from_ref(value),
    };
    items.iter().filter_map(Value::as_str)
}
