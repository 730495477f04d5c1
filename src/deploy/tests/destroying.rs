//! Taking an environment down.

use super::*;

/// Answers of an account in which both stacks exist, and one bucket.
fn existing_stack(fake: Fake, protected: bool, objects: &str) -> Fake {
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
        let fake = existing_stack(Fake::start().await, protected, objects);
        let (_sender, stop) = Stop::controlled();
        let (session, _steps) = open(&fake, desired(), stop).await;
        let error = destroy::inventory(&session, false).await.unwrap_err();
        assert!(error.message().starts_with(expected), "{error}");
        assert_eq!(error.hints().len(), 1);
        assert!(fake.calls(true).is_empty());
    }
}

#[tokio::test]
async fn destroy_deletes_in_reverse_order_and_data_on_request() {
    let fake = existing_stack(Fake::start().await, false, OBJECT);
    let (_sender, stop) = Stop::controlled();
    let (session, mut steps) = open(&fake, desired(), stop).await;
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
    storage empties `shop-raw`: 2 objects deleted
    storage is being deleted
    storage Bucket DELETE_SKIPPED
    storage is deleted
    network is being deleted
    network Bucket DELETE_SKIPPED
    network is deleted
    `pipectl history` will not show the end of this run: PutObject failed: the service answered with HTTP status 400 and no message
    ");
}

#[tokio::test]
async fn destroy_waits_for_other_operations() {
    // The stack is at rest when it is looked at; by the time of the first call somebody has begun an update.
    let busy = "Stack [arn:storage] cannot be deleted while in status UPDATE_IN_PROGRESS";
    let refused = Reply::Error(400, "ValidationError", busy.into());
    let fake = existing_stack(Fake::start().await, false, "")
        .instead("DeleteStack:arn:storage", refused)
        .on("DeleteStack:arn:storage", result(&json!({})))
        .instead("DescribeStacks:arn:storage", result(&described("storage", "UPDATE_IN_PROGRESS")))
        .on("DescribeStacks:arn:storage", result(&described("storage", "UPDATE_IN_PROGRESS")))
        .on("DescribeStacks:arn:storage", result(&described("storage", "UPDATE_COMPLETE")))
        .on("DescribeStacks:arn:storage", result(&described("storage", "UPDATE_COMPLETE")))
        .on("DescribeStacks:arn:storage", result(&described("storage", "DELETE_COMPLETE")));
    let (_sender, stop) = Stop::controlled();
    let (session, mut steps) = open(&fake, desired(), stop).await;
    let inventory = destroy::inventory(&session, false).await.unwrap();
    let mut lines = Lines(Vec::new());
    let remains = destroy::destroy(&session, inventory, false, &mut steps, &mut lines).await.unwrap();
    assert_eq!(remains.stacks, ["storage", "network"]);
    lines.drop_record();
    insta::assert_snapshot!(lines.0.join("\n"), @"
    storage is being deleted
    storage waits for another operation to end (UPDATE_IN_PROGRESS)
    storage Bucket DELETE_SKIPPED
    storage Bucket DELETE_SKIPPED
    storage is deleted
    network is being deleted
    network Bucket DELETE_SKIPPED
    network is deleted
    ");
}

#[tokio::test]
async fn destroy_accepts_a_concurrently_deleted_stack() {
    let deleting = result(&described("storage", "UPDATE_IN_PROGRESS"));
    let fake = existing_stack(Fake::start().await, false, "")
        .instead("DescribeStacks:shop-dev-storage", deleting)
        .instead("DescribeStacks:arn:storage", result(&described("storage", "DELETE_IN_PROGRESS")))
        .on("DescribeStacks:arn:storage", result(&described("storage", "DELETE_COMPLETE")));
    let (_sender, stop) = Stop::controlled();
    let (session, mut steps) = open(&fake, desired(), stop).await;
    let inventory = destroy::inventory(&session, false).await.unwrap();
    let remains = destroy::destroy(&session, inventory, false, &mut steps, &mut Silent).await.unwrap();
    assert_eq!(remains.stacks, ["storage", "network"]);
    assert_eq!(fake.calls(true), ["DeleteStack"]);
}
