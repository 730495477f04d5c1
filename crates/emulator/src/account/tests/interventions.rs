//! What keeps an update from going through, takes it back, and goes on after its way back has failed.

use std::time::Duration;

use super::{Local, message};

fn bucket(name: &str, versions: &str) -> String {
    format!(
        "Resources:
  Topic: {{Type: 'AWS::SNS::Topic', Properties: {{TopicName: one, DisplayName: {versions}}}}}
  Raw: {{Type: 'AWS::S3::Bucket', DependsOn: Topic, Properties: {{BucketName: {name}, VersioningConfiguration: {{Status: {versions}}}}}}}
"
    )
}

const KEEP: &str = r#"{"Statement": [
    {"Effect": "Deny", "Action": ["Update:Replace", "Update:Delete"], "Principal": "*", "Resource": "LogicalResourceId/R*"},
    {"Effect": "Allow", "Action": "Update:*", "Principal": "*", "Resource": "*"}]}"#;

async fn set_policy(local: &Local, policy: &str) -> Result<(), String> {
    local
        .cloudformation
        .set_stack_policy()
        .stack_name("s")
        .stack_policy_body(policy)
        .send()
        .await
        .map(drop)
        .map_err(message)
}

#[tokio::test]
async fn a_stack_policy_denies_only_its_statements() {
    let directory = tempfile::tempdir().unwrap();
    let local = Local::open(directory.path()).await;
    assert_eq!(local.deploy("s", &bucket("raw", "Enabled"), &[]).await, "CREATE_COMPLETE");
    let policy = async || {
        let answer = local.cloudformation.get_stack_policy().stack_name("s").send().await.unwrap();
        answer.stack_policy_body().map(str::to_owned)
    };
    assert_eq!(policy().await, None);
    for wrong in
        ["no", "[]", r#"{"Statement": [{"Effect": "Deny", "Action": "Delete:*", "Principal": "*", "Resource": "*"}]}"#]
    {
        let refused = set_policy(&local, wrong).await.unwrap_err();
        assert_eq!(refused, "ValidationError: Error validating stack policy: Invalid stack policy");
    }
    set_policy(&local, KEEP).await.unwrap();
    assert!(policy().await.unwrap().contains("Update:Replace"));
    assert_eq!(local.deploy("s", &bucket("raw", "Suspended"), &[]).await, "UPDATE_COMPLETE");
    assert_eq!(local.deploy("s", &bucket("other", "Suspended"), &[]).await, "UPDATE_ROLLBACK_COMPLETE");
    let denied = "Raw UPDATE_FAILED: Action denied by stack policy: Statement [#1] does not allow [Update:Replace] for \
                  resource [LogicalResourceId/Raw]";
    assert!(local.events("s").await.contains(&denied.to_owned()));
    let without = "Resources: {Topic: {Type: 'AWS::SNS::Topic', Properties: {TopicName: one, DisplayName: Suspended}}}";
    assert_eq!(local.deploy("s", without, &[]).await, "UPDATE_ROLLBACK_COMPLETE");
    assert!(local.account.bucket_directory("raw").exists());
    set_policy(&local, "{}").await.unwrap();
    assert_eq!(local.deploy("s", without, &[]).await, "UPDATE_COMPLETE");
}

#[tokio::test]
async fn a_cancelled_update_is_rolled_back() {
    let directory = tempfile::tempdir().unwrap();
    let local = Local::open(directory.path()).await;
    assert_eq!(local.deploy("s", &bucket("raw", "Enabled"), &[]).await, "CREATE_COMPLETE");
    let cancel = || local.cloudformation.cancel_update_stack().stack_name("s").send();
    let refused = cancel().await.map_err(message).unwrap_err();
    assert_eq!(refused, "ValidationError: CancelUpdateStack cannot be called from current stack status");
    local.account.pace(Duration::from_millis(200));
    let change_set = local.change_set("s", &bucket("raw", "Suspended"), &[]).await.unwrap();
    local.cloudformation.execute_change_set().change_set_name(&change_set).send().await.unwrap();
    cancel().await.unwrap();
    local.endpoint_idle().await;
    assert_eq!(local.status("s").await, "UPDATE_ROLLBACK_COMPLETE");
    assert!(local.events("s").await.contains(&"s UPDATE_ROLLBACK_IN_PROGRESS: User Initiated".to_owned()));
    let resources = local.account.resources();
    assert!(resources.iter().all(|one| one.properties.to_string().contains("Enabled")), "{resources:#?}");
}

#[tokio::test]
async fn a_failed_rollback_can_be_continued() {
    for skip in [true, false] {
        let directory = tempfile::tempdir().unwrap();
        let local = Local::open(directory.path()).await;
        assert_eq!(local.deploy("s", &bucket("raw", "Enabled"), &[]).await, "CREATE_COMPLETE");
        local.s3.delete_bucket().bucket("raw").send().await.unwrap();
        assert_eq!(local.deploy("s", &bucket("raw", "Suspended"), &[]).await, "UPDATE_ROLLBACK_FAILED");
        let refused = local.change_set("s", &bucket("raw", "Enabled"), &[]).await.unwrap_err();
        assert!(refused.contains("is in UPDATE_ROLLBACK_FAILED state and can not be updated."), "{refused}");
        // What to go back to is known to the next process too.
        let Local { account, endpoint, .. } = local;
        endpoint.stop().await.unwrap();
        drop(account);
        let local = Local::open(directory.path()).await;
        let go_on = |id: Option<&str>| {
            let request = local.cloudformation.continue_update_rollback().stack_name("s");
            request.set_resources_to_skip(id.map(|id| vec![id.to_owned()])).send()
        };
        assert!(go_on(Some("Topic")).await.is_err());
        go_on(None).await.unwrap();
        local.endpoint_idle().await;
        assert_eq!(local.status("s").await, "UPDATE_ROLLBACK_FAILED");
        if !skip {
            local.s3.create_bucket().bucket("raw").send().await.unwrap();
        }
        go_on(Some("Raw").filter(|_| skip)).await.unwrap();
        local.endpoint_idle().await;
        assert_eq!(local.status("s").await, "UPDATE_ROLLBACK_COMPLETE");
        let topic = local.account.resources().into_iter().find(|one| one.logical_id == "Topic").unwrap();
        assert_eq!(topic.properties["DisplayName"], "Enabled");
    }
}

#[tokio::test]
async fn events_of_an_operation_include_its_failures() {
    let directory = tempfile::tempdir().unwrap();
    let local = Local::open(directory.path()).await;
    assert_eq!(local.deploy("s", &bucket("Not_A_Bucket", "Enabled"), &[]).await, "ROLLBACK_COMPLETE");
    let filter = aws_sdk_cloudformation::types::EventFilter::builder().failed_events(true).build();
    let answer = local.cloudformation.describe_events().stack_name("s").filters(filter).send().await.unwrap();
    let failed: Vec<&str> = answer.operation_events().iter().filter_map(|event| event.logical_resource_id()).collect();
    assert_eq!(failed, ["Raw"]);
}
