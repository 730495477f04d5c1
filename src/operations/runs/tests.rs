//! Runs out of ledgers.

use super::*;

fn entry<T: serde::de::DeserializeOwned>(text: &str) -> T {
    serde_json::from_str(text).unwrap()
}

fn buckets() -> Buckets {
    Buckets { cleaned: "cleaned".into(), transformed: "transformed".into() }
}

/// Two cleaned batches and the transform that took both: each row is counted once, at the stage that settled it.
#[test]
fn rows_are_counted_where_they_end() {
    let one = entry(
        r#"{"batch": "20261101T080000Z-a", "committed_at": "2026-11-01T08:00:30Z", "inputs": [{"key": "landing/visits/a.csv"}],
            "tables": {"visits": {"rows_in": 10, "rows_out": 7, "quarantined": 2, "duplicates": 1, "unknown_columns": ["extra"]}}}"#,
    );
    let two = entry(
        r#"{"batch": "20261101T090000Z-b", "committed_at": "2026-11-01T09:00:30Z",
            "inputs": [{"key": "landing/visits/b.csv"}, {"key": "landing/visits/c.csv", "duplicate_of": "landing/visits/b.csv"}],
            "tables": {"visits": {"rows_in": 5, "rows_out": 5}, "stores": {"rows_in": 0}}}"#,
    );
    let transform = entry(
        r#"{"batch": "20261101T090100Z-t", "committed_at": "2026-11-01T09:01:40Z", "inputs": [{"batch": "20261101T080000Z-a"}],
            "tables": {"visits": {"rows_in": 12, "rows_out": 9, "quarantined": 1, "duplicates": 2}}}"#,
    );
    let loaded =
        BTreeMap::from([("visits".to_owned(), Loaded { changed: Some(4), staged: Some(9), ..Loaded::default() })]);
    let through = run(&buckets(), &[&one, &two], Some(&transform), &loaded, true);
    let waiting = run(&buckets(), &[&one], None, &BTreeMap::new(), false);
    let rows = &through.tables["visits"];
    assert_eq!(rows.rows_in, rows.loaded + rows.unchanged + rows.quarantined);
    let reasons = BTreeMap::from([(
        "s3://cleaned/quarantine/visits/batch=20261101T080000Z-a/".to_owned(),
        Reasons::from([(("`visitors`: \"x\" is not an integer".to_owned(), "landing/visits/a.csv".to_owned()), 2)]),
    )]);
    insta::assert_snapshot!(format!("{}\n{}", list(&[through.clone(), waiting]), whole(&through, &reasons)), @r#"
    WHEN (UTC)           RUN                 OBJECTS  IN  LOADED  UNCHANGED  QUARANTINED  REACHED  TABLES
    2026-11-01 09:01:40  20261101T090100Z-t        3  15       9          3            3  loaded   visits
    2026-11-01 08:00:30  20261101T080000Z-a        1  10       7          1            2  cleaned  visits

    run 20261101T090100Z-t, 2026-11-01 09:01:40, loaded
    of the cleaned batches 20261101T080000Z-a, 20261101T090000Z-b
    3 objects, 1 with content that was there before

    TABLE   IN  LOADED  UNCHANGED  QUARANTINED  WAREHOUSE
    visits  15       9          3            3  4 rows added or changed

    visits: columns that the table does not have: extra

    quarantined rows, each with its reason: s3://cleaned/quarantine/visits/batch=20261101T080000Z-a/
      2× `visitors`: "x" is not an integer (landing/visits/a.csv)
    "#);
}
