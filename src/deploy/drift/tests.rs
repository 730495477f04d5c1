//! Drift, against a fake on the wire.

use serde_json::{Value, json};

use super::detect;
use crate::aws::fake::{ACCOUNT, Fake, Reply, environment, to_xml};
use crate::deploy::stop::Stop;
use crate::error::{Error, Result};
use crate::plan::drift::Drift;
use crate::render::RenderedStack;
use crate::spec::{Map, Spec};
use crate::template::Template;
use crate::yaml::{self, Source};

const TEMPLATE: &str = "Parameters:\n  Key: {Type: String, NoEcho: true}\nResources:\n  Function:\n    Type: AWS::Lambda::Function\n    Properties: {Description: !Ref Key, Role: r, Code: {}}\n  Other: {Type: 'AWS::Glue::Workflow'}\n";

fn stack() -> RenderedStack {
    RenderedStack {
        name: "etl".into(),
        stack_name: "shop-dev-etl".into(),
        text: TEMPLATE.into(),
        template: Template::parse(&Source::new("etl.yaml", TEMPLATE)).unwrap(),
        inputs: Vec::new(),
        tags: Map::new(),
        termination_protection: false,
    }
}

fn result(value: &Value) -> Reply {
    Reply::Result(to_xml(value))
}

/// Answers of an account that compares, up to what it has found.
async fn comparing() -> Fake {
    let described = json!({"Stacks": [{"StackName": "shop-dev-etl", "StackId": "arn:etl", "CreationTime": "datetime",
        "StackStatus": "UPDATE_COMPLETE"}]});
    let resource = |id: &str, kind: &str| {
        json!({"LogicalResourceId": id, "PhysicalResourceId": id,
        "ResourceType": kind, "ResourceStatus": "CREATE_COMPLETE", "LastUpdatedTimestamp": "datetime"})
    };
    Fake::start()
        .await
        .on("DescribeStacks", result(&described))
        .on(
            "DetectStackDrift",
            Reply::Error(400, "ValidationError", "Drift detection is already in progress for stack".into()),
        )
        .on("DetectStackDrift", result(&json!({"StackDriftDetectionId": "d-1"})))
        .on(
            "DescribeStackDriftDetectionStatus",
            result(&json!({"DetectionStatus": "DETECTION_IN_PROGRESS",
            "StackId": "arn:etl", "StackDriftDetectionId": "d-1", "Timestamp": "datetime"})),
        )
        .on(
            "ListStackResources",
            result(&json!({"StackResourceSummaries": [
            resource("Function", "AWS::Lambda::Function"), resource("Other", "AWS::Glue::Workflow"),
            resource("Third", "AWS::SNS::Topic")]})),
        )
}

fn ended(fake: Fake, status: &str, reason: &str) -> Fake {
    let reported = json!({"DetectionStatus": status, "DetectionStatusReason": reason, "StackId": "arn:etl",
        "StackDriftDetectionId": "d-1", "Timestamp": "datetime"});
    fake.on("DescribeStackDriftDetectionStatus", result(&reported))
}

async fn drift(fake: &Fake) -> Result<Drift> {
    let node = yaml::parse(&Source::new("pipeline.yaml", "name: shop\nsources: {}\ntables: {}\n")).unwrap();
    let spec = Spec {
        pipeline: serde_json::from_value(node.to_json()).unwrap(),
        environment: environment(ACCOUNT),
        environment_name: "dev".into(),
        tree: node,
    };
    let (_sender, stop) = Stop::controlled();
    detect(&fake.connect().await, &spec, vec![stack()], &stop, &mut |_, _| {}).await
}

/// What AWS answered to a recorded call: property values travel as JSON text.
fn on_the_wire(recorded: &Value) -> Value {
    let mut drift = recorded.clone();
    for name in ["ActualProperties", "ExpectedProperties"] {
        drift[name] = drift[name].to_string().into();
    }
    drift
}

#[tokio::test]
async fn a_recorded_drift_is_shown_with_all_pages_and_without_secrets() {
    let Some(folder) = pipectl_core::testing::recorded() else { return };
    let text = std::fs::read_to_string(folder.join("test_drift_detection.json")).unwrap();
    let recorded: Value = serde_json::from_str(&text).unwrap();
    let (_, test) = recorded.as_object().unwrap().iter().next().unwrap();
    let function = on_the_wire(&test["recorded-content"]["drift_detection"]["StackResourceDrift"]);
    let third = json!({"LogicalResourceId": "Third", "PhysicalResourceId": "Third", "ResourceType": "AWS::SNS::Topic",
        "StackResourceDriftStatus": "UNKNOWN", "DriftStatusReason": "User is not authorized to perform: SNS:GetTopicAttributes",
        "StackId": "arn:etl", "Timestamp": "datetime"});
    let fake = ended(comparing().await, "DETECTION_COMPLETE", "")
        .on("DescribeStackResourceDrifts", result(&json!({"StackResourceDrifts": [function], "NextToken": "2"})))
        .on("DescribeStackResourceDrifts", result(&json!({"StackResourceDrifts": [third]})));
    let drift = drift(&fake).await.unwrap();
    insta::assert_snapshot!(drift.text(false), @r#"
    shop-dev-etl
      ~ Function  AWS::Lambda::Function  stack-0d03b713-Function-ijoJmdBJP4re
          ~ Description: (secret) → (another secret)
          ~ Environment.Variables.ENDPOINT_URL: (secret) → (another secret)
          ~ Runtime: "python3.9" → "python3.8"

    Not checked: AWS::Glue::Workflow (1)

    Not checked: etl/Third: User is not authorized to perform: SNS:GetTopicAttributes

    Drift: 1 resource in 1 of 1 stack; 0 as deployed, 2 not checked.
    "#);
    assert!(drift.is_any());
    assert_eq!(fake.requests("DetectStackDrift").len(), 2, "a detection of somebody else is waited for");
    let fields = &fake.requests("DescribeStackResourceDrifts")[1].fields;
    assert_eq!(fields["NextToken"], "2");
    assert_eq!(fake.calls(true), ["DetectStackDrift", "DetectStackDrift"], "nothing is changed");
}

#[tokio::test]
async fn a_partial_detection_shows_results_and_the_failure() {
    let in_sync = json!({"LogicalResourceId": "Function", "PhysicalResourceId": "Function",
        "ResourceType": "AWS::Lambda::Function", "StackResourceDriftStatus": "IN_SYNC", "StackId": "arn:etl", "Timestamp": "datetime"});
    let fake = ended(comparing().await, "DETECTION_FAILED", "Failed to detect drift on resource [Other]")
        .on("DescribeStackResourceDrifts", result(&json!({"StackResourceDrifts": [in_sync]})));
    let drift = drift(&fake).await.unwrap();
    assert_eq!(drift.stacks[0].failure.as_deref(), Some("Failed to detect drift on resource [Other]"));
    assert_eq!((drift.summary().in_sync, drift.summary().not_checked, drift.is_any()), (1, 2, false));
}

#[tokio::test]
async fn a_missing_stack_is_none_and_an_error_is_reported() {
    let none = Reply::Error(400, "ValidationError", "Stack with id x does not exist".into());
    let fake = Fake::start().await.on("DescribeStacks", none);
    assert!(!drift(&fake).await.unwrap().stacks[0].deployed);
    let described = json!({"Stacks": [{"StackName": "shop-dev-etl", "StackId": "arn:etl", "CreationTime": "datetime",
        "StackStatus": "UPDATE_COMPLETE"}]});
    let fake = Fake::start().await.on("DescribeStacks", result(&described)).on(
        "DetectStackDrift",
        Reply::Error(403, "AccessDenied", "not authorized to perform: cloudformation:DetectStackDrift".into()),
    );
    let error: Error = drift(&fake).await.unwrap_err();
    assert_eq!(
        error.message(),
        "AWS refused `DetectStackDrift`: not authorized to perform: cloudformation:DetectStackDrift"
    );
}
