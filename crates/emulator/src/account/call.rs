//! What a request asks for, in the terms of a policy: actions, ARNs, condition keys.

use serde_json::Value;

use super::query::Query;
use crate::account::local_account::{Account, exists};

/// A call that somebody makes, as an IAM policy sees it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Call {
    pub access_key: String,
    /// Such as `s3:PutObject` or `cloudformation:DescribeStacks`.
    pub action: String,
    /// An ARN, or `*` where the action knows none.
    pub resource: String,
    /// Condition keys and their values.
    pub context: Vec<(String, String)>,
}

impl Call {
    fn new(access_key: &str, service: &str, operation: &str, resource: impl Into<String>) -> Self {
        Self {
            access_key: access_key.to_owned(),
            action: format!("{service}:{operation}"),
            resource: resource.into(),
            context: Vec::new(),
        }
    }

    fn with(mut self, key: &str, value: &str) -> Self {
        self.context.push((key.to_owned(), value.to_owned()));
        self
    }
}

/// The calls in a request of a service that speaks the Query protocol.
pub(crate) fn of_query(account: &Account, access_key: &str, service: &str, action: &str, query: &Query) -> Vec<Call> {
    // Everybody may ask who he is.
    if action == "GetCallerIdentity" {
        return Vec::new();
    }
    let of = ["StackName", "RoleArn", "TopicArn", "TargetArn"].iter().find_map(|name| query.get(name));
    let queue = query.get("QueueUrl").map(|url| account.arn_of("AWS::SQS::Queue", last(url)));
    let call = Call::new(access_key, named(service), action, of.map_or(queue.unwrap_or("*".into()), str::to_owned));
    vec![match query.get("Namespace") {
        Some(namespace) => call.with("cloudwatch:namespace", namespace),
        None => call,
    }]
}

/// The calls in a request of a service that speaks JSON. `prefix` is the first part of `X-Amz-Target`.
pub(crate) fn of_json(
    account: &Account,
    access_key: &str,
    service: &str,
    prefix: &str,
    operation: &str,
    body: &Value,
) -> Vec<Call> {
    let text = |name: &str| body[name].as_str();
    let call = |service: &str, resource: String| Call::new(access_key, service, operation, resource);
    match prefix {
        "RedshiftData" => statements(account, access_key, operation, body),
        "secretsmanager" => {
            let id = text("SecretId").or(text("Name")).unwrap_or("*");
            let call = call("secretsmanager", account.secrets.arn(id).unwrap_or_else(|| id.to_owned()));
            vec![call.with("secretsmanager:VersionStage", text("VersionStage").unwrap_or("AWSCURRENT"))]
        }
        "AmazonSQS" => {
            let url = text("QueueUrl").or(text("QueueName")).unwrap_or("*");
            let operation = operation.strip_suffix("Batch").unwrap_or(operation);
            vec![Call::new(access_key, "sqs", operation, account.arn_of("AWS::SQS::Queue", last(url)))]
        }
        "AWSGlue" => glue(account, access_key, operation, body),
        "AWSEvents" => vec![call("events", account.arn("events", "event-bus/default"))],
        "Logs_20140328" => {
            let group = text("logGroupName").unwrap_or("*");
            let stream = text("logStreamName").unwrap_or("*");
            vec![call("logs", account.arn("logs", &format!("log-group:{group}:log-stream:{stream}")))]
        }
        "GraniteServiceVersion20100801" => {
            let namespace = text("Namespace").unwrap_or_default();
            vec![call("cloudwatch", "*".into()).with("cloudwatch:namespace", namespace)]
        }
        prefix if prefix.starts_with("AmazonDMS") => {
            vec![call("dms", text("ReplicationConfigArn").unwrap_or("*").to_owned())]
        }
        _ => vec![call(named(service), "*".into())],
    }
}

/// A call of a service whose requests have the resource in their path, such as Lambda's.
pub fn of_function(access_key: &str, operation: &str, arn: &str) -> Call {
    Call::new(access_key, "lambda", operation, arn)
}

/// Statements run as a user of the database: with a secret's password, or with one that Redshift hands out.
fn statements(account: &Account, access_key: &str, operation: &str, body: &Value) -> Vec<Call> {
    let text = |name: &str| body[name].as_str();
    if let Some(id) = text("Id") {
        // Only the warehouse knows who owns a statement: the authorizer asks it.
        return vec![Call::new(access_key, "redshift-data", operation, "*").with("redshift-data:statement", id)];
    }
    if operation == "ListStatements" {
        // Unless the request says otherwise, it lists the caller's own.
        return vec![
            Call::new(access_key, "redshift-data", operation, "*").with("redshift-data:own-statements", "true"),
        ];
    }
    let name = text("WorkgroupName").unwrap_or_default();
    let stacks = account.stacks();
    let all = stacks.live.values().flat_map(|stack| &stack.resources);
    let mut groups = all.filter(|one| one.resource_type == "AWS::RedshiftServerless::Workgroup" && exists(one));
    let arn = groups
        .find(|one| one.physical_id == name)
        .and_then(|one| one.attributes.get("Workgroup.WorkgroupArn").and_then(Value::as_str).map(str::to_owned));
    drop(stacks);
    let arn = arn.unwrap_or_else(|| account.arn("redshift-serverless", &format!("workgroup/{name}")));
    let submits =
        Call::new(access_key, "redshift-data", operation, arn.as_str()).with("redshift-serverless:workgroup", name);
    let signs_in = match text("SecretArn") {
        Some(secret) => {
            let arn = account.secrets.arn(secret).unwrap_or_else(|| secret.to_owned());
            Call::new(access_key, "secretsmanager", "GetSecretValue", arn)
        }
        None => Call::new(access_key, "redshift-serverless", "GetCredentials", arn)
            .with("redshift-serverless:workgroup", name),
    };
    vec![submits, signs_in]
}

/// The catalog asks for the right on the catalog, the database and the table, each.
fn glue(account: &Account, access_key: &str, operation: &str, body: &Value) -> Vec<Call> {
    let text = |name: &str| body[name].as_str();
    let call = |resource: &str| Call::new(access_key, "glue", operation, account.arn("glue", resource));
    let noun = operation.trim_start_matches(|first: char| first.is_uppercase()).trim_start_matches(char::is_lowercase);
    if let Some(database) = text("DatabaseName").or(if noun.starts_with("Database") { text("Name") } else { None }) {
        let table = text("TableName").or(text("Name")).or(body["TableInput"]["Name"].as_str());
        let mut calls = vec![call("catalog"), call(&format!("database/{database}"))];
        if !noun.starts_with("Database") {
            calls.push(call(&format!("table/{database}/{}", table.unwrap_or("*"))));
        }
        return calls;
    }
    let name = text("Name").or(text("JobName")).unwrap_or("*");
    let kinds = [("Job", "job"), ("Workflow", "workflow"), ("Trigger", "trigger"), ("Crawler", "crawler")];
    let kind = kinds.iter().find(|(word, _)| operation.contains(word));
    match kind {
        Some((_, kind)) => vec![call(&format!("{kind}/{name}"))],
        None if operation.contains("Connection") => vec![call("catalog"), call(&format!("connection/{name}"))],
        None => vec![call("catalog")],
    }
}

/// The name of a service in policies, where its endpoint has another.
fn named(service: &str) -> &str {
    match service {
        "monitoring" => "cloudwatch",
        other => other,
    }
}

fn last(url: &str) -> &str {
    url.rsplit('/').next().unwrap_or(url)
}
