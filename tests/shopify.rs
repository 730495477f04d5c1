//! A shop that changes: webhooks, a run longer than its Lambda's time, and a backfill.

use std::fmt::Write as _;

use serde_json::Value;

use crate::rehearse::{count, project, report};
use crate::support::{self, Test};

const ORDERS: u64 = 20;

/// A project with the orders of a sample as the data of its shop.
fn shop() -> Option<Test> {
    let test = project()?;
    let sample = test.command(&["sample", "--orders", "20", "--seed", "7", "--out", "sample"]).output().unwrap();
    assert!(sample.status.success(), "{}", test.show(&sample));
    std::fs::create_dir(test.path("shop")).unwrap();
    std::fs::copy(test.path("sample/shop/orders.jsonl"), test.path("shop/orders.jsonl")).unwrap();
    Some(test)
}

/// What happened in the shop and in the Lambda that reads it.
fn printed(report: &Value) -> String {
    let mut printed = String::new();
    for step in report["timeline"].as_array().unwrap() {
        let text = |name: &str| step[name].as_str().unwrap();
        let (kind, name, detail) = (text("kind"), text("name"), text("detail"));
        let line = match kind {
            "shop" | "schedule" => format!("{kind} {name} {detail}"),
            "event" if detail.contains("ingest") => format!("{kind} {name} {detail}"),
            // How much memory it took, and how soon it started, differs.
            "function" if name.contains("ingest") => {
                let is_known = |part: &&str| part.starts_with("orders") || part.contains(" of gid:");
                let rows = detail.rsplit(", ").find(is_known).unwrap_or("-");
                format!("{kind} {name} {rows}")
            }
            _ => continue,
        };
        writeln!(printed, "{line}").unwrap();
    }
    printed
}

#[test]
fn webhooks_deliver_changes_and_a_backfill_reads_everything_again() {
    let Some(test) = shop() else { return };
    let test = test.edit(
        "stacks/pipeline.yaml",
        "      schedule: rate(1 hour)\n",
        "      schedule: rate(1 hour)\n      events: {partner_source: aws.partner/shopify.com/1234567/shop}\n",
    );
    let orders = std::fs::read_to_string(test.path("shop/orders.jsonl")).unwrap();
    let rows: Vec<Value> = orders.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let mut roots = rows.iter().filter(|row| row.get("__parentId").is_none());
    let (mut changed, gone) = (roots.next().unwrap().clone(), roots.next().unwrap()["id"].clone());
    changed["updatedAt"] = "2026-11-20T12:00:00Z".into();
    changed["name"] = "#1001-changed".into();
    let mut new = changed.clone();
    new["id"] = "gid://shopify/Order/9999999999999".into();
    new["name"] = "#new".into();
    let event = serde_json::json!({"id": "gid://shopify/BasicEvent/1", "action": "destroy", "subjectType": "ORDER",
        "subjectId": gone, "createdAt": "2026-11-20T12:00:00Z"});
    let test = test
        .write("shop/changes/1-sold/orders.jsonl", &format!("{changed}\n{new}\n"))
        .write("shop/changes/1-sold/events.jsonl", &format!("{event}\n"));

    let (code, first) = report(&test, &["--data", "shop=shop"]);
    assert_eq!((code, count(&first, "orders")), (Some(0), ORDERS), "{first:#}");
    insta::assert_snapshot!(printed(&first), @"
    schedule shop-local-ingest-shop rate(1 hour)
    function shop-local-ingest-shop orders 81
    shop shop 1-sold
    event webhook orders/create rule aws.partner/shopify.com/1234567/shop|shop-local-webhooks-shop → lambda shop-local-ingest-shop
    event webhook orders/delete rule aws.partner/shopify.com/1234567/shop|shop-local-webhooks-shop → lambda shop-local-ingest-shop
    event webhook orders/updated rule aws.partner/shopify.com/1234567/shop|shop-local-webhooks-shop → lambda shop-local-ingest-shop
    function shop-local-ingest-shop 2 rows of gid://shopify/Order/9999999999999
    function shop-local-ingest-shop 1 row of gid://shopify/Order/3838572000002
    function shop-local-ingest-shop 5 rows of gid://shopify/Order/3838572000001
    schedule shop-local-ingest-shop rate(1 hour)
    function shop-local-ingest-shop orders 10
    ");
    // What landed is gone when it is loaded; its copy is not.
    let landing = test.path(".pipectl/local/s3/buckets/shop-local-raw-archive-000000000000-us-east-1/landing/orders");
    let mut landed = Vec::new();
    let mut folders = vec![landing];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            if entry.path().is_dir() {
                folders.push(entry.path());
            } else if entry.file_name().to_string_lossy().contains("-webhook-") {
                landed.extend(std::fs::read_to_string(entry.path()).unwrap().lines().map(str::to_owned));
            }
        }
    }
    let has = |text: &str| landed.iter().filter(|line| line.contains(text)).count();
    assert_eq!((landed.len(), has("#1001-changed"), has("#new"), has("_deleted")), (3, 1, 1, 1), "{landed:#?}");

    insta::assert_snapshot!(test.run(&["backfill", "shop", "--from", "2020-01-01", "--table", "refunds", "--env", "local"]), @"
    exit code: 0
    ----- stdout -----
    shop-local-ingest-shop reads orders again since 2020-01-01T00:00:00Z
    ----- stderr -----
    for the tables order_lines, orders, refunds, transactions
    requested; the next `pipectl rehearse --env local` with data of `shop` does it
    ");
    std::fs::remove_dir_all(test.path("shop/changes")).unwrap();
    let (code, second) = report(&test, &["--data", "shop=shop"]);
    // One came and one went. What is read again is older than its deletion.
    assert_eq!((code, count(&second, "orders")), (Some(0), ORDERS), "{second:#}");
    insta::assert_snapshot!(printed(&second), @"
    event a call that waited → lambda shop-local-ingest-shop
    schedule shop-local-ingest-shop rate(1 hour)
    function shop-local-ingest-shop orders 81
    function shop-local-ingest-shop orders 0
    ");
}

#[test]
fn a_run_longer_than_the_lambda_timeout_continues_in_another_call() {
    let Some(test) = shop() else { return };
    // The operation outlives the first call, and its result the next.
    let test = test
        .edit("stacks/local.yaml", "overrides:\n", "overrides:\n  functions: {timeout: 15}\n")
        .write("shop/faults.json", r#"{"operation_seconds": 18, "download_bytes_a_second": 3000}"#);
    let (code, report) = report(&test, &["--data", "shop=shop"]);
    assert_eq!((code, count(&report, "orders")), (Some(0), ORDERS), "{report:#}");
    let calls = report["timeline"].as_array().unwrap().iter();
    let calls = calls.filter(|step| step["name"] == "lambda shop-local-ingest-shop" && step["kind"] == "event");
    let times: u64 = calls.map(|step| step["times"].as_u64().unwrap()).sum();
    assert!(times >= 2, "{report:#}");
    let raw = test.path(".pipectl/local/s3/buckets/shop-local-raw-000000000000-us-east-1");
    assert!(raw.join("parked/shop").is_dir(), "nothing was parked in the middle of a result");
}

#[test]
fn unsupported_backfills_are_reported() {
    let test = Test::reference();
    let run = |arguments: &[&str]| test.run(&[&["backfill", "--env", "local"], arguments].concat());
    insta::assert_snapshot!(run(&["shp", "--from", "2024-01-01"]), @"
    exit code: 64
    ----- stdout -----
    ----- stderr -----
    error: there is no source `shp`
    = hint: did you mean `shop`?
    ");
    insta::assert_snapshot!(run(&["erp", "--from", "2024-01-01"]), @"
    exit code: 64
    ----- stdout -----
    ----- stderr -----
    error: `erp` is not a Shopify source, and only those are read again
    = hint: what has arrived is replayed by `pipectl replay --from raw --since DATE --env local`
    ");
    insta::assert_snapshot!(run(&["shop", "--from", "2999-01-01", "--table", "stores"]), @"
    exit code: 64
    ----- stdout -----
    ----- stderr -----
    error: `--from 2999-01-01T00:00:00Z` is in the future
    = hint: name a day that is over

    error: `--table stores`: the source `shop` has no such table
    = hint: known here: customers, orders, order_lines, refunds, transactions, products, variants, inventory_items, inventory_levels
    ");
    insta::assert_snapshot!(run(&["shop", "--from", "2024-01-01T08:00", "--dry-run"]), @"
    exit code: 0
    ----- stdout -----
    shop-local-ingest-shop reads customers, inventoryItems, inventoryLevels, orders, products again since 2024-01-01T08:00:00Z
    ----- stderr -----
    for the tables customers, inventory_items, inventory_levels, order_lines, orders, products, refunds, transactions, variants
    ");
    insta::assert_snapshot!(run(&["shop", "--from", "2024-01-01"]), @"
    exit code: 1
    ----- stdout -----
    shop-local-ingest-shop reads customers, inventoryItems, inventoryLevels, orders, products again since 2024-01-01T00:00:00Z
    ----- stderr -----
    for the tables customers, inventory_items, inventory_levels, order_lines, orders, products, refunds, transactions, variants
    error: AWS refused `Invoke`: Function not found: arn:aws:lambda:us-east-1:000000000000:function:shop-local-ingest-shop
    = note: code ResourceNotFoundException
    = hint: deploy the pipeline first: pipectl deploy --env local
    ");
    support::write(&test.path("shop/changes/notes.txt"), b"");
    support::write(&test.path("shop/orders.jsonl"), b"");
    support::write(&test.path("shop/faults.json"), b"{\"slow\": 1}");
    insta::assert_snapshot!(test.run(&["rehearse", "--env", "local", "--data", "shop=shop"]), @r#"
    exit code: 65
    ----- stdout -----
    ----- stderr -----
    error: `shop/changes/notes.txt` is not a folder
    = hint: make a folder of each step, `changes/1-<what>/`, with the rows that are other than before

    error: `shop/faults.json` cannot be read: unknown field `slow`, expected one of `expired_token`, `too_many_requests`, `throttled`, `server_error`, `failed_operation`, `miscounted_operation`, `endless_operation`, `truncated_download`, `operation_seconds`, `download_bytes_a_second` at line 1 column 7
    = hint: write names and numbers, such as {"too_many_requests": 2}; docs/sources/shopify.md lists them
    "#);
}
