//! `pipectl destroy`: asks, refuses, deletes, and says what stays.

use crate::support::Test;

#[test]
fn it_asks_and_keeps_data_unless_told_and_can_be_deployed_again() {
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
    error: nobody can be asked here
    = hint: add `--yes` to delete without a question
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
    note: kept, as the deletion policy says, and no part of a stack any more; the next deploy takes them over:
      AWS::RedshiftServerless::Namespace  shop-local
    ");
    assert!(!landing.exists());

    let again = test.run(&deploy);
    assert!(again.starts_with("exit code: 0"), "{again}");
    assert!(again.contains("warehouse/Namespace  AWS::RedshiftServerless::Namespace  IMPORT_COMPLETE"), "{again}");
    assert!(test.run(&["plan", "--env", "local", "--exit-code"]).contains("No changes"));
}
