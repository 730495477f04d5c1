//! References to resources that must exist: a queue, a role, a bucket by its name, URL or ARN.

use serde_json::Value;

use super::{Findings, Rule, Subject, UNKNOWN, arn_parts};

/// How a property names what it needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    /// The name, or the ARN.
    Name,
    /// The ARN only.
    Arn,
}

/// A property that names another resource: `*` stands for every item of a list.
struct Reference {
    from: &'static str,
    path: &'static str,
    by: By,
    /// The service in the ARN, and what its last part begins with.
    service: &'static str,
    start: &'static str,
    to: &'static str,
    /// What the service answers.
    answer: &'static str,
}

const fn by_name(from: &'static str, path: &'static str, to: &'static str, answer: &'static str) -> Reference {
    Reference { from, path, by: By::Name, service: "", start: "", to, answer }
}

const fn by_arn(
    from: &'static str,
    path: &'static str,
    (service, start): (&'static str, &'static str),
    to: &'static str,
    answer: &'static str,
) -> Reference {
    Reference { from, path, by: By::Arn, service, start, to, answer }
}

const ROLE: (&str, &str) = ("iam", "role/");
const QUEUE: (&str, &str) = ("sqs", "");
const TOPIC: (&str, &str) = ("sns", "");
const FUNCTION: (&str, &str) = ("lambda", "function:");
const BUCKET: (&str, &str) = ("s3", "");

const REFERENCES: &[Reference] = &[
    by_arn(
        "AWS::SQS::Queue",
        "RedrivePolicy/deadLetterTargetArn",
        QUEUE,
        "AWS::SQS::Queue",
        "Value for parameter RedrivePolicy is invalid. Reason: Dead letter target does not exist.",
    ),
    by_arn(
        "AWS::IAM::Role",
        "PermissionsBoundary",
        ("iam", "policy/"),
        "AWS::IAM::ManagedPolicy",
        "Scope ARN is not attachable: the policy does not exist or is not attachable.",
    ),
    by_arn(
        "AWS::IAM::Role",
        "ManagedPolicyArns/*",
        ("iam", "policy/"),
        "AWS::IAM::ManagedPolicy",
        "Policy does not exist or is not attachable.",
    ),
    by_name("AWS::IAM::ManagedPolicy", "Roles/*", "AWS::IAM::Role", "The role cannot be found."),
    by_name("AWS::IAM::RolePolicy", "RoleName", "AWS::IAM::Role", "The role cannot be found."),
    by_name("AWS::IAM::InstanceProfile", "Roles/*", "AWS::IAM::Role", "The role cannot be found."),
    by_arn(
        "AWS::Lambda::Function",
        "Role",
        ROLE,
        "AWS::IAM::Role",
        "The role defined for the function cannot be assumed by Lambda.",
    ),
    by_arn(
        "AWS::Lambda::Function",
        "DeadLetterConfig/TargetArn",
        QUEUE,
        "AWS::SQS::Queue",
        "The provided execution role does not have permissions to call SendMessage on SQS",
    ),
    by_arn(
        "AWS::Lambda::Function",
        "DeadLetterConfig/TargetArn",
        TOPIC,
        "AWS::SNS::Topic",
        "The provided execution role does not have permissions to call Publish on SNS",
    ),
    by_name("AWS::Lambda::Function", "LoggingConfig/LogGroup", "AWS::Logs::LogGroup", ""),
    by_name("AWS::Lambda::Permission", "FunctionName", "AWS::Lambda::Function", "Function not found"),
    by_name("AWS::Lambda::EventInvokeConfig", "FunctionName", "AWS::Lambda::Function", "The function does not exist."),
    by_arn(
        "AWS::Lambda::EventInvokeConfig",
        "DestinationConfig/OnFailure/Destination",
        QUEUE,
        "AWS::SQS::Queue",
        "The destination ARN is invalid.",
    ),
    by_arn(
        "AWS::Lambda::EventInvokeConfig",
        "DestinationConfig/OnSuccess/Destination",
        QUEUE,
        "AWS::SQS::Queue",
        "The destination ARN is invalid.",
    ),
    by_arn(
        "AWS::Lambda::EventInvokeConfig",
        "DestinationConfig/OnFailure/Destination",
        TOPIC,
        "AWS::SNS::Topic",
        "The destination ARN is invalid.",
    ),
    by_name("AWS::Lambda::EventSourceMapping", "FunctionName", "AWS::Lambda::Function", "Function does not exist"),
    by_arn(
        "AWS::Lambda::EventSourceMapping",
        "EventSourceArn",
        QUEUE,
        "AWS::SQS::Queue",
        "Error occurred while ReceiveMessage. SQS Error Code: AWS.SimpleQueueService.NonExistentQueue.",
    ),
    by_name("AWS::Lambda::Alias", "FunctionName", "AWS::Lambda::Function", "Function not found"),
    by_name("AWS::Lambda::Version", "FunctionName", "AWS::Lambda::Function", "Function not found"),
    by_name("AWS::Lambda::Url", "TargetFunctionArn", "AWS::Lambda::Function", "Function not found"),
    by_name("AWS::S3::BucketPolicy", "Bucket", "AWS::S3::Bucket", "The specified bucket does not exist"),
    by_arn(
        "AWS::S3::Bucket",
        "ReplicationConfiguration/Rules/*/Destination/Bucket",
        BUCKET,
        "AWS::S3::Bucket",
        "Destination bucket must exist.",
    ),
    by_arn("AWS::S3::Bucket", "ReplicationConfiguration/Role", ROLE, "AWS::IAM::Role", ""),
    by_name(
        "AWS::S3::Bucket",
        "LoggingConfiguration/DestinationBucketName",
        "AWS::S3::Bucket",
        "The target bucket for logging does not exist",
    ),
    by_arn(
        "AWS::S3::Bucket",
        "NotificationConfiguration/QueueConfigurations/*/Queue",
        QUEUE,
        "AWS::SQS::Queue",
        "Unable to validate the following destination configurations",
    ),
    by_arn(
        "AWS::S3::Bucket",
        "NotificationConfiguration/TopicConfigurations/*/Topic",
        TOPIC,
        "AWS::SNS::Topic",
        "Unable to validate the following destination configurations",
    ),
    by_arn(
        "AWS::S3::Bucket",
        "NotificationConfiguration/LambdaConfigurations/*/Function",
        FUNCTION,
        "AWS::Lambda::Function",
        "Unable to validate the following destination configurations",
    ),
    by_name("AWS::CloudTrail::Trail", "S3BucketName", "AWS::S3::Bucket", "S3 bucket does not exist!"),
    by_arn("AWS::CloudTrail::Trail", "EventSelectors/*/DataResources/*/Values/*", BUCKET, "AWS::S3::Bucket", ""),
    by_name("AWS::CloudTrail::Trail", "SnsTopicName", "AWS::SNS::Topic", "The SNS topic does not exist"),
    by_arn("AWS::CloudTrail::Trail", "CloudWatchLogsRoleArn", ROLE, "AWS::IAM::Role", "The role does not exist."),
    by_name(
        "AWS::Glue::Trigger",
        "WorkflowName",
        "AWS::Glue::Workflow",
        "Entity not found: the workflow does not exist",
    ),
    by_name("AWS::Glue::Trigger", "Actions/*/JobName", "AWS::Glue::Job", "Entity not found: the job does not exist"),
    by_name(
        "AWS::Glue::Trigger",
        "Actions/*/CrawlerName",
        "AWS::Glue::Crawler",
        "Entity not found: the crawler does not exist",
    ),
    by_name(
        "AWS::Glue::Trigger",
        "Predicate/Conditions/*/JobName",
        "AWS::Glue::Job",
        "Entity not found: the job does not exist",
    ),
    by_name(
        "AWS::Glue::Trigger",
        "Predicate/Conditions/*/CrawlerName",
        "AWS::Glue::Crawler",
        "Entity not found: the crawler does not exist",
    ),
    by_name("AWS::Glue::Job", "Role", "AWS::IAM::Role", "The role does not exist."),
    by_name(
        "AWS::Glue::Job",
        "Connections/Connections/*",
        "AWS::Glue::Connection",
        "Entity not found: the connection does not exist",
    ),
    by_name(
        "AWS::Glue::Job",
        "SecurityConfiguration",
        "AWS::Glue::SecurityConfiguration",
        "Entity not found: the security configuration does not exist",
    ),
    by_name("AWS::Glue::Crawler", "Role", "AWS::IAM::Role", "Service is unable to assume the role."),
    by_name("AWS::Glue::Crawler", "DatabaseName", "AWS::Glue::Database", "Database not found."),
    by_name("AWS::Glue::Table", "DatabaseName", "AWS::Glue::Database", "Database not found."),
    by_name(
        "AWS::RedshiftServerless::Workgroup",
        "NamespaceName",
        "AWS::RedshiftServerless::Namespace",
        "The namespace does not exist",
    ),
    by_arn("AWS::RedshiftServerless::Namespace", "IamRoles/*", ROLE, "AWS::IAM::Role", "The role does not exist."),
    by_arn(
        "AWS::RedshiftServerless::Namespace",
        "DefaultIamRoleArn",
        ROLE,
        "AWS::IAM::Role",
        "The role does not exist.",
    ),
    by_name(
        "AWS::Logs::MetricFilter",
        "LogGroupName",
        "AWS::Logs::LogGroup",
        "The specified log group does not exist.",
    ),
    by_name(
        "AWS::Logs::SubscriptionFilter",
        "LogGroupName",
        "AWS::Logs::LogGroup",
        "The specified log group does not exist.",
    ),
    by_arn(
        "AWS::Logs::SubscriptionFilter",
        "DestinationArn",
        FUNCTION,
        "AWS::Lambda::Function",
        "Could not execute the lambda function.",
    ),
    by_name("AWS::Logs::LogStream", "LogGroupName", "AWS::Logs::LogGroup", "The specified log group does not exist."),
    by_arn("AWS::SNS::Subscription", "TopicArn", TOPIC, "AWS::SNS::Topic", "Topic does not exist"),
    by_arn("AWS::SNS::Subscription", "Endpoint", QUEUE, "AWS::SQS::Queue", ""),
    by_arn(
        "AWS::SNS::Subscription",
        "Endpoint",
        FUNCTION,
        "AWS::Lambda::Function",
        "Invalid parameter: Lambda endpoint ARN",
    ),
    by_arn("AWS::SNS::TopicPolicy", "Topics/*", TOPIC, "AWS::SNS::Topic", "Topic does not exist"),
    by_name("AWS::SQS::QueuePolicy", "Queues/*", "AWS::SQS::Queue", "The specified queue does not exist."),
    by_arn("AWS::Events::Rule", "Targets/*/Arn", QUEUE, "AWS::SQS::Queue", ""),
    by_arn("AWS::Events::Rule", "Targets/*/Arn", TOPIC, "AWS::SNS::Topic", ""),
    by_arn("AWS::Events::Rule", "Targets/*/Arn", FUNCTION, "AWS::Lambda::Function", ""),
    by_arn("AWS::Events::Rule", "Targets/*/Arn", ("glue", "workflow/"), "AWS::Glue::Workflow", ""),
    by_arn("AWS::Events::Rule", "Targets/*/RoleArn", ROLE, "AWS::IAM::Role", "The role does not exist."),
    by_arn(
        "AWS::Events::Rule",
        "Targets/*/DeadLetterConfig/Arn",
        QUEUE,
        "AWS::SQS::Queue",
        "The dead-letter queue does not exist.",
    ),
    by_name("AWS::Events::Rule", "EventBusName", "AWS::Events::EventBus", "Event bus does not exist."),
    by_arn("AWS::Scheduler::Schedule", "Target/Arn", FUNCTION, "AWS::Lambda::Function", ""),
    by_arn("AWS::Scheduler::Schedule", "Target/Arn", QUEUE, "AWS::SQS::Queue", ""),
    by_arn(
        "AWS::Scheduler::Schedule",
        "Target/RoleArn",
        ROLE,
        "AWS::IAM::Role",
        "The execution role you provide must allow AWS EventBridge Scheduler to assume the role.",
    ),
    by_arn("AWS::Scheduler::Schedule", "Target/DeadLetterConfig/Arn", QUEUE, "AWS::SQS::Queue", ""),
    by_name("AWS::Scheduler::Schedule", "GroupName", "AWS::Scheduler::ScheduleGroup", "Schedule group does not exist."),
    by_arn("AWS::CloudWatch::Alarm", "AlarmActions/*", TOPIC, "AWS::SNS::Topic", ""),
    by_arn("AWS::CloudWatch::Alarm", "OKActions/*", TOPIC, "AWS::SNS::Topic", ""),
    by_arn("AWS::CloudWatch::Alarm", "InsufficientDataActions/*", TOPIC, "AWS::SNS::Topic", ""),
    by_arn("AWS::DMS::Endpoint", "S3Settings/ServiceAccessRoleArn", ROLE, "AWS::IAM::Role", "The role does not exist."),
    by_name("AWS::DMS::Endpoint", "S3Settings/BucketName", "AWS::S3::Bucket", "The bucket does not exist."),
    by_name("AWS::RDS::DBInstance", "DBSubnetGroupName", "AWS::RDS::DBSubnetGroup", "DBSubnetGroup not found"),
    by_arn(
        "AWS::SecretsManager::RotationSchedule",
        "RotationLambdaARN",
        FUNCTION,
        "AWS::Lambda::Function",
        "Secrets Manager cannot invoke the specified Lambda function.",
    ),
    by_arn(
        "AWS::StepFunctions::StateMachine",
        "RoleArn",
        ROLE,
        "AWS::IAM::Role",
        "Neither the global service principal states.amazonaws.com, nor the regional one is authorized to assume the provided role.",
    ),
    by_name("AWS::Athena::NamedQuery", "WorkGroup", "AWS::Athena::WorkGroup", "WorkGroup is not found."),
    by_arn("AWS::EC2::FlowLog", "DeliverLogsPermissionArn", ROLE, "AWS::IAM::Role", "The role does not exist."),
];

pub(super) const RULES: &[Rule] = &[Rule {
    id: "reference",
    types: &["*"],
    property: "Role",
    accepts: "roles, policies, queues, topics, functions, buckets and workflows that a template of the project defines, or that AWS or another account has",
    source: "https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/resources-section-structure.html",
    bad: "Resources:\n  Trail:\n    Type: AWS::CloudTrail::Trail\n    Properties: {IsLogging: true, S3BucketName: no-such-bucket}",
    good: "Resources:\n  Bucket:\n    Type: AWS::S3::Bucket\n    Properties: {BucketName: shop-trail}\n  Trail:\n    Type: AWS::CloudTrail::Trail\n    Properties: {IsLogging: true, S3BucketName: shop-trail}",
    check: exists,
}];

fn exists(subject: &Subject<'_>, found: &mut Findings) {
    for one in REFERENCES.iter().filter(|one| one.from == subject.resource.resource_type) {
        let steps: Vec<&str> = one.path.split('/').collect();
        each(subject.properties(), &steps, "", &mut |path, value| {
            if let Some(message) = missing(subject, one, value) {
                let hint = format!(
                    "refer to a resource of the template with `!Ref` or `!GetAtt`, or define an `{}` of this name",
                    one.to
                );
                found.refuse(path, message, hint, one.answer);
            }
        });
    }
}

/// Visits the texts at a path.
fn each(value: &Value, steps: &[&str], path: &str, visit: &mut dyn FnMut(&str, &str)) {
    let Some((step, rest)) = steps.split_first() else {
        if let Some(text) = value.as_str().filter(|text| !text.contains(UNKNOWN)) {
            visit(path, text);
        }
        return;
    };
    let join = |step: &str| if path.is_empty() { step.to_owned() } else { format!("{path}/{step}") };
    if *step == "*" {
        for (index, item) in value.as_array().into_iter().flatten().enumerate() {
            each(item, rest, &join(&index.to_string()), visit);
        }
        return;
    }
    // A policy of a queue may be a JSON text.
    let parsed = value.as_str().and_then(|text| serde_json::from_str::<Value>(text).ok());
    if let Some(inner) = parsed.as_ref().unwrap_or(value).get(step) {
        each(inner, rest, &join(step), visit);
    }
}

/// What is wrong with a reference; nothing if it leads somewhere, or out of the account.
fn missing(subject: &Subject<'_>, one: &Reference, text: &str) -> Option<String> {
    let world = subject.world;
    // Some services do not look whether the target exists; the mistake shows when an event is lost.
    if one.answer.is_empty() && !world.is_complete {
        return None;
    }
    match arn_parts(text) {
        Some([_, service, region, account, rest]) => {
            if one.by == By::Arn && (service != one.service || !rest.starts_with(one.start)) {
                return None;
            }
            let elsewhere =
                (!account.is_empty() && account != world.account) || (!region.is_empty() && region != world.region);
            if elsewhere || rest.contains(['*', '$']) {
                return None;
            }
            // Of an object only the bucket, of a version or a stream only what it belongs to.
            let whole = match service {
                "s3" => format!("arn:aws:s3:::{}", rest.split('/').next().unwrap_or(rest)),
                "lambda" => text.split(':').take(7).collect::<Vec<_>>().join(":"),
                _ => text.to_owned(),
            };
            if service == "s3" && whole == "arn:aws:s3:::" {
                return None;
            }
            let last = whole.rsplit([':', '/']).next().unwrap_or_default();
            let known = world.find(one.to, &whole).is_some() || world.find(one.to, last).is_some();
            (!known).then(|| format!("refers to `{text}`, which no template defines"))
        }
        None => {
            if one.by == By::Arn || is_of_aws(one.to, text) || text.contains(['*', '$']) {
                return None;
            }
            let last = if text.contains("://") { text.rsplit('/').next().unwrap_or(text) } else { text };
            let last = if one.to == "AWS::Lambda::Function" { last.split(':').next().unwrap_or(last) } else { last };
            let known = world.find(one.to, text).is_some() || world.find(one.to, last).is_some();
            (!known).then(|| format!("refers to `{text}`, which no template defines"))
        }
    }
}

/// What every account has without a template.
fn is_of_aws(resource_type: &str, name: &str) -> bool {
    match resource_type {
        "AWS::Events::EventBus" | "AWS::Scheduler::ScheduleGroup" | "AWS::Glue::Database" => name == "default",
        "AWS::Athena::WorkGroup" => name == "primary",
        "AWS::Logs::LogGroup" => name.starts_with("/aws") || name.starts_with("aws-") || name == "RDSOSMetrics",
        _ => false,
    }
}
