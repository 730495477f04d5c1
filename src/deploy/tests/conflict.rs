//! Two deploys of one environment at once.

use super::*;

fn network() -> Release {
    Release { stacks: vec![stack("network", NETWORK, Vec::new())], ..Release::default() }
}

fn tags_change() -> Value {
    json!([{"Type": "Resource", "ResourceChange": {"Action": "Modify", "LogicalResourceId": "Vpc", "ResourceType": "AWS::EC2::VPC",
        "Replacement": "False", "Details": [{"Target": {"Attribute": "Properties", "Name": "Tags", "RequiresRecreation": "Never"}}]}}])
}

/// An update with a conflict at its execution: rejected like this, and the template is then another.
async fn conflict(refusal: Reply, template: &str) -> Fake {
    let fake = existing(Fake::start().await, "network", "Resources: {}")
        .on("GetTemplate:arn:network", result(&json!({"TemplateBody": template})))
        .on("DeleteChangeSet", result(&json!({})));
    let mut fake = fake;
    for (number, status) in [(1, "OBSOLETE"), (2, "AVAILABLE")] {
        let arn = format!("arn:cs:{number}");
        fake = fake.on("CreateChangeSet", result(&json!({"Id": arn, "StackId": "arn:network"}))).on(
            &format!("DescribeChangeSet:{arn}"),
            result(&json!({"ChangeSetId": arn, "StackId": "arn:network", "Status": "CREATE_COMPLETE",
                    "ExecutionStatus": status, "Changes": tags_change()})),
        );
    }
    let done = event("network", "2", "Vpc", "AWS::EC2::VPC", "UPDATE_COMPLETE", "");
    fake.on("ExecuteChangeSet:arn:cs:1", refusal)
        .on("ExecuteChangeSet:arn:cs:2", result(&json!({})))
        .on("DescribeStackEvents:arn:network", result(&json!({"StackEvents": []})))
        .on("DescribeStackEvents:arn:network", result(&json!({"StackEvents": []})))
        .on("DescribeStackEvents:arn:network", result(&json!({"StackEvents": [done]})))
        .on("DescribeStacks:arn:network", result(&described("network", "UPDATE_COMPLETE")))
}

fn refusals() -> [Reply; 4] {
    [
        Reply::Error(
            400,
            "InvalidChangeSetStatus",
            "ChangeSet [x] cannot be executed in its current status of [OBSOLETE]".into(),
        ),
        Reply::Error(404, "ChangeSetNotFound", "ChangeSet [x] does not exist".into()),
        Reply::Error(400, "ValidationError", "Stack:arn is in UPDATE_IN_PROGRESS state and can not be updated.".into()),
        Reply::Error(400, "OperationInProgressException", "Another operation is in progress".into()),
    ]
}

#[tokio::test]
async fn changes_of_another_deploy_are_not_repeated() {
    for refusal in refusals() {
        let fake = conflict(refusal.clone(), NETWORK).await;
        let mut lines = Lines(Vec::new());
        let report = deploy(&fake, network(), &mut lines).await.unwrap();
        assert_eq!(report, [("network".into(), Outcome::Unchanged)], "{refusal:?}");
        assert_eq!(fake.calls(true), ["CreateChangeSet", "ExecuteChangeSet", "DeleteChangeSet"]);
        lines.drop_record();
        assert_eq!(lines.0, ["network was changed concurrently: is planned again", "network is up to date"]);
    }
}

#[tokio::test]
async fn remaining_changes_get_a_new_change_set() {
    for refusal in refusals() {
        let fake = conflict(refusal.clone(), "Resources: {Old: {Type: 'AWS::SNS::Topic'}}").await;
        let report = deploy(&fake, network(), &mut Lines(Vec::new())).await.unwrap();
        assert_eq!(report, [("network".into(), Outcome::Updated)], "{refusal:?}");
        let made = fake.requests("CreateChangeSet");
        let (first, second) = (&made[0].fields["ChangeSetName"], &made[1].fields["ChangeSetName"]);
        assert_eq!(*second, format!("{first}-2"));
        assert_eq!(fake.requests("ExecuteChangeSet").len(), 2);
    }
}

#[tokio::test]
async fn a_saved_plan_is_rejected_for_a_changed_stack() {
    let mut fake = conflict(refusals()[0].clone(), "Resources: {Old: {Type: 'AWS::SNS::Topic'}}").await;
    let mut other = tags_change();
    other[0]["ResourceChange"]["LogicalResourceId"] = "Old".into();
    let other =
        json!({"ChangeSetId": "arn:cs:2", "StackId": "arn:network", "Status": "CREATE_COMPLETE", "Changes": other});
    fake = fake.instead("DescribeChangeSet:arn:cs:2", result(&other));
    let settings = Settings { saved_run: Some("20260101T000000Z-0123456789abcdef".into()), ..Settings::default() };
    let error = deploy_with(&fake, network(), &mut Lines(Vec::new()), settings).await.unwrap_err();
    insta::assert_snapshot!(error, @"
    error: the plan of `shop-dev-network` is out of date: the stack was changed since
    = hint: make a new one: `pipectl plan --env dev --out FILE`
    ");
    assert_eq!(fake.requests("ExecuteChangeSet").len(), 1);
}

#[tokio::test]
async fn a_plan_reads_a_busy_stack_again() {
    let busy =
        Reply::Error(400, "ValidationError", "Stack:arn is in UPDATE_IN_PROGRESS state and can not be updated.".into());
    let fake = existing(Fake::start().await, "network", "Resources: {}")
        .on("GetTemplate:arn:network", result(&json!({"TemplateBody": NETWORK})))
        .on("CreateChangeSet", busy)
        .on("DeleteChangeSet", result(&json!({})));
    assert!(!plan(&fake, network()).await.unwrap().has_changes());
}
