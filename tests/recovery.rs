//! A stack whose update failed, and the way back too: what `deploy` says, and how it goes on.

use regex::Regex;

use crate::support::Test;
use crate::support::cloud::{Cloud, RunOutput};
use crate::support::fixtures::{DEPLOY, Fixtures};

const BUCKET: &str = "shop-trial-stand-in";

/// The template of the warehouse: a topic, then a bucket with this versioning.
fn warehouse(versions: &str) -> String {
    format!(
        "Resources:\n  Topic: {{Type: 'AWS::SNS::Topic', Properties: {{TopicName: shop-trial-stand-in, DisplayName: {versions}}}}}\n  \
         Raw:\n    Type: AWS::S3::Bucket\n    DependsOn: Topic\n    \
         Properties: {{BucketName: {BUCKET}, VersioningConfiguration: {{Status: {versions}}}}}\n\
         Outputs:\n  Value: {{Value: !Ref Topic}}\n"
    )
}

fn with_warehouse(test: Test, versions: &str) -> Test {
    test.write("templates/warehouse.yaml.hbs", &warehouse(versions))
}

/// What a deploy said from its error on, with its exit code.
fn error(printed: &RunOutput) -> String {
    let text = printed.text.find("error: ").map_or("no error", |at| &printed.text[at..]);
    let token = Regex::new("RequestToken: [0-9a-f-]{36}").unwrap();
    format!("{:?}\n{}", printed.code, token.replace_all(text, "RequestToken: [TOKEN]"))
}

/// An account in which the update of the warehouse failed because its bucket is gone, and so did the way back.
fn stuck() -> Option<(Test, Cloud, RunOutput)> {
    let Fixtures { after, new, .. } = Fixtures::create()?;
    let test = with_warehouse(after, "Enabled");
    let cloud = Cloud::copy_of(new.path());
    let printed = cloud.run(&test, &DEPLOY);
    assert_eq!(printed.code, Some(0), "{}", printed.text);
    cloud.delete_bucket(BUCKET);
    let test = with_warehouse(test, "Suspended");
    let failed = cloud.run(&test, &DEPLOY);
    assert!(cloud.state().contains("shop-trial-warehouse UPDATE_ROLLBACK_FAILED"), "{}", cloud.state());
    Some((test, cloud, failed))
}

/// All of these parts are in the output.
fn says(printed: &RunOutput, parts: &[&str]) {
    for part in parts {
        assert!(printed.text.contains(part), "{}", printed.text);
    }
}

#[test]
fn a_failed_rollback_is_continued_without_skipped_resources() {
    let Some((test, cloud, failed)) = stuck() else { return };
    insta::assert_snapshot!(error(&failed), @r#"
    Some(1)
    error: `shop-trial-warehouse` was not updated: `Raw` (AWS::S3::Bucket) failed: Resource handler returned message: "The specified bucket does not exist" (RequestToken: [TOKEN], HandlerErrorCode: NotFound)
     --> warehouse.yaml:3:3
      |
    3 |   Raw:
      |   ^^^ this resource
      = note: `shop-trial-warehouse` is now in UPDATE_ROLLBACK_FAILED
      = note: not started, because `warehouse` failed: glue
      = hint: fix the cause, then run `pipectl deploy` again: it resumes where it stopped
      = hint: the rollback failed too: fix its cause, then run `pipectl deploy --env trial --continue-rollback`: it continues the rollback and deploys
    "#);
    let refused = cloud.run(&test, &DEPLOY);
    insta::assert_snapshot!(error(&refused), @r#"
    Some(1)
    error: `shop-trial-warehouse` is in UPDATE_ROLLBACK_FAILED: its last update and the rollback of it failed
    = note: `Raw` (AWS::S3::Bucket): Resource handler returned message: "The specified bucket does not exist" (RequestToken: [TOKEN], HandlerErrorCode: NotFound)
    = hint: fix the cause, then run `pipectl deploy --env trial --continue-rollback`
    = hint: to skip resources that cannot be fixed: `pipectl deploy --env trial --continue-rollback --skip warehouse/Raw`
    "#);
    let with = |more: &[&'static str]| cloud.run(&test, &[&DEPLOY[..], &["--continue-rollback"], more].concat());
    let wrong = with(&["--skip", "warehouse/Topic"]);
    insta::assert_snapshot!(error(&wrong), @"
    Some(64)
    error: `warehouse/Topic` cannot be skipped: its rollback has not failed
    = hint: these can be: `warehouse/Raw`
    ");
    // Nothing is fixed and nothing is skipped: the rollback fails again.
    let again = with(&[]);
    insta::assert_snapshot!(error(&again), @r#"
    Some(1)
    error: `shop-trial-warehouse` is in UPDATE_ROLLBACK_FAILED: its last update and the rollback of it failed
    = note: `Raw` (AWS::S3::Bucket): Resource handler returned message: "The specified bucket does not exist" (RequestToken: [TOKEN], HandlerErrorCode: NotFound)
    = hint: fix the cause, then run `pipectl deploy --env trial --continue-rollback`
    = hint: to skip resources that cannot be fixed: `pipectl deploy --env trial --continue-rollback --skip warehouse/Raw`
    "#);
    // Without the bucket the stack is what it was before, and that is what is wanted now.
    let test = with_warehouse(test, "Enabled");
    let skipped = cloud.run(&test, &[&DEPLOY[..], &["--continue-rollback", "--skip", "warehouse/Raw"]].concat());
    assert_eq!(skipped.code, Some(0), "{}", skipped.text);
    says(
        &skipped,
        &[
            "warehouse continues its rollback, without `Raw`",
            "the resources skipped in `shop-trial-warehouse` no longer match their template: `Raw`",
            "No changes. 9 stacks are up to date.",
        ],
    );
    assert!(cloud.state().contains("shop-trial-warehouse UPDATE_ROLLBACK_COMPLETE"), "{}", cloud.state());
}

#[test]
fn after_the_fix_rollback_and_deploy_continue() {
    let Some((test, cloud, _)) = stuck() else { return };
    cloud.create_bucket(BUCKET);
    let done = cloud.run(&test, &[&DEPLOY[..], &["--continue-rollback"]].concat());
    assert_eq!(done.code, Some(0), "{}", done.text);
    says(
        &done,
        &[
            "warehouse continues its rollback\n",
            "warehouse is being updated",
            "Done: 0 created, 1 updated, 8 up to date.",
        ],
    );
    assert!(cloud.state().contains("shop-trial-warehouse UPDATE_COMPLETE"), "{}", cloud.state());
}
