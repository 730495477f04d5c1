//! SQS: queues, their dead-letter queues and policies.

use serde_json::Value;

use super::{Findings, Rule, Subject, in_range, number, reference, text};

const QUEUE: &[&str] = &["AWS::SQS::Queue"];
const ATTRIBUTES: &str =
    "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html";

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "sqs-queue-name",
        types: QUEUE,
        property: "QueueName",
        accepts: "up to 80 letters, digits, hyphens and underscores; `.fifo` at the end of the name of a FIFO queue, and only there",
        source: "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_CreateQueue.html",
        bad: "{QueueName: orders, FifoQueue: true}",
        good: "{QueueName: orders.fifo, FifoQueue: true}",
        check: queue_name,
    },
    Rule {
        id: "sqs-ranges",
        types: QUEUE,
        property: "VisibilityTimeout",
        accepts: "a visibility timeout of 0 to 43,200 seconds, a retention of 60 to 1,209,600, a delay of 0 to 900, a wait of 0 to 20, messages of 1,024 to 1,048,576 bytes",
        source: ATTRIBUTES,
        bad: "VisibilityTimeout: 50000",
        good: "VisibilityTimeout: 43200",
        check: |subject, found| {
            for (path, least, most) in [
                ("VisibilityTimeout", 0.0, 43_200.0),
                ("MessageRetentionPeriod", 60.0, 1_209_600.0),
                ("DelaySeconds", 0.0, 900.0),
                ("ReceiveMessageWaitTimeSeconds", 0.0, 20.0),
                ("MaximumMessageSize", 1_024.0, 1_048_576.0),
                ("KmsDataKeyReusePeriodSeconds", 60.0, 86_400.0),
            ] {
                in_range(subject, found, path, least, most);
            }
        },
    },
    Rule {
        id: "sqs-redrive",
        types: QUEUE,
        property: "RedrivePolicy",
        accepts: "`deadLetterTargetArn`, the ARN of another queue of the same kind in the same account and region, and `maxReceiveCount` from 1 to 1,000",
        source: "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-dead-letter-queues.html",
        bad: "RedrivePolicy: {deadLetterTargetArn: \"arn:aws:sqs:us-east-1:111111111111:failed\", maxReceiveCount: 0}",
        good: "RedrivePolicy: {deadLetterTargetArn: !GetAtt Failed.Arn, maxReceiveCount: 3}",
        check: redrive,
    },
    Rule {
        id: "sqs-redrive-allow",
        types: QUEUE,
        property: "RedriveAllowPolicy",
        accepts: "`redrivePermission` of `allowAll`, `denyAll` or `byQueue`, and up to 10 `sourceQueueArns` with `byQueue` only",
        source: ATTRIBUTES,
        bad: "RedriveAllowPolicy: {redrivePermission: byQueue}",
        good: "RedriveAllowPolicy: {redrivePermission: allowAll}",
        check: redrive_allow,
    },
    Rule {
        id: "sqs-encryption",
        types: QUEUE,
        property: "KmsMasterKeyId",
        accepts: "encryption with a KMS key, or with keys of SQS, not both",
        source: ATTRIBUTES,
        bad: "{KmsMasterKeyId: alias/aws/sqs, SqsManagedSseEnabled: true}",
        good: "SqsManagedSseEnabled: true",
        check: |subject, found| {
            if subject.has("KmsMasterKeyId") && subject.is_true("SqsManagedSseEnabled") {
                found.refuse("SqsManagedSseEnabled", "has a KMS key and `SqsManagedSseEnabled`", "keep one of them", "You can use one type of server-side encryption (SSE) at one time. You can either enable KMS SSE or SQS SSE.");
            }
        },
    },
    Rule {
        id: "sqs-fifo",
        types: QUEUE,
        property: "FifoQueue",
        accepts: "`ContentBasedDeduplication`, `DeduplicationScope` and `FifoThroughputLimit` on FIFO queues only, and `perMessageGroupId` only with `DeduplicationScope: messageGroup`",
        source: ATTRIBUTES,
        bad: "ContentBasedDeduplication: true",
        good: "{FifoQueue: true, ContentBasedDeduplication: true}",
        check: |subject, found| {
            for path in ["ContentBasedDeduplication", "DeduplicationScope", "FifoThroughputLimit"] {
                if subject.has(path)
                    && !subject.is_true("FifoQueue")
                    && !matches!(subject.get(path), Some(Value::Bool(false)))
                {
                    found.refuse(
                        path,
                        format!("has `{path}` on a standard queue"),
                        "add `FifoQueue: true`, or remove it",
                        format!("Unknown Attribute {path}."),
                    );
                }
            }
            if subject.text("FifoThroughputLimit") == Some("perMessageGroupId")
                && subject.text("DeduplicationScope") != Some("messageGroup")
                && subject.get("DeduplicationScope").is_none_or(|value| !super::is_unknown(value))
            {
                found.add(
                    "FifoThroughputLimit",
                    "has `perMessageGroupId` without `DeduplicationScope: messageGroup`",
                    "add `DeduplicationScope: messageGroup`",
                );
            }
        },
    },
    Rule {
        id: "sqs-policy-queues",
        types: &["AWS::SQS::QueuePolicy", "AWS::SNS::TopicPolicy"],
        property: "Queues",
        accepts: "the URLs of queues, or the ARNs of topics, each once",
        source: "https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-sqs-queuepolicy.html",
        bad: "{Queues: [orders], PolicyDocument: {Version: \"2012-10-17\", Statement: {Effect: Allow, Principal: \"*\", Action: \"sqs:SendMessage\", Resource: \"*\"}}}",
        good: "{Queues: [!Ref Queue], PolicyDocument: {Version: \"2012-10-17\", Statement: {Effect: Allow, Principal: \"*\", Action: \"sqs:SendMessage\", Resource: \"*\"}}}",
        check: |subject, found| {
            for (property, start, hint) in [
                ("Queues", "https://", "write the URL of the queue: `!Ref Queue`"),
                ("Topics", "arn:", "write the ARN of the topic: `!Ref Topic`"),
            ] {
                for (index, value) in subject.list(property).iter().enumerate() {
                    if let Some(text) = value.as_str().filter(|text| {
                        !text.contains(super::UNKNOWN) && !text.starts_with(start) && !text.starts_with("http://")
                    }) {
                        found.refuse(
                            &format!("{property}/{index}"),
                            format!("has `{text}` in `{property}`"),
                            hint,
                            "The specified queue does not exist.",
                        );
                    }
                }
            }
        },
    },
];

fn queue_name(subject: &Subject<'_>, found: &mut Findings) {
    let Some(name) = subject.text("QueueName") else { return };
    let fifo = subject.is_true("FifoQueue");
    let stem = name.strip_suffix(".fifo");
    let answer = "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length";
    if fifo && stem.is_none() {
        found.refuse("QueueName", format!("is a FIFO queue named `{name}`"), format!("name it `{name}.fifo`"), "The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, must end with .fifo suffix and be 1 to 80 in length");
        return;
    }
    if !fifo && stem.is_some() && !subject.has("FifoQueue") {
        found.refuse(
            "QueueName",
            format!("is a standard queue named `{name}`"),
            "add `FifoQueue: true`, or remove `.fifo`",
            answer,
        );
        return;
    }
    let stem = if fifo { stem.unwrap_or(name) } else { name };
    if stem.is_empty() || name.len() > 80 || !stem.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
    {
        found.refuse(
            "QueueName",
            format!("has the queue name `{name}`"),
            "write up to 80 letters, digits, hyphens and underscores",
            answer,
        );
    }
}

/// A policy of a queue is written as a mapping or as a JSON text.
fn parsed(value: Option<&Value>) -> Option<Value> {
    match value? {
        Value::String(text) if text.contains(super::UNKNOWN) => None,
        Value::String(text) => Some(serde_json::from_str(text).unwrap_or(Value::Null)),
        value => Some(value.clone()),
    }
}

fn redrive(subject: &Subject<'_>, found: &mut Findings) {
    let Some(policy) = parsed(subject.get("RedrivePolicy")) else { return };
    let answer = |reason: &str| format!("Value for parameter RedrivePolicy is invalid. Reason: {reason}");
    for key in ["deadLetterTargetArn", "maxReceiveCount"] {
        if policy.get(key).is_none() {
            found.refuse(
                "RedrivePolicy",
                format!("lacks `{key}` in its redrive policy"),
                format!("add `{key}`"),
                answer("Redrive policy does not contain mandatory attribute."),
            );
        }
    }
    for (key, _) in policy.as_object().into_iter().flatten() {
        if !["deadLetterTargetArn", "maxReceiveCount"].contains(&key.as_str()) {
            found.refuse(
                &format!("RedrivePolicy/{key}"),
                format!("has the unknown key `{key}` in its redrive policy"),
                crate::error::did_you_mean(key, ["deadLetterTargetArn", "maxReceiveCount"]),
                answer("Invalid attribute."),
            );
        }
    }
    match (policy.get("maxReceiveCount"), number(&policy, "maxReceiveCount")) {
        (_, Some(count)) if (1.0..=1_000.0).contains(&count) && count.fract() == 0.0 => {}
        (Some(value), _) if !super::is_unknown(value) => {
            found.refuse(
                "RedrivePolicy/maxReceiveCount",
                format!("has `maxReceiveCount: {value}`"),
                "write a whole number from 1 to 1,000",
                answer("Invalid value for maxReceiveCount: must be between 1 and 1000."),
            );
        }
        _ => {}
    }
    let Some(target) = reference(&policy, "deadLetterTargetArn") else { return };
    let path = "RedrivePolicy/deadLetterTargetArn";
    if subject.resource.arn.as_deref() == Some(target) {
        found.add(path, "is its own dead-letter queue", "name another queue");
        return;
    }
    if let Some([_, service, region, account, _]) = super::arn_parts(target) {
        if service != "sqs" {
            found.refuse(
                path,
                format!("has the dead-letter queue `{target}`, which is not a queue"),
                "write the ARN of a queue",
                answer("Invalid value for deadLetterTargetArn."),
            );
        } else if region != subject.world.region || account != subject.world.account {
            found.refuse(
                path,
                format!("has the dead-letter queue `{target}` of another account or region"),
                "name a queue of the same account and region",
                answer("Dead-letter target owner should be same as the source."),
            );
        }
    } else if !target.contains(super::UNKNOWN) {
        found.refuse(
            path,
            format!("has the dead-letter queue `{target}`"),
            "write the ARN of a queue: `!GetAtt Queue.Arn`",
            answer("Invalid value for deadLetterTargetArn."),
        );
    }
    if let Some(queue) = subject.world.find("AWS::SQS::Queue", target)
        && super::is_true(queue.properties, "FifoQueue") != subject.is_true("FifoQueue")
    {
        found.refuse(
            path,
            format!("and its dead-letter queue `{}` are not of the same kind", queue.logical_id),
            "make both FIFO queues, or neither",
            answer("Dead-letter queue must be same type of queue as the source."),
        );
    }
}

fn redrive_allow(subject: &Subject<'_>, found: &mut Findings) {
    let Some(policy) = parsed(subject.get("RedriveAllowPolicy")) else { return };
    let permission = text(&policy, "redrivePermission");
    let sources = super::list(&policy, "sourceQueueArns");
    let wrong = match permission {
        Some("byQueue") if sources.is_empty() => "needs `sourceQueueArns`",
        Some("byQueue") if sources.len() > 10 => "has more than 10 `sourceQueueArns`",
        Some("allowAll" | "denyAll") if policy.get("sourceQueueArns").is_some() => {
            "has `sourceQueueArns` without `byQueue`"
        }
        Some("byQueue" | "allowAll" | "denyAll") => return,
        _ => "has no `redrivePermission` of `allowAll`, `denyAll` or `byQueue`",
    };
    found.refuse(
        "RedriveAllowPolicy",
        format!("{wrong} in its redrive allow policy"),
        "write `redrivePermission: byQueue` with 1 to 10 ARNs of queues, or `allowAll`",
        "Value for parameter RedriveAllowPolicy is invalid.",
    );
}
