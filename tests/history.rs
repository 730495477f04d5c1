//! `pipectl history`: what was deployed when, by whom, and how it ended.

use regex::Regex;
use serde_json::Value;

use crate::support::{Test, UNCHECKED, root};

const DEPLOY: [&str; 4] = ["deploy", "--env", "local", "--yes"];
const HISTORY: [&str; 3] = ["history", "--env", "local"];
const BUCKET: &str = ".pipectl/local/s3/buckets/shop-local-artifacts-000000000000-us-east-1";

/// Without what differs from run to run.
fn steady(shown: &str) -> String {
    let times = Regex::new(r"20\d\d-\d\d-\d\d \d\d:\d\d:\d\d").unwrap();
    let took = Regex::new(r" {2,}\d+:\d\d").unwrap();
    took.replace_all(&times.replace_all(shown, "[TIME]"), "  [TOOK]").into_owned()
}

fn runs(test: &Test) -> Vec<Value> {
    let output = test.command(&[&HISTORY[..], &["--format", "json"]].concat()).output().unwrap();
    let history: Value = serde_json::from_slice(&output.stdout).unwrap();
    history["runs"].as_array().unwrap().clone()
}

#[test]
fn every_run_with_changes_is_recorded() {
    let Some(test) = Test::packaged() else { return };
    insta::assert_snapshot!(test.run(&HISTORY), @"
    exit code: 0
    ----- stdout -----
    ----- stderr -----
    No deploy of `local` is recorded.
    ");

    let template = std::fs::read_to_string(root().join("templates/storage.yaml.hbs")).unwrap();
    let broken = template.replacen("BucketName: {{buckets.logs}}", "BucketName: Not_A_Bucket", 1).replacen(
        "  LogsBucket:\n    Type: AWS::S3::Bucket\n",
        &format!("  LogsBucket:\n    Type: AWS::S3::Bucket\n{UNCHECKED}"),
        1,
    );
    let test = test.write("templates/storage.yaml.hbs", &broken);
    assert!(test.run(&DEPLOY).starts_with("exit code: 1"));
    std::fs::remove_file(test.path("templates/storage.yaml.hbs")).unwrap();
    assert!(test.run(&DEPLOY).starts_with("exit code: 0"));
    // Nothing to change, nothing to remember.
    assert!(test.run(&DEPLOY).contains("No changes"));
    let test = test.edit("stacks/pipeline.yaml", "log_retention_days: 30", "log_retention_days: 60");
    assert!(test.run(&["deploy", "--env", "local"]).starts_with("exit code: 64"), "nobody agreed");
    assert!(test.run(&["plan", "--env", "local", "--out", "plan.json"]).starts_with("exit code: 0"));
    assert!(test.run(&["deploy", "plan.json"]).starts_with("exit code: 0"));
    insta::assert_snapshot!(steady(&test.run(&HISTORY)), @"
    exit code: 0
    ----- stdout -----
    STARTED (UTC)        RUN     RESULT     TOOK  BY     COMMIT  STACKS
    [TIME]  deploy  succeeded  [TOOK]  local          2 updated, 8 unchanged
    [TIME]  deploy  succeeded  [TOOK]  local          4 created, 6 unchanged
    [TIME]  deploy  failed  [TOOK]  local          6 created, 1 failed, 3 skipped

    [TIME]  storage: `shop-local-storage` was not created: `LogsBucket` (AWS::S3::Bucket) failed: Properties validation failed for resource with message: #/BucketName: failed validation constraint for keyword [pattern]
    ----- stderr -----
    ");

    let runs = runs(&test);
    let own = |run: &Value, name: &str| run[name].as_str().unwrap_or_default().to_owned();
    assert_eq!(runs.len(), 3);
    assert_eq!(own(&runs[0], "caller"), "arn:aws:iam::000000000000:user/local");
    let plan: Value = serde_json::from_slice(&std::fs::read(test.path("plan.json")).unwrap()).unwrap();
    assert_eq!(runs[0]["run"], plan["run"], "a saved plan is known again by its run");
    assert!(runs.iter().all(|run| own(run, "plan").len() == 64), "{runs:#?}");
    let one = test.run(&[&HISTORY[..], &["--limit", "1"]].concat());
    assert_eq!(one.lines().filter(|line| line.starts_with("20")).count(), 1, "{one}");
}

#[test]
fn a_killed_run_leaves_a_record_without_an_end() {
    let Some(test) = Test::packaged() else { return };
    assert!(test.run(&DEPLOY).starts_with("exit code: 0"));
    // What a killed run has written before it was killed.
    let folder = test.path(BUCKET).join("deploys");
    let record = std::fs::read_dir(&folder).unwrap().next().unwrap().unwrap().path();
    let text = std::fs::read_to_string(&record).unwrap();
    let mut cut: Value = serde_json::from_str(&text).unwrap();
    for (name, value) in [("result", "unfinished".into()), ("seconds", Value::Null), ("stacks", Value::Array(vec![]))] {
        cut[name] = value;
    }
    std::fs::write(folder.join("20000101T000000Z-0123456789abcdef.json"), cut.to_string()).unwrap();
    std::fs::write(folder.join("20000101T000001Z-0123456789abcdef.json"), r#"{"version": 99}"#).unwrap();
    let shown = steady(&test.run(&HISTORY));
    insta::assert_snapshot!(shown, @"
    exit code: 0
    ----- stdout -----
    STARTED (UTC)        RUN     RESULT      TOOK  BY     COMMIT  STACKS
    [TIME]  deploy  succeeded  [TOOK]  local          10 created
    [TIME]  deploy  unfinished        local
    ----- stderr -----
    warning: one record is not shown: another version of pipectl wrote what this one cannot read
    ");
}
