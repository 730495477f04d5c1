//! `pipectl plan --out FILE` and `pipectl deploy FILE`: exactly what was approved, or nothing.

use crate::support::{Test, root};

const OUT: [&str; 5] = ["plan", "--env", "local", "--out", "plan.json"];

fn deployed() -> Option<Test> {
    let test = Test::packaged()?;
    assert!(test.run(&["deploy", "--env", "local", "--yes"]).starts_with("exit code: 0"));
    Some(test)
}

fn longer_logs(test: Test) -> Test {
    test.edit("stacks/pipeline.yaml", "log_retention_days: 30", "log_retention_days: 60")
}

fn plan(test: &Test) {
    let saved = test.run(&OUT);
    assert!(saved.starts_with("exit code: 0") && saved.contains("saved; execute it with"), "{saved}");
}

#[test]
fn a_saved_plan_is_executed_as_shown_and_once() {
    let Some(test) = Test::packaged() else { return };
    plan(&test);
    let stacks = std::fs::read_dir(test.path(".pipectl/local/stacks")).map(Iterator::count).unwrap_or_default();
    assert_eq!(stacks, 0, "a plan leaves no stack behind, saved or not");
    let first = test.run(&["deploy", "plan.json"]);
    insta::assert_snapshot!(first.lines().last().unwrap(), @"Done: 10 created, 0 updated, 0 up to date.");
    // The same file again: what it asks for is there, and it was this plan that did it.
    let again = test.run(&["deploy", "plan.json"]);
    assert!(again.starts_with("exit code: 0") && !again.contains("Done:"), "{again}");

    let test = longer_logs(test);
    plan(&test);
    insta::assert_snapshot!(test.run(&["deploy", "plan.json"]).lines().last().unwrap(), @"Done: 0 created, 2 updated, 8 up to date.");
    assert!(test.run(&["plan", "--env", "local", "--exit-code"]).contains("No changes"));
}

#[test]
fn a_plan_is_rejected_after_a_stack_change() {
    let Some(test) = deployed() else { return };
    let test = longer_logs(test);
    plan(&test);
    let test = test.edit("stacks/pipeline.yaml", "log_retention_days: 60", "log_retention_days: 90");
    assert!(test.run(&["deploy", "--env", "local", "--yes"]).starts_with("exit code: 0"));
    let test = test.edit("stacks/pipeline.yaml", "log_retention_days: 90", "log_retention_days: 60");
    let refused = test.end(&["deploy", "plan.json"]);
    let times = regex::Regex::new(r"at 20[0-9T:.-]+Z").unwrap();
    insta::assert_snapshot!(times.replace_all(&refused, "at [TIME]"), @"
    exit code: 1
    error: the plan in `plan.json` is out of date, so nothing was deployed
    = note: `shop-local-ingest` was updated since, at [TIME]
    = note: `shop-local-glue` was updated since, at [TIME]
    = hint: make a new one: `pipectl plan --env local --out plan.json`
    ");
}

#[test]
fn a_plan_is_rejected_after_a_file_change() {
    let Some(test) = deployed() else { return };
    let test = longer_logs(test);
    plan(&test);
    let test = test.edit("stacks/pipeline.yaml", "log_retention_days: 60", "log_retention_days: 90");
    insta::assert_snapshot!(test.end(&["deploy", "plan.json"]), @"
    exit code: 1
    error: the plan in `plan.json` is out of date, so nothing was deployed
    = note: the template of `ingest` differs
    = note: the template of `glue` differs
    = hint: make a new one: `pipectl plan --env local --out plan.json`
    ");
    insta::assert_snapshot!(test.end(&["deploy", "none.json"]), @"
    exit code: 65
    error: failed to open file `none.json`: No such file or directory (os error 2)
    = hint: make it with `pipectl plan --env ENV --out FILE`
    ");
    let test = test.write("none.json", "{\"pipectl\": \"0.0.1\"}");
    insta::assert_snapshot!(test.end(&["deploy", "none.json"]), @"
    exit code: 65
    error: `none.json` is not a plan that this pipectl can execute: pipectl 0.0.1 made it, this is 0.1.0
    = hint: make a new one: `pipectl plan --env ENV --out none.json`
    ");
}

#[test]
fn data_is_destroyed_only_with_consent() {
    let Some(test) = deployed() else { return };
    let function = std::fs::read_to_string(root().join("templates/partials/function_logs.yaml.hbs")).unwrap();
    let renamed = function.replacen("{{name}}\n", "{{name}}-logs\n", 1);
    assert_ne!(function, renamed);
    // The roles write to the new groups, or `check` would refuse it.
    let reports = std::fs::read_to_string(root().join("templates/partials/lambda_reports.yaml.hbs")).unwrap();
    let test = test.write("templates/partials/function_logs.yaml.hbs", &renamed).write(
        "templates/partials/lambda_reports.yaml.hbs",
        &reports.replacen("{{function}}:*", "{{function}}-logs:*", 1),
    );
    let refused = test.run(&["deploy", "--env", "local", "--yes"]);
    let shown = refused.split("----- stderr -----").next().unwrap();
    insta::assert_snapshot!(shown[shown.find("Data would be lost").unwrap()..], @"
    Data would be lost:
      ingest/LoadLogs (/pipectl/shop-local/shop-local-load) loses the logs in it
      ingest/ShopLogs (/pipectl/shop-local/shop-local-ingest-shop) loses the logs in it

    Plan: 0 to add, 4 to change, 4 to replace, 0 to remove in 3 of 10 stacks.
    ");
    insta::assert_snapshot!(Test::tail(&refused), @"
    exit code: 1
    error: this deploy would destroy data, so it was not started
    = note: ingest/LoadLogs (/pipectl/shop-local/shop-local-load) loses the logs in it
    = note: ingest/ShopLogs (/pipectl/shop-local/shop-local-ingest-shop) loses the logs in it
    = hint: if that is intended: `pipectl deploy --env local --allow-data-loss ingest/LoadLogs --allow-data-loss ingest/ShopLogs`
    = hint: to keep the data, give the resource `DeletionPolicy: Retain` and `UpdateReplacePolicy: Retain` and deploy that first
    ");
    let allowed = ["deploy", "--env", "local", "--yes", "--allow-data-loss", "ingest/LoadLogs"];
    let refused = test.end(&allowed);
    assert!(refused.contains("note: ingest/ShopLogs") && !refused.contains("note: ingest/LoadLogs"), "{refused}");
    let allowed = [allowed.as_slice(), &["--allow-data-loss", "ingest/ShopLogs"]].concat();
    let done = test.run(&allowed);
    assert!(done.starts_with("exit code: 0"), "{done}");
}
