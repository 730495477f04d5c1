//! Stacks that are made, left as they are, or fail.

use super::*;

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
    let report = deploy(&fake, desired(), &mut lines).await.unwrap();
    assert_eq!(report, [("network".into(), Outcome::Created), ("storage".into(), Outcome::Created)]);
    // The fake has no bucket for the record of the run: that is reported, and fails nothing.
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
    let report = deploy(&fake, desired(), &mut Lines(Vec::new())).await.unwrap();
    assert_eq!(report, [("network".into(), Outcome::Unchanged), ("storage".into(), Outcome::Unchanged)]);
    let mut calls = fake.calls(false);
    calls.sort();
    // What the run before has left undone is looked up in its record, once for all stacks.
    let records = calls.extract_if(.., |call| call.contains("prefix=deploys")).count();
    assert_eq!(records, 1, "{calls:?}");
    assert_eq!(calls, ["DescribeStacks", "DescribeStacks", "GetCallerIdentity", "GetTemplate", "GetTemplate"]);
    assert_eq!(plan(&fake, desired()).await.unwrap().text(false), "No changes. 2 stacks are up to date.\n");
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
    let error = deploy(&fake, desired(), &mut Lines(Vec::new())).await.unwrap_err();
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

#[tokio::test]
async fn a_missing_bootstrap_stack_is_reported() {
    let fake = Fake::start().await.on("DescribeStacks", none());
    let (_sender, stop) = Stop::controlled();
    let error: Error =
        Session::open(fake.connect().await, &spec(false), desired(), Scope::Pipeline, stop).await.unwrap_err();
    insta::assert_snapshot!(error, @r"
    error: the environment `dev` has no bootstrap stack
    = hint: run `pipectl bootstrap --env dev` once, as an administrator of the account
    ");
}

/// The desired state of production, where stacks are protected from termination.
fn protected() -> Release {
    let mut release = desired();
    release.stacks.iter_mut().for_each(|stack| stack.termination_protection = true);
    release
}

#[tokio::test]
async fn a_deploy_protects_its_stacks_or_reports_who_can() {
    let denied = || {
        let message = "User is not authorized to perform: cloudformation:UpdateTerminationProtection";
        Reply::Error(403, "AccessDenied", message.into())
    };
    for (answer, expected) in [
        (result(&json!({})), ""),
        (
            denied(),
            "`shop-dev-network` is not protected against termination, which only an administrator may change; \
             `pipectl bootstrap --env dev` protects all stacks",
        ),
    ] {
        let fake = creation(Fake::start().await, "network", "CREATE_COMPLETE", &[]);
        let fake = creation(fake, "storage", "CREATE_COMPLETE", &[]).on("UpdateTerminationProtection", answer);
        let mut lines = Lines(Vec::new());
        let report = deploy(&fake, protected(), &mut lines).await.unwrap();
        assert_eq!(report, [("network".into(), Outcome::Created), ("storage".into(), Outcome::Created)]);
        let asked: Vec<_> = fake.requests("UpdateTerminationProtection");
        assert_eq!(asked.len(), 2);
        assert!(asked.iter().all(|request| request.fields["EnableTerminationProtection"] == "true"));
        let note = lines.0.iter().find(|line| line.contains("protected"));
        assert_eq!(note.map_or("", String::as_str), expected);
    }
}

#[tokio::test]
async fn bootstrap_protects_the_deployed_stacks_that_are_not() {
    let stack = |name: &str, status: &str, protected: bool| {
        let mut stack = described(name, status);
        stack["Stacks"][0]["EnableTerminationProtection"] = json!(protected);
        result(&stack)
    };
    let fake = Fake::start()
        .await
        .on("DescribeStacks:shop-dev-network", stack("network", "UPDATE_COMPLETE", true))
        .on("DescribeStacks:shop-dev-storage", stack("storage", "CREATE_COMPLETE", false))
        .on("DescribeStacks:shop-dev-glue", stack("glue", "UPDATE_IN_PROGRESS", false))
        .on("DescribeStacks", none())
        .on("UpdateTerminationProtection", result(&json!({})));
    let changed = crate::deploy::protection::protect_all(&fake.connect().await, &spec(false)).await.unwrap();
    assert_eq!(changed, ["shop-dev-storage"]);
    let asked: Vec<_> = fake.requests("UpdateTerminationProtection");
    assert_eq!(
        asked.iter().map(|request| request.fields["StackName"].as_str()).collect::<Vec<_>>(),
        ["shop-dev-storage"]
    );
}
