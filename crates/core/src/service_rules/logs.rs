//! CloudWatch Logs: groups, filters, destinations.

use super::{Findings, Rule, Subject, list, shown, text};

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "log-retention",
        types: &["AWS::Logs::LogGroup"],
        property: "RetentionInDays",
        accepts: "1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288 or 3653 days; none in the `DELIVERY` class",
        source: "https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html",
        bad: "RetentionInDays: 8",
        good: "RetentionInDays: 7",
        check: |subject, found| {
            const DAYS: [f64; 22] = [
                1.0, 3.0, 5.0, 7.0, 14.0, 30.0, 60.0, 90.0, 120.0, 150.0, 180.0, 365.0, 400.0, 545.0, 731.0, 1096.0,
                1827.0, 2192.0, 2557.0, 2922.0, 3288.0, 3653.0,
            ];
            if let Some(days) = subject.number("RetentionInDays").filter(|days| !DAYS.contains(days)) {
                let near = DAYS.iter().copied().find(|known| *known > days).unwrap_or(3653.0);
                found.refuse(
                    "RetentionInDays",
                    format!("keeps logs for {} days", shown(days)),
                    format!("write {} days", shown(near)),
                    format!("#/RetentionInDays: {} is not a valid enum value", shown(days)),
                );
            }
        },
    },
    Rule {
        id: "log-group-name",
        types: &["AWS::Logs::LogGroup"],
        property: "LogGroupName",
        accepts: "up to 512 letters, digits and `_-/.#`; a name that does not begin with `aws/`",
        source: "https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_CreateLogGroup.html",
        bad: "LogGroupName: \"pipeline logs\"",
        good: "LogGroupName: /pipeline/logs",
        check: |subject, found| {
            if let Some(name) = subject.text("LogGroupName")
                && (name.is_empty()
                    || name.len() > 512
                    || name.starts_with("aws/")
                    || !super::events::is_name(name, "_-/.#"))
            {
                found.refuse("LogGroupName", format!("has the name `{name}`"), "write up to 512 letters, digits and `_-/.#`", format!("Value '{name}' at 'logGroupName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\.\\-_/#A-Za-z0-9]+"));
            }
        },
    },
    Rule {
        id: "log-metric-filter",
        types: &["AWS::Logs::MetricFilter"],
        property: "MetricTransformations",
        accepts: "one transformation with a metric value that is a number or a field (`$.ms`, `$name`); no default value beside dimensions; up to 3 dimensions; a namespace that does not begin with `AWS/`; a pattern of up to 1,024 characters",
        source: "https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_MetricTransformation.html",
        bad: "{LogGroupName: !Ref Logs, FilterPattern: ERROR, MetricTransformations: [{MetricName: Errors, MetricNamespace: shop, MetricValue: one}]}",
        good: "{LogGroupName: !Ref Logs, FilterPattern: ERROR, MetricTransformations: [{MetricName: Errors, MetricNamespace: shop, MetricValue: \"1\"}]}",
        check: metric_filter,
    },
    Rule {
        id: "log-subscription",
        types: &["AWS::Logs::SubscriptionFilter"],
        property: "DestinationArn",
        accepts: "a stream with a role, or a function or a destination; at most two subscriptions a group; a pattern of up to 1,024 characters",
        source: "https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutSubscriptionFilter.html",
        bad: "{LogGroupName: !Ref Logs, FilterPattern: ERROR, DestinationArn: \"arn:aws:kinesis:us-east-1:111111111111:stream/logs\"}",
        good: "{LogGroupName: !Ref Logs, FilterPattern: ERROR, DestinationArn: \"arn:aws:kinesis:us-east-1:111111111111:stream/logs\", RoleArn: !GetAtt Role.Arn}",
        check: subscription,
    },
];

fn pattern(subject: &Subject<'_>, found: &mut Findings) {
    let Some(pattern) = subject.text("FilterPattern") else { return };
    let answer = "Invalid filter pattern";
    if pattern.chars().count() > 1_024 {
        found.refuse(
            "FilterPattern",
            format!("has a filter pattern of {} characters", pattern.chars().count()),
            "write at most 1,024",
            answer,
        );
    } else if let Some(reason) = unbalanced(pattern) {
        found.refuse(
            "FilterPattern",
            format!("has the filter pattern `{pattern}`: {reason}"),
            "write `{ $.level = \"error\" }`, `[a, b]` or words",
            answer,
        );
    }
}

/// What is not closed in a pattern.
fn unbalanced(pattern: &str) -> Option<&'static str> {
    let (mut quoted, mut open) = (false, Vec::new());
    for c in pattern.chars() {
        match c {
            '"' => quoted = !quoted,
            _ if quoted => {}
            '{' | '(' | '[' => open.push(c),
            '}' | ')' | ']' => {
                let expected = match c {
                    '}' => '{',
                    ')' => '(',
                    _ => '[',
                };
                if open.pop() != Some(expected) {
                    return Some("a bracket is closed that was not opened");
                }
            }
            _ => {}
        }
    }
    if quoted {
        return Some("a quotation mark is not closed");
    }
    (!open.is_empty() && !pattern.trim_start().starts_with('%')).then_some("a bracket is not closed")
}

fn metric_filter(subject: &Subject<'_>, found: &mut Findings) {
    pattern(subject, found);
    let transformations = subject.list("MetricTransformations");
    if transformations.len() > 1 {
        found.refuse(
            "MetricTransformations",
            format!("has {} transformations", transformations.len()),
            "write one a filter",
            "expected maximum item count: 1",
        );
    }
    for (index, one) in transformations.iter().enumerate() {
        let base = format!("MetricTransformations/{index}");
        if let Some(value) = text(one, "MetricValue")
            && value.parse::<f64>().is_err()
            && !value.starts_with('$')
        {
            found.refuse(
                &format!("{base}/MetricValue"),
                format!("has the metric value `{value}`"),
                "write a number, or a field such as `$.ms`",
                "Invalid metric transformation: metricValue must be a number or a field",
            );
        }
        if let Some(namespace) =
            text(one, "MetricNamespace").filter(|text| text.starts_with("AWS/") || text.contains([':', '*', '$']))
        {
            found.refuse(
                &format!("{base}/MetricNamespace"),
                format!("has the namespace `{namespace}`"),
                "write one that does not begin with `AWS/`",
                "Invalid metric namespace",
            );
        }
        let dimensions = list(one, "Dimensions");
        if dimensions.len() > 3 {
            found.add(&format!("{base}/Dimensions"), format!("has {} dimensions", dimensions.len()), "write at most 3");
        }
        if !dimensions.is_empty() && one.get("DefaultValue").is_some() {
            found.refuse(
                &format!("{base}/DefaultValue"),
                "has a default value beside dimensions",
                "remove one of them",
                "Invalid metric transformation: dimensions and default value are mutually exclusive properties.",
            );
        }
    }
}

fn subscription(subject: &Subject<'_>, found: &mut Findings) {
    pattern(subject, found);
    let Some(destination) = subject.text("DestinationArn") else { return };
    match super::arn_parts(destination).map(|parts| parts[1]) {
        None => found.refuse(
            "DestinationArn",
            format!("has the destination `{destination}`"),
            "write an ARN",
            "destinationArn is not valid",
        ),
        Some("kinesis" | "firehose") if !subject.has("RoleArn") => {
            found.refuse(
                "DestinationArn",
                "sends to a stream without a role",
                "add `RoleArn`",
                "destinationArn for vendor kinesis requires a roleArn",
            );
        }
        Some("lambda" | "kinesis" | "firehose" | "logs") => {}
        Some(service) => found.refuse(
            "DestinationArn",
            format!("sends to `{service}`"),
            "name a function, a stream or a destination of logs",
            format!("Destination vendor {service} is not supported"),
        ),
    }
    let group = super::reference(subject.properties(), "LogGroupName");
    let count = subject
        .world
        .of_type("AWS::Logs::SubscriptionFilter")
        .filter(|one| super::reference(one.properties, "LogGroupName") == group)
        .count();
    if group.is_some() && count > 2 {
        found.refuse(
            "LogGroupName",
            format!("is one of {count} subscriptions of its log group"),
            "keep two",
            "Resource limit exceeded.",
        );
    }
}
