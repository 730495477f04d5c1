//! Whole runs against a fake on the wire.

use serde_json::{Value, json};

use super::artifacts::{Content, Upload};
use super::consent::Consent;
use super::destroy;
use super::progress::{Progress, Silent, Step};
use super::rollout::{self, Outcome};
use super::stop::Stop;
use super::{Release, Scope, Session, Settings, survey};
use crate::aws::fake::{ACCOUNT, Fake, Reply, environment, to_xml};
use crate::digest::sha256;
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::plan::Plan;
use crate::plan::stack_parameters::ArtifactKeys;
use crate::render::{Input, InputSource, RenderedStack};
use crate::spec::{Map, Spec};
use crate::template::Template;
use crate::yaml::{self, Source};

mod conflict;
mod creating;
mod destroying;
mod events;
mod interrupt;
mod planning;
#[cfg(feature = "rehearse")]
mod policy;
mod secrets;
mod states;
mod throttling;
mod uploads;

const NETWORK: &str = "Resources:\n  Vpc: {Type: 'AWS::EC2::VPC'}\nOutputs:\n  VpcId: {Value: !Ref Vpc}\n";
const STORAGE: &str = "Parameters:\n  Vpc: {Type: String}\nResources:\n  Bucket:\n    Type: AWS::S3::Bucket\n    Properties: {BucketName: !Ref Vpc}\n";

struct Lines(Vec<String>);

impl Lines {
    /// Drops the last line, which says that the fake S3 takes no record.
    fn drop_record(&mut self) {
        assert!(self.0.pop().unwrap().starts_with("`pipectl history` will not show the end of this run: "));
    }
}

impl Progress for Lines {
    fn step(&mut self, step: &Step) {
        self.0.push(match step {
            Step::Uploaded { key, bytes } => format!("uploaded {key} ({bytes} bytes)"),
            Step::Stack { stack, what } | Step::Done { stack, what } => format!("{stack} {what}"),
            Step::Resource { stack, logical_id, status, .. } => format!("{stack} {logical_id} {status}"),
            Step::Stopping { running, .. } => format!("stopping: {}", running.join(", ")),
            Step::Slowed { .. } => "slowed".to_owned(),
            Step::Note(note) => note.clone(),
        });
    }
}

fn spec(local: bool) -> Spec {
    let pipeline = "name: shop\nsources: {}\ntables: {}\n";
    let node = yaml::parse(&Source::new("pipeline.yaml", pipeline)).unwrap();
    let mut environment = environment(ACCOUNT);
    environment.local = local;
    Spec {
        pipeline: serde_json::from_value(node.to_json()).unwrap(),
        environment,
        environment_name: "dev".into(),
        tree: node,
    }
}

fn stack(name: &str, text: &str, inputs: Vec<Input>) -> RenderedStack {
    RenderedStack {
        name: name.into(),
        stack_name: format!("shop-dev-{name}"),
        text: text.into(),
        template: Template::parse(&Source::new(format!("{name}.yaml"), text)).unwrap(),
        inputs,
        tags: Map::from([("project".into(), "shop".into())]),
        termination_protection: false,
    }
}

fn desired() -> Release {
    let from = InputSource::Output { stack: "network".into(), output: "VpcId".into() };
    Release {
        stacks: vec![
            stack("network", NETWORK, Vec::new()),
            stack("storage", STORAGE, vec![Input { parameter: "Vpc".into(), from }]),
        ],
        uploads: Vec::new(),
        keys: ArtifactKeys::default(),
        commit: None,
    }
}

fn described(name: &str, status: &str) -> Value {
    json!({"Stacks": [{
        "StackName": format!("shop-dev-{name}"), "StackId": format!("arn:{name}"), "StackStatus": status, "CreationTime": "datetime",
        "Parameters": if name == "storage" { json!([{"ParameterKey": "Vpc", "ParameterValue": "vpc-1"}]) } else { json!([]) },
        "Outputs": if name == "network" { json!([{"OutputKey": "VpcId", "OutputValue": "vpc-1"}]) } else { json!([]) },
        "Tags": [{"Key": "project", "Value": "shop"}],
    }]})
}

fn event(name: &str, id: &str, resource: &str, kind: &str, status: &str, reason: &str) -> Value {
    json!({"EventId": id, "StackId": format!("arn:{name}"), "StackName": name, "Timestamp": "timestamp", "LogicalResourceId": resource,
        "ResourceType": kind, "ResourceStatus": status, "ResourceStatusReason": reason})
}

fn result(value: &Value) -> Reply {
    Reply::Result(to_xml(value))
}

fn none() -> Reply {
    Reply::Error(400, "ValidationError", "Stack with id x does not exist".into())
}

/// Answers of an account in which a stack is created with an end.
fn creation(fake: Fake, name: &str, end: &str, events: &[Value]) -> Fake {
    let full = format!("shop-dev-{name}");
    let review = event(name, "0", &full, "AWS::CloudFormation::Stack", "REVIEW_IN_PROGRESS", "");
    let all: Vec<Value> = events.iter().rev().cloned().chain([review.clone()]).collect();
    let change_set =
        json!({"ChangeSetId": format!("arn:cs:{name}"), "StackId": format!("arn:{name}"), "Status": "CREATE_COMPLETE"});
    fake.on(&format!("DescribeStacks:{full}"), none())
        .on(
            &format!("CreateChangeSet:{full}"),
            result(&json!({"Id": format!("arn:cs:{name}"), "StackId": format!("arn:{name}")})),
        )
        .on(&format!("DescribeChangeSet:arn:cs:{name}"), result(&json!({"Status": "CREATE_IN_PROGRESS"})))
        .on(&format!("DescribeChangeSet:arn:cs:{name}"), result(&change_set))
        .on(&format!("ExecuteChangeSet:arn:cs:{name}"), result(&json!({})))
        .on("SetStackPolicy", result(&json!({})))
        .on(&format!("DescribeStackEvents:arn:{name}"), result(&json!({"StackEvents": [review]})))
        .on(&format!("DescribeStackEvents:arn:{name}"), result(&json!({"StackEvents": all})))
        .on(&format!("DescribeStacks:arn:{name}"), result(&described(name, "CREATE_IN_PROGRESS")))
        .on(&format!("DescribeStacks:arn:{name}"), result(&described(name, end)))
}

/// Answers of an account in which a stack is as it was deployed.
fn existing(fake: Fake, name: &str, text: &str) -> Fake {
    fake.on(&format!("DescribeStacks:shop-dev-{name}"), result(&described(name, "CREATE_COMPLETE")))
        .on(&format!("GetTemplate:arn:{name}"), result(&json!({"TemplateBody": text})))
}

async fn open(
    fake: &Fake,
    desired: Release,
    stop: Stop,
) -> (std::sync::Arc<Session>, tokio::sync::mpsc::UnboundedReceiver<Step>) {
    Session::open(fake.connect().await, &spec(true), desired, Scope::Pipeline, stop).await.unwrap()
}

async fn plan(fake: &Fake, desired: Release) -> Result<Plan> {
    let (_sender, stop) = Stop::controlled();
    let (session, mut steps) = open(fake, desired, stop).await;
    survey::plan(&session, &mut steps, &mut Silent).await
}

async fn deploy(fake: &Fake, desired: Release, lines: &mut dyn Progress) -> Result<rollout::Report> {
    deploy_with(fake, desired, lines, Settings::default()).await
}

async fn deploy_with(
    fake: &Fake,
    desired: Release,
    lines: &mut dyn Progress,
    settings: Settings,
) -> Result<rollout::Report> {
    let (_sender, stop) = Stop::controlled();
    let aws = fake.connect().await;
    let (session, mut steps) = Session::open_with(aws, &spec(true), desired, Scope::Pipeline, stop, settings).await?;
    let survey = survey::prepare(&session, &mut steps, lines).await?;
    let ending = rollout::execute(&session, survey, &Consent::To(Vec::new()), &mut steps, lines).await;
    ending.result.map(|()| ending.report)
}

fn update(fake: Fake, status: &str, reason: &str) -> Fake {
    let changes = json!([{"Type": "Resource", "ResourceChange": {"Action": "Modify", "LogicalResourceId": "Vpc", "ResourceType": "AWS::EC2::VPC", "Replacement": "False",
        "Details": [{"Target": {"Attribute": "Properties", "Name": "Tags", "RequiresRecreation": "Never"}}]}}]);
    existing(existing(fake, "network", "Resources: {}"), "storage", STORAGE)
        .on("CreateChangeSet", result(&json!({"Id": "arn:cs:network", "StackId": "arn:network"})))
        .on("DeleteChangeSet", result(&json!({})))
        .on("DescribeChangeSet", result(&json!({"ChangeSetId": "arn:cs:network", "StackId": "arn:network", "Status": status, "StatusReason": reason, "Changes": changes})))
}
