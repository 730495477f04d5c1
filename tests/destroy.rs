//! `pipectl destroy`: asks, refuses, deletes, and says what stays.

use std::time::Duration;

use crate::support::Test;
use crate::support::world::World;

#[test]
fn destroy_asks_and_keeps_data_by_default() {
    let Some(test) = Test::packaged() else { return };
    insta::assert_snapshot!(test.run(&["destroy", "--env", "local", "--yes"]), @"
    exit code: 0
    ----- stdout -----
    ----- stderr -----
    Nothing of `local` is deployed.
    ");
    let deploy = ["deploy", "--env", "local", "--yes"];
    assert!(test.run(&deploy).starts_with("exit code: 0"));
    insta::assert_snapshot!(test.run(&["destroy", "--env", "local"]), @"
    exit code: 64
    ----- stdout -----
    ----- stderr -----
    These stacks of `local` are deleted: analytics, monitoring, events, glue, ingest, warehouse, storage, iam, network, bootstrap
    warning: these secrets are deleted with their values: ingest/ShopSecret
    error: cannot ask for confirmation here
    = hint: add `--yes` to delete without confirmation
    ");

    // What somebody dropped is data.
    let landing = test.path(".pipectl/local/s3/buckets/shop-local-raw-000000000000-us-east-1/landing/visits");
    std::fs::create_dir_all(&landing).unwrap();
    std::fs::write(landing.join("a.jsonl"), "{}\n").unwrap();
    insta::assert_snapshot!(test.end(&["destroy", "--env", "local", "--yes"]), @"
    exit code: 1
    error: these buckets hold data: `shop-local-raw-000000000000-us-east-1`
    = hint: add `--delete-data` to delete all objects in them, with all their versions
    ");
    assert!(landing.join("a.jsonl").exists());

    let destroyed = test.run(&["destroy", "--env", "local", "--yes", "--delete-data"]);
    let end = destroyed.find("Done: ").unwrap();
    insta::assert_snapshot!(&destroyed[end..], @"
    Done: 10 stacks deleted.
    note: retained by their deletion policy, and in no stack; the next deploy imports them:
      AWS::RedshiftServerless::Namespace  shop-local
    ");
    assert!(!landing.exists());

    let again = test.run(&deploy);
    assert!(again.starts_with("exit code: 0"), "{again}");
    assert!(again.contains("warehouse/Namespace  AWS::RedshiftServerless::Namespace  IMPORT_COMPLETE"), "{again}");
    assert!(test.run(&["plan", "--env", "local", "--exit-code"]).contains("No changes"));
}

#[test]
fn an_orphaned_stack_is_reported_and_can_be_deleted() {
    let Some(test) = Test::packaged() else { return };
    let before = std::fs::read_to_string(test.path("stacks/local.yaml")).unwrap();
    let sources = "  sources:\n    till: {mysql: {database: till, create: {}, capture: cdc}}\n";
    let tables = "overrides:\n  tables:\n    till_sales:\n      source: till.sales\n      \
                  columns: {id: {type: bigint, required: true}}\n      key: [id]\n";
    let test =
        test.edit("stacks/local.yaml", "  sources:\n", sources).edit("stacks/local.yaml", "overrides:\n", tables);
    let deployed = test.run(&["deploy", "--env", "local", "--yes"]);
    assert!(deployed.starts_with("exit code: 0"), "{deployed}");
    let test = test.write("stacks/local.yaml", &before);

    let plan = test.run(&["plan", "--env", "local"]);
    assert!(plan.contains("`shop-local-source-database` is deployed"), "{plan}");
    assert!(plan.contains("pipectl destroy --env local --stack source-database"), "{plan}");
    let only = ["destroy", "--env", "local", "--yes", "--stack", "source-database"];
    let used = test.end(&only);
    assert!(used.contains("is still used, as it is deployed, by: monitoring"), "{used}");
    let mut deploy = vec!["deploy", "--env", "local", "--yes"];
    deploy.extend(["--allow-data-loss", "glue/CleanedTillSalesTable"]);
    deploy.extend(["--allow-data-loss", "glue/TransformedTillSalesTable"]);
    let deployed = test.run(&deploy);
    assert!(deployed.starts_with("exit code: 0"), "{deployed}");
    let json = test.command(&["plan", "--env", "local", "--format", "json", "--exit-code"]).output().unwrap();
    assert_eq!(json.status.code(), Some(0), "an orphan is no change");
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(json["warnings"][0]["kind"], "orphan");

    let destroyed = test.run(&only);
    assert!(destroyed.starts_with("exit code: 0") && destroyed.contains("Done: 1 stacks deleted."), "{destroyed}");
    insta::assert_snapshot!(test.run(&["plan", "--env", "local", "--exit-code"]), @"
    exit code: 0
    ----- stdout -----
    No changes. 10 stacks are up to date.
    ----- stderr -----
    ");
    let nothing = test.end(&only);
    assert!(nothing.starts_with("exit code: 64\nerror: `shop-local-source-database` is not deployed"), "{nothing}");
}

#[test]
fn destroy_waits_for_the_operation_of_a_killed_deploy() {
    let Some(world) = World::bootstrapped() else { return };
    let mut killed = world.started("storage is being created");
    world.account.pace(Duration::from_secs(5));
    killed.kill().unwrap();
    killed.wait().unwrap();
    let destroy = ["destroy", "--env", "dev", "--yes"];
    let mut destroying = world.started_as(&destroy, "storage waits for another deploy (run 20");
    world.account.pace(Duration::from_millis(5));
    let printed = crate::support::world::printed_text(&mut destroying);
    assert!(destroying.wait().unwrap().success(), "{printed}");
    assert!(printed.contains("storage is deleted"), "{printed}");
    // The buckets that came into being after it had looked are empty, so they are no part of what is kept.
    assert!(!printed.contains("AWS::S3::Bucket  shop-dev"), "{printed}");
    let left: Vec<String> = world.account.stacks().into_iter().map(|stack| stack.name).collect();
    assert_eq!(left, ["shop-dev-bootstrap"]);
    let again = world.test.run(&["deploy", "--env", "dev", "--yes"]);
    assert!(again.starts_with("exit code: 0"), "{again}");
}
