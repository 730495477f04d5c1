//! Reports of failures.

use super::*;

const BUCKETS: &str = "Resources:\n  Raw:\n    Type: AWS::S3::Bucket\n    Properties:\n      BucketName: Not_A_Name\n      Tags:\n        - {Key: aws:x, Value: y}\n";

#[tokio::test]
async fn early_validation_errors_come_from_describe_events() {
    let failed = |kind: &str, path: &str, reason: &str, mode: &str| {
        json!({"EventId": "e", "EventType": kind, "LogicalResourceId": "Raw", "ResourceType": "AWS::S3::Bucket", "Timestamp": "timestamp",
            "ValidationName": "NAME_CHECK", "ValidationPath": path, "ValidationStatusReason": reason, "ValidationFailureMode": mode})
    };
    let events = [
        failed("VALIDATION_ERROR", "/Resources/Raw/Properties/Tags/0/Key", "Tag keys may not begin with aws:.", "FAIL"),
        failed("VALIDATION_ERROR", "/Resources/Raw", "Only a warning", "WARN"),
        failed("VALIDATION_ERROR", "/Resources/Raw/Properties/BucketName", "The name is not valid.", "FAIL"),
    ];
    let reason = "The following hook(s)/validation failed: [AWS::EarlyValidation::PropertyValidation]. To troubleshoot Early \
                  Validation errors, use the DescribeEvents API for detailed failure information.";
    let fake = Fake::start()
        .await
        .on("DescribeStacks", none())
        .on("CreateChangeSet", result(&json!({"Id": "arn:cs", "StackId": "arn:storage"})))
        .on("DescribeChangeSet", result(&json!({"ChangeSetId": "arn:cs", "Status": "FAILED", "StatusReason": reason})))
        .on("DescribeEvents", result(&json!({"OperationEvents": events[..1], "NextToken": "more"})))
        .on("DescribeEvents", result(&json!({"OperationEvents": events[1..]})))
        .on("DeleteChangeSet", result(&json!({})));
    let desired = Release { stacks: vec![stack("storage", BUCKETS, Vec::new())], ..Release::default() };
    let error = deploy(&fake, desired, &mut Lines(Vec::new())).await.unwrap_err();
    insta::assert_snapshot!(error, @"
    error: CloudFormation cannot change `shop-dev-storage`: `Raw` (AWS::S3::Bucket): The name is not valid (NAME_CHECK)
     --> storage.yaml:5:19
      |
    5 |       BucketName: Not_A_Name
      |                   ^^^^^^^^^^ here
      = note: `Raw` (AWS::S3::Bucket): Tag keys may not begin with aws: (NAME_CHECK) (storage.yaml:7:17)
      = hint: fix the template or the parameter that the error names, then run the command again
    ");
    let asked = &fake.requests("DescribeEvents")[0].fields;
    assert_eq!((asked["ChangeSetName"].as_str(), asked["Filters.FailedEvents"].as_str()), ("arn:cs", "true"));
}

#[tokio::test]
async fn a_failure_without_resource_event_comes_from_describe_events() {
    let mut end = event("network", "3", "shop-dev-network", "AWS::CloudFormation::Stack", "ROLLBACK_COMPLETE", "");
    end["OperationId"] = "op-1".into();
    let failed = json!({"OperationEvents": [{"EventId": "e", "EventType": "HOOK_INVOCATION_ERROR", "LogicalResourceId": "Vpc",
        "ResourceType": "AWS::EC2::VPC", "HookType": "Acme::Guard::Hook", "HookStatusReason": "No network without flow logs."}]});
    let fake =
        creation(Fake::start().await, "network", "ROLLBACK_COMPLETE", &[end]).on("DescribeEvents", result(&failed));
    let desired = Release { stacks: vec![stack("network", NETWORK, Vec::new())], ..Release::default() };
    insta::assert_snapshot!(deploy(&fake, desired, &mut Lines(Vec::new())).await.unwrap_err(), @"
    error: `shop-dev-network` was not created: `Vpc` (AWS::EC2::VPC): No network without flow logs (Acme::Guard::Hook)
     --> network.yaml:2:3
      |
    2 |   Vpc: {Type: 'AWS::EC2::VPC'}
      |   ^^^ this resource
      = note: `shop-dev-network` is now in ROLLBACK_COMPLETE
      = hint: fix the template or the parameter that the error names, then run the command again
    ");
    assert_eq!(fake.requests("DescribeEvents")[0].fields["OperationId"], "op-1");
}

#[tokio::test]
async fn a_hooks_reason_is_reported_for_its_resource() {
    let mut hook = event("network", "1", "Vpc", "AWS::EC2::VPC", "CREATE_IN_PROGRESS", "");
    hook["HookType"] = "Acme::Guard::Hook".into();
    hook["HookStatus"] = "HOOK_COMPLETE_FAILED".into();
    hook["HookStatusReason"] = "No network without flow logs.".into();
    let why = "The following hook(s) failed: [Acme::Guard::Hook]";
    let events = [
        hook,
        event("network", "2", "Vpc", "AWS::EC2::VPC", "CREATE_FAILED", why),
        event("network", "3", "shop-dev-network", "AWS::CloudFormation::Stack", "ROLLBACK_COMPLETE", ""),
    ];
    let fake = creation(Fake::start().await, "network", "ROLLBACK_COMPLETE", &events);
    let desired = Release { stacks: vec![stack("network", NETWORK, Vec::new())], ..Release::default() };
    let error = deploy(&fake, desired, &mut Lines(Vec::new())).await.unwrap_err();
    assert!(
        error.message().ends_with(
            "`Vpc` (AWS::EC2::VPC) failed: the hook Acme::Guard::Hook refuses it: No network without flow logs"
        ),
        "{error}"
    );
}
