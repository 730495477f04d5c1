//! `pipectl gc`: lists unused artifacts, and deletes them on request.

use std::fs::File;
use std::path::Path;
use std::time::{Duration, SystemTime};

use regex::Regex;
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::support::{Test, write};

const GC: [&str; 3] = ["gc", "--env", "local"];
const BUCKET: &str = ".pipectl/local/s3/buckets/shop-local-artifacts-000000000000-us-east-1";
const RUN: &str = "20260101T000000Z-0123456789abcdef";

fn days_ago(days: u64) -> SystemTime {
    SystemTime::now() - Duration::from_hours(24 * days) - Duration::from_mins(5)
}

/// The time in the form in which the account stores it.
fn timestamp(time: SystemTime) -> String {
    OffsetDateTime::from(time).format(&Rfc3339).unwrap()
}

/// Makes a file as old as that; a folder with all in it.
fn age(path: &Path, days: u64) {
    if path.is_dir() {
        for entry in std::fs::read_dir(path).unwrap() {
            age(&entry.unwrap().path(), days);
        }
    } else {
        File::options().write(true).open(path).unwrap().set_modified(days_ago(days)).unwrap();
    }
}

/// Changes what the account knows of a stack.
fn stack(test: &Test, name: &str, change: impl FnOnce(&mut Value)) {
    let path = test.path(&format!(".pipectl/local/stacks/{name}.json"));
    let mut state: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    change(&mut state);
    std::fs::write(path, state.to_string()).unwrap();
}

/// The output without digests, counts and sizes that depend on the scripts of the jobs.
fn stable(shown: &str) -> String {
    [
        ("[0-9a-f]{64}", "[SHA]"),
        (r"\d+ artifacts are in use", "[N] artifacts are in use"),
        (r"\.py +[0-9.]+ (B|KiB)", ".py [SIZE]"),
        (r"can be removed \([0-9.]+ KiB\)", "can be removed ([SIZE])"),
    ]
    .iter()
    .fold(shown.to_owned(), |text, (pattern, name)| Regex::new(pattern).unwrap().replace_all(&text, *name).into_owned())
}

#[test]
fn only_unreferenced_artifacts_are_deleted() {
    let Some(test) = Test::packaged() else { return };
    assert!(test.run(&["deploy", "--env", "local", "--yes"]).starts_with("exit code: 0"));
    // Change sets of killed runs and of a saved plan, made as the runs make them.
    let test = test.edit("stacks/pipeline.yaml", "log_retention_days: 30", "log_retention_days: 60");
    assert!(test.run(&["plan", "--env", "local", "--out", "plan.json"]).starts_with("exit code: 0"));
    stack(&test, "shop-local-ingest", |state| {
        let saved = state["change_sets"].as_array().unwrap().iter().find(|one| one["execution_status"] == "AVAILABLE");
        let mut all = vec![saved.unwrap().clone()];
        for (name, created) in [
            (format!("deploy-{RUN}"), timestamp(days_ago(324))),
            (format!("plan-{RUN}"), timestamp(days_ago(0) + Duration::from_hours(24))),
            ("of-a-colleague".to_owned(), timestamp(days_ago(324))),
        ] {
            let mut one = all[0].clone();
            one["id"] = one["id"].as_str().unwrap().replace("saved", &name).into();
            (one["name"], one["created"]) = (name.into(), created.into());
            all.push(one);
        }
        state["change_sets"] = all.into();
    });
    let bucket = test.path(BUCKET);
    let old = format!("lambda/load-{}.zip", "0".repeat(64));
    write(&bucket.join(&old), &[0; 2048]);
    write(&bucket.join(format!("glue/clean-{}.py", "1".repeat(64))), b"new");
    write(&bucket.join("by-hand/notes.txt"), b"not ours");
    age(&bucket, 40);
    age(&bucket.join("glue").join(format!("clean-{}.py", "1".repeat(64))), 20);

    insta::assert_snapshot!(stable(&test.run(&GC)), @"
    exit code: 0
    ----- stdout -----
    KIND        NAME                                                                                 SIZE       AGE
    artifact    glue/ingest-[SHA].py [SIZE]   40 days
    artifact    lambda/load-[SHA].zip  2.0 KiB   40 days
    change set  shop-local-ingest/deploy-20260101T000000Z-0123456789abcdef                                 324 days
    ----- stderr -----
    3 can be removed ([SIZE]); [N] artifacts are in use, one more is too young. `--delete` removes them.
    ");
    insta::assert_snapshot!(test.end(&[&GC[..], &["--delete"]].concat()), @"
    exit code: 64
    error: cannot ask for confirmation here
    = hint: add `--yes` to delete without confirmation
    ");
    assert!(bucket.join(&old).exists());
    let done = test.run(&[&GC[..], &["--delete", "--yes"]].concat());
    assert!(done.starts_with("exit code: 0") && done.contains("Done: "), "{done}");
    assert!(!bucket.join(&old).exists() && bucket.join("by-hand/notes.txt").exists());
    stack(&test, "shop-local-ingest", |state| {
        let left: Vec<&str> =
            state["change_sets"].as_array().unwrap().iter().filter_map(|one| one["name"].as_str()).collect();
        assert_eq!(left.len(), 3, "{left:?}");
        assert!(left[0].starts_with("saved-") && left[1].starts_with("plan-") && left[2] == "of-a-colleague");
    });
    // The saved plan and the stacks are as they were.
    assert!(test.run(&["deploy", "plan.json"]).starts_with("exit code: 0"));
    let again = test.run(&GC);
    assert!(again.contains("Nothing to remove"), "{again}");
    insta::assert_snapshot!(test.end(&[&GC[..], &["--older-than", "0d"]].concat()), @"
    exit code: 64
    error: invalid value '0d' for '--older-than <AGE>': write days or weeks, such as `30d` or `4w`, and at least one day

    For more information, try '--help'.
    ");
}

#[test]
fn a_run_removes_stale_change_sets() {
    let Some(test) = Test::packaged() else { return };
    assert!(test.run(&["deploy", "--env", "local", "--yes"]).starts_with("exit code: 0"));
    let test = test.edit("stacks/pipeline.yaml", "log_retention_days: 30", "log_retention_days: 60");
    assert!(test.run(&["plan", "--env", "local", "--out", "plan.json"]).starts_with("exit code: 0"));
    stack(&test, "shop-local-ingest", |state| {
        let saved = state["change_sets"].as_array().unwrap().last().unwrap().clone();
        let mut all = vec![saved];
        for (name, hours) in [("plan", 7), ("deploy", 7), ("plan-drift", 1)] {
            let mut one = all[0].clone();
            one["created"] = timestamp(SystemTime::now() - Duration::from_hours(hours)).into();
            one["name"] = format!("{name}-{RUN}").into();
            one["id"] = one["id"].as_str().unwrap().replace("saved", name).into();
            all.push(one);
        }
        state["change_sets"] = all.into();
    });
    let names = |test: &Test| {
        let mut names = Vec::new();
        stack(test, "shop-local-ingest", |state| {
            names = state["change_sets"].as_array().unwrap().iter().map(|one| one["name"].to_string()).collect();
        });
        names.into_iter().map(|name: String| name.split("20").next().unwrap().replace('"', "")).collect::<Vec<_>>()
    };
    // A plan may remove plans only.
    assert!(test.run(&["plan", "--env", "local"]).starts_with("exit code: 0"));
    assert_eq!(names(&test), ["saved-", "deploy-", "plan-drift-"]);
    // A deploy that nobody agreed to, too.
    assert!(test.run(&["deploy", "--env", "local"]).starts_with("exit code: 64"));
    assert_eq!(names(&test), ["saved-", "plan-drift-"]);
    assert!(test.run(&["deploy", "plan.json"]).starts_with("exit code: 0"), "the saved plan was left alone");
}
