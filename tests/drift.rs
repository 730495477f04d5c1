//! `pipectl drift` and `pipectl plan --drift`: what somebody changed past the stacks.

use aws_sdk_s3 as s3;
use aws_sdk_s3::types::{BucketVersioningStatus, Tag, Tagging, VersioningConfiguration};
use pipectl::local::LocalAccount;
use serde_json::Value;

use crate::support::Test;

const DRIFT: [&str; 3] = ["drift", "--env", "local"];
const RAW: &str = "shop-local-raw-000000000000-us-east-1";

/// Does something to the account over S3, as somebody with another tool would.
fn with_s3<F: Future<Output = ()>>(test: &Test, work: impl FnOnce(s3::Client) -> F) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(async {
        let account = LocalAccount::open(&test.path(".pipectl/local"), "000000000000", "us-east-1").unwrap();
        let endpoint = account.serve(0).await.unwrap();
        let config = s3::Config::builder()
            .behavior_version(s3::config::BehaviorVersion::latest())
            .region(s3::config::Region::new("us-east-1"))
            .credentials_provider(s3::config::Credentials::new(account.access_key("me"), "me", None, None, "test"))
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .endpoint_url(endpoint.url())
            .force_path_style(true)
            .build();
        work(s3::Client::from_conf(config)).await;
        endpoint.stop().await.unwrap();
    });
}

fn somebody_changes_a_bucket(test: &Test) {
    with_s3(test, |s3| async move {
        let suspended = VersioningConfiguration::builder().status(BucketVersioningStatus::Suspended).build();
        s3.put_bucket_versioning().bucket(RAW).versioning_configuration(suspended).send().await.unwrap();
        let tag = Tag::builder().key("owner").value("me").build().unwrap();
        let tags = Tagging::builder().tag_set(tag).build().unwrap();
        s3.put_bucket_tagging().bucket(RAW).tagging(tags).send().await.unwrap();
    });
}

#[test]
fn drift_is_shown_until_it_is_resolved() {
    let Some(test) = Test::packaged() else { return };
    let nothing = test.run(&DRIFT);
    assert!(nothing.starts_with("exit code: 0") && nothing.contains("Not deployed: bootstrap, network"), "{nothing}");
    assert!(test.run(&["deploy", "--env", "local", "--yes"]).starts_with("exit code: 0"));
    insta::assert_snapshot!(test.run(&DRIFT), @"
    exit code: 0
    ----- stdout -----
    Not checked: AWS::Athena::NamedQuery (12), AWS::Athena::WorkGroup (1), AWS::CloudTrail::Trail (1), AWS::CloudWatch::Alarm (15), AWS::EC2::RouteTable (1), AWS::EC2::SecurityGroup (1) and 26 more types; `--format json` has all

    No drift in 10 stacks: 7 as deployed, 139 not checked.
    ----- stderr -----
    ");

    somebody_changes_a_bucket(&test);
    let shown = test.run(&DRIFT);
    insta::assert_snapshot!(shown.split("Not checked").next().unwrap(), @r#"
    exit code: 2
    ----- stdout -----
    shop-local-storage
      ~ RawBucket  AWS::S3::Bucket  shop-local-raw-000000000000-us-east-1
          ~ VersioningConfiguration.Status: "Enabled" → "Suspended"
          + Tags: [{"Key":"owner","Value":"me"}]
    "#);
    assert!(shown.contains("Drift: 1 resource in 1 of 10 stacks"), "{shown}");
    let json = test.command(&[&DRIFT[..], &["--format", "json"]].concat()).output().unwrap();
    assert_eq!(json.status.code(), Some(2));
    let json: Value = serde_json::from_slice(&json.stdout).unwrap();
    let storage = json["stacks"].as_array().unwrap().iter().find(|stack| stack["name"] == "storage").unwrap();
    insta::assert_snapshot!(serde_json::to_string_pretty(&storage["drifted"]).unwrap(), @r#"
    [
      {
        "logical_id": "RawBucket",
        "type": "AWS::S3::Bucket",
        "physical_id": "shop-local-raw-000000000000-us-east-1",
        "status": "modified",
        "properties": [
          {
            "path": "/Properties/VersioningConfiguration/Status",
            "deployed": "Enabled",
            "live": "Suspended"
          },
          {
            "path": "/Properties/Tags",
            "deployed": null,
            "live": [
              {
                "Key": "owner",
                "Value": "me"
              }
            ]
          }
        ]
      }
    ]
    "#);

    with_s3(&test, |s3| async move { drop(s3.delete_bucket().bucket(RAW).send().await.unwrap()) });
    let shown = test.run(&DRIFT);
    assert!(shown.contains(&format!("  - RawBucket  AWS::S3::Bucket  {RAW}  # was deleted\n")), "{shown}");
}

#[test]
fn a_plan_shows_only_drift_that_it_overwrites() {
    let Some(test) = Test::packaged() else { return };
    assert!(test.run(&["deploy", "--env", "local", "--yes"]).starts_with("exit code: 0"));
    somebody_changes_a_bucket(&test);
    let plan = ["plan", "--env", "local", "--drift"];
    let none = test.run(&plan);
    assert!(none.contains("No changes"), "a deploy that changes nothing overwrites nothing: {none}");

    let template = std::fs::read_to_string(crate::support::root().join("templates/storage.yaml.hbs")).unwrap();
    let (start, rest) = template.split_once("  RawBucket:").unwrap();
    let changed = rest.replacen(
        "      BucketName: {{buckets.raw}}\n",
        "      BucketName: {{buckets.raw}}\n      Tags: [{Key: owner, Value: us}]\n",
        1,
    );
    assert_ne!(rest, changed);
    let test = test.write("templates/storage.yaml.hbs", &format!("{start}  RawBucket:{changed}"));
    insta::assert_snapshot!(test.run(&plan), @r#"
    exit code: 0
    ----- stdout -----
    shop-local-storage
      ~ RawBucket  AWS::S3::Bucket
          + Tags: [{"Key":"owner","Value":"us"}]
        drift that is overwritten (deployed → live → after this deploy)
          ~ RawBucket  AWS::S3::Bucket
              VersioningConfiguration.Status: "Enabled" → "Suspended" → "Enabled"
              Tags: (none) → [{"Key":"owner","Value":"me"}] → [{"Key":"owner","Value":"us"}]

    Unchanged: bootstrap, network, iam, warehouse, ingest, glue, events, monitoring, analytics

    Plan: 0 to add, 1 to change, 0 to replace, 0 to remove in 1 of 10 stacks.
    ----- stderr -----
    "#);
    let json = test.command(&[&plan[..], &["--format", "json"]].concat()).output().unwrap();
    let json: Value = serde_json::from_slice(&json.stdout).unwrap();
    let storage = json["stacks"].as_array().unwrap().iter().find(|stack| stack["name"] == "storage").unwrap();
    assert_eq!(storage["overwrites"][0]["logical_id"], "RawBucket");
    let markdown = test.run(&[&plan[..], &["--format", "markdown"]].concat());
    assert!(markdown.contains("drift that is overwritten"), "{markdown}");
    let plain = test.run(&["plan", "--env", "local"]);
    assert!(!plain.contains("drift"), "only when asked: {plain}");

    // Nothing is left behind, and a saved plan is none of the drift-aware change sets.
    assert!(test.run(&[&plan[..], &["--out", "plan.json"]].concat()).starts_with("exit code: 0"));
    let state = std::fs::read(test.path(".pipectl/local/stacks/shop-local-storage.json")).unwrap();
    let state: Value = serde_json::from_slice(&state).unwrap();
    let waiting = state["change_sets"].as_array().unwrap().iter().filter(|one| one["execution_status"] == "AVAILABLE");
    assert_eq!(waiting.count(), 1);
    assert!(test.run(&["deploy", "plan.json"]).starts_with("exit code: 0"));
}
