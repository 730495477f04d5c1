//! Two deploys of one environment at once.

use super::*;

fn network() -> Wanted {
    Wanted { stacks: vec![stack("network", NETWORK, Vec::new())], ..Wanted::default() }
}

fn tags_change() -> Value {
    json!([{"Type": "Resource", "ResourceChange": {"Action": "Modify", "LogicalResourceId": "Vpc", "ResourceType": "AWS::EC2::VPC",
        "Replacement": "False", "Details": [{"Target": {"Attribute": "Properties", "Name": "Tags", "RequiresRecreation": "Never"}}]}}])
}

/// An update that is overtaken when it is to be executed: refused like this, and the template is then another.
async fn overtaken(refusal: Reply, template: &str) -> Fake {
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
async fn what_another_deploy_has_done_is_not_done_again() {
    for refusal in refusals() {
        let fake = overtaken(refusal.clone(), NETWORK).await;
        let mut lines = Lines(Vec::new());
        let report = deploy(&fake, network(), &mut lines).await.unwrap();
        assert_eq!(report, [("network".into(), Outcome::Unchanged)], "{refusal:?}");
        assert_eq!(fake.calls(true), ["CreateChangeSet", "ExecuteChangeSet", "DeleteChangeSet"]);
        lines.drop_record();
        assert_eq!(lines.0, ["network was changed meanwhile: looks again", "network is up to date"]);
    }
}

#[tokio::test]
async fn what_another_deploy_has_left_to_do_is_done_with_a_new_change_set() {
    for refusal in refusals() {
        let fake = overtaken(refusal.clone(), "Resources: {Old: {Type: 'AWS::SNS::Topic'}}").await;
        let report = deploy(&fake, network(), &mut Lines(Vec::new())).await.unwrap();
        assert_eq!(report, [("network".into(), Outcome::Updated)], "{refusal:?}");
        let made = fake.requests("CreateChangeSet");
        let (first, second) = (&made[0].fields["ChangeSetName"], &made[1].fields["ChangeSetName"]);
        assert_eq!(*second, format!("{first}-2"));
        assert_eq!(fake.requests("ExecuteChangeSet").len(), 2);
    }
}

#[tokio::test]
async fn a_saved_plan_is_not_carried_out_on_a_stack_that_is_another() {
    let mut fake = overtaken(refusals()[0].clone(), "Resources: {Old: {Type: 'AWS::SNS::Topic'}}").await;
    let mut other = tags_change();
    other[0]["ResourceChange"]["LogicalResourceId"] = "Old".into();
    let other =
        json!({"ChangeSetId": "arn:cs:2", "StackId": "arn:network", "Status": "CREATE_COMPLETE", "Changes": other});
    fake = fake.instead("DescribeChangeSet:arn:cs:2", result(&other));
    let settings = Settings { run: Some("20260101T000000Z-0123456789abcdef".into()), ..Settings::default() };
    let error = deploy_with(&fake, network(), &mut Lines(Vec::new()), settings).await.unwrap_err();
    insta::assert_snapshot!(error, @"
    error: the plan of `shop-dev-network` is out of date: the stack was changed since
    = hint: make a new one: `pipectl plan --env dev --out FILE`
    ");
    assert_eq!(fake.requests("ExecuteChangeSet").len(), 1);
}

#[tokio::test]
async fn a_plan_looks_again_at_a_stack_that_became_busy() {
    let busy =
        Reply::Error(400, "ValidationError", "Stack:arn is in UPDATE_IN_PROGRESS state and can not be updated.".into());
    let fake = existing(Fake::start().await, "network", "Resources: {}")
        .on("GetTemplate:arn:network", result(&json!({"TemplateBody": NETWORK})))
        .on("CreateChangeSet", busy)
        .on("DeleteChangeSet", result(&json!({})));
    assert!(!plan(&fake, network()).await.unwrap().has_changes());
}
