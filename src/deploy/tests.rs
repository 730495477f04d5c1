//! Whole runs against a fake on the wire.

use serde_json::{Value, json};

use super::artifacts::{Content, Upload};
use super::consent::Consent;
use super::destroy;
use super::progress::{Progress, Silent, Step};
use super::rollout::{self, Outcome};
use super::stop::Stop;
use super::{Scope, Session, Settings, Wanted, survey};
use crate::aws::fake::{ACCOUNT, Fake, Reply, environment, to_xml};
use crate::digest::sha256;
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::plan::Plan;
use crate::plan::wanted::ArtifactKeys;
use crate::render::{Input, InputSource, RenderedStack};
use crate::spec::{Map, Spec};
use crate::template::Template;
use crate::yaml::{self, Source};

mod events;
mod leaving;
#[cfg(feature = "rehearse")]
mod policy;
mod states;
mod throttling;
mod together;

const NETWORK: &str = "Resources:\n  Vpc: {Type: 'AWS::EC2::VPC'}\nOutputs:\n  VpcId: {Value: !Ref Vpc}\n";
const STORAGE: &str = "Parameters:\n  Vpc: {Type: String}\nResources:\n  Bucket:\n    Type: AWS::S3::Bucket\n    Properties: {BucketName: !Ref Vpc}\n";

struct Lines(Vec<String>);

impl Lines {
    /// Drops the last line, which says that the fake S3 takes no record.
    fn drop_record(&mut self) {
        assert!(self.0.pop().unwrap().starts_with("`pipectl history` will not know the end of this run: "));
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

fn wanted() -> Wanted {
    let from = InputSource::Output { stack: "network".into(), output: "VpcId".into() };
    Wanted {
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
    wanted: Wanted,
    stop: Stop,
) -> (std::sync::Arc<Session>, tokio::sync::mpsc::UnboundedReceiver<Step>) {
    Session::open(fake.connect().await, &spec(true), wanted, Scope::Pipeline, stop).await.unwrap()
}

async fn plan(fake: &Fake, wanted: Wanted) -> Result<Plan> {
    let (_sender, stop) = Stop::controlled();
    let (session, mut steps) = open(fake, wanted, stop).await;
    survey::plan(&session, &mut steps, &mut Silent).await
}

async fn deploy(fake: &Fake, wanted: Wanted, lines: &mut Lines) -> Result<rollout::Report> {
    deploy_with(fake, wanted, lines, Settings::default()).await
}

async fn deploy_with(fake: &Fake, wanted: Wanted, lines: &mut Lines, settings: Settings) -> Result<rollout::Report> {
    let (_sender, stop) = Stop::controlled();
    let aws = fake.connect().await;
    let (session, mut steps) = Session::open_with(aws, &spec(true), wanted, Scope::Pipeline, stop, settings).await?;
    let survey = survey::prepare(&session, &mut steps, lines).await?;
    let ending = rollout::carry_out(&session, survey, &Consent::To(Vec::new()), &mut steps, lines).await;
    ending.result.map(|()| ending.report)
}

#[tokio::test]
async fn a_first_deploy_creates_the_stacks_along_the_graph() {
    let done = |name| {
        [
            event(name, "1", "Thing", "AWS::X::Y", "CREATE_IN_PROGRESS", ""),
            event(name, "2", "Thing", "AWS::X::Y", "CREATE_COMPLETE", ""),
        ]
    };
    let fake = creation(Fake::start().await, "network", "CREATE_COMPLETE", &done("network"));
    let fake = creation(fake, "storage", "CREATE_COMPLETE", &done("storage"));
    let mut lines = Lines(Vec::new());
    let report = deploy(&fake, wanted(), &mut lines).await.unwrap();
    assert_eq!(report, [("network".into(), Outcome::Created), ("storage".into(), Outcome::Created)]);
    // The fake has no bucket for the record of the run: that is told, and fails nothing.
    lines.drop_record();
    // Only the second stack holds data, so only it gets a policy.
    assert_eq!(
        fake.calls(true),
        ["CreateChangeSet", "ExecuteChangeSet", "CreateChangeSet", "ExecuteChangeSet", "SetStackPolicy"]
    );
    insta::assert_snapshot!(fake.requests("SetStackPolicy")[0].fields["StackPolicyBody"], @r#"{"Statement":[{"Effect":"Deny","Action":["Update:Replace","Update:Delete"],"Principal":"*","Resource":["LogicalResourceId/Bucket"]},{"Effect":"Allow","Action":"Update:*","Principal":"*","Resource":"*"}]}"#);
    let sent = &fake.requests("CreateChangeSet")[1].fields;
    assert_eq!(sent["Parameters.member.1.ParameterValue"], "vpc-1");
    assert!(sent["ChangeSetName"].starts_with("deploy-"));
    assert_eq!(sent["ImportExistingResources"], "true");
    assert_eq!((sent["ChangeSetType"].as_str(), sent["OnStackFailure"].as_str()), ("CREATE", "ROLLBACK"));
    assert_eq!(fake.requests("ExecuteChangeSet")[0].fields["RetainExceptOnCreate"], "true");
    insta::assert_snapshot!(lines.0.join("\n"), @r"
    network is being created
    network Thing CREATE_IN_PROGRESS
    network Thing CREATE_COMPLETE
    network is created
    storage is being created
    storage Thing CREATE_IN_PROGRESS
    storage Thing CREATE_COMPLETE
    storage is created
    ");
}

#[tokio::test]
async fn a_deploy_without_changes_makes_no_write_call_and_two_reads_a_stack() {
    let fake = existing(existing(Fake::start().await, "network", NETWORK), "storage", STORAGE);
    let report = deploy(&fake, wanted(), &mut Lines(Vec::new())).await.unwrap();
    assert_eq!(report, [("network".into(), Outcome::Unchanged), ("storage".into(), Outcome::Unchanged)]);
    let mut calls = fake.calls(false);
    calls.sort();
    assert_eq!(calls, ["DescribeStacks", "DescribeStacks", "GetCallerIdentity", "GetTemplate", "GetTemplate"]);
    assert_eq!(plan(&fake, wanted()).await.unwrap().text(false), "No changes. 2 stacks are up to date.\n");
}

#[tokio::test]
async fn the_root_cause_comes_first_and_dependants_are_not_started() {
    let events = [
        event("network", "1", "Other", "AWS::EC2::Subnet", "CREATE_FAILED", "Resource creation cancelled"),
        event(
            "network",
            "2",
            "Vpc",
            "AWS::EC2::VPC",
            "CREATE_FAILED",
            "Resource handler returned message: \"The maximum number of VPCs has been reached. (quota)\"",
        ),
        event("network", "3", "shop-dev-network", "AWS::CloudFormation::Stack", "ROLLBACK_COMPLETE", ""),
    ];
    let fake = creation(Fake::start().await, "network", "ROLLBACK_COMPLETE", &events)
        .on("DescribeStacks:shop-dev-storage", none());
    let error = deploy(&fake, wanted(), &mut Lines(Vec::new())).await.unwrap_err();
    insta::assert_snapshot!(error, @r#"
    error: `shop-dev-network` was not created: `Vpc` (AWS::EC2::VPC) failed: Resource handler returned message: "The maximum number of VPCs has been reached. (quota)"
     --> network.yaml:2:3
      |
    2 |   Vpc: {Type: 'AWS::EC2::VPC'}
      |   ^^^ this resource
      = note: `shop-dev-network` is now in ROLLBACK_COMPLETE
      = note: not started, because `network` failed: storage
      = hint: ask for more VPCs in the Service Quotas console (Amazon VPC, VPCs per Region), or delete one, then run `pipectl deploy` again
    "#);
    assert_eq!(error.exit_code(), Exit::Failure);
}

fn update(fake: Fake, status: &str, reason: &str) -> Fake {
    let changes = json!([{"Type": "Resource", "ResourceChange": {"Action": "Modify", "LogicalResourceId": "Vpc", "ResourceType": "AWS::EC2::VPC", "Replacement": "False",
        "Details": [{"Target": {"Attribute": "Properties", "Name": "Tags", "RequiresRecreation": "Never"}}]}}]);
    existing(existing(fake, "network", "Resources: {}"), "storage", STORAGE)
        .on("CreateChangeSet", result(&json!({"Id": "arn:cs:network", "StackId": "arn:network"})))
        .on("DeleteChangeSet", result(&json!({})))
        .on("DescribeChangeSet", result(&json!({"ChangeSetId": "arn:cs:network", "StackId": "arn:network", "Status": status, "StatusReason": reason, "Changes": changes})))
}

#[tokio::test]
async fn a_plan_leaves_no_change_set_behind() {
    let fake = update(Fake::start().await, "CREATE_COMPLETE", "");
    let text = plan(&fake, wanted()).await.unwrap().text(false);
    // The role of pull requests may make change sets of this name only, and may pass no role.
    let sent = &fake.requests("CreateChangeSet")[0].fields;
    assert!(sent["ChangeSetName"].starts_with("plan-") && !sent.contains_key("RoleARN"));
    insta::assert_snapshot!(text, @r#"
    shop-dev-network
      ~ Vpc  AWS::EC2::VPC
          ~ Tags
        outputs
          ~ VpcId: "vpc-1" → (known after deploy)

    shop-dev-storage
    -/+ Bucket  AWS::S3::Bucket  # may be replaced because of BucketName
          ~ BucketName: "vpc-1" → (known after deploy)  # forces replacement
        parameters
          ~ Vpc: "vpc-1" → (known after deploy)

    Plan: 0 to add, 1 to change, 1 to replace, 0 to remove in 2 of 2 stacks.
    "#);
    assert_eq!(fake.calls(true), ["CreateChangeSet", "DeleteChangeSet"]);
    let (made, gone) = (&fake.requests("CreateChangeSet")[0].fields, &fake.requests("DeleteChangeSet")[0].fields);
    assert_eq!((&made["ChangeSetName"], &made["StackName"]), (&gone["ChangeSetName"], &gone["StackName"]));

    let fake =
        update(Fake::start().await, "FAILED", "Transform AWS::Include failed with: S3 bucket [x] does not exist.");
    insta::assert_snapshot!(plan(&fake, wanted()).await.unwrap_err(), @r"
    error: CloudFormation cannot change `shop-dev-network`: Transform AWS::Include failed with: S3 bucket [x] does not exist.
    = hint: mend the template or the parameter that this names, then run the command again
    ");
    assert_eq!(fake.calls(true), ["CreateChangeSet", "DeleteChangeSet"]);
}

#[tokio::test]
async fn both_wordings_of_no_changes_are_understood() {
    for reason in [
        "The submitted information didn't contain changes. Submit different information to create a change set.",
        "No updates are to be performed.",
    ] {
        let fake = update(Fake::start().await, "FAILED", reason);
        assert!(!plan(&fake, wanted()).await.unwrap().has_changes());
        assert_eq!(fake.calls(true), ["CreateChangeSet", "DeleteChangeSet"]);
    }
}

#[tokio::test]
async fn ctrl_c_during_a_plan_leaves_nothing_behind() {
    let fake = update(Fake::start().await, "CREATE_IN_PROGRESS", "");
    let (sender, stop) = Stop::controlled();
    let (session, mut steps) = open(&fake, wanted(), stop).await;
    let watched = fake.clone();
    tokio::spawn(async move {
        while watched.requests("DescribeChangeSet").is_empty() {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        sender.send(1).unwrap();
        std::future::pending::<()>().await;
    });
    let error = survey::plan(&session, &mut steps, &mut Silent).await.unwrap_err();
    assert_eq!(error.exit_code(), Exit::Interrupted);
    assert_eq!(fake.calls(true), ["CreateChangeSet", "DeleteChangeSet"]);
}

#[tokio::test]
async fn a_value_of_a_new_stack_is_known_after_the_deploy() {
    let fake = existing(Fake::start().await, "storage", STORAGE).on("DescribeStacks:shop-dev-network", none());
    insta::assert_snapshot!(plan(&fake, wanted()).await.unwrap().text(false), @r#"
    shop-dev-network (new stack)
      + Vpc  AWS::EC2::VPC

    shop-dev-storage
    -/+ Bucket  AWS::S3::Bucket  # may be replaced because of BucketName
          ~ BucketName: "vpc-1" → (known after deploy)  # forces replacement
        parameters
          ~ Vpc: "vpc-1" → (known after deploy)

    Plan: 1 to add, 0 to change, 1 to replace, 0 to remove in 2 of 2 stacks.
    "#);
    assert!(fake.calls(true).is_empty());
}

#[tokio::test]
async fn an_environment_without_bootstrap_says_so() {
    let fake = Fake::start().await.on("DescribeStacks", none());
    let (_sender, stop) = Stop::controlled();
    let error: Error =
        Session::open(fake.connect().await, &spec(false), wanted(), Scope::Pipeline, stop).await.unwrap_err();
    insta::assert_snapshot!(error, @r"
    error: the environment `dev` has no bootstrap stack
    = hint: run `pipectl bootstrap --env dev` once, as an administrator of the account
    ");
}

#[tokio::test]
async fn only_absent_artifacts_are_uploaded_and_none_that_is_not_what_its_key_says() {
    let upload =
        |key: &str, sha256: String| Upload { key: key.into(), content: Content::Bytes(b"abc".to_vec()), sha256 };
    let bucket = format!("shop-dev-artifacts-{ACCOUNT}-us-east-1");
    let fake = Fake::start()
        .await
        .on(&format!("HEAD /{bucket}/there"), Reply::Raw(200, "", String::new()))
        .on(&format!("HEAD /{bucket}/absent"), Reply::Raw(404, "", String::new()))
        .on(&format!("HEAD /{bucket}/wrong"), Reply::Raw(404, "", String::new()))
        .on(&format!("PUT /{bucket}/absent?x-id=PutObject"), Reply::Raw(200, "", String::new()));
    let (_sender, stop) = Stop::controlled();
    let uploads = vec![upload("there", sha256(b"abc")), upload("absent", sha256(b"abc"))];
    let (session, mut steps) = open(&fake, Wanted { uploads, ..wanted() }, stop.clone()).await;
    session.upload_artifacts().await.unwrap();
    assert_eq!(steps.try_recv(), Ok(Step::Uploaded { key: "absent".into(), bytes: 3 }));
    assert_eq!(fake.calls(true), [format!("PUT /{bucket}/absent?x-id=PutObject")]);
    let uploads = vec![upload("wrong", sha256(b"other"))];
    let (session, _steps) = open(&fake, Wanted { uploads, ..wanted() }, stop).await;
    assert!(session.upload_artifacts().await.unwrap_err().to_string().contains("is not the file that was packaged"));
}

/// Answers of an account in which both stacks exist, and one bucket.
fn standing(fake: Fake, protected: bool, objects: &str) -> Fake {
    let mut fake = fake;
    for name in ["network", "storage"] {
        let mut stack = described(name, "CREATE_COMPLETE");
        stack["Stacks"][0]["EnableTerminationProtection"] = (protected && name == "storage").into();
        let resources = if name == "storage" {
            json!([{"LogicalResourceId": "Bucket", "PhysicalResourceId": "shop-raw", "ResourceType": "AWS::S3::Bucket", "ResourceStatus": "CREATE_COMPLETE", "LastUpdatedTimestamp": "timestamp"}])
        } else {
            json!([])
        };
        let gone = [
            event(name, "2", "shop", "AWS::CloudFormation::Stack", "DELETE_COMPLETE", ""),
            event(name, "1", "Bucket", "AWS::S3::Bucket", "DELETE_SKIPPED", ""),
            event(name, "0", "shop", "AWS::CloudFormation::Stack", "CREATE_COMPLETE", ""),
        ];
        fake = fake
            .on(&format!("DescribeStacks:shop-dev-{name}"), result(&stack))
            .on(&format!("DescribeStacks:arn:{name}"), result(&described(name, "DELETE_COMPLETE")))
            .on(&format!("ListStackResources:arn:{name}"), result(&json!({"StackResourceSummaries": resources})))
            .on(&format!("DescribeStackEvents:arn:{name}"), result(&json!({"StackEvents": gone[2..]})))
            .on(&format!("DescribeStackEvents:arn:{name}"), result(&json!({"StackEvents": gone})))
            .on(&format!("DeleteStack:arn:{name}"), result(&json!({})));
    }
    let list = format!("<ListVersionsResult>{objects}</ListVersionsResult>");
    fake.on("GET /shop-raw/?versions", Reply::Raw(200, "application/xml", list.clone()))
        .on("GET /shop-raw/?versions", Reply::Raw(200, "application/xml", list))
        .on("GET /shop-raw/?versions", Reply::Raw(200, "application/xml", "<ListVersionsResult/>".into()))
        .on("POST /shop-raw/?delete", Reply::Raw(200, "application/xml", "<DeleteResult/>".into()))
        .on("DELETE /shop-raw/", Reply::Raw(204, "", String::new()))
}

const OBJECT: &str = "<Version><Key>a</Key><VersionId>v1</VersionId></Version><DeleteMarker><Key>a</Key><VersionId>v2</VersionId></DeleteMarker>";

#[tokio::test]
async fn destroy_refuses_protected_stacks_and_data() {
    for (protected, objects, expected) in [
        (true, "", "protected against termination: `shop-dev-storage`"),
        (false, OBJECT, "these buckets hold data: `shop-raw`"),
    ] {
        let fake = standing(Fake::start().await, protected, objects);
        let (_sender, stop) = Stop::controlled();
        let (session, _steps) = open(&fake, wanted(), stop).await;
        let error = destroy::inventory(&session, false).await.unwrap_err();
        assert!(error.message().starts_with(expected), "{error}");
        assert_eq!(error.hints().len(), 1);
        assert!(fake.calls(true).is_empty());
    }
}

#[tokio::test]
async fn destroy_takes_stacks_down_in_the_opposite_order_and_data_when_told() {
    let fake = standing(Fake::start().await, false, OBJECT);
    let (_sender, stop) = Stop::controlled();
    let (session, mut steps) = open(&fake, wanted(), stop).await;
    let inventory = destroy::inventory(&session, true).await.unwrap();
    assert_eq!(
        (inventory.stacks.clone(), inventory.filled.clone()),
        (vec!["storage".into(), "network".into()], vec!["shop-raw".into()])
    );
    let mut lines = Lines(Vec::new());
    let remains = destroy::destroy(&session, inventory, true, &mut steps, &mut lines).await.unwrap();
    assert_eq!(remains.stacks, ["storage", "network"]);
    assert!(remains.retained.is_empty());
    assert_eq!(fake.calls(true), ["POST /shop-raw/?delete", "DeleteStack", "DELETE /shop-raw/", "DeleteStack"]);
    insta::assert_snapshot!(lines.0.join("\n"), @"
    storage empties `shop-raw`: 2 objects gone
    storage is being deleted
    storage Bucket DELETE_SKIPPED
    storage is deleted
    network is being deleted
    network Bucket DELETE_SKIPPED
    network is deleted
    `pipectl history` will not know the end of this run: PutObject failed: the service answered with HTTP status 400 and no message
    ");
}

#[tokio::test]
async fn a_plan_waits_for_a_busy_stack() {
    let fake =
        Fake::start().await.on("DescribeStacks:shop-dev-network", result(&described("network", "UPDATE_IN_PROGRESS")));
    let fake = fake
        .on("DescribeStacks:arn:network", result(&described("network", "UPDATE_COMPLETE")))
        .on("DescribeStackEvents", result(&json!({"StackEvents": []})));
    let fake = existing(existing(fake, "network", NETWORK), "storage", STORAGE);
    assert!(!plan(&fake, wanted()).await.unwrap().has_changes());
}

#[test]
fn the_template_of_a_plan_lies_where_no_deploy_looks() {
    assert_eq!(super::Purpose::Plan.template_key("glue", "ab"), "plan/glue-ab.yaml");
    assert_eq!(super::Purpose::Deploy.template_key("glue", "ab"), "templates/glue-ab.yaml");
}
