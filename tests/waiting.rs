//! Tables whose load has failed: what `status` and `runs` show, and the ways on, in the local account.

use std::path::PathBuf;

use crate::support::{Test, write};

const FIRST: &str = "20261102T080000Z-aaaaaaaaaaaa";
const SECOND: &str = "20261103T080000Z-bbbbbbbbbbbb";

fn transformed(test: &Test) -> PathBuf {
    test.path(".pipectl/local/s3/buckets/shop-local-transformed-000000000000-us-east-1")
}

fn has(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "`{part}` is not in:\n{text}");
    }
}

#[test]
fn a_failed_load_is_shown_retried_and_skipped() {
    let Some(test) = Test::packaged() else { return };
    let deployed = test.run(&["deploy", "--env", "local", "--yes"]);
    assert!(deployed.starts_with("exit code: 0"), "{deployed}");
    let bucket = transformed(&test);
    for batch in [FIRST, SECOND] {
        let entry = format!(
            r#"{{"batch": "{batch}", "committed_at": "2026-11-02T08:00:20Z", "inputs": [], "tables": {{
                "stores": {{"path": "s3://x/stores/batch={batch}/", "rows_in": 2, "rows_out": 2}}}}}}"#
        );
        write(&bucket.join(format!("_ledger/transform/{batch}.json")), entry.as_bytes());
    }
    let record = bucket.join("_ledger/failed/load/stores.json");
    let failed = format!(
        r#"{{"version": 1, "stage": "failed", "batch": "{FIRST}", "name": "stores", "kind": "data", "attempts": 1,
            "message": "Value too long for character type", "hint": "correct it", "document": "0123456789ab"}}"#
    );
    write(&record, failed.as_bytes());

    let status = test.run(&["status", "--env", "local"]);
    has(&status, &["core.stores", FIRST, "data", "warning: core.stores waits: Value too long for character type"]);
    let json = test.run(&["status", "--env", "local", "--format", "json"]);
    has(&json, &["\"waits\": \"core.stores\"", "\"hint\": \"correct it\""]);
    let runs = test.run(&["runs", "--env", "local"]);
    has(
        &runs,
        &[
            "`stores` waits: its load failed: Value too long for character type",
            &format!("`stores` waits: it waits for the batch {FIRST}"),
        ],
    );

    has(&test.run(&["retry", "store", "--env", "local"]), &["exit code: 64", "the pipeline has no table `store`"]);
    has(&test.run(&["retry", "orders", "--env", "local"]), &["exit code: 1", "nothing of `orders` has failed"]);
    let retried = test.run(&["retry", "stores", "--env", "local"]);
    has(&retried, &["exit code: 0", FIRST, "the next `pipectl rehearse` takes it up"]);
    has(&std::fs::read_to_string(&record).unwrap(), &["\"retry\":true", "\"attempts\":1"]);

    let wrong = test.run(&["skip", "stores", SECOND, "--env", "local", "--yes"]);
    has(&wrong, &["exit code: 1", "does not wait for the batch", &format!("pipectl skip stores {FIRST}")]);
    let asked = test.run(&["skip", "stores", FIRST, "--env", "local"]);
    has(&asked, &["exit code: 64", "nobody can be asked here"]);
    let skipped = test.run(&["skip", "stores", FIRST, "--env", "local", "--yes"]);
    has(&skipped, &["exit code: 0", "pipectl replay --from cleaned --since 2026-11-02 --table stores --env local"]);
    let entry = std::fs::read_to_string(bucket.join(format!("_ledger/load/{FIRST}/stores.json"))).unwrap();
    has(&entry, &["\"skipped\":{\"by\":\"arn:", "\"reason\":\"Value too long for character type\"", "\"staged\":0"]);

    let status = test.run(&["status", "--env", "local"]);
    assert!(!status.contains("core.stores"), "{status}");
    let again = test.run(&["skip", "stores", FIRST, "--env", "local", "--yes"]);
    has(&again, &["exit code: 1", "no load of `stores` has failed"]);
}
