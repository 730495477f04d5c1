//! What goes wrong, and what is left after it.

use std::time::Duration;

use super::{ACCOUNT, Local, LocalAccount, REGION, message};

const TOPIC: &str = "Resources: {Topic: {Type: 'AWS::SNS::Topic', Properties: {TopicName: one}}}\n";

fn function(bucket: &str, key: &str) -> String {
    format!(
        "Resources:
  Bucket: {{Type: 'AWS::S3::Bucket', DeletionPolicy: RetainExceptOnCreate, Properties: {{BucketName: made-{bucket}}}}}
  Role:
    Type: AWS::IAM::Role
    Properties:
      RoleName: load
      AssumeRolePolicyDocument: {{Version: '2012-10-17', Statement: [{{Effect: Allow, Principal: {{Service: lambda.amazonaws.com}}, Action: 'sts:AssumeRole'}}]}}
  Function:
    Type: AWS::Lambda::Function
    DependsOn: Bucket
    Properties: {{FunctionName: load, Role: !GetAtt Role.Arn, Runtime: provided.al2023, Handler: bootstrap, Code: {{S3Bucket: {bucket}, S3Key: {key}}}}}
"
    )
}

#[tokio::test]
async fn a_failed_creation_is_rolled_back() {
    let directory = tempfile::tempdir().unwrap();
    let local = Local::open(directory.path()).await;
    local.s3.create_bucket().bucket("artifacts").send().await.unwrap();
    assert_eq!(local.deploy("s", &function("artifacts", "gone.zip"), &[]).await, "ROLLBACK_COMPLETE");
    let events = local.events("s").await;
    let failed = events.iter().find(|event| event.contains("CREATE_FAILED")).unwrap();
    assert!(failed.contains("Error occurred while GetObject. S3 Error Code: NoSuchKey."), "{failed}");
    assert!(events.contains(
        &"s ROLLBACK_IN_PROGRESS: The following resource(s) failed to create: [Function]. Rollback requested by user."
            .to_owned()
    ));
    assert!(events.contains(&"Bucket DELETE_COMPLETE".to_owned()), "{events:#?}");
    assert!(local.account.resources().is_empty());
    assert!(!local.account.bucket_directory("made-artifacts").exists());
    let refused = local.change_set("s", &function("artifacts", "gone.zip"), &[]).await.unwrap_err();
    assert!(refused.contains("is in ROLLBACK_COMPLETE state and can not be updated."), "{refused}");
    assert_eq!(local.delete("s").await, "DELETE_COMPLETE");
    local.put("artifacts", "there.zip", b"zip").await;
    assert_eq!(local.deploy("s", &function("artifacts", "there.zip"), &[]).await, "CREATE_COMPLETE");
}

#[tokio::test]
async fn a_failed_update_is_rolled_back() {
    let directory = tempfile::tempdir().unwrap();
    let local = Local::open(directory.path()).await;
    let first = "Resources:
  A: {Type: 'AWS::SSM::Parameter', Properties: {Type: String, Value: one}}
  B: {Type: 'AWS::SNS::Topic', Properties: {TopicName: old}}
  C: {Type: 'AWS::SQS::Queue', Properties: {QueueName: kept}}
";
    let second = "Resources:
  A: {Type: 'AWS::SSM::Parameter', Properties: {Type: String, Value: two}}
  B: {Type: 'AWS::SNS::Topic', Properties: {TopicName: new}}
  D: {Type: 'AWS::SNS::Topic', DependsOn: [A, B], Properties: {TopicName: added}}
  X: {Type: 'AWS::IAM::RolePolicy', DependsOn: D, Properties: {RoleName: nobody, PolicyName: p, PolicyDocument: {}}}
Outputs: {O: {Value: x}}
";
    assert_eq!(local.deploy("s", first, &[]).await, "CREATE_COMPLETE");
    let before: Vec<_> =
        local.account.resources().iter().map(|one| (one.physical_id.clone(), one.properties.clone())).collect();
    assert_eq!(local.deploy("s", second, &[]).await, "UPDATE_ROLLBACK_COMPLETE");
    let after: Vec<_> =
        local.account.resources().iter().map(|one| (one.physical_id.clone(), one.properties.clone())).collect();
    assert_eq!(before, after);
    let events = local.events("s").await;
    for expected in [
        "s UPDATE_ROLLBACK_IN_PROGRESS: The following resource(s) failed to create: [X].",
        "s UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS",
        "D DELETE_COMPLETE",
    ] {
        assert!(events.iter().any(|event| event == expected), "{expected} is missing in {events:#?}");
    }
    assert!(!events.iter().any(|event| event.starts_with("C DELETE")));
    let template = local.cloudformation.get_template().stack_name("s").send().await.unwrap();
    assert_eq!(template.template_body(), Some(first));
    assert_eq!(
        local.deploy("s", &second.replace("nobody", "${no}").replace("  X:", "  # X:"), &[]).await,
        "UPDATE_COMPLETE"
    );
}

#[tokio::test]
async fn duplicate_names_and_invalid_properties_are_rejected() {
    let directory = tempfile::tempdir().unwrap();
    let local = Local::open(directory.path()).await;
    assert_eq!(local.deploy("first", TOPIC, &[]).await, "CREATE_COMPLETE");
    for (name, properties, expected) in [
        ("taken", "Topic: {Type: 'AWS::SNS::Topic', Properties: {TopicName: one}}", "one already exists"),
        (
            "unknown",
            "B: {Type: 'AWS::S3::Bucket', Properties: {BuketName: x}}",
            "Encountered unsupported property BuketName",
        ),
        ("missing", "B: {Type: 'AWS::SSM::Parameter', Properties: {Type: String}}", "required key [Value] not found"),
        (
            "pattern",
            "B: {Type: 'AWS::S3::Bucket', Properties: {BucketName: Not_Ok}}",
            "#/BucketName: failed validation constraint for keyword [pattern]",
        ),
        (
            "kind",
            "B: {Type: 'AWS::S3::Bucket', Properties: {Tags: x}}",
            "#/Tags: expected type: JSONArray, found: String",
        ),
    ] {
        let template = format!("Resources: {{{properties}}}");
        assert_eq!(local.deploy(name, &template, &[]).await, "ROLLBACK_COMPLETE", "{name}");
        let events = local.events(name).await;
        assert!(events.iter().any(|event| event.contains("CREATE_FAILED") && event.contains(expected)), "{events:#?}");
    }
    let named = "Resources: {P: {Type: 'AWS::IAM::Role', Properties: {RoleName: same, Path: KIND, AssumeRolePolicyDocument: \
                 {Version: '2012-10-17', Statement: [{Effect: Allow, Principal: {Service: lambda.amazonaws.com}, Action: \
                 'sts:AssumeRole'}]}}}}";
    assert_eq!(local.deploy("named", &named.replace("KIND", "/one/"), &[]).await, "CREATE_COMPLETE");
    assert_eq!(local.deploy("named", &named.replace("KIND", "/two/"), &[]).await, "UPDATE_ROLLBACK_COMPLETE");
    let events = local.events("named").await;
    assert!(
        events.iter().any(|event| event.contains("when a custom-named resource requires replacing. Rename")),
        "{events:#?}"
    );
}

#[tokio::test]
async fn invalid_requests_are_rejected() {
    let directory = tempfile::tempdir().unwrap();
    let local = Local::open(directory.path()).await;
    let role = "Resources: {R: {Type: 'AWS::IAM::Role', Properties: {AssumeRolePolicyDocument: {}}}}";
    let without = local
        .cloudformation
        .create_change_set()
        .stack_name("s")
        .change_set_name("c")
        .change_set_type("CREATE".into())
        .template_body(role)
        .send()
        .await
        .unwrap_err();
    assert_eq!(message(without), "InsufficientCapabilitiesException: Requires capabilities : [CAPABILITY_IAM]");
    for (template, expected) in [
        (
            "Resources: {X: {Type: 'AWS::EC2::Instance'}}",
            "Template format error: Unrecognized resource types: [AWS::EC2::Instance]",
        ),
        (
            "Resources: {X: {Type: 'AWS::SNS::Topic', Properties: {DisplayName: !Ref Y}}}",
            "Template format error: Unresolved resource dependencies [Y] in the Resources block of the template",
        ),
        (
            "Parameters: {Input: {Type: String}}\nResources: {X: {Type: 'AWS::SNS::Topic'}}",
            "Parameters: [Input] must have values",
        ),
        ("Resources: [", "Template format error: YAML not well-formed."),
    ] {
        let refused = local.change_set("s", template, &[]).await.unwrap_err();
        assert!(refused.starts_with(&format!("ValidationError: {expected}")), "{refused}");
    }
    assert_eq!(local.status("s").await, "ValidationError: Stack with id s does not exist");
    let update = local
        .cloudformation
        .create_change_set()
        .stack_name("s")
        .change_set_name("c")
        .template_body(TOPIC)
        .send()
        .await
        .unwrap_err();
    assert_eq!(message(update), "ValidationError: Stack [s] does not exist");
    local.deploy("s", TOPIC, &[]).await;
    local
        .cloudformation
        .update_termination_protection()
        .stack_name("s")
        .enable_termination_protection(true)
        .send()
        .await
        .unwrap();
    let protected = local.cloudformation.delete_stack().stack_name("s").send().await.unwrap_err();
    assert!(message(protected).contains("cannot be deleted while TerminationProtection is enabled"));
    let cost = local.cloudformation.estimate_template_cost().template_body("{}").send().await.unwrap_err();
    assert!(message(cost).contains("no action EstimateTemplateCost"));
}

#[tokio::test]
async fn deletion_policies_are_respected() {
    let directory = tempfile::tempdir().unwrap();
    let local = Local::open(directory.path()).await;
    let template = "Resources:
  Kept: {Type: 'AWS::S3::Bucket', DeletionPolicy: Retain, UpdateReplacePolicy: Retain, Properties: {BucketName: kept}}
  Topic: {Type: 'AWS::SNS::Topic'}
";
    local.deploy("s", template, &[]).await;
    let renamed = local.change_set("s", &template.replace("BucketName: kept", "BucketName: other"), &[]).await.unwrap();
    let described = local.cloudformation.describe_change_set().change_set_name(&renamed).send().await.unwrap();
    let change = described.changes()[0].resource_change().unwrap();
    assert_eq!(change.policy_action().unwrap().as_str(), "ReplaceAndRetain");
    local.execute(&renamed).await.unwrap();
    assert!(local.account.bucket_directory("kept").is_dir() && local.account.bucket_directory("other").is_dir());
    assert_eq!(local.delete("s").await, "DELETE_COMPLETE");
    assert!(local.account.bucket_directory("other").is_dir());
    assert_eq!(local.deploy("s", template, &[]).await, "ROLLBACK_COMPLETE");
    let events = local.events("s").await;
    assert!(events.iter().any(|event| event == "Kept CREATE_FAILED: kept already exists"), "{events:#?}");
}

#[tokio::test]
async fn a_crash_during_an_operation_ends_as_a_rollback() {
    let directory = tempfile::tempdir().unwrap();
    let many = "Resources:
  Bucket: {Type: 'AWS::S3::Bucket', Properties: {BucketName: half-made}}
  Topic: {Type: 'AWS::SNS::Topic', DependsOn: Bucket}
";
    let copy = tempfile::tempdir().unwrap();
    {
        let local = Local::open(directory.path()).await;
        assert_eq!(local.deploy("old", TOPIC, &[]).await, "CREATE_COMPLETE");
        local.account.pace(Duration::from_secs(1));
        let create = local.change_set("new", many, &[]).await.unwrap();
        let update = local.change_set("old", &TOPIC.replace("one", "two"), &[]).await.unwrap();
        for change_set in [create, update] {
            local.cloudformation.execute_change_set().change_set_name(change_set).send().await.unwrap();
        }
        // The bucket is there, and the topic after it takes another second.
        while !local.account.bucket_directory("half-made").exists() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert_eq!(local.status("new").await, "CREATE_IN_PROGRESS");
        // What a process that is killed now would leave behind.
        copy_all(directory.path(), copy.path());
        local.endpoint_idle().await;
    }
    let account = LocalAccount::open(copy.path(), ACCOUNT, REGION).unwrap();
    let states: Vec<(String, String)> = account.stacks().into_iter().map(|stack| (stack.name, stack.status)).collect();
    assert_eq!(states[0], ("new".into(), "ROLLBACK_COMPLETE".into()));
    assert!(states[1].1.ends_with("_COMPLETE"), "{states:?}");
    assert!(!account.bucket_directory("half-made").exists());
}

fn copy_all(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_all(&entry.path(), &target);
        } else {
            // A temporary file may have gone in between.
            let _ = std::fs::copy(entry.path(), target);
        }
    }
}

#[tokio::test]
async fn a_port_in_use_is_reported() {
    let directory = tempfile::tempdir().unwrap();
    let local = Local::open(directory.path()).await;
    let error = local.account.serve(local.endpoint.port()).await.err().unwrap().to_string();
    assert!(error.contains("is taken by another program") && error.contains("hint: choose another port"), "{error}");
}
