//! Stacks come, change and go.

use super::Local;

const BUCKET: &str = "
Parameters:
  Days: {Type: Number, Default: 30}
  Password: {Type: String, NoEcho: true, Default: hidden}
Resources:
  Bucket:
    Type: AWS::S3::Bucket
    DeletionPolicy: Delete
    Properties:
      BucketName: !Sub 'shop-raw-${AWS::AccountId}'
      LifecycleConfiguration: {Rules: [{Id: old, Status: Enabled, ExpirationInDays: !Ref Days}]}
      VersioningConfiguration: {Status: Enabled}
  Policy:
    Type: AWS::S3::BucketPolicy
    Properties:
      Bucket: !Ref Bucket
      PolicyDocument: {Version: '2012-10-17', Statement: [{Effect: Deny, Principal: '*', Action: 's3:*', Resource: !GetAtt Bucket.Arn}]}
  Role:
    Type: AWS::IAM::Role
    Properties:
      RoleName: shop-load
      AssumeRolePolicyDocument: {Version: '2012-10-17', Statement: [{Effect: Allow, Principal: {Service: lambda.amazonaws.com}, Action: 'sts:AssumeRole'}]}
  Secret:
    Type: AWS::SecretsManager::Secret
    Properties: {Name: shop/shop, SecretString: !Ref Password}
Outputs:
  Name: {Value: !Ref Bucket}
  RoleArn: {Value: !GetAtt Role.Arn}
";

#[tokio::test]
async fn a_stack_is_created_changed_and_deleted() {
    let directory = tempfile::tempdir().unwrap();
    let local = Local::open(directory.path()).await;
    assert_eq!(local.deploy("shop-storage", BUCKET, &[]).await, "CREATE_COMPLETE");
    let stacks = local.cloudformation.describe_stacks().stack_name("shop-storage").send().await.unwrap();
    let outputs: Vec<&str> = stacks.stacks()[0].outputs().iter().filter_map(|output| output.output_value()).collect();
    assert_eq!(outputs, ["shop-raw-000000000000", "arn:aws:iam::000000000000:role/shop-load"]);
    assert!(local.account.bucket_directory("shop-raw-000000000000").is_dir());
    assert_eq!(local.account.secret_value("shop/shop").as_deref(), Some("hidden"));
    assert_eq!(
        local.events("shop-storage").await[..5],
        [
            "shop-storage REVIEW_IN_PROGRESS: User Initiated",
            "shop-storage CREATE_IN_PROGRESS: User Initiated",
            "Bucket CREATE_IN_PROGRESS",
            "Bucket CREATE_IN_PROGRESS: Resource creation Initiated",
            "Bucket CREATE_COMPLETE",
        ]
    );
    let again = local.change_set("shop-storage", BUCKET, &[]).await.unwrap();
    let again = local.cloudformation.describe_change_set().change_set_name(again).send().await.unwrap();
    assert_eq!(again.status().unwrap().as_str(), "FAILED");
    assert!(again.status_reason().unwrap().starts_with("The submitted information didn't contain changes."));

    let changed = local.change_set("shop-storage", BUCKET, &[("Days", "60")]).await.unwrap();
    let described = local
        .cloudformation
        .describe_change_set()
        .change_set_name(&changed)
        .include_property_values(true)
        .send()
        .await
        .unwrap();
    let change = described.changes()[0].resource_change().unwrap();
    let target = change.details()[0].target().unwrap();
    assert_eq!(described.changes().len(), 1);
    assert_eq!(target.path(), Some("/Properties/LifecycleConfiguration/Rules/0/ExpirationInDays"));
    assert_eq!((target.before_value(), target.after_value()), (Some("30"), Some("60")));
    assert_eq!(change.details()[0].causing_entity(), Some("Days"));
    assert!(!format!("{described:?}").contains("hidden"));
    local.execute(&changed).await.unwrap();
    assert_eq!(local.status("shop-storage").await, "UPDATE_COMPLETE");
    let lifecycle = local.s3.get_bucket_lifecycle_configuration().bucket("shop-raw-000000000000").send().await.unwrap();
    assert_eq!(lifecycle.rules()[0].expiration().unwrap().days(), Some(60));

    local.put("shop-raw-000000000000", "a/b", b"x").await;
    assert_eq!(local.delete("shop-storage").await, "DELETE_FAILED");
    let events = local.events("shop-storage").await;
    let failure = events.iter().find(|event| event.contains("DELETE_FAILED")).unwrap();
    assert!(failure.contains("The bucket you tried to delete is not empty"), "{failure}");
    local.s3.delete_object().bucket("shop-raw-000000000000").key("a/b").send().await.unwrap();
    assert_eq!(local.delete("shop-storage").await, "DELETE_COMPLETE");
    assert_eq!(local.status("shop-storage").await, "ValidationError: Stack with id shop-storage does not exist");
    assert!(!local.account.bucket_directory("shop-raw-000000000000").exists());
    assert!(local.account.resources().is_empty());
}

#[tokio::test]
async fn replacement_creates_before_it_deletes() {
    let directory = tempfile::tempdir().unwrap();
    let local = Local::open(directory.path()).await;
    let topic = |name: &str, display: &str| {
        format!(
            "Resources:\n  Topic: {{Type: 'AWS::SNS::Topic', Properties: {{TopicName: {name}, DisplayName: {display}}}}}\n\
             \x20 Value: {{Type: 'AWS::SSM::Parameter', Properties: {{Type: String, Value: !Ref Topic}}}}\n"
        )
    };
    assert_eq!(local.deploy("s", &topic("one", "a"), &[]).await, "CREATE_COMPLETE");
    assert_eq!(local.deploy("s", &topic("two", "a"), &[]).await, "UPDATE_COMPLETE");
    let events = local.events("s").await;
    let last: Vec<&str> =
        events.iter().map(String::as_str).skip_while(|event| !event.starts_with("s UPDATE_IN")).collect();
    assert_eq!(
        last,
        [
            "s UPDATE_IN_PROGRESS: User Initiated",
            "Topic UPDATE_IN_PROGRESS: Requested update requires the creation of a new physical resource; hence creating \
             one.",
            "Topic UPDATE_IN_PROGRESS: Resource creation Initiated",
            "Topic UPDATE_COMPLETE",
            "Value UPDATE_IN_PROGRESS",
            "Value UPDATE_COMPLETE",
            "s UPDATE_COMPLETE_CLEANUP_IN_PROGRESS",
            "Topic DELETE_IN_PROGRESS",
            "Topic DELETE_COMPLETE",
            "s UPDATE_COMPLETE",
        ]
    );
    let resources = local.account.resources();
    assert_eq!(resources[0].physical_id, "arn:aws:sns:us-east-1:000000000000:two");
    assert_eq!(resources[1].properties["Value"], "arn:aws:sns:us-east-1:000000000000:two");
    assert_eq!(resources[1].line, 3);
}

#[tokio::test]
async fn outputs_and_tags_alone_are_changes() {
    let directory = tempfile::tempdir().unwrap();
    let local = Local::open(directory.path()).await;
    let plain = "Resources: {Topic: {Type: 'AWS::SNS::Topic'}}\n";
    local.deploy("s", plain, &[]).await;
    let with_output = format!("{plain}Outputs: {{Arn: {{Value: !Ref Topic}}}}\n");
    let change_set = local.change_set("s", &with_output, &[]).await.unwrap();
    let described = local.cloudformation.describe_change_set().change_set_name(&change_set).send().await.unwrap();
    assert_eq!((described.changes().len(), described.execution_status().unwrap().as_str()), (0, "AVAILABLE"));
    local.execute(&change_set).await.unwrap();
    let stacks = local.cloudformation.describe_stacks().stack_name("s").send().await.unwrap();
    assert_eq!(stacks.stacks()[0].outputs().len(), 1);
    let tag = aws_sdk_cloudformation::types::Tag::builder().key("team").value("data").build();
    let tagged = local
        .cloudformation
        .create_change_set()
        .stack_name("s")
        .change_set_name("tags")
        .use_previous_template(true)
        .tags(tag)
        .send()
        .await
        .unwrap();
    let described =
        local.cloudformation.describe_change_set().change_set_name(tagged.id().unwrap()).send().await.unwrap();
    assert_eq!(described.changes()[0].resource_change().unwrap().scope()[0].as_str(), "Tags");
    local.execute(tagged.id().unwrap()).await.unwrap();
    assert_eq!(local.account.stacks()[0].tags["team"], "data");
}

#[tokio::test]
async fn executing_a_change_set_deletes_the_others() {
    let directory = tempfile::tempdir().unwrap();
    let local = Local::open(directory.path()).await;
    let template = "Resources: {Topic: {Type: 'AWS::SNS::Topic'}}\n";
    let one = local.change_set("s", template, &[]).await.unwrap();
    let other = local.change_set("s", template, &[]).await.unwrap();
    assert_eq!(local.status("s").await, "REVIEW_IN_PROGRESS");
    local.execute(&one).await.unwrap();
    let gone = local.cloudformation.describe_change_set().change_set_name(&other).send().await;
    assert!(super::message(gone.unwrap_err()).starts_with("ChangeSetNotFound"));
    let spent = local.execute(&one).await.unwrap_err();
    assert!(spent.starts_with("InvalidChangeSetStatus: ChangeSet [arn:"), "{spent}");
}

#[tokio::test]
async fn ten_stacks_are_deployed_quickly() {
    let directory = tempfile::tempdir().unwrap();
    let local = Local::open(directory.path()).await;
    let mut template = "Resources:\n".to_owned();
    for index in 0..12 {
        template.push_str(&["  T", &index.to_string(), ": {Type: 'AWS::SNS::Topic'}\n"].concat());
    }
    let start = std::time::Instant::now();
    for index in 0..10 {
        assert_eq!(local.deploy(&format!("s{index}"), &template, &[]).await, "CREATE_COMPLETE");
    }
    // Not a benchmark: with a wait of a second for each resource it would take twice as long.
    assert!(start.elapsed().as_secs() < 60, "{:?}", start.elapsed());
    eprintln_time("deploy of 10 stacks, 120 resources", start);
}

fn eprintln_time(what: &str, start: std::time::Instant) {
    eprintln!("{what}: {:?}", start.elapsed());
}
