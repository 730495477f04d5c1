//! Tags: the same limits for every service.

use serde_json::Value;

use super::{Findings, Rule, Subject, text};

pub(super) const RULES: &[Rule] = &[Rule {
    id: "tags",
    types: &["*"],
    property: "Tags",
    accepts: "up to 50 tags with different keys; keys of 1 to 128 characters that do not begin with `aws:`, values of up to 256; letters, digits, spaces and `_.:/=+-@`",
    source: "https://docs.aws.amazon.com/tag-editor/latest/userguide/best-practices-and-strats.html",
    bad: "Resources:\n  Queue:\n    Type: AWS::SQS::Queue\n    Properties: {Tags: [{Key: \"aws:owner\", Value: data}]}",
    good: "Resources:\n  Queue:\n    Type: AWS::SQS::Queue\n    Properties: {Tags: [{Key: owner, Value: data}]}",
    check,
}];

fn check(subject: &Subject<'_>, found: &mut Findings) {
    let pairs: Vec<(String, &str, Option<&str>)> = match subject.get("Tags") {
        Some(Value::Array(items)) => items
            .iter()
            .enumerate()
            .filter_map(|(index, tag)| Some((format!("Tags/{index}"), text(tag, "Key")?, text(tag, "Value"))))
            .collect(),
        Some(Value::Object(entries)) => {
            entries.iter().map(|(key, value)| (format!("Tags/{key}"), key.as_str(), value.as_str())).collect()
        }
        _ => return,
    };
    if pairs.len() > 50 {
        found.add("Tags", format!("has {} tags; AWS accepts 50", pairs.len()), "remove some");
    }
    let allowed = |text: &str| text.chars().all(|c| c.is_alphanumeric() || c.is_whitespace() || "_.:/=+-@".contains(c));
    for (index, (path, key, value)) in pairs.iter().enumerate() {
        let length = key.chars().count();
        if pairs[..index].iter().any(|(_, other, _)| other == key) {
            found.refuse(
                path,
                format!("has the tag `{key}` twice"),
                "keep one of them",
                "Duplicate tag keys found. Please note that Tag keys are case insensitive.",
            );
        } else if key.to_ascii_lowercase().starts_with("aws:") {
            found.refuse(
                path,
                format!("has the tag `{key}`"),
                "choose a key that does not begin with `aws:`",
                "aws: prefixed tag key names are not allowed for external use.",
            );
        } else if length == 0 || length > 128 || !allowed(key) {
            found.refuse(
                path,
                format!("has the tag `{key}`"),
                "write 1 to 128 letters, digits, spaces and `_.:/=+-@`",
                "The tag key is invalid.",
            );
        }
        if let Some(value) = value.filter(|value| !value.contains(super::UNKNOWN))
            && (value.chars().count() > 256 || !allowed(value))
        {
            found.refuse(
                path,
                format!("has the value `{value}` for the tag `{key}`"),
                "write up to 256 letters, digits, spaces and `_.:/=+-@`",
                "The tag value is invalid.",
            );
        }
    }
}
