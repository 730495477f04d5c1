//! What AWS's services do by themselves around the pipeline's own code, each with a role or as themselves.
//!
//! A rehearsal sends no requests for these calls, so they are derived from the templates.

use serde_json::Value;

use super::{Authorizer, Source, role_name};
use crate::dms::Configuration;
use crate::iam::Request;
use pipectl_core::resource::{Resource, Resources};

impl Authorizer {
    /// A replication starts: DMS reads the secret of its source. What it writes then is authorized at the HTTP calls.
    pub fn replication_ran(&self, resources: &Resources, configuration: &Configuration) {
        let secret = &configuration.source.secret;
        let arn = if secret.starts_with("arn:") {
            secret.clone()
        } else {
            resources.arn_of("AWS::SecretsManager::Secret", secret)
        };
        let source = Source { arn: None, account: Some(&resources.account) };
        let reads = [Request::of_role("", "secretsmanager:GetSecretValue", &arn)];
        // The secret is read by the service of the region, which has its own name.
        let regional = format!("dms.{}.amazonaws.com", resources.region);
        self.assumed(&regional, &configuration.source.secret_role, source, &reads);
        self.assumed("dms.amazonaws.com", &configuration.role, source, &[]);
    }

    /// A function is called: Lambda takes its role on, and writes its log.
    pub fn function_ran(&self, resources: &Resources, function: &Resource, wrote: bool) {
        let Some(role) = function.text("/Role") else { return };
        let named = function.text("/LoggingConfig/LogGroup").map(str::to_owned);
        let group = named.unwrap_or_else(|| format!("/aws/lambda/{}", function.name));
        let logs = if wrote { log_calls(resources, &group, "2026/01/01/[$LATEST]0") } else { Vec::new() };
        self.assumed("lambda.amazonaws.com", role, Source::UNTOLD, &logs);
    }

    /// A job starts: Glue takes its role on, fetches the script, opens its connections, and writes log and metrics.
    pub fn job_ran(&self, resources: &Resources, job: &Resource) {
        let Some(role) = job.text("/Role") else { return };
        let argument = |name: &str| job.get("/DefaultArguments")?.get(name)?.as_str();
        let files = job.text("/Command/ScriptLocation").into_iter().chain(
            ["--extra-py-files", "--extra-jars", "--extra-files"]
                .into_iter()
                .filter_map(argument)
                .flat_map(|list| list.split(',')),
        );
        let mut calls: Vec<Request> = files
            .filter_map(|file| file.trim().strip_prefix("s3://"))
            .map(|object| Request::of_role("", "s3:GetObject", &format!("arn:aws:s3:::{object}")))
            .collect();
        let prefix = argument("--custom-logGroup-prefix").unwrap_or("/aws-glue/jobs");
        for group in ["output", "error"] {
            calls.extend(log_calls(resources, &format!("{prefix}/{group}"), "jr_1"));
        }
        if argument("--enable-metrics").is_some_and(|value| value != "false") {
            let metric = Request::of_role("", "cloudwatch:PutMetricData", "*");
            calls.push(metric.with("cloudwatch:namespace", "Glue"));
        }
        for name in job.list("/Connections/Connections").iter().filter_map(Value::as_str) {
            calls.extend(connection_calls(resources, name));
        }
        let arn = resources.arn_of("AWS::Glue::Job", &job.name);
        let source = Source { arn: Some(&arn), account: Some(&resources.account) };
        self.assumed("glue.amazonaws.com", role, source, &calls);
    }

    /// An object was written: S3 copies it to where the rules of its bucket say.
    pub fn replicated(&self, resources: &Resources, bucket: &str, key: &str) {
        let Some(source) = resources.named("AWS::S3::Bucket", bucket) else { return };
        let Some(role) = source.text("/ReplicationConfiguration/Role") else { return };
        for to in replication_rules(source, key) {
            let from = format!("arn:aws:s3:::{bucket}");
            let calls: Vec<Request> = [
                ("s3:GetReplicationConfiguration", from.clone()),
                ("s3:ListBucket", from.clone()),
                ("s3:GetObjectVersionForReplication", format!("{from}/{key}")),
                ("s3:GetObjectVersionAcl", format!("{from}/{key}")),
                ("s3:GetObjectVersionTagging", format!("{from}/{key}")),
                ("s3:ReplicateObject", format!("{to}/{key}")),
                ("s3:ReplicateTags", format!("{to}/{key}")),
            ]
            .into_iter()
            .map(|(action, resource)| Request::of_role("", action, &resource))
            .collect();
            // AWS documents no source keys for replication, so none is there.
            self.assumed("s3.amazonaws.com", role, Source::UNTOLD, &calls);
        }
    }

    /// A trail records: CloudTrail writes to its bucket.
    pub fn recorded(&self, resources: &Resources, trail: &str) {
        let Some(trail) = resources.named("AWS::CloudTrail::Trail", trail) else { return };
        let Some(bucket) = trail.text("/S3BucketName") else { return };
        let arn = resources.arn_of("AWS::CloudTrail::Trail", &trail.name);
        let prefix = trail.text("/S3KeyPrefix").map_or_else(String::new, |prefix| format!("{prefix}/"));
        let (account, region) = (&resources.account, &resources.region);
        let object = format!("arn:aws:s3:::{bucket}/{prefix}AWSLogs/{account}/CloudTrail/{region}/record.json.gz");
        let service = "cloudtrail.amazonaws.com";
        let source = Source { arn: Some(&arn), account: Some(account) };
        for mut request in [
            Request::of_service(service, "s3:GetBucketAcl", &format!("arn:aws:s3:::{bucket}")),
            Request::of_service(service, "s3:PutObject", &object).with("s3:x-amz-acl", "bucket-owner-full-control"),
        ] {
            source.describe(&mut request);
            let _ = self.ask(&request);
        }
    }

    /// The ways out for what fails: they must be open before anything does.
    pub fn standby(&self, resources: &Resources) {
        self.replications(resources);
        for rule in resources.of("AWS::Events::Rule").filter(|rule| rule.text("/State") != Some("DISABLED")) {
            let arn = resources.rule_arn(rule);
            for target in rule.list("/Targets") {
                if let Some(queue) = target.pointer("/DeadLetterConfig/Arn").and_then(Value::as_str) {
                    self.send(resources, "events.amazonaws.com", queue, &arn);
                }
                match target.get("Arn").and_then(Value::as_str) {
                    Some(to) if ["sns", "sqs"].contains(&service_of(to)) => {
                        self.send(resources, "events.amazonaws.com", to, &arn);
                    }
                    _ => {}
                }
            }
        }
        for config in resources.of("AWS::Lambda::EventInvokeConfig") {
            let to = config.text("/DestinationConfig/OnFailure/Destination");
            let function = config.text("/FunctionName").and_then(|name| function(resources, name));
            if let (Some(to), Some(role)) = (to, function.and_then(|function| function.text("/Role"))) {
                self.hand_over(role, to);
            }
        }
        for function in resources.of("AWS::Lambda::Function") {
            if let (Some(to), Some(role)) = (function.text("/DeadLetterConfig/TargetArn"), function.text("/Role")) {
                self.hand_over(role, to);
            }
        }
        for schedule in resources.of("AWS::Scheduler::Schedule") {
            let pair = (schedule.text("/Target/DeadLetterConfig/Arn"), schedule.text("/Target/RoleArn"));
            if let (Some(queue), Some(role)) = pair {
                self.hand_over(role, queue);
            }
        }
        for alarm in resources.of("AWS::CloudWatch::Alarm") {
            let arn = resources.arn_of("AWS::CloudWatch::Alarm", &alarm.name);
            for topic in alarm.list("/AlarmActions").iter().filter_map(Value::as_str) {
                if service_of(topic) == "sns" {
                    self.send(resources, "cloudwatch.amazonaws.com", topic, &arn);
                }
            }
        }
    }

    /// A service sends by itself: the queue or topic must let it.
    fn send(&self, resources: &Resources, service: &str, to: &str, source: &str) {
        let Some(action) = sending(to) else { return };
        let mut request = Request::of_service(service, action, to);
        // EventBridge sends SNS nothing about the rule: a condition in the topic's policy would never match.
        if (service, action) != ("events.amazonaws.com", "sns:Publish") {
            Source { arn: Some(source), account: Some(&resources.account) }.describe(&mut request);
        }
        let _ = self.ask(&request);
    }

    /// A service sends with a role that it has taken on.
    fn hand_over(&self, role: &str, to: &str) {
        if let Some(action) = sending(to) {
            let _ = self.ask(&Request::of_role(role_name(role), action, to));
        }
    }
}

/// Whether some bucket's rules copy an object to here.
pub fn is_replica(resources: &Resources, bucket: &str, key: &str) -> bool {
    let arn = format!("arn:aws:s3:::{bucket}");
    resources.of("AWS::S3::Bucket").flat_map(|source| replication_rules(source, key)).any(|to| to == arn)
}

/// Where a bucket's rules copy an object.
fn replication_rules<'a>(source: &'a Resource, key: &'a str) -> impl Iterator<Item = &'a str> {
    source.list("/ReplicationConfiguration/Rules").iter().filter_map(move |rule| {
        let text = |pointer: &str| rule.pointer(pointer).and_then(Value::as_str);
        let prefix = text("/Filter/Prefix").or(text("/Filter/And/Prefix")).or(text("/Prefix")).unwrap_or_default();
        (text("/Status") == Some("Enabled") && key.starts_with(prefix)).then(|| text("/Destination/Bucket"))?
    })
}

/// Finds a function by its name or ARN.
fn function<'a>(resources: &'a Resources, name: &str) -> Option<&'a Resource> {
    resources.named("AWS::Lambda::Function", name.rsplit(":function:").next().unwrap_or(name))
}

fn service_of(arn: &str) -> &str {
    arn.split(':').nth(2).unwrap_or_default()
}

fn sending(arn: &str) -> Option<&'static str> {
    Some(match service_of(arn) {
        "sqs" => "sqs:SendMessage",
        "sns" => "sns:Publish",
        "lambda" => "lambda:InvokeFunction",
        "events" => "events:PutEvents",
        _ => return None,
    })
}

/// What writing to a log group takes. A group that no template makes is made on the way.
fn log_calls(resources: &Resources, group: &str, stream: &str) -> Vec<Request> {
    let made = resources.named("AWS::Logs::LogGroup", group).is_some();
    let arn = resources.arn("logs", &format!("log-group:{group}:log-stream:{stream}"));
    let actions = if made {
        &["CreateLogStream", "PutLogEvents"][..]
    } else {
        &["CreateLogGroup", "CreateLogStream", "PutLogEvents"]
    };
    actions.iter().map(|action| Request::of_role("", &format!("logs:{action}"), &arn)).collect()
}

/// What a job needs to reach into a network.
fn connection_calls(resources: &Resources, name: &str) -> Vec<Request> {
    let glue = |rest: &str| Request::of_role("", "glue:GetConnection", &resources.arn("glue", rest));
    let look = |action: &str| Request::of_role("", &format!("ec2:{action}"), "*");
    let network =
        |action: &str, rest: &str| Request::of_role("", &format!("ec2:{action}"), &resources.arn("ec2", rest));
    let place = |path: &str| {
        let connection = resources.named("AWS::Glue::Connection", name);
        connection.and_then(|one| one.get(&format!("/ConnectionInput/PhysicalConnectionRequirements/{path}")))
    };
    let subnet = place("SubnetId").and_then(Value::as_str).map(|id| format!("subnet/{id}"));
    let groups = place("SecurityGroupIdList").and_then(Value::as_array).into_iter().flatten();
    let groups = groups.filter_map(|id| Some(format!("security-group/{}", id.as_str()?)));
    let mut calls = vec![glue("catalog"), glue(&format!("connection/{name}"))];
    calls.extend(
        [
            "DescribeSubnets",
            "DescribeSecurityGroups",
            "DescribeVpcEndpoints",
            "DescribeRouteTables",
            "DescribeNetworkInterfaces",
        ]
        .map(look),
    );
    let interface = "network-interface/*";
    let entered = subnet.into_iter().chain(groups).chain([interface.to_owned()]);
    calls.extend(entered.map(|what| network("CreateNetworkInterface", &what)));
    calls.push(network("DeleteNetworkInterface", interface));
    calls.push(network("CreateTags", interface).with("aws:TagKeys", "aws-glue-service-resource"));
    calls
}
