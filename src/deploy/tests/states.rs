//! Stacks in every state in which a deploy may find them.

use super::*;
use crate::deploy::Recovery;

const LEFT: &str = "deploy-20260101T000000Z-0123456789abcdef";

/// The one stack that these tests are about.
fn network() -> Release {
    Release { stacks: vec![stack("network", NETWORK, Vec::new())], ..Release::default() }
}

/// The network stack in a state, with its own ARN.
fn standing_in(arn: &str, status: &str) -> Reply {
    let mut stack = described("network", status);
    stack["Stacks"][0]["StackId"] = arn.into();
    result(&stack)
}

fn resource(id: &str, kind: &str, physical: &str, status: &str) -> Value {
    json!({"LogicalResourceId": id, "PhysicalResourceId": physical, "ResourceType": kind, "ResourceStatus": status,
        "ResourceStatusReason": "it is not as it was", "LastUpdatedTimestamp": "timestamp"})
}

fn resources(fake: Fake, resources: &[Value]) -> Fake {
    fake.on("ListStackResources", result(&json!({"StackResourceSummaries": resources})))
}

/// Answers for the deletion of what is there under an ARN, and for the creation of a new stack after it.
fn replaced(fake: Fake, status: &str) -> Fake {
    let gone = event("network", "d1", "shop-dev-network", "AWS::CloudFormation::Stack", "DELETE_COMPLETE", "");
    let fake = fake
        .on("DescribeStacks:shop-dev-network", standing_in("arn:old", status))
        .on("DescribeStacks:shop-dev-network", standing_in("arn:old", status))
        .on("DeleteStack:arn:old", result(&json!({})))
        .on("DescribeStackEvents:arn:old", result(&json!({"StackEvents": []})))
        .on("DescribeStackEvents:arn:old", result(&json!({"StackEvents": [gone]})))
        .on("DescribeStacks:arn:old", standing_in("arn:old", "DELETE_COMPLETE"));
    creation(
        fake,
        "network",
        "CREATE_COMPLETE",
        &[event("network", "1", "Vpc", "AWS::EC2::VPC", "CREATE_COMPLETE", "")],
    )
}

#[tokio::test]
async fn a_failed_creation_is_deleted_and_created_again() {
    for status in ["ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED"] {
        let left = [
            resource("Vpc", "AWS::EC2::VPC", "vpc-1", "CREATE_COMPLETE"),
            resource("Bucket", "AWS::S3::Bucket", "shop-raw", "DELETE_COMPLETE"),
        ];
        let fake = resources(replaced(Fake::start().await, status), &left);
        let mut lines = Lines(Vec::new());
        let report = deploy(&fake, network(), &mut lines).await.unwrap();
        assert_eq!(report, [("network".into(), Outcome::Created)]);
        assert_eq!(fake.calls(true), ["DeleteStack", "CreateChangeSet", "ExecuteChangeSet"]);
        lines.drop_record();
        let text = lines.0.join("\n").replace(status, "[STATUS]");
        insta::allow_duplicates! {
            insta::assert_snapshot!(text, @"
            `shop-dev-network` is in [STATUS] after a failed creation. It contains no data: a deploy deletes it and creates it again
            network is deleted after a failed creation ([STATUS])
            network is being created
            network Vpc CREATE_COMPLETE
            network is created
            ");
        }
    }
}

#[tokio::test]
async fn a_failed_creation_with_data_is_not_deleted() {
    let left = [
        resource("Raw", "AWS::S3::Bucket", "shop-raw", "DELETE_FAILED"),
        resource("Topic", "AWS::SNS::Topic", "shop", "CREATE_COMPLETE"),
        resource("Logs", "AWS::Logs::LogGroup", "/shop", "CREATE_COMPLETE"),
    ];
    let fake = resources(replaced(Fake::start().await, "ROLLBACK_FAILED"), &left);
    insta::assert_snapshot!(deploy(&fake, network(), &mut Lines(Vec::new())).await.unwrap_err(), @"
    error: `shop-dev-network` is in ROLLBACK_FAILED after a failed creation and contains data, so it is not deleted automatically
    = note: `Raw` (AWS::S3::Bucket, shop-raw): all objects in it
    = note: `Logs` (AWS::Logs::LogGroup, /shop): the logs in it
    = hint: save what is needed, then run `aws cloudformation delete-stack --region us-east-1 --stack-name shop-dev-network` and `pipectl deploy --env dev`
    ");
    assert!(fake.calls(true).is_empty());
}

#[tokio::test]
async fn a_stack_in_review_is_absent_and_deleted_when_stale() {
    let young = time::OffsetDateTime::now_utc().format(&time::format_description::well_known::Rfc3339).unwrap();
    let cases = [(LEFT, "datetime", true), (LEFT, young.as_str(), false), ("somebody-s", "datetime", false)];
    for (name, created, cleared) in cases {
        let listed =
            json!({"Summaries": [{"ChangeSetName": name, "ChangeSetId": "arn:cs:left", "CreationTime": created}]});
        let fake = replaced(Fake::start().await, "REVIEW_IN_PROGRESS").on("ListChangeSets", result(&listed));
        let report = deploy(&fake, network(), &mut Lines(Vec::new())).await.unwrap();
        assert_eq!(report, [("network".into(), Outcome::Created)]);
        let first = if cleared { vec!["DeleteStack"] } else { Vec::new() };
        assert_eq!(fake.calls(true), [first, vec!["CreateChangeSet", "ExecuteChangeSet"]].concat(), "{name} {created}");
    }
}

/// A stack of which the way back failed; after it was gone on with, it is as it was before.
async fn stuck() -> Fake {
    let failed = [
        resource("Vpc", "AWS::EC2::VPC", "vpc-1", "UPDATE_FAILED"),
        resource("Subnet", "AWS::EC2::Subnet", "subnet-1", "UPDATE_FAILED"),
        resource("Other", "AWS::EC2::Subnet", "subnet-2", "UPDATE_COMPLETE"),
    ];
    let fake = Fake::start()
        .await
        .on("DescribeStacks:shop-dev-network", result(&described("network", "UPDATE_ROLLBACK_FAILED")))
        .on("ContinueUpdateRollback", result(&json!({})))
        .on("DescribeStackEvents:arn:network", result(&json!({"StackEvents": []})))
        .on("DescribeStacks:arn:network", result(&described("network", "UPDATE_ROLLBACK_COMPLETE")));
    existing(resources(fake, &failed), "network", NETWORK)
}

fn going_on(skip: &[&str]) -> Settings {
    let skip = skip.iter().map(|&address| address.to_owned()).collect();
    Settings { recovery: Recovery { continue_rollback: true, skip }, ..Settings::default() }
}

#[tokio::test]
async fn a_failed_rollback_is_reported_with_the_command_to_continue() {
    let fake = stuck().await;
    insta::assert_snapshot!(deploy(&fake, network(), &mut Lines(Vec::new())).await.unwrap_err(), @"
    error: `shop-dev-network` is in UPDATE_ROLLBACK_FAILED: its last update and the rollback of it failed
    = note: `Vpc` (AWS::EC2::VPC): it is not as it was
    = note: `Subnet` (AWS::EC2::Subnet): it is not as it was
    = hint: fix the cause, then run `pipectl deploy --env dev --continue-rollback`
    = hint: to skip resources that cannot be fixed: `pipectl deploy --env dev --continue-rollback --skip network/Vpc --skip network/Subnet`
    ");
    assert!(fake.calls(true).is_empty());
}

#[tokio::test]
async fn a_failed_rollback_is_continued_on_request_and_then_deployed() {
    let fake = stuck().await;
    let mut lines = Lines(Vec::new());
    let report = deploy_with(&fake, network(), &mut lines, going_on(&["network/Vpc"])).await.unwrap();
    assert_eq!(report, [("network".into(), Outcome::Unchanged)]);
    assert_eq!(fake.calls(true), ["ContinueUpdateRollback"]);
    let sent = &fake.requests("ContinueUpdateRollback")[0].fields;
    assert_eq!(sent["ResourcesToSkip.member.1"], "Vpc");
    assert!(!sent.contains_key("ResourcesToSkip.member.2") && sent["ClientRequestToken"].contains("-network-"));
    insta::assert_snapshot!(lines.0.join("\n"), @"
    network continues its rollback, without `Vpc`
    the resources skipped in `shop-dev-network` no longer match their template: `Vpc`. Their next change may fail; `pipectl plan` does not show this
    network is up to date
    ");
}

#[tokio::test]
async fn only_what_failed_can_be_skipped() {
    let fake = stuck().await;
    let error = deploy_with(&fake, network(), &mut Lines(Vec::new()), going_on(&["network/Other"])).await.unwrap_err();
    insta::assert_snapshot!(error, @"
    error: `network/Other` cannot be skipped: its rollback has not failed
    = hint: these can be: `network/Vpc`, `network/Subnet`
    ");
    let error =
        deploy_with(&fake, network(), &mut Lines(Vec::new()), going_on(&["nettwork/Vpc", "Vpc"])).await.unwrap_err();
    insta::assert_snapshot!(error, @"
    error: `--skip nettwork/Vpc` names no resource of a stack
    = hint: write STACK/LOGICAL-ID, with one of these stacks: network

    error: `--skip Vpc` names no resource of a stack
    = hint: write STACK/LOGICAL-ID, with one of these stacks: network
    ");
    assert_eq!(error.exit_code(), Exit::Usage);
    assert!(fake.calls(true).is_empty());
}

#[tokio::test]
async fn a_running_operation_is_followed_from_its_first_event() {
    let token = "20260101T000000Z-0123456789abcdef-network";
    let of = |id: &str, status: &str, token: &str| {
        let mut event = event("network", id, "Vpc", "AWS::EC2::VPC", status, "");
        event["ClientRequestToken"] = token.into();
        event
    };
    let events =
        [of("3", "UPDATE_COMPLETE", token), of("2", "UPDATE_IN_PROGRESS", token), of("1", "CREATE_COMPLETE", "old")];
    let fake = Fake::start()
        .await
        .on("DescribeStacks:shop-dev-network", result(&described("network", "UPDATE_IN_PROGRESS")))
        .on("DescribeStacks:arn:network", result(&described("network", "UPDATE_IN_PROGRESS")))
        .on("DescribeStacks:arn:network", result(&described("network", "UPDATE_COMPLETE")))
        .on("DescribeStackEvents", result(&json!({"StackEvents": events[1..]})))
        .on("DescribeStackEvents", result(&json!({"StackEvents": events[1..]})))
        .on("DescribeStackEvents", result(&json!({"StackEvents": events})));
    let fake = existing(fake, "network", NETWORK);
    let mut lines = Lines(Vec::new());
    let report = deploy(&fake, network(), &mut lines).await.unwrap();
    assert_eq!(report, [("network".into(), Outcome::Unchanged)]);
    assert!(fake.calls(true).is_empty());
    insta::assert_snapshot!(lines.0.join("\n"), @"
    network waits for another deploy (run 20260101T000000Z-0123456789abcdef) to end (UPDATE_IN_PROGRESS)
    network Vpc UPDATE_IN_PROGRESS
    network Vpc UPDATE_COMPLETE
    network is up to date
    ");
}
