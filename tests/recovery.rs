//! A stack whose update failed, and the way back too: what `deploy` says, and how it goes on.

use regex::Regex;

use crate::support::Test;
use crate::support::cloud::{Cloud, Told};
use crate::support::ground::{DEPLOY, Ground};

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
fn error(told: &Told) -> String {
    let text = told.text.find("error: ").map_or("no error", |at| &told.text[at..]);
    let token = Regex::new("RequestToken: [0-9a-f-]{36}").unwrap();
    format!("{:?}\n{}", told.code, token.replace_all(text, "RequestToken: [TOKEN]"))
}

/// An account in which the update of the warehouse failed because its bucket is gone, and so did the way back.
fn stuck() -> Option<(Test, Cloud, Told)> {
    let Ground { after, new, .. } = Ground::lay()?;
    let test = with_warehouse(after, "Enabled");
    let cloud = Cloud::copy_of(new.path());
    let told = cloud.run(&test, &DEPLOY);
    assert_eq!(told.code, Some(0), "{}", told.text);
    cloud.delete_bucket(BUCKET);
    let test = with_warehouse(test, "Suspended");
    let failed = cloud.run(&test, &DEPLOY);
    assert!(cloud.state().contains("shop-trial-warehouse UPDATE_ROLLBACK_FAILED"), "{}", cloud.state());
    Some((test, cloud, failed))
}

/// All of these parts are in what was told.
fn says(told: &Told, parts: &[&str]) {
    for part in parts {
        assert!(told.text.contains(part), "{}", told.text);
    }
}

#[test]
fn a_failed_rollback_is_gone_on_with_without_what_is_skipped() {
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
      = hint: mend what this names, then run `pipectl deploy` again: it goes on where it stopped
      = hint: the way back failed too: once that is mended, `pipectl deploy --env trial --continue-rollback` goes on with it and then deploys
    "#);
    let refused = cloud.run(&test, &DEPLOY);
    insta::assert_snapshot!(error(&refused), @r#"
    Some(1)
    error: `shop-trial-warehouse` is in UPDATE_ROLLBACK_FAILED: its last update failed, and so did the way back
    = note: `Raw` (AWS::S3::Bucket): Resource handler returned message: "The specified bucket does not exist" (RequestToken: [TOKEN], HandlerErrorCode: NotFound)
    = hint: mend what this names, then run `pipectl deploy --env trial --continue-rollback`
    = hint: what cannot be mended can be left as it is: `pipectl deploy --env trial --continue-rollback --skip warehouse/Raw`
    "#);
    let with = |more: &[&'static str]| cloud.run(&test, &[&DEPLOY[..], &["--continue-rollback"], more].concat());
    let wrong = with(&["--skip", "warehouse/Topic"]);
    insta::assert_snapshot!(error(&wrong), @"
    Some(64)
    error: `warehouse/Topic` cannot be skipped: its rollback has not failed
    = hint: these can be: `warehouse/Raw`
    ");
    // Nothing is mended and nothing is skipped: the way back fails again.
    let again = with(&[]);
    insta::assert_snapshot!(error(&again), @r#"
    Some(1)
    error: `shop-trial-warehouse` is in UPDATE_ROLLBACK_FAILED: its last update failed, and so did the way back
    = note: `Raw` (AWS::S3::Bucket): Resource handler returned message: "The specified bucket does not exist" (RequestToken: [TOKEN], HandlerErrorCode: NotFound)
    = hint: mend what this names, then run `pipectl deploy --env trial --continue-rollback`
    = hint: what cannot be mended can be left as it is: `pipectl deploy --env trial --continue-rollback --skip warehouse/Raw`
    "#);
    // Without the bucket the stack is what it was before, and that is what is wanted now.
    let test = with_warehouse(test, "Enabled");
    let skipped = cloud.run(&test, &[&DEPLOY[..], &["--continue-rollback", "--skip", "warehouse/Raw"]].concat());
    assert_eq!(skipped.code, Some(0), "{}", skipped.text);
    says(
        &skipped,
        &[
            "warehouse goes on with its rollback, without `Raw`",
            "what was skipped in `shop-trial-warehouse` is no longer as its template says: `Raw`",
            "No changes. 9 stacks are up to date.",
        ],
    );
    assert!(cloud.state().contains("shop-trial-warehouse UPDATE_ROLLBACK_COMPLETE"), "{}", cloud.state());
}

#[test]
fn once_it_is_mended_the_rollback_is_gone_on_with_and_the_deploy_too() {
    let Some((test, cloud, _)) = stuck() else { return };
    cloud.create_bucket(BUCKET);
    let done = cloud.run(&test, &[&DEPLOY[..], &["--continue-rollback"]].concat());
    assert_eq!(done.code, Some(0), "{}", done.text);
    says(
        &done,
        &[
            "warehouse goes on with its rollback\n",
            "warehouse is being updated",
            "Done: 0 created, 1 updated, 8 up to date.",
        ],
    );
    assert!(cloud.state().contains("shop-trial-warehouse UPDATE_COMPLETE"), "{}", cloud.state());
}
