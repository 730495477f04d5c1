//! SNS: topics and subscriptions.

use serde_json::Value;

use super::{Findings, Rule, Subject, arn_parts, reference, shown};

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "sns-topic",
        types: &["AWS::SNS::Topic"],
        property: "TopicName",
        accepts: "up to 256 letters, digits, hyphens and underscores; `.fifo` at the end of the name of a FIFO topic, and only there; settings of FIFO topics on those only; a display name of up to 100 characters",
        source: "https://docs.aws.amazon.com/sns/latest/api/API_CreateTopic.html",
        bad: "TopicName: \"shop alerts\"",
        good: "TopicName: shop-alerts",
        check: topic,
    },
    Rule {
        id: "sns-subscription",
        types: &["AWS::SNS::Subscription"],
        property: "Endpoint",
        accepts: "an endpoint of its protocol: an address, a URL, a number, or an ARN; a filter policy that is JSON; raw delivery for queues, streams and URLs; a standard queue for a standard topic",
        source: "https://docs.aws.amazon.com/sns/latest/api/API_Subscribe.html",
        bad: "{TopicArn: !Ref Topic, Protocol: email, Endpoint: nobody}",
        good: "{TopicArn: !Ref Topic, Protocol: email, Endpoint: ops@example.com}",
        check: |subject, found| {
            endpoint(subject, found, subject.text("Protocol"), subject.text("Endpoint"), "Endpoint");
            settings(subject, found);
        },
    },
    Rule {
        id: "sns-topic-subscription",
        types: &["AWS::SNS::Topic"],
        property: "Subscription",
        accepts: "endpoints of their protocols",
        source: "https://docs.aws.amazon.com/sns/latest/api/API_Subscribe.html",
        bad: "Subscription: [{Protocol: https, Endpoint: \"http://example.com\"}]",
        good: "Subscription: [{Protocol: https, Endpoint: \"https://example.com\"}]",
        check: |subject, found| {
            for (index, one) in subject.list("Subscription").iter().enumerate() {
                endpoint(
                    subject,
                    found,
                    super::text(one, "Protocol"),
                    super::text(one, "Endpoint"),
                    &format!("Subscription/{index}/Endpoint"),
                );
            }
        },
    },
];

fn topic(subject: &Subject<'_>, found: &mut Findings) {
    let fifo = subject.is_true("FifoTopic");
    if let Some(name) = subject.text("TopicName") {
        let stem = if fifo { name.strip_suffix(".fifo") } else { Some(name) };
        let fits = stem.is_some_and(|stem| {
            !stem.is_empty() && stem.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
        }) && name.len() <= 256;
        if !fits {
            let hint = if fifo {
                "end it with `.fifo`, after letters, digits, hyphens and underscores"
            } else {
                "write up to 256 letters, digits, hyphens and underscores"
            };
            found.refuse("TopicName", format!("has the topic name `{name}`"), hint, "Invalid parameter: Topic Name");
        }
    }
    for key in ["ContentBasedDeduplication", "FifoThroughputScope", "ArchivePolicy"] {
        if subject.has(key)
            && !fifo
            && !matches!(subject.get(key), Some(Value::Bool(false)))
            && !subject.get("FifoTopic").is_some_and(super::is_unknown)
        {
            found.refuse(
                key,
                format!("has `{key}` on a standard topic"),
                "add `FifoTopic: true`, or remove it",
                format!("Invalid parameter: {key} can only be set on FIFO topics"),
            );
        }
    }
    if let Some(name) = subject.text("DisplayName").filter(|name| name.chars().count() > 100) {
        found.add(
            "DisplayName",
            format!("has a display name of {} characters", name.chars().count()),
            "write at most 100",
        );
    }
    if let Some(version) = subject.number("SignatureVersion").filter(|version| ![1.0, 2.0].contains(version)) {
        found.add("SignatureVersion", format!("has the signature version {}", shown(version)), "write 1 or 2");
    }
}

const PROTOCOLS: [&str; 9] =
    ["http", "https", "email", "email-json", "sms", "sqs", "application", "lambda", "firehose"];

fn endpoint(_: &Subject<'_>, found: &mut Findings, protocol: Option<&str>, endpoint: Option<&str>, path: &str) {
    let Some(protocol) = protocol else { return };
    if !PROTOCOLS.contains(&protocol) {
        found.refuse(
            &path.replace("Endpoint", "Protocol"),
            format!("has the protocol `{protocol}`"),
            crate::error::did_you_mean(protocol, PROTOCOLS),
            format!("Invalid parameter: Does not support this protocol string: {protocol}"),
        );
        return;
    }
    let Some(text) = endpoint else { return };
    let service = |name: &str| matches!(arn_parts(text), Some(parts) if parts[1] == name);
    let (fits, hint) = match protocol {
        "http" => (text.starts_with("http://"), "begin it with `http://`"),
        "https" => (text.starts_with("https://"), "begin it with `https://`"),
        "email" | "email-json" => {
            let fits = text.split_once('@').is_some_and(|(user, host)| {
                !user.is_empty() && host.contains('.') && !host.contains('@') && !text.contains(char::is_whitespace)
            });
            (fits, "write an address: `ops@example.com`")
        }
        "sms" => (
            text.trim_start_matches('+').chars().all(|c| c.is_ascii_digit() || matches!(c, '-' | ' '))
                && text.len() >= 5,
            "write a number: `+491700000000`",
        ),
        "sqs" => (service("sqs"), "write the ARN of a queue: `!GetAtt Queue.Arn`"),
        "lambda" => (service("lambda"), "write the ARN of a function: `!GetAtt Function.Arn`"),
        "firehose" => (service("firehose"), "write the ARN of a delivery stream"),
        _ => (arn_parts(text).is_some(), "write an ARN"),
    };
    if !fits {
        let name = match protocol {
            "email" | "email-json" => "Email address".to_owned(),
            "sqs" => "SQS endpoint ARN".to_owned(),
            "lambda" => "Lambda endpoint ARN".to_owned(),
            "sms" => "SMS endpoint".to_owned(),
            other => format!("Endpoint must match the specified protocol {other}"),
        };
        found.refuse(
            path,
            format!("has the endpoint `{text}` of the protocol `{protocol}`"),
            hint,
            format!("Invalid parameter: {name}"),
        );
    }
}

fn settings(subject: &Subject<'_>, found: &mut Findings) {
    let protocol = subject.text("Protocol");
    if subject.is_true("RawMessageDelivery")
        && protocol.is_some_and(|protocol| !["sqs", "http", "https", "firehose"].contains(&protocol))
    {
        found.refuse(
            "RawMessageDelivery",
            format!("has raw delivery of the protocol `{}`", protocol.unwrap_or_default()),
            "remove it",
            "Invalid parameter: Delivery protocol does not support raw message delivery.",
        );
    }
    if protocol == Some("firehose") && !subject.has("SubscriptionRoleArn") {
        found.refuse(
            "Protocol",
            "sends to a delivery stream without a role",
            "add `SubscriptionRoleArn`",
            "Invalid parameter: SubscriptionRoleArn is required for firehose",
        );
    }
    match subject.get("FilterPolicy") {
        Some(Value::String(text)) if !text.contains(super::UNKNOWN) && serde_json::from_str::<Value>(text).is_err() => {
            found.refuse(
                "FilterPolicy",
                "has a filter policy that is not JSON",
                "write a mapping",
                "Invalid parameter: FilterPolicy: failed to parse JSON.",
            );
        }
        Some(Value::Object(entries)) => {
            let by_body = subject.text("FilterPolicyScope") == Some("MessageBody");
            for (name, value) in entries {
                if !(value.is_array() || super::is_unknown(value) || by_body && value.is_object()) {
                    found.refuse(
                        &format!("FilterPolicy/{name}"),
                        format!("has `{name}` in its filter policy without a list"),
                        format!("write `{name}: […]`"),
                        format!("Invalid parameter: FilterPolicy: \"{name}\" must be an object or an array"),
                    );
                }
            }
            if entries.len() > 5 {
                found.add("FilterPolicy", format!("has a filter policy of {} keys", entries.len()), "write at most 5");
            }
        }
        _ => {}
    }
    let queue = reference(subject.properties(), "Endpoint")
        .and_then(|endpoint| subject.world.find("AWS::SQS::Queue", endpoint));
    let topic =
        reference(subject.properties(), "TopicArn").and_then(|topic| subject.world.find("AWS::SNS::Topic", topic));
    if let (Some(queue), Some(topic)) = (queue, topic)
        && super::is_true(queue.properties, "FifoQueue")
        && !super::is_true(topic.properties, "FifoTopic")
    {
        found.refuse("Endpoint", format!("subscribes the FIFO queue `{}` to a standard topic", queue.logical_id), "name a standard queue", "Invalid parameter: Invalid parameter: Endpoint Reason: FIFO SQS Queues can not be subscribed to standard SNS topics");
    }
}
