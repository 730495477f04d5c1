//! CloudWatch: alarms and dashboards.

use serde_json::Value;

use super::{Findings, Rule, Subject, arn_parts, in_range, list, number, shown, text};

const ALARM: &[&str] = &["AWS::CloudWatch::Alarm"];
const PUT: &str = "https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html";

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "alarm-metric",
        types: ALARM,
        property: "MetricName",
        accepts: "one metric with namespace, period and statistic, or a list of metrics of which one returns data",
        source: PUT,
        bad: "{ComparisonOperator: GreaterThanThreshold, EvaluationPeriods: 1, Threshold: 0}",
        good: "{ComparisonOperator: GreaterThanThreshold, EvaluationPeriods: 1, Threshold: 0, Namespace: AWS/SQS, MetricName: NumberOfMessagesSent, Period: 60, Statistic: Sum}",
        check: metric,
    },
    Rule {
        id: "alarm-period",
        types: ALARM,
        property: "Period",
        accepts: "10, 20, 30, or a multiple of 60 seconds; not more than a day for all evaluation periods, or 7 days with periods of an hour and more; not more data points than periods",
        source: "https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/AlarmThatSendsEmail.html",
        bad: "{ComparisonOperator: GreaterThanThreshold, EvaluationPeriods: 1, Threshold: 0, Namespace: AWS/SQS, MetricName: NumberOfMessagesSent, Period: 90, Statistic: Sum}",
        good: "{ComparisonOperator: GreaterThanThreshold, EvaluationPeriods: 1, Threshold: 0, Namespace: AWS/SQS, MetricName: NumberOfMessagesSent, Period: 120, Statistic: Sum}",
        check: period,
    },
    Rule {
        id: "alarm-comparison",
        types: ALARM,
        property: "ComparisonOperator",
        accepts: "a threshold with a comparison with a number, or the id of an `ANOMALY_DETECTION_BAND` with a comparison with a band",
        source: PUT,
        bad: "{ComparisonOperator: GreaterThanThreshold, EvaluationPeriods: 1, Namespace: AWS/SQS, MetricName: NumberOfMessagesSent, Period: 60, Statistic: Sum}",
        good: "{ComparisonOperator: GreaterThanThreshold, EvaluationPeriods: 1, Threshold: 0, Namespace: AWS/SQS, MetricName: NumberOfMessagesSent, Period: 60, Statistic: Sum}",
        check: comparison,
    },
    Rule {
        id: "alarm-statistic",
        types: ALARM,
        property: "Statistic",
        accepts: "one of `Statistic` and `ExtendedStatistic` (`p90`, `tm90`, `PR(10:90)`), a known treatment of missing data, known units",
        source: PUT,
        bad: "{ComparisonOperator: GreaterThanThreshold, EvaluationPeriods: 1, Threshold: 0, Namespace: AWS/SQS, MetricName: NumberOfMessagesSent, Period: 60, ExtendedStatistic: p101}",
        good: "{ComparisonOperator: GreaterThanThreshold, EvaluationPeriods: 1, Threshold: 0, Namespace: AWS/SQS, MetricName: NumberOfMessagesSent, Period: 60, ExtendedStatistic: p99}",
        check: statistic,
    },
    Rule {
        id: "alarm-actions",
        types: &["AWS::CloudWatch::Alarm", "AWS::CloudWatch::CompositeAlarm"],
        property: "AlarmActions",
        accepts: "up to 5 ARNs a state, none twice; up to 30 dimensions; a name of up to 255 characters; a description of up to 1,024",
        source: PUT,
        bad: "{AlarmActions: [mail], ComparisonOperator: GreaterThanThreshold, EvaluationPeriods: 1, Threshold: 0, Namespace: AWS/SQS, MetricName: NumberOfMessagesSent, Period: 60, Statistic: Sum}",
        good: "{AlarmActions: [!Ref Topic], ComparisonOperator: GreaterThanThreshold, EvaluationPeriods: 1, Threshold: 0, Namespace: AWS/SQS, MetricName: NumberOfMessagesSent, Period: 60, Statistic: Sum}",
        check: actions,
    },
    Rule {
        id: "alarm-rule",
        types: &["AWS::CloudWatch::CompositeAlarm"],
        property: "AlarmRule",
        accepts: "an expression of `ALARM(…)`, `OK(…)`, `INSUFFICIENT_DATA(…)`, `TRUE`, `FALSE`, `AND`, `OR`, `NOT`, up to 10,240 characters",
        source: "https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutCompositeAlarm.html",
        bad: "AlarmRule: \"ALARM(one AND OK(two)\"",
        good: "AlarmRule: \"ALARM(one) AND OK(two)\"",
        check: |subject, found| {
            let Some(rule) = subject.text("AlarmRule") else { return };
            let opened = rule.matches('(').count();
            let words = ["ALARM", "OK", "INSUFFICIENT_DATA", "TRUE", "FALSE"];
            if opened != rule.matches(')').count()
                || !words.iter().any(|word| rule.contains(word))
                || rule.len() > 10_240
            {
                found.refuse(
                    "AlarmRule",
                    format!("has the rule `{rule}`"),
                    "write `ALARM(name) OR ALARM(other)`",
                    "AlarmRule is not valid",
                );
            }
        },
    },
    Rule {
        id: "dashboard-body",
        types: &["AWS::CloudWatch::Dashboard"],
        property: "DashboardBody",
        accepts: "a JSON object with `widgets`, up to 500 of them; a name of letters, digits, hyphens and underscores",
        source: "https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html",
        bad: "DashboardBody: \"{widgets: []\"",
        good: "DashboardBody: '{\"widgets\": []}'",
        check: dashboard,
    },
];

fn metric(subject: &Subject<'_>, found: &mut Findings) {
    let single = subject.has("MetricName");
    let several = subject.has("Metrics");
    if single && several {
        found.refuse(
            "Metrics",
            "has `MetricName` and `Metrics`",
            "keep one of them",
            "Cannot specify both Metrics and MetricName.",
        );
    } else if !single && !several && !subject.has("EvaluationCriteria") {
        found.refuse(
            "MetricName",
            "has no metric",
            "add `Namespace`, `MetricName`, `Period` and `Statistic`, or `Metrics`",
            "At least one of MetricName or Metrics must be specified.",
        );
    } else if single {
        for key in ["Namespace", "Period"] {
            if !subject.has(key) {
                found.refuse(
                    "MetricName",
                    format!("lacks `{key}`"),
                    format!("add `{key}`"),
                    format!("{key} must be specified"),
                );
            }
        }
        if !subject.has("Statistic") && !subject.has("ExtendedStatistic") {
            found.refuse(
                "MetricName",
                "lacks a statistic",
                "add `Statistic: Sum`",
                "Exactly one of Statistic or ExtendedStatistic must be specified",
            );
        }
    } else if several {
        for key in ["Namespace", "Period", "Statistic", "ExtendedStatistic", "Dimensions", "Unit"] {
            if subject.has(key) {
                found.refuse(
                    key,
                    format!("has `{key}` beside `Metrics`"),
                    "move it into the metric",
                    format!("{key} cannot be specified with Metrics"),
                );
            }
        }
        queries(subject, found);
    }
}

fn queries(subject: &Subject<'_>, found: &mut Findings) {
    let metrics = subject.list("Metrics");
    let (mut ids, mut returning): (Vec<&str>, usize) = (Vec::new(), 0);
    for (index, one) in metrics.iter().enumerate() {
        let base = format!("Metrics/{index}");
        if super::is_unknown(one) {
            return;
        }
        let (statistic, expression) = (one.get("MetricStat").is_some(), one.get("Expression").is_some());
        if statistic == expression {
            found.refuse(
                &base,
                "needs one of `MetricStat` and `Expression` in each metric",
                "keep one of them",
                "Exactly one of Expression and MetricStat must be specified",
            );
        }
        // All data is returned unless said otherwise.
        if !matches!(one.get("ReturnData"), Some(value) if value == &Value::Bool(false) || value.as_str() == Some("false"))
        {
            returning += 1;
        }
        if let Some(id) = text(one, "Id") {
            if ids.contains(&id) {
                found.refuse(
                    &format!("{base}/Id"),
                    format!("has two metrics with the id `{id}`"),
                    "rename one of them",
                    "The metric ids must be unique",
                );
            }
            let first = id.chars().next();
            if !first.is_some_and(|c| c.is_ascii_lowercase())
                || !id.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
            {
                found.refuse(
                    &format!("{base}/Id"),
                    format!("has the metric id `{id}`"),
                    "begin with a small letter, and write letters, digits and underscores",
                    format!("Invalid metric id {id}"),
                );
            }
            ids.push(id);
        }
        if let Some(period) = number(one, "MetricStat/Period").filter(|period| !is_period(*period)) {
            found.refuse(
                &format!("{base}/MetricStat/Period"),
                format!("has a period of {} seconds", shown(period)),
                "write 10, 20, 30, or a multiple of 60",
                "Period must be 10, 20, 30 or a multiple of 60",
            );
        }
    }
    if returning != 1 && !subject.has("ThresholdMetricId") && !metrics.is_empty() {
        found.refuse(
            "Metrics",
            format!("has {returning} metrics that return data"),
            "write `ReturnData: false` for all but one",
            "Exactly one element of the metrics list should return data.",
        );
    }
}

fn is_period(period: f64) -> bool {
    [10.0, 20.0, 30.0].contains(&period) || (period >= 60.0 && period % 60.0 == 0.0)
}

fn period(subject: &Subject<'_>, found: &mut Findings) {
    let period = subject.number("Period");
    if let Some(period) = period.filter(|period| !is_period(*period)) {
        found.refuse(
            "Period",
            format!("has a period of {} seconds", shown(period)),
            "write 10, 20, 30, or a multiple of 60",
            "Period must be 10, 20, 30 or a multiple of 60",
        );
    }
    let periods = subject.number("EvaluationPeriods");
    if let Some(count) = periods.filter(|count| *count < 1.0) {
        found.refuse(
            "EvaluationPeriods",
            format!("evaluates {} periods", shown(count)),
            "write 1 or more",
            "EvaluationPeriods must be at least 1",
        );
    }
    let longest = subject
        .list("Metrics")
        .iter()
        .filter_map(|one| number(one, "MetricStat/Period"))
        .fold(period.unwrap_or(0.0), f64::max);
    if let Some(count) = periods {
        let all = count * longest;
        let most = if longest >= 3_600.0 { 604_800.0 } else { 86_400.0 };
        if all > most {
            found.refuse(
                "EvaluationPeriods",
                format!(
                    "evaluates {} periods of {} seconds: {} seconds in all",
                    shown(count),
                    shown(longest),
                    shown(all)
                ),
                format!("write {} periods or fewer", shown((most / longest).floor())),
                "Metrics cannot be checked across more than a day (EvaluationPeriods * Period must be <= 86400).",
            );
        }
        if let Some(points) = subject.number("DatapointsToAlarm")
            && (points > count || points < 1.0)
        {
            found.refuse(
                "DatapointsToAlarm",
                format!("alarms at {} data points of {}", shown(points), shown(count)),
                format!("write 1 to {}", shown(count)),
                "DatapointsToAlarm must be less than or equal to EvaluationPeriods",
            );
        }
    }
}

fn comparison(subject: &Subject<'_>, found: &mut Findings) {
    let Some(operator) = subject.text("ComparisonOperator") else { return };
    let band = ["LessThanLowerOrGreaterThanUpperThreshold", "LessThanLowerThreshold", "GreaterThanUpperThreshold"]
        .contains(&operator);
    let (threshold, by_id) = (subject.has("Threshold"), subject.has("ThresholdMetricId"));
    if band && !by_id {
        found.refuse(
            "ComparisonOperator",
            format!("compares by `{operator}` without a band"),
            "add `ThresholdMetricId`",
            "ThresholdMetricId must be specified for anomaly detection alarms",
        );
    } else if !band && by_id {
        found.refuse(
            "ThresholdMetricId",
            format!("has a band and compares by `{operator}`"),
            "write `GreaterThanUpperThreshold`",
            "ComparisonOperator is not valid for anomaly detection alarms",
        );
    } else if !band && !threshold {
        found.refuse("ComparisonOperator", "has no threshold", "add `Threshold`", "Threshold must be specified");
    }
    if let Some(id) = subject.text("ThresholdMetricId")
        && !subject.list("Metrics").iter().any(|one| text(one, "Id") == Some(id))
    {
        found.refuse(
            "ThresholdMetricId",
            format!("compares with `{id}`, which `Metrics` does not have"),
            "name the id of a metric",
            "ThresholdMetricId does not refer to a metric",
        );
    }
}

fn statistic(subject: &Subject<'_>, found: &mut Findings) {
    if subject.has("Statistic") && subject.has("ExtendedStatistic") {
        found.refuse(
            "ExtendedStatistic",
            "has `Statistic` and `ExtendedStatistic`",
            "keep one of them",
            "Exactly one of Statistic or ExtendedStatistic must be specified",
        );
    }
    const STATISTICS: [&str; 5] = ["SampleCount", "Average", "Sum", "Minimum", "Maximum"];
    if let Some(text) = subject.text("Statistic").filter(|text| !STATISTICS.contains(text)) {
        found.refuse(
            "Statistic",
            format!("has the statistic `{text}`"),
            crate::error::did_you_mean(text, STATISTICS),
            format!("Value '{text}' at 'statistic' failed to satisfy constraint"),
        );
    }
    if let Some(text) = subject.text("ExtendedStatistic").filter(|text| !is_extended(text)) {
        found.refuse(
            "ExtendedStatistic",
            format!("has the statistic `{text}`"),
            "write `p90`, `tm90`, `wm90`, `tc90`, `ts90`, `PR(10:90)` or `IQM`",
            "The value for parameter ExtendedStatistic is not supported.",
        );
    }
    const MISSING: [&str; 4] = ["breaching", "notBreaching", "ignore", "missing"];
    if let Some(text) = subject.text("TreatMissingData").filter(|text| !MISSING.contains(text)) {
        found.refuse(
            "TreatMissingData",
            format!("treats missing data as `{text}`"),
            crate::error::did_you_mean(text, MISSING),
            format!("Option {text} is not supported for TreatMissingData"),
        );
    }
    if let Some(text) =
        subject.text("EvaluateLowSampleCountPercentile").filter(|text| !["evaluate", "ignore"].contains(text))
    {
        found.add("EvaluateLowSampleCountPercentile", format!("has `{text}`"), "write `evaluate` or `ignore`");
    }
    const UNITS: [&str; 27] = [
        "Seconds",
        "Microseconds",
        "Milliseconds",
        "Bytes",
        "Kilobytes",
        "Megabytes",
        "Gigabytes",
        "Terabytes",
        "Bits",
        "Kilobits",
        "Megabits",
        "Gigabits",
        "Terabits",
        "Percent",
        "Count",
        "Bytes/Second",
        "Kilobytes/Second",
        "Megabytes/Second",
        "Gigabytes/Second",
        "Terabytes/Second",
        "Bits/Second",
        "Kilobits/Second",
        "Megabits/Second",
        "Gigabits/Second",
        "Terabits/Second",
        "Count/Second",
        "None",
    ];
    if let Some(text) = subject.text("Unit").filter(|text| !UNITS.contains(text)) {
        found.refuse(
            "Unit",
            format!("has the unit `{text}`"),
            crate::error::did_you_mean(text, UNITS),
            format!("Value '{text}' at 'unit' failed to satisfy constraint"),
        );
    }
    if let Some(namespace) =
        subject.text("Namespace").filter(|text| text.is_empty() || text.len() > 255 || text.starts_with(':'))
    {
        found.refuse(
            "Namespace",
            format!("has the namespace `{namespace}`"),
            "write 1 to 255 characters that do not begin with a colon",
            "Value at 'namespace' failed to satisfy constraint: Member must satisfy regular expression pattern: [^:].*",
        );
    }
}

fn is_extended(text: &str) -> bool {
    if text == "IQM" {
        return true;
    }
    let percent = |text: &str| {
        text.parse::<f64>().is_ok_and(|value| (0.0..=100.0).contains(&value))
            && !text.starts_with(['+', '-'])
            && !text.is_empty()
    };
    for start in ["p", "tm", "wm", "tc", "ts"] {
        if let Some(rest) = text.strip_prefix(start)
            && percent(rest)
        {
            return true;
        }
    }
    for start in ["PR(", "TM(", "WM(", "TC(", "TS("] {
        if let Some(range) = text.strip_prefix(start).and_then(|rest| rest.strip_suffix(')'))
            && let Some((least, most)) = range.split_once(':')
        {
            let bound =
                |text: &str| text.is_empty() || percent(text.trim_end_matches('%')) || text.parse::<f64>().is_ok();
            return bound(least) && bound(most);
        }
    }
    false
}

fn actions(subject: &Subject<'_>, found: &mut Findings) {
    for property in ["AlarmActions", "OKActions", "InsufficientDataActions"] {
        let all = subject.list(property);
        if all.len() > 5 {
            found.refuse(
                property,
                format!("has {} actions in `{property}`; CloudWatch accepts 5", all.len()),
                "send to one topic, which several subscribe to",
                "The collection has more than 5 members",
            );
        }
        for (index, action) in all.iter().enumerate() {
            let path = format!("{property}/{index}");
            if all[..index].contains(action) {
                found.add(&path, format!("lists an action twice in `{property}`"), "remove one of the two");
            }
            if let Some(action) =
                action.as_str().filter(|action| !action.contains(super::UNKNOWN) && arn_parts(action).is_none())
            {
                found.refuse(
                    &path,
                    format!("has the action `{action}`"),
                    "write an ARN: `!Ref Topic`",
                    format!("Invalid arn syntax: {action}"),
                );
            }
        }
    }
    let dimensions = list(subject.properties(), "Dimensions");
    if dimensions.len() > 30 {
        found.add("Dimensions", format!("has {} dimensions; CloudWatch accepts 30", dimensions.len()), "remove some");
    }
    let mut names: Vec<&str> = Vec::new();
    for (index, name) in dimensions.iter().enumerate().filter_map(|(index, one)| Some((index, text(one, "Name")?))) {
        if names.contains(&name) {
            found.refuse(
                &format!("Dimensions/{index}/Name"),
                format!("has the dimension `{name}` twice"),
                "remove one of the two",
                "Dimension names must be unique",
            );
        }
        names.push(name);
    }
    for (path, most) in [("AlarmName", 255), ("AlarmDescription", 1_024)] {
        if let Some(text) =
            subject.text(path).filter(|text| text.chars().count() > most || (path == "AlarmName" && text.is_empty()))
        {
            found.add(
                path,
                format!("has an `{path}` of {} characters", text.chars().count()),
                format!("write at most {most}"),
            );
        }
    }
    if subject.resource.resource_type == "AWS::CloudWatch::CompositeAlarm" {
        in_range(subject, found, "ActionsSuppressorWaitPeriod", 0.0, f64::MAX);
    }
}

fn dashboard(subject: &Subject<'_>, found: &mut Findings) {
    if let Some(name) = subject
        .text("DashboardName")
        .filter(|name| name.is_empty() || name.len() > 255 || !super::events::is_name(name, "-_"))
    {
        found.refuse(
            "DashboardName",
            format!("has the name `{name}`"),
            "write up to 255 letters, digits, hyphens and underscores",
            "DashboardName is not valid",
        );
    }
    let Some(body) = subject.text("DashboardBody") else { return };
    let answer = "The dashboard body is invalid, there are validation errors.";
    match serde_json::from_str::<Value>(body) {
        Ok(Value::Object(entries)) => {
            let widgets = entries.get("widgets").and_then(Value::as_array);
            match widgets {
                None => {
                    found.refuse("DashboardBody", "has a dashboard without `widgets`", "add `\"widgets\": []`", answer);
                }
                Some(widgets) if widgets.len() > 500 => found.refuse(
                    "DashboardBody",
                    format!("has {} widgets; CloudWatch accepts 500", widgets.len()),
                    "split the dashboard",
                    answer,
                ),
                Some(widgets) => {
                    const KINDS: [&str; 7] = ["metric", "text", "log", "alarm", "explorer", "custom", "trace"];
                    for (index, widget) in widgets.iter().enumerate() {
                        if let Some(kind) = text(widget, "type").filter(|kind| !KINDS.contains(kind)) {
                            found.refuse(
                                "DashboardBody",
                                format!("has a widget {} of the type `{kind}`", index + 1),
                                crate::error::did_you_mean(kind, KINDS),
                                answer,
                            );
                        }
                    }
                }
            }
        }
        _ => found.refuse(
            "DashboardBody",
            "has a dashboard that is not a JSON object",
            "write a JSON text with `widgets`",
            answer,
        ),
    }
}
