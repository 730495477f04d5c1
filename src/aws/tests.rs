//! What the clients make of answers, good and bad.

use serde_json::{Value, json};

use super::fake::{ACCOUNT, Fake, Reply, environment, to_xml};
use super::{Aws, Kind};
use crate::error::Error;
use crate::plan::change_set::Progress;
use crate::plan::{AccountRegion, Comparison, Known, Plan};
use crate::render::RenderedStack;
use crate::spec::Map;
use crate::template::Template;
use crate::yaml::Source;

const NO_STACK: &str = "Stack with id x does not exist";

#[tokio::test]
async fn a_stack_that_does_not_exist_is_none() {
    let fake = Fake::start().await.on("DescribeStacks", Reply::Error(400, "ValidationError", NO_STACK.into()));
    assert_eq!(fake.connect().await.cloudformation.stack("x").await, Ok(None));
}

#[tokio::test]
async fn throttling_and_html_errors_are_tried_again() {
    let good =
        to_xml(&json!({"Stacks": [{"StackName": "x", "StackStatus": "CREATE_COMPLETE", "CreationTime": "datetime",
        "Outputs": [{"OutputKey": "A", "OutputValue": "b & c"}]}]}));
    for bad in [
        Reply::Error(400, "Throttling", "Rate exceeded".into()),
        Reply::Raw(500, "text/html", "<html><body>oops</body>".into()),
        Reply::Raw(503, "text/html", String::new()),
        Reply::Reset,
    ] {
        let fake = Fake::start().await.on("DescribeStacks", bad).on("DescribeStacks", Reply::Result(good.clone()));
        let stack = fake.connect().await.cloudformation.stack("x").await.unwrap().unwrap();
        assert_eq!(stack.outputs["A"], "b & c");
        assert_eq!(fake.requests("DescribeStacks").len(), 2);
    }
}

#[tokio::test]
async fn failures_keep_their_kind_without_secrets() {
    let cases = [
        (
            Reply::Error(403, "ExpiredToken", "The security token included in the request is expired".into()),
            Kind::Credentials,
        ),
        (Reply::Error(403, "AccessDenied", "User is not authorized".into()), Kind::AccessDenied),
        (Reply::Raw(500, "text/html", "<html>secret</html>".into()), Kind::Server),
        (Reply::Raw(400, "text/plain", "{}".into()), Kind::Other),
    ];
    let mut texts = String::new();
    for (reply, kind) in cases {
        let fake = Fake::start().await.on("GetTemplate", reply);
        let failure = fake.connect().await.cloudformation.template("x").await.unwrap_err();
        assert_eq!(failure.kind, kind);
        texts = format!("{texts}{}\n\n", Error::from(failure));
    }
    insta::assert_snapshot!(texts, @r"
    error: AWS refused `GetTemplate`: The security token included in the request is expired
    = note: code ExpiredToken, request id r-1
    = hint: log in with `aws sso login` (first time: `aws configure sso`) and set AWS_PROFILE; in GitHub Actions give the job `permissions: id-token: write` and the role that `pipectl bootstrap` made

    error: AWS refused `GetTemplate`: User is not authorized
    = note: code AccessDenied, request id r-1
    = hint: let the role of these credentials do `GetTemplate`, or use the role that `pipectl bootstrap` made

    error: AWS refused `GetTemplate`: the service answered with HTTP status 500 and no message
    = note: request id r-1
    = hint: run the command again in a minute: it resumes where it stopped

    error: AWS refused `GetTemplate`: the service answered with HTTP status 400 and no message
    = note: request id r-1
    ");
}

#[tokio::test]
async fn another_account_is_rejected() {
    let fake = Fake::start().await;
    let error = Aws::connect(&environment("222222222222"), Some((&fake.endpoint, "local"))).await.unwrap_err();
    insta::assert_snapshot!(error, @r#"
    error: these credentials belong to the account 111111111111, but the environment's account is 222222222222
    = hint: set `account: "111111111111"` in the environment's file
    "#);
    assert!(Aws::connect(&environment(ACCOUNT), Some((&fake.endpoint, "local"))).await.is_ok());
}

#[tokio::test]
async fn a_change_set_is_found_after_a_lost_response() {
    let fake = Fake::start()
        .await
        .on("CreateChangeSet", Reply::Reset)
        .on("CreateChangeSet", Reply::Error(400, "AlreadyExistsException", "ChangeSet c cannot be created".into()))
        .on("DescribeChangeSet", Reply::Result(to_xml(&json!({"ChangeSetId": "arn:c", "Status": "CREATE_PENDING"}))));
    let new = super::cloudformation::NewChangeSet {
        revert_drift: false,
        stack_name: "x".into(),
        name: "plan-1".into(),
        create: false,
        template: super::cloudformation::TemplateSource::Body("{}".into()),
        parameters: Map::from([("A".into(), "b c".into())]),
        tags: Map::from([("t".into(), "v".into())]),
        role: None,
    };
    assert_eq!(fake.connect().await.cloudformation.create_change_set(&new).await, Ok("arn:c".into()));
    let sent = &fake.requests("CreateChangeSet")[0].fields;
    assert_eq!(sent["Parameters.member.1.ParameterValue"], "b c");
    assert_eq!(sent["Tags.member.1.Value"], "v");
    assert_eq!(sent["Capabilities.member.1"], "CAPABILITY_NAMED_IAM");
    assert!(!sent.contains_key("OnStackFailure"));
}

#[tokio::test]
async fn all_pages_are_read_and_omitted_fields_are_filled_in() {
    let change = |id: &str| json!({"Type": "Resource", "ResourceChange": {"Action": "Add", "LogicalResourceId": id, "ResourceType": "T"}});
    let warning = "[WARN] --include-property-values option can return incomplete ChangeSet data because: ChangeSet creation failed for resource [C]";
    let page = |changes: Value, next: &str| {
        let mut page = json!({"Status": "CREATE_COMPLETE", "StatusReason": warning, "Changes": changes});
        if !next.is_empty() {
            page["NextToken"] = next.into();
        }
        Reply::Result(to_xml(&page))
    };
    let fake = Fake::start()
        .await
        .on("DescribeChangeSet", page(json!([change("A")]), "2"))
        .on("DescribeChangeSet", page(json!([change("B")]), ""))
        .on("DescribeChangeSet", page(json!([change("A"), change("C")]), ""));
    let change_set = fake.connect().await.cloudformation.change_set("s", "arn:c").await.unwrap();
    let ids: Vec<_> = change_set.changes.iter().map(|change| change.logical_id.as_str()).collect();
    assert_eq!(ids, ["A", "B", "C"]);
    let values: Vec<_> =
        fake.requests("DescribeChangeSet").iter().map(|r| r.fields["IncludePropertyValues"].clone()).collect();
    assert_eq!(values, ["true", "true", "false"]);
}

#[tokio::test]
async fn an_execution_continues_after_a_lost_response() {
    for (status, expected) in [("EXECUTE_IN_PROGRESS", true), ("OBSOLETE", false)] {
        let fake = Fake::start()
            .await
            .on("ExecuteChangeSet", Reply::Reset)
            .on("ExecuteChangeSet", Reply::Error(400, "InvalidChangeSetStatus", "ChangeSet cannot be executed".into()))
            .on(
                "DescribeChangeSet",
                Reply::Result(to_xml(&json!({"Status": "CREATE_COMPLETE", "ExecutionStatus": status}))),
            );
        assert_eq!(fake.connect().await.cloudformation.execute("s", "arn:c", "t", true).await.is_ok(), expected);
    }
}

#[tokio::test]
async fn events_come_in_order_from_all_pages_up_to_the_known_one() {
    let event = |id: &str| json!({"EventId": id, "StackId": "s", "StackName": "s", "Timestamp": "timestamp", "ResourceStatus": "CREATE_COMPLETE"});
    let fake = Fake::start()
        .await
        .on(
            "DescribeStackEvents",
            Reply::Result(to_xml(&json!({"StackEvents": [event("5"), event("4")], "NextToken": "n"}))),
        )
        .on(
            "DescribeStackEvents",
            Reply::Result(to_xml(&json!({"StackEvents": [event("3"), event("2"), event("1")]}))),
        );
    let events = fake.connect().await.cloudformation.events_until("s", |event| event.id == "2").await.unwrap();
    assert_eq!(events.iter().map(|event| event.id.as_str()).collect::<Vec<_>>(), ["3", "4", "5"]);
}

#[tokio::test]
async fn an_artifact_is_never_overwritten() {
    let fake = Fake::start()
        .await
        .on("PUT /b/free?x-id=PutObject", Reply::Raw(200, "text/xml", String::new()))
        .on(
            "PUT /b/taken?x-id=PutObject",
            Reply::Error(412, "PreconditionFailed", "At least one of the pre-conditions".into()),
        )
        .on("HEAD /b/free", Reply::Raw(404, "text/xml", String::new()))
        .on("HEAD /b/taken", Reply::Raw(200, "text/xml", String::new()));
    let s3 = fake.connect().await.s3;
    assert_eq!(s3.create("b", "free", b"abc".to_vec()).await, Ok(true));
    assert_eq!(s3.create("b", "taken", b"abc".to_vec()).await, Ok(false));
    assert_eq!((s3.exists("b", "free").await, s3.exists("b", "taken").await), (Ok(false), Ok(true)));
    let headers = &fake.requests("PUT /b/free?x-id=PutObject")[0].headers;
    assert_eq!(headers["if-none-match"], "*");
    assert_eq!(headers["x-amz-checksum-sha256"], "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=");
}

/// A stack `x` of a template.
fn stack(text: &str) -> RenderedStack {
    RenderedStack {
        name: "x".into(),
        stack_name: "x".into(),
        text: text.into(),
        template: Template::parse(&Source::new("x.yaml", text)).unwrap(),
        inputs: Vec::new(),
        tags: Map::new(),
        termination_protection: false,
    }
}

#[tokio::test]
async fn every_recorded_change_is_in_the_plan() {
    let Some(folder) = pipectl_core::testing::recorded() else { return };
    let text = "Resources: {X: {Type: 'AWS::SNS::Topic'}}";
    let desired = stack(text);
    let known = Known::new(crate::plan::deployed::Stack::default(), String::new());
    let (account_region, parameters) = (AccountRegion::default(), Map::new());
    let comparison =
        Comparison { desired: &desired, known: Some(&known), parameters: &parameters, account_region: &account_region };
    let mut seen = 0;
    let mut sample = None;
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let tests: Map<Value> = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        for (test, content) in tests {
            for (label, answer) in content["recorded-content"].as_object().into_iter().flatten() {
                let Some(changes) = answer.get("Changes").and_then(Value::as_array) else { continue };
                let fake = Fake::start().await.on("DescribeChangeSet", Reply::Result(to_xml(answer)));
                let change_set = fake.connect().await.cloudformation.change_set("s", "arn:c").await.unwrap();
                if answer["Status"] == "FAILED" {
                    assert_ne!(change_set.progress(), Progress::Ready, "{test} {label}");
                    continue;
                }
                let stack = comparison.with_change_set(&change_set).unwrap();
                assert_eq!(stack.resources.len(), changes.len(), "{test} {label}");
                for (resource, change) in stack.resources.iter().zip(changes) {
                    let change = &change["ResourceChange"];
                    let expected = match (change["Action"].as_str().unwrap(), change["Replacement"].as_str()) {
                        ("Add", _) => "add",
                        ("Remove", _) => "remove",
                        (_, Some("True")) => "replace",
                        (_, Some("False")) => "change",
                        _ => "may-replace",
                    };
                    assert_eq!(resource.action.as_str(), expected, "{test} {label}");
                    for detail in change["Details"].as_array().into_iter().flatten() {
                        let target = &detail["Target"];
                        let path = match (target["Path"].as_str(), target["Name"].as_str()) {
                            (Some(path), _) => path.to_owned(),
                            (None, Some(name)) => format!("/{}/{name}", target["Attribute"].as_str().unwrap()),
                            (None, None) => format!("/{}", target["Attribute"].as_str().unwrap()),
                        };
                        let shown = resource
                            .properties
                            .iter()
                            .any(|property| property.path == path || property.path.starts_with(&format!("{path}/")));
                        assert!(shown, "{test} {label}: {path} is missing in {:?}", resource.properties);
                    }
                }
                if test.ends_with("TestChangeSetFnGetAttr::test_immutable_property_update_causes_resource_replacement")
                    && label == "describe-change-set-2-prop-values"
                {
                    sample = Some(stack);
                }
                seen += 1;
            }
        }
    }
    assert!(seen > 100, "only {seen} change sets were found");
    let plan = Plan {
        environment: "dev".into(),
        account: String::new(),
        region: String::new(),
        stacks: vec![sample.unwrap()],
        ..Plan::default()
    };
    insta::assert_snapshot!(plan.text(false), @r#"
    x
    -/+ Topic1  AWS::SNS::Topic  # is replaced because of TopicName
          ~ DisplayName: "value" → "new_value"
          ~ TopicName: "topic-name-1" → "updated-topic-name-1"  # forces replacement
      ~ Topic2  AWS::SNS::Topic
          ~ DisplayName: "value" → (known after deploy)  # through Topic1.DisplayName

    Plan: 0 to add, 1 to change, 1 to replace, 0 to remove in 1 of 1 stack.
    "#);
}

/// Any answer to `DescribeChangeSet` becomes a plan or an error.
#[test]
fn fuzz_change_set() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let text = "Resources: {X: {Type: 'AWS::SNS::Topic', Properties: {TopicName: a}}}";
    let desired = stack(text);
    let known = Known::new(crate::plan::deployed::Stack::default(), text.to_owned());
    let (account_region, parameters) = (AccountRegion::default(), Map::new());
    let comparison =
        Comparison { desired: &desired, known: Some(&known), parameters: &parameters, account_region: &account_region };
    let (fake, aws) = runtime.block_on(async {
        let fake = Fake::start().await;
        let aws = fake.connect().await;
        (fake, aws)
    });
    pipectl_core::testing::fuzz::run("change-set", 30, |input| {
        let answer = String::from_utf8_lossy(input).into_owned();
        // A page that names a next one would be asked for ever: the fake answers the same again and again.
        let answer = answer.replace("NextToken", "NoToken");
        let _ = fake.clone().instead("DescribeChangeSet", Reply::Result(answer));
        let described = runtime.block_on(aws.cloudformation.change_set("s", "arn:c"));
        if let Ok(change_set) = described
            && let Ok(stack) = comparison.with_change_set(&change_set)
        {
            let plan = crate::plan::Plan { stacks: vec![stack], ..crate::plan::Plan::default() };
            drop((plan.json(), plan.markdown(), plan.text(false)));
        }
    });
}
