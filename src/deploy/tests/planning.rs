//! Plans, which leave nothing behind.

use super::*;

#[tokio::test]
async fn a_plan_deletes_its_change_sets() {
    let fake = update(Fake::start().await, "CREATE_COMPLETE", "");
    let text = plan(&fake, desired()).await.unwrap().text(false);
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
    insta::assert_snapshot!(plan(&fake, desired()).await.unwrap_err(), @r"
    error: CloudFormation cannot change `shop-dev-network`: Transform AWS::Include failed with: S3 bucket [x] does not exist.
    = hint: fix the template or the parameter that the error names, then run the command again
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
        assert!(!plan(&fake, desired()).await.unwrap().has_changes());
        assert_eq!(fake.calls(true), ["CreateChangeSet", "DeleteChangeSet"]);
    }
}

#[tokio::test]
async fn ctrl_c_during_a_plan_deletes_its_change_sets() {
    let fake = update(Fake::start().await, "CREATE_IN_PROGRESS", "");
    let (sender, stop) = Stop::controlled();
    let (session, mut steps) = open(&fake, desired(), stop).await;
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
    insta::assert_snapshot!(plan(&fake, desired()).await.unwrap().text(false), @r#"
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
async fn a_plan_waits_for_a_busy_stack() {
    let fake =
        Fake::start().await.on("DescribeStacks:shop-dev-network", result(&described("network", "UPDATE_IN_PROGRESS")));
    let fake = fake
        .on("DescribeStacks:arn:network", result(&described("network", "UPDATE_COMPLETE")))
        .on("DescribeStackEvents", result(&json!({"StackEvents": []})));
    let fake = existing(existing(fake, "network", NETWORK), "storage", STORAGE);
    assert!(!plan(&fake, desired()).await.unwrap().has_changes());
}

#[test]
fn templates_of_a_plan_have_their_own_prefix() {
    assert_eq!(crate::deploy::Purpose::Plan.template_key("glue", "ab"), "plan/glue-ab.yaml");
    assert_eq!(crate::deploy::Purpose::Deploy.template_key("glue", "ab"), "templates/glue-ab.yaml");
}

#[tokio::test]
async fn an_export_imported_by_a_foreign_stack_is_reported() {
    let exported = NETWORK.replace("!Ref Vpc}", "!Ref Vpc, Export: {Name: shop-vpc}}");
    let imports =
        Reply::Result("<Imports><member>their-stack</member><member>shop-dev-storage</member></Imports>".into());
    let fake = Fake::start()
        .await
        .on("DescribeStacks:shop-dev-network", result(&described("network", "CREATE_COMPLETE")))
        .on("GetTemplate:arn:network", result(&json!({"TemplateBody": exported})))
        .on("ListImports", imports);
    let fake = update(fake, "CREATE_COMPLETE", "");
    insta::assert_snapshot!(plan(&fake, desired()).await.unwrap().text(false), @"
    shop-dev-network
      ~ Vpc  AWS::EC2::VPC
          ~ Tags

    Unchanged: storage

    Between stacks:
      the export `shop-vpc` of `network` goes while `their-stack` imports it, which is not a stack of this project: CloudFormation refuses that
        1. leave `network` as it is deployed for now, and have the import removed from `their-stack`
        2. then change `network` and deploy again

    Plan: 0 to add, 1 to change, 0 to replace, 0 to remove in 1 of 2 stacks.
    ");
    assert_eq!(fake.requests("ListImports")[0].fields["ExportName"], "shop-vpc");
    // Nothing goes, nothing is asked.
    let fake = update(Fake::start().await, "CREATE_COMPLETE", "");
    plan(&fake, desired()).await.unwrap();
    assert!(fake.requests("ListImports").is_empty());
}
