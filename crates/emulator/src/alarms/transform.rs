//! What a rule's target gets of an event: all of it, a part, or a text made from it.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::events::Stop;
use pipectl_core::resource::Resource;

/// The input of the target with this ARN. Fails when the transformer asks for what the event does not have: EventBridge
/// then sends a text with a gap, or nothing.
pub fn target_input(rule: &Resource, arn: &str, event: &Value, rule_arn: &str) -> Result<String, Stop> {
    let targets = rule.list("/Targets");
    let Some(index) = targets.iter().position(|target| target["Arn"] == arn) else { return Ok(event.to_string()) };
    let (target, number) = (&targets[index], index.to_string());
    if let Some(input) = target["Input"].as_str() {
        return Ok(input.to_owned());
    }
    let missing = |name: &str, path: &str, at: &[&str]| Stop {
        hop: format!("rule `{}`", rule.name),
        why: format!("`{name}` is to be `{path}`, which the event does not have"),
        span: rule.span_of(&[&["Targets", &number], at].concat()),
        fix: "take a path that every event of the pattern has, or narrow the pattern by `exists: true`".to_owned(),
    };
    if let Some(path) = target["InputPath"].as_str() {
        let found = at(event, path).ok_or_else(|| missing("InputPath", path, &["InputPath"]))?;
        return Ok(found.to_string());
    }
    let transformer = &target["InputTransformer"];
    let Some(template) = transformer["InputTemplate"].as_str() else { return Ok(event.to_string()) };
    let mut values: BTreeMap<&str, Value> = BTreeMap::from([
        ("aws.events.rule-arn", json!(rule_arn)),
        ("aws.events.rule-name", json!(rule.name)),
        ("aws.events.event.json", event.clone()),
        ("aws.events.event.ingestion-time", event["time"].clone()),
    ]);
    for (name, path) in transformer["InputPathsMap"].as_object().into_iter().flatten() {
        let path = path.as_str().unwrap_or_default();
        let found = at(event, path).ok_or_else(|| missing(name, path, &["InputTransformer", "InputPathsMap", name]))?;
        values.insert(name, found.clone());
    }
    let json = template.trim_start().starts_with(['{', '[']);
    let mut text = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('<') {
        text.push_str(before);
        match after.split_once('>').map(|(name, after)| (name, values.get(name), after)) {
            Some((_, Some(value), after)) => {
                match value {
                    // Values are put in as they are, and not escaped.
                    Value::String(value) if !json => text.push_str(value),
                    value => text.push_str(&value.to_string()),
                }
                rest = after;
            }
            Some((name, None, _))
                if !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || "-_.".contains(c)) =>
            {
                return Err(Stop {
                    why: format!("its text has `<{name}>`, which is not a variable"),
                    fix: format!("add `{name}` to `InputPathsMap`"),
                    ..missing(name, "", &["InputTransformer", "InputTemplate"])
                });
            }
            _ => {
                text.push('<');
                rest = after;
            }
        }
    }
    text.push_str(rest);
    Ok(if json { text } else { lines(&text) })
}

/// A text template has each of its lines in quotes.
fn lines(text: &str) -> String {
    let line = |line: &str| {
        let inner = line.strip_prefix('"').unwrap_or(line);
        inner.strip_suffix('"').unwrap_or(inner).replace("\\\"", "\"")
    };
    text.trim_end().lines().map(line).collect::<Vec<_>>().join("\n")
}

/// What stands at a path such as `$.detail.state` or `$.resources[0]`.
fn at<'a>(event: &'a Value, path: &str) -> Option<&'a Value> {
    let steps = path.strip_prefix('$')?.split(['.', '[', ']']).filter(|step| !step.is_empty());
    steps.into_iter().try_fold(event, |value, step| match value {
        Value::Array(items) => items.get(step.parse::<usize>().ok()?),
        value => value.get(step),
    })
}
