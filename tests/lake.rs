//! Uploads to the landing zone, their ledger entries, and replays: in the local account.

use std::path::PathBuf;

use crate::support::{Test, write};

const VISITS: &str = "store_id,day,visitors\ns1,2026-11-01,12\ns2,2026-11-01,7\n";

/// A deployed pipeline, with files beside it.
fn deployed() -> Option<Test> {
    let test = Test::packaged()?;
    let deployed = test.run(&["deploy", "--env", "local", "--yes"]);
    assert!(deployed.starts_with("exit code: 0"), "{deployed}");
    Some(test.write("data/visits-november.csv", VISITS).write("data/stores.csv", "id,name\ns1,North\ns2,South\n"))
}

fn bucket(test: &Test, zone: &str) -> PathBuf {
    test.path(&format!(".pipectl/local/s3/buckets/shop-local-{zone}-000000000000-us-east-1"))
}

fn files(folder: &std::path::Path, below: &mut Vec<String>, base: &std::path::Path) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.path().is_dir() {
            files(&entry.path(), below, base);
        } else {
            below.push(entry.path().strip_prefix(base).unwrap().display().to_string());
        }
    }
    below.sort();
}

fn keys(test: &Test, zone: &str, folder: &str) -> Vec<String> {
    let mut keys = Vec::new();
    files(&bucket(test, zone).join(folder), &mut keys, &bucket(test, zone));
    keys
}

/// One project for all of it: a deploy takes its time.
#[test]
#[expect(clippy::too_many_lines, reason = "one story, with what each command says")]
fn landed_objects_count_once_and_can_be_replayed() {
    let Some(test) = deployed() else { return };
    let upload = ["upload", "--env", "local", "erp", "data/visits-november.csv", "data/stores.csv"];

    // Nobody can be asked; and one bad file keeps all of them back.
    insta::assert_snapshot!(test.run(&upload), @"
    exit code: 64
    ----- stdout -----
    ----- stderr -----
    note: data/stores.csv:1: the header lacks `opened_at`
    note: data/stores.csv:1: the header lacks `tax_rate`
    data/visits-november.csv: 2 rows, 55 B, for `visits`
    data/stores.csv: 2 rows, 26 B, for `stores`
    error: cannot ask for confirmation here
    = hint: add `--yes` to upload without confirmation
    ");
    let test = test.write("data/visits-bad.csv", "store_id,dya,visitors\ns1,2026-11-01,4\n");
    insta::assert_snapshot!(test.run(&[&upload[..], &["data/visits-bad.csv", "--yes"]].concat()), @"
    exit code: 65
    ----- stdout -----
    ----- stderr -----
    note: data/stores.csv:1: the header lacks `opened_at`
    note: data/stores.csv:1: the header lacks `tax_rate`
    note: data/visits-bad.csv:1: the table has no columns dya: they are ignored
    error: data/visits-bad.csv:1: the header lacks `day`
    = note: nothing was uploaded
    = hint: if `dya` is meant, rename it, or declare `from: dya` for the column
    ");
    assert_eq!(keys(&test, "raw", "landing"), [""; 0]);

    // The same content is one object, under whatever name it comes again.
    insta::assert_snapshot!(test.run(&[&upload[..], &["--yes"]].concat()), @"
    exit code: 0
    ----- stdout -----
    data/visits-november.csv: uploaded, 2 rows, 55 B: s3://shop-local-raw-000000000000-us-east-1/landing/visits/visits-november-776cef354d64b3ac.csv
    data/stores.csv: uploaded, 2 rows, 26 B: s3://shop-local-raw-000000000000-us-east-1/landing/stores/stores-34847911d57ad45f.csv
    ----- stderr -----
    note: data/stores.csv:1: the header lacks `opened_at`
    note: data/stores.csv:1: the header lacks `tax_rate`
    ");
    std::fs::copy(test.path("data/visits-november.csv"), test.path("data/visits.csv")).unwrap();
    insta::assert_snapshot!(test.run(&["upload", "--env", "local", "erp", "data/visits.csv", "--yes"]), @"
    exit code: 0
    ----- stdout -----
    data/visits.csv: is already there, 2 rows, 55 B: s3://shop-local-raw-000000000000-us-east-1/landing/visits/visits-november-776cef354d64b3ac.csv
    ----- stderr -----
    note: the same content counts once, so it was not uploaded again; `pipectl replay` replays it
    ");
    let landed = keys(&test, "raw", "landing");
    assert_eq!(landed.len(), 2, "{landed:?}");

    // A run has taken both; its rows of `visits` are loaded, and the landing zone is empty.
    let etag = |key: &str| md5(&std::fs::read(bucket(&test, "raw-archive").join(key)).unwrap());
    let inputs: Vec<String> = landed
        .iter()
        .map(|key| {
            let table = key.split('/').nth(1).unwrap();
            format!(r#"{{"key": "{key}", "etag": "{}", "size": 1, "table": "{table}"}}"#, etag(key))
        })
        .collect();
    let cleaned = bucket(&test, "cleaned");
    let batch = "20261102T080000Z-aaaaaaaaaaaa";
    let entry = format!(
        r#"{{"batch": "{batch}", "committed_at": "2026-11-02T08:00:20Z", "inputs": [{}], "tables": {{
            "visits": {{"path": "s3://x/visits/batch={batch}/", "rows_in": 2, "rows_out": 1, "quarantined": 1}},
            "stores": {{"path": "s3://x/stores/batch={batch}/", "rows_in": 2, "rows_out": 2}}}}}}"#,
        inputs.join(", ")
    );
    write(&cleaned.join(format!("_ledger/clean/{batch}.json")), entry.as_bytes());
    let reason =
        br#"{"source": "s3://raw/landing/visits/v.csv", "reason": "`visitors`: \"x\" is not an integer", "row": "x"}"#;
    write(&cleaned.join(format!("quarantine/visits/batch={batch}/part-0.json")), reason);
    let failed = br#"{"batch": "20261103T080000Z-bbbbbbbbbbbb", "state": "failed", "ended_at": "2026-11-03T08:00:09Z",
        "tables": {"stores": {"objects": 1, "stopped": "the file lost the column `name`"}}}"#;
    write(&bucket(&test, "transformed").join("reports/20261103T080000Z-bbbbbbbbbbbb.json"), failed);
    std::fs::remove_dir_all(bucket(&test, "raw").join("landing")).unwrap();
    insta::assert_snapshot!(test.run(&["runs", "--env", "local"]), @"
    exit code: 0
    ----- stdout -----
    WHEN (UTC)           RUN                            OBJECTS  IN  LOADED  UNCHANGED  QUARANTINED  REACHED  TABLES
    2026-11-03 08:00:09  20261103T080000Z-bbbbbbbbbbbb        1   0       0          0            0  FAILED
    2026-11-02 08:00:20  20261102T080000Z-aaaaaaaaaaaa        2   4       3          0            1  cleaned  stores, visits

    20261103T080000Z-bbbbbbbbbbbb: `stores` waits: the file lost the column `name`
    ----- stderr -----
    note: why rows are in quarantine: `pipectl runs RUN --env local`
    ");
    let newest = test.run(&["runs", "--env", "local", "latest"]);
    assert!(newest.contains("run 20261103T080000Z-bbbbbbbbbbbb, 2026-11-03 08:00:09, FAILED"), "{newest}");
    insta::assert_snapshot!(test.run(&["runs", "--env", "local", "20261102"]), @r#"
    exit code: 0
    ----- stdout -----
    run 20261102T080000Z-aaaaaaaaaaaa, 2026-11-02 08:00:20, cleaned
    2 objects

    TABLE   IN  LOADED  UNCHANGED  QUARANTINED  WAREHOUSE
    stores   2       2          0            0  not yet
    visits   2       1          0            1  not yet

    quarantined rows, each with its reason: s3://shop-local-cleaned-000000000000-us-east-1/quarantine/visits/batch=20261102T080000Z-aaaaaaaaaaaa/
      1× `visitors`: "x" is not an integer (landing/visits/v.csv)
    ----- stderr -----
    "#);

    // Out of the archive, into the request; the request is the last thing that is written.
    let replay = ["replay", "--env", "local", "--since", "2026-11-01"];
    insta::assert_snapshot!(test.run(&[&replay[..], &["--from", "raw", "--dry-run"]].concat()), @"
    exit code: 0
    ----- stdout -----
    TABLE   BATCHES  OBJECTS  SIZE  FROM
    stores        1        1  26 B  1 in the archive
    visits        1        1  55 B  1 in the archive
    ----- stderr -----
    ");
    assert_eq!(keys(&test, "raw", ""), [""; 0]);
    let asked = test.run(&[&replay[..], &["--from", "raw", "--table", "visits", "--yes"]].concat());
    assert!(asked.starts_with("exit code: 0"), "{asked}");
    let requests = keys(&test, "raw", "landing/_replay");
    let request = std::fs::read_to_string(bucket(&test, "raw").join(&requests[0])).unwrap();
    let copies = keys(&test, "raw", "replay");
    assert_eq!((requests.len(), copies.len()), (1, 1));
    assert!(request.contains(&copies[0]), "{request}");
    assert_eq!(std::fs::read_to_string(bucket(&test, "raw").join(&copies[0])).unwrap(), VISITS);

    // What is nowhere is not left out silently.
    insta::assert_snapshot!(test.run(&[&replay[..], &["--from", "cleaned", "--yes"]].concat()), @"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: `stores/batch=20261102T080000Z-aaaaaaaaaaaa/` and 1 more is neither in `shop-local-cleaned-000000000000-us-east-1` nor in `shop-local-cleaned-archive-000000000000-us-east-1`
    = note: the ledger lists it, so it existed; it has expired or was deleted
    = hint: choose a later `--since`, or exclude its table with `--table`
    ");
    insta::assert_snapshot!(test.run(&[&replay[..], &["--from", "raw", "--table", "visit"]].concat()), @"
    exit code: 64
    ----- stdout -----
    ----- stderr -----
    error: there is no table `visit`
    = hint: did you mean `visits`?
    ");
}

fn md5(bytes: &[u8]) -> String {
    use md5::{Digest as _, Md5};
    Md5::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
