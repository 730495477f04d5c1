//! EventBridge: rules, patterns, targets, buses, archives.

use serde_json::Value;

use super::schedule_expression::{self, Dialect};
use super::{Findings, Rule, Subject, arn_parts, list, number, shown, text};
use crate::error::did_you_mean;

const RULE: &[&str] = &["AWS::Events::Rule"];
const PUT_TARGETS: &str = "https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutTargets.html";
const PATTERNS: &str = "https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html";

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "events-rule-trigger",
        types: RULE,
        property: "EventPattern",
        accepts: "an event pattern or a schedule; a schedule only on the default bus",
        source: "https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutRule.html",
        bad: "{Targets: [{Id: a, Arn: !GetAtt Queue.Arn}]}",
        good: "{ScheduleExpression: rate(1 hour), Targets: [{Id: a, Arn: !GetAtt Queue.Arn}]}",
        check: |subject, found| {
            let (pattern, schedule) = (subject.has("EventPattern"), subject.has("ScheduleExpression"));
            if !pattern && !schedule {
                found.refuse(
                    "EventPattern",
                    "has neither an event pattern nor a schedule",
                    "add `EventPattern` or `ScheduleExpression`",
                    "Parameter(s) EventPattern or ScheduleExpression must be specified.",
                );
            }
            if schedule && subject.get("EventBusName").is_some_and(|bus| bus.as_str() != Some("default")) {
                found.refuse(
                    "ScheduleExpression",
                    "has a schedule on a custom event bus",
                    "remove `EventBusName`",
                    "ScheduleExpression is supported only on the default event bus.",
                );
            }
        },
    },
    Rule {
        id: "events-schedule",
        types: RULE,
        property: "ScheduleExpression",
        accepts: "`rate(<number> <unit>)` with the unit in the right number, or `cron(…)` of six fields with `?` for one of the days",
        source: "https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-scheduled-rule-pattern.html",
        bad: "ScheduleExpression: rate(1 hours)",
        good: "ScheduleExpression: rate(1 hour)",
        check: |subject, found| {
            schedule(subject, found, "ScheduleExpression", Dialect::Rule, "Parameter ScheduleExpression is not valid.");
        },
    },
    Rule {
        id: "events-pattern",
        types: RULE,
        property: "EventPattern",
        accepts: "a JSON object of lists of values and of the operators of EventBridge, up to 2,048 characters",
        source: PATTERNS,
        bad: "EventPattern: {source: aws.s3}",
        good: "EventPattern: {source: [aws.s3]}",
        check: |subject, found| {
            if let Some(pattern) = subject.get("EventPattern") {
                event_pattern(pattern, "EventPattern", found);
            }
        },
    },
    Rule {
        id: "events-rule-name",
        types: RULE,
        property: "Name",
        accepts: "up to 64 letters, digits and `._-`; a description of up to 512 characters",
        source: "https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutRule.html",
        bad: "{Name: \"new files\", ScheduleExpression: rate(1 hour)}",
        good: "{Name: new-files, ScheduleExpression: rate(1 hour)}",
        check: |subject, found| {
            if let Some(name) = subject.text("Name")
                && (name.is_empty() || name.len() > 64 || !is_name(name, "._-"))
            {
                found.refuse("Name", format!("has the rule name `{name}`"), "write up to 64 letters, digits and `._-`", format!("Value '{name}' at 'name' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\.\\-_A-Za-z0-9]+"));
            }
            if let Some(text) = subject.text("Description").filter(|text| text.chars().count() > 512) {
                found.add(
                    "Description",
                    format!("has a description of {} characters", text.chars().count()),
                    "write at most 512 characters",
                );
            }
        },
    },
    Rule {
        id: "events-targets",
        types: RULE,
        property: "Targets",
        accepts: "up to 5 targets with different ids of up to 64 letters, digits and `._-`, each an ARN, with at most one of `Input`, `InputPath` and `InputTransformer`",
        source: PUT_TARGETS,
        bad: "{ScheduleExpression: rate(1 hour), Targets: [{Id: a, Arn: !GetAtt Queue.Arn}, {Id: a, Arn: !GetAtt Failed.Arn}]}",
        good: "{ScheduleExpression: rate(1 hour), Targets: [{Id: a, Arn: !GetAtt Queue.Arn}, {Id: b, Arn: !GetAtt Failed.Arn}]}",
        check: targets,
    },
    Rule {
        id: "events-target-role",
        types: RULE,
        property: "Targets/RoleArn",
        accepts: "a role for targets that EventBridge calls with one: Glue, Step Functions, Kinesis, Firehose, ECS, Batch, CodeBuild, CodePipeline, Redshift, SSM, API Gateway, API destinations and event buses",
        source: "https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-identity-based.html",
        bad: "{EventPattern: {source: [aws.s3]}, Targets: [{Id: a, Arn: \"arn:aws:glue:us-east-1:222222222222:workflow/w\"}]}",
        good: "{EventPattern: {source: [aws.s3]}, Targets: [{Id: a, Arn: \"arn:aws:glue:us-east-1:222222222222:workflow/w\", RoleArn: !GetAtt Role.Arn}]}",
        check: target_role,
    },
    Rule {
        id: "events-target-settings",
        types: RULE,
        property: "Targets",
        accepts: "0 to 185 retries within 60 to 86,400 seconds; a standard queue for failed events; the parameters that the kind of target needs",
        source: "https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_Target.html",
        bad: "{ScheduleExpression: rate(1 hour), Targets: [{Id: a, Arn: !GetAtt Queue.Arn, RetryPolicy: {MaximumRetryAttempts: 200}}]}",
        good: "{ScheduleExpression: rate(1 hour), Targets: [{Id: a, Arn: !GetAtt Queue.Arn, RetryPolicy: {MaximumRetryAttempts: 185}}]}",
        check: target_settings,
    },
    Rule {
        id: "events-bus",
        types: &["AWS::Events::EventBus"],
        property: "Name",
        accepts: "up to 256 letters, digits and `/._-`; not `default`; a slash only in the bus of a partner",
        source: "https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_CreateEventBus.html",
        bad: "Name: default",
        good: "Name: shop",
        check: |subject, found| {
            if let Some(name) = subject.text("Name") {
                let partner = subject.has("EventSourceName");
                if name == "default" || (name.contains('/') && !partner) || name.len() > 256 || !is_name(name, "/._-") {
                    found.refuse(
                        "Name",
                        format!("has the name `{name}`"),
                        "write up to 256 letters, digits and `._-`, and not `default`",
                        "Event bus name is not valid.",
                    );
                }
            }
        },
    },
    Rule {
        id: "events-archive",
        types: &["AWS::Events::Archive"],
        property: "EventPattern",
        accepts: "the ARN of a bus, an event pattern, a retention of 0 days or more, a name of up to 48 letters, digits and `._-`",
        source: "https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_CreateArchive.html",
        bad: "{SourceArn: \"arn:aws:events:us-east-1:111111111111:event-bus/default\", EventPattern: {source: aws.s3}}",
        good: "{SourceArn: \"arn:aws:events:us-east-1:111111111111:event-bus/default\", EventPattern: {source: [aws.s3]}}",
        check: |subject, found| {
            if let Some(pattern) = subject.get("EventPattern") {
                event_pattern(pattern, "EventPattern", found);
            }
            if let Some(name) = subject.text("ArchiveName").filter(|name| name.len() > 48 || !is_name(name, "._-")) {
                found.add("ArchiveName", format!("has the name `{name}`"), "write up to 48 letters, digits and `._-`");
            }
        },
    },
];

/// Whether a text has letters, digits and the given signs only.
pub(super) fn is_name(text: &str, signs: &str) -> bool {
    text.chars().all(|c| c.is_ascii_alphanumeric() || signs.contains(c))
}

/// Checks a schedule expression.
pub(super) fn schedule(subject: &Subject<'_>, found: &mut Findings, path: &str, dialect: Dialect, answer: &str) {
    if let Some(text) = subject.text(path)
        && let Err(mistake) = schedule_expression::check(text, dialect)
    {
        found.refuse(path, format!("has a wrong schedule: {}", mistake.message), mistake.hint, answer);
    }
}

/// Checks an event pattern, which may be a JSON text.
pub(super) fn event_pattern(pattern: &Value, path: &str, found: &mut Findings) {
    let refusal = |reason: &str| format!("Event pattern is not valid. Reason: {reason}");
    let parsed = match pattern {
        Value::String(text) if text.contains(super::UNKNOWN) => return,
        Value::String(text) => match serde_json::from_str::<Value>(text) {
            Ok(value) => value,
            Err(_) => {
                found.refuse(
                    path,
                    "has an event pattern that is not JSON",
                    "write a mapping",
                    refusal("Filter is not an object"),
                );
                return;
            }
        },
        value => value.clone(),
    };
    let Some(fields) = parsed.as_object() else {
        found.refuse(
            path,
            "has an event pattern that is not a mapping",
            "write `source: [aws.s3]`",
            refusal("Filter is not an object"),
        );
        return;
    };
    if fields.is_empty() {
        found.refuse(
            path,
            "has an empty event pattern",
            "write `source: [aws.s3]`",
            refusal("Empty objects are not allowed"),
        );
    }
    let size = parsed.to_string().chars().count();
    if size > 2_048 {
        found.refuse(
            path,
            format!("has an event pattern of {size} characters; EventBridge accepts 2,048"),
            "use `prefix` and `wildcard`, or write several rules",
            "Event pattern is too long.",
        );
    }
    for (name, value) in fields {
        pattern_field(name, value, &format!("{path}/{name}"), found);
    }
}

fn pattern_field(name: &str, value: &Value, path: &str, found: &mut Findings) {
    let refusal = |reason: &str| format!("Event pattern is not valid. Reason: {reason}");
    if super::is_unknown(value) {
        return;
    }
    if name == "$or" {
        let alternatives = value.as_array().map(Vec::as_slice).unwrap_or_default();
        if alternatives.len() < 2 || !alternatives.iter().all(Value::is_object) {
            found.refuse(
                path,
                "has `$or` without two mappings",
                "write a list of two patterns or more",
                refusal("\"$or\" must be an array of at least 2 objects"),
            );
        }
        for (index, one) in alternatives.iter().enumerate() {
            for (name, value) in one.as_object().into_iter().flatten() {
                pattern_field(name, value, &format!("{path}/{index}/{name}"), found);
            }
        }
        return;
    }
    match value {
        Value::Object(fields) if fields.is_empty() => {
            found.refuse(
                path,
                format!("has an empty pattern for `{name}`"),
                "write a list of values",
                refusal("Empty objects are not allowed"),
            );
        }
        Value::Object(fields) => {
            for (name, value) in fields {
                pattern_field(name, value, &format!("{path}/{name}"), found);
            }
        }
        Value::Array(items) if items.is_empty() => {
            found.refuse(
                path,
                format!("has an empty list for `{name}`"),
                "write a value, or remove the field",
                refusal("Empty arrays are not allowed"),
            );
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                let path = format!("{path}/{index}");
                match item {
                    Value::Object(operator) => pattern_operator(name, operator, &path, found),
                    Value::Array(_) => found.refuse(
                        &path,
                        format!("has a list inside of the list for `{name}`"),
                        "write values",
                        refusal("Match value must be String, number, true, false, or null"),
                    ),
                    _ => {}
                }
            }
        }
        _ => {
            let shown = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            found.refuse(
                path,
                format!("has `{name}: {shown}` in its event pattern"),
                format!("write a list: `{name}: [{shown}]`"),
                refusal(&format!("\"{name}\" must be an object or an array")),
            );
        }
    }
}

const OPERATORS: [&str; 9] =
    ["prefix", "suffix", "anything-but", "numeric", "exists", "equals-ignore-case", "cidr", "wildcard", "$or"];

fn pattern_operator(name: &str, operator: &serde_json::Map<String, Value>, path: &str, found: &mut Findings) {
    let refusal = |reason: &str| format!("Event pattern is not valid. Reason: {reason}");
    if operator.len() != 1 {
        found.refuse(
            path,
            format!("has {} operators in one item for `{name}`", operator.len()),
            "write one operator an item",
            refusal("Only one key allowed in match expression"),
        );
    }
    for (key, value) in operator {
        if super::is_unknown(value) {
            continue;
        }
        let fits = match key.as_str() {
            "prefix" | "suffix" => value.is_string() || value.get("equals-ignore-case").is_some_and(Value::is_string),
            "equals-ignore-case" => value.is_string(),
            "wildcard" => value.as_str().is_some_and(|text| !text.contains("**")),
            "exists" => value.is_boolean(),
            "cidr" => value.as_str().is_some_and(super::ec2::is_cidr),
            "numeric" => is_numeric(value),
            "anything-but" => match value {
                Value::Array(items) => {
                    !items.is_empty() && items.iter().all(|item| item.is_string() || item.is_number())
                }
                Value::Object(inner) => {
                    inner.len() == 1
                        && inner.iter().all(|(key, value)| {
                            ["prefix", "suffix", "equals-ignore-case", "wildcard"].contains(&key.as_str())
                                && (value.is_string()
                                    || value
                                        .as_array()
                                        .is_some_and(|items| !items.is_empty() && items.iter().all(Value::is_string)))
                        })
                }
                value => value.is_string() || value.is_number(),
            },
            _ => {
                found.refuse(
                    path,
                    format!("has the unknown operator `{key}` for `{name}`"),
                    did_you_mean(key, OPERATORS),
                    refusal(&format!("Unrecognized match type {key}")),
                );
                continue;
            }
        };
        if !fits {
            found.refuse(
                path,
                format!("has a wrong value for the operator `{key}` of `{name}`"),
                "see the operators of event patterns",
                refusal(&format!("Value of {key} is not valid")),
            );
        }
    }
}

/// `[">", 0, "<=", 5]`.
fn is_numeric(value: &Value) -> bool {
    let Some(items) = value.as_array() else { return false };
    let is_pair = |pair: &[Value]| {
        pair.len() == 2
            && pair[0].as_str().is_some_and(|sign| ["=", "<", "<=", ">", ">="].contains(&sign))
            && pair[1].is_number()
    };
    (items.len() == 2 || items.len() == 4) && items.chunks(2).all(is_pair)
}

fn targets(subject: &Subject<'_>, found: &mut Findings) {
    let targets = subject.list("Targets");
    if targets.len() > 5 {
        found.refuse(
            "Targets",
            format!("has {} targets; a rule has at most 5", targets.len()),
            "write a second rule with the same pattern",
            "The requested resource exceeds the maximum number allowed.",
        );
    }
    let mut ids: Vec<&str> = Vec::new();
    for (index, target) in targets.iter().enumerate() {
        let base = format!("Targets/{index}");
        if let Some(id) = text(target, "Id") {
            if ids.contains(&id) {
                found.refuse(
                    &format!("{base}/Id"),
                    format!("has two targets with the id `{id}`"),
                    "rename one of them",
                    format!("Duplicate target id {id}."),
                );
            }
            if id.is_empty() || id.len() > 64 || !is_name(id, "._-") {
                found.refuse(
                    &format!("{base}/Id"),
                    format!("has the target id `{id}`"),
                    "write up to 64 letters, digits and `._-`",
                    format!("Value '{id}' at 'targets.{}.member.id' failed to satisfy constraint", index + 1),
                );
            }
            ids.push(id);
        }
        if let Some(arn) = text(target, "Arn")
            && arn_parts(arn).is_none()
        {
            found.refuse(
                &format!("{base}/Arn"),
                format!("has the target `{arn}`"),
                "write an ARN: `!GetAtt Function.Arn`",
                format!("Parameter {arn} is not valid. Reason: Provided Arn is not in correct format."),
            );
        }
        let inputs: Vec<&str> =
            ["Input", "InputPath", "InputTransformer"].into_iter().filter(|key| target.get(key).is_some()).collect();
        if inputs.len() > 1 {
            found.refuse(
                &base,
                format!("has `{}` for one target", inputs.join("` and `")),
                "keep one of them",
                format!(
                    "Only one of Input, InputPath, or InputTransformer must be provided for target {}.",
                    text(target, "Id").unwrap_or_default()
                ),
            );
        }
        if let Some(input) = text(target, "Input")
            && serde_json::from_str::<Value>(input).is_err()
        {
            found.refuse(
                &format!("{base}/Input"),
                "has an input that is not JSON",
                "write a JSON text",
                "JSON syntax error in input",
            );
        }
        if let Some(path) = text(target, "InputPath")
            && !path.starts_with('$')
        {
            found.refuse(
                &format!("{base}/InputPath"),
                format!("has the input path `{path}`"),
                "begin it with `$`",
                format!("Invalid InputPath {path}."),
            );
        }
        transformer(target, &base, found);
    }
}

fn transformer(target: &Value, base: &str, found: &mut Findings) {
    let Some(template) = text(target, "InputTransformer/InputTemplate") else { return };
    let paths = target.pointer("/InputTransformer/InputPathsMap").and_then(Value::as_object);
    let names: Vec<&str> = paths.into_iter().flatten().map(|(name, _)| name.as_str()).collect();
    for (name, path) in paths.into_iter().flatten() {
        let at = format!("{base}/InputTransformer/InputPathsMap/{name}");
        if name.starts_with("AWS") {
            found.add(&at, format!("names an input `{name}`"), "choose a name that does not begin with `AWS`");
        }
        if path.as_str().is_some_and(|path| !path.contains(super::UNKNOWN) && !path.starts_with('$')) {
            found.refuse(
                &at,
                format!("has the path `{}` for `{name}`", path.as_str().unwrap_or_default()),
                "begin it with `$`",
                "Invalid InputPathsMap: path is not valid.",
            );
        }
    }
    if names.len() > 100 {
        found.add(
            &format!("{base}/InputTransformer/InputPathsMap"),
            format!("has {} inputs; EventBridge accepts 100", names.len()),
            "take fewer",
        );
    }
    for part in template.split('<').skip(1) {
        let Some((name, _)) = part.split_once('>') else { continue };
        let is_variable =
            !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'));
        if is_variable && !name.starts_with("aws.") && !names.contains(&name) {
            found.refuse(
                &format!("{base}/InputTransformer/InputTemplate"),
                format!("uses `<{name}>`, which `InputPathsMap` does not have"),
                if names.is_empty() {
                    format!("add `{name}: $.detail…` to `InputPathsMap`")
                } else {
                    did_you_mean(name, names.iter().copied())
                },
                format!("InvalidInputTemplate: input template variable {name} is not defined"),
            );
        }
    }
}

fn target_role(subject: &Subject<'_>, found: &mut Findings) {
    for (index, target) in subject.list("Targets").iter().enumerate() {
        if target.get("RoleArn").is_some() {
            continue;
        }
        let Some([_, service, _, _, rest]) = text(target, "Arn").and_then(arn_parts) else { continue };
        let needs = matches!(
            service,
            "glue"
                | "states"
                | "kinesis"
                | "firehose"
                | "ecs"
                | "batch"
                | "codebuild"
                | "codepipeline"
                | "redshift"
                | "redshift-serverless"
                | "ssm"
                | "ssm-incidents"
                | "sagemaker"
                | "execute-api"
        ) || (service == "events"
            && (rest.starts_with("event-bus/") || rest.starts_with("api-destination/")));
        if needs {
            found.refuse(
                &format!("Targets/{index}"),
                format!("has a target of `{service}` without a role"),
                "add `RoleArn`: the role that EventBridge calls the target with",
                format!("RoleArn is required for target {}.", text(target, "Arn").unwrap_or_default()),
            );
        }
    }
}

fn target_settings(subject: &Subject<'_>, found: &mut Findings) {
    for (index, target) in subject.list("Targets").iter().enumerate() {
        let base = format!("Targets/{index}");
        for (key, least, most) in
            [("RetryPolicy/MaximumRetryAttempts", 0.0, 185.0), ("RetryPolicy/MaximumEventAgeInSeconds", 60.0, 86_400.0)]
        {
            if let Some(value) = number(target, key).filter(|value| !(least..=most).contains(value)) {
                found.refuse(
                    &format!("{base}/{key}"),
                    format!("has `{key}: {}`", shown(value)),
                    format!("write {} to {}", shown(least), shown(most)),
                    "Value failed to satisfy constraint",
                );
            }
        }
        if let Some(queue) = text(target, "DeadLetterConfig/Arn") {
            let path = format!("{base}/DeadLetterConfig/Arn");
            match arn_parts(queue) {
                Some([_, "sqs", ..]) if queue.ends_with(".fifo") => found.refuse(
                    &path,
                    "has a FIFO queue for failed events",
                    "name a standard queue",
                    "Dead-letter queue must be a standard queue.",
                ),
                Some([_, "sqs", ..]) => {}
                _ => found.refuse(
                    &path,
                    format!("has the dead-letter queue `{queue}`"),
                    "write the ARN of a queue",
                    "Dead-letter queue ARN is not valid.",
                ),
            }
        }
        let service = text(target, "Arn").and_then(arn_parts).map(|parts| parts[1]);
        if let Some(service) = service {
            for (key, owner) in [
                ("SqsParameters", "sqs"),
                ("KinesisParameters", "kinesis"),
                ("EcsParameters", "ecs"),
                ("BatchParameters", "batch"),
            ] {
                if target.get(key).is_some() && service != owner {
                    found.refuse(
                        &format!("{base}/{key}"),
                        format!("has `{key}` for a target of `{service}`"),
                        format!("remove `{key}`"),
                        format!("{key} is not valid for the target."),
                    );
                }
            }
            let data_api = matches!(service, "redshift" | "redshift-serverless");
            if target.get("RedshiftDataParameters").is_some() != data_api {
                let path = if data_api { base.clone() } else { format!("{base}/RedshiftDataParameters") };
                found.refuse(
                    &path,
                    "needs `RedshiftDataParameters` for a warehouse, and only for one",
                    "add or remove `RedshiftDataParameters`",
                    "RedshiftDataParameters is not valid for the target.",
                );
            }
            if service == "sqs"
                && text(target, "Arn").is_some_and(|arn| arn.ends_with(".fifo"))
                && text(target, "SqsParameters/MessageGroupId").is_none()
                && target.pointer("/SqsParameters/MessageGroupId").is_none()
            {
                found.refuse(
                    &base,
                    "has a FIFO queue as its target without a message group",
                    "add `SqsParameters: {MessageGroupId: …}`",
                    "Parameter(s) SqsParameters must be specified for target.",
                );
            }
        }
        if let Some(parameters) = target.get("RedshiftDataParameters").filter(|one| !super::is_unknown(one)) {
            let path = format!("{base}/RedshiftDataParameters");
            let statements = list(parameters, "Sqls").len();
            if parameters.get("Sql").is_some() == (statements > 0)
                && parameters.get("Sqls").is_none_or(|one| !super::is_unknown(one))
            {
                found.add(&path, "needs one of `Sql` and `Sqls`", "keep one of them");
            }
        }
    }
}
