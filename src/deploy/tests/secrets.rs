//! What AWS repeats of a secret is hidden in all that is said of it.

use std::fmt::Write as _;

use super::*;

const FUNCTION: &str = "Parameters:
  Password: {Type: String, NoEcho: true, Default: hunter2-of-the-shop}
  Bucket: {Type: String, Default: shop-artifacts}
Resources:
  Load:
    Type: AWS::Lambda::Function
    Properties:
      Role: arn:aws:iam::111111111111:role/load
      Code: {S3Bucket: shop-artifacts, S3Key: load.zip}
      Environment: {Variables: {TOKEN: token-of-the-function, QUOTED: 'to\"ken', BUCKET: !Ref Bucket, LEVEL: info}}
  Topic: {Type: 'AWS::SNS::Topic', Properties: {DisplayName: !Ref Password}}
";

const SECRETS: [&str; 4] = ["hunter2", "token-of-the-function", "to\\\"ken", "way-to"];

fn function() -> Release {
    Release { stacks: vec![stack("network", FUNCTION, Vec::new())], ..Release::default() }
}

fn holds_none(text: &str) {
    for secret in SECRETS {
        assert!(!text.contains(secret), "{secret}: {text}");
    }
}

#[tokio::test]
async fn of_a_failed_function_and_its_dependents() {
    let measured = "Lambda was unable to configure your environment variables because the environment variables you have provided \
         exceeded the 4KB limit. String measured: {\"TOKEN\":\"token-of-the-function\",\"QUOTED\":\"to\\\"ken\",\"BUCKET\":\"shop-artifacts\",\
         \"LEVEL\":\"info\"}";
    let events = [
        event("network", "1", "Load", "AWS::Lambda::Function", "CREATE_FAILED", measured),
        event(
            "network",
            "2",
            "Topic",
            "AWS::SNS::Topic",
            "CREATE_FAILED",
            "Invalid DisplayName: hunter2-of-the-shop {{resolve:ssm:way-to}}",
        ),
        event("network", "3", "shop-dev-network", "AWS::CloudFormation::Stack", "ROLLBACK_COMPLETE", ""),
    ];
    let fake = creation(Fake::start().await, "network", "ROLLBACK_COMPLETE", &events);
    let mut lines = Reasons(String::new());
    let error = deploy(&fake, function(), &mut lines).await.unwrap_err();
    insta::assert_snapshot!(error, @r#"
    error: `shop-dev-network` was not created: `Load` (AWS::Lambda::Function) failed: Lambda was unable to configure your environment variables because the environment variables you have provided exceeded the 4KB limit. String measured: {"TOKEN":"(secret)","QUOTED":"(secret)","BUCKET":"shop-artifacts","LEVEL":"info"}
     --> network.yaml:5:3
      |
    5 |   Load:
      |   ^^^^ this resource
      = note: `Topic` failed after it: Invalid DisplayName: (secret) (secret)
      = note: `shop-dev-network` is now in ROLLBACK_COMPLETE
      = hint: fix the cause, then run `pipectl deploy` again: it resumes where it stopped
    "#);
    holds_none(&lines.0);
    assert!(lines.0.contains("shop-artifacts"), "{}", lines.0);
}

/// All that is said, with the reasons.
struct Reasons(String);

impl Progress for Reasons {
    fn step(&mut self, step: &Step) {
        let _ = writeln!(self.0, "{step:?}");
    }
}

#[tokio::test]
async fn of_a_rejected_change_set() {
    let fake = update(
        Fake::start().await,
        "FAILED",
        "Properties of Load are wrong: token-of-the-function; hunter2-of-the-shop at {{resolve:ssm:way-to}}",
    );
    let error = plan(&fake, function()).await.unwrap_err();
    insta::assert_snapshot!(error, @"
    error: CloudFormation cannot change `shop-dev-network`: Properties of Load are wrong: (secret); (secret) at (secret)
    = hint: fix the template or the parameter that the error names, then run the command again
    ");
}

#[tokio::test]
async fn of_a_template_line_in_an_error() {
    let text = FUNCTION.replace("DisplayName: !Ref Password", "DisplayName: hunter2-of-the-shop");
    let events = [
        event("network", "1", "Topic", "AWS::SNS::Topic", "CREATE_FAILED", "It is too short"),
        event("network", "2", "shop-dev-network", "AWS::CloudFormation::Stack", "ROLLBACK_COMPLETE", ""),
    ];
    let fake = creation(Fake::start().await, "network", "ROLLBACK_COMPLETE", &events);
    let desired = Release { stacks: vec![stack("network", &text, Vec::new())], ..Release::default() };
    let error = deploy(&fake, desired, &mut Lines(Vec::new())).await.unwrap_err();
    insta::assert_snapshot!(error, @"
    error: `shop-dev-network` was not created: `Topic` (AWS::SNS::Topic) failed: It is too short
      --> network.yaml:11:3
       |
    11 |   Topic: {Type: 'AWS::SNS::Topic', Properties: {DisplayName: (secret)}}
       |   ^^^^^ this resource
      = note: `shop-dev-network` is now in ROLLBACK_COMPLETE
      = hint: fix the cause, then run `pipectl deploy` again: it resumes where it stopped
    ");
}
