//! What a replay chooses.

use super::*;
use crate::project::built_in;

fn entries() -> Vec<Clean> {
    serde_json::from_str(
        r#"[
        {"batch": "20261101T080000Z-aaaaaaaaaaaa", "inputs": [
            {"key": "landing/visits/a.csv", "etag": "1", "size": 10, "table": "visits"},
            {"key": "landing/stores/s.csv", "etag": "2", "size": 20, "table": "stores"}],
         "tables": {"visits": {"path": "s3://cleaned/visits/batch=20261101T080000Z-aaaaaaaaaaaa/", "rows_out": 5},
                    "stores": {"path": null, "rows_out": 0}}},
        {"batch": "20261102T080000Z-bbbbbbbbbbbb", "inputs": [
            {"key": "landing/visits/a.csv", "etag": "3", "size": 11, "table": "visits"},
            {"key": "landing/visits/b.csv", "etag": "1", "size": 10, "table": "visits", "duplicate_of": "landing/visits/a.csv"},
            {"key": "replay/x/20261101T080000Z-aaaaaaaaaaaa/landing/visits/a.csv", "etag": "1", "size": 10, "table": "visits",
             "replay": "x", "replay_of": "landing/visits/a.csv"}],
         "tables": {"visits": {"path": "s3://cleaned/visits/batch=20261102T080000Z-bbbbbbbbbbbb/", "rows_out": 6}}, "replays": ["x"]}
        ]"#,
    )
    .unwrap()
}

fn only(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// Two contents of one key are two objects, each in its batch; what was a copy already is not copied again.
#[test]
fn the_request_names_each_object_once_in_the_order_of_arrival() {
    let since = ledger::parse_time("2026-11-01").unwrap();
    let selection = selection(Origin::Raw, since, &only(&["visits"]), &entries()).unwrap();
    let request = request(&selection, ledger::parse_time("2026-11-21 10:15").unwrap());
    assert!(request.key().starts_with("landing/_replay/20261121T101500Z-"));
    let text = serde_json::to_string_pretty(&request).unwrap().replace(&request.id, "ID");
    insta::assert_snapshot!(text, @r#"
    {
      "version": 1,
      "id": "ID",
      "from": "raw",
      "since": "2026-11-01T00:00:00Z",
      "requested_at": "2026-11-21T10:15:00Z",
      "tables": [
        "visits"
      ],
      "batches": [
        "20261101T080000Z-aaaaaaaaaaaa",
        "20261102T080000Z-bbbbbbbbbbbb"
      ],
      "inputs": [
        {
          "table": "visits",
          "batch": "20261101T080000Z-aaaaaaaaaaaa",
          "key": "replay/ID/20261101T080000Z-aaaaaaaaaaaa/landing/visits/a.csv",
          "of": "landing/visits/a.csv",
          "etag": "1",
          "size": 10
        },
        {
          "table": "visits",
          "batch": "20261102T080000Z-bbbbbbbbbbbb",
          "key": "replay/ID/20261102T080000Z-bbbbbbbbbbbb/landing/visits/a.csv",
          "of": "landing/visits/a.csv",
          "etag": "3",
          "size": 11
        }
      ]
    }
    "#);
}

/// Otherwise the copies, which the pipeline cleans, would be made of any object of the bucket.
#[test]
fn a_changed_entry_names_no_other_objects() {
    let since = ledger::parse_time("2026-11-01").unwrap();
    let changed = |from: &str, to: &str| -> Vec<Clean> {
        let text = serde_json::to_string(&entries()).unwrap();
        assert!(text.contains(from));
        serde_json::from_str(&text.replacen(from, to, 1)).unwrap()
    };
    for (origin, from, to) in [
        (Origin::Raw, "landing/visits/a.csv", "state/erp.json"),
        (Origin::Raw, "landing/visits/a.csv", "landing/../state/erp.json"),
        (Origin::Raw, "20261101T080000Z-aaaaaaaaaaaa", "../x"),
        (Origin::Cleaned, "s3://cleaned/visits/batch=", "s3://cleaned/_ledger/"),
    ] {
        let error = selection(origin, since, &only(&["visits"]), &changed(from, to)).unwrap_err();
        assert!(error.message().ends_with("names an object that is none of the pipeline's"), "{error}");
    }
}

#[test]
fn cleaned_rows_are_folders_of_batches() {
    let since = ledger::parse_time("2026-11-01").unwrap();
    let selection = selection(Origin::Cleaned, since, &only(&["visits", "stores"]), &entries()).unwrap();
    let items: Vec<String> = selection.items.iter().map(|item| format!("{} {} rows", item.key, item.rows)).collect();
    insta::assert_snapshot!(items.join("\n"), @"
    visits/batch=20261101T080000Z-aaaaaaaaaaaa/ 5 rows
    visits/batch=20261102T080000Z-bbbbbbbbbbbb/ 6 rows
    ");
    let request = request(&selection, since);
    assert!(request.inputs.is_empty() && request.tables == only(&["visits"]));
}

/// A table that keeps all that it is given would have its rows twice.
#[test]
fn tables_without_a_key_are_excluded() {
    let environment = built_in("stacks/dev.yaml").unwrap();
    let pipeline = built_in("stacks/pipeline.yaml").unwrap();
    let text = pipeline.text.replace("load: append\n    key: [store_id, day]", "load: append");
    let spec = Spec::load(&crate::yaml::Source::new("stacks/pipeline.yaml", text), &environment, "dev").unwrap();
    let (taking, left_out) = tables(&spec, &[]).unwrap();
    assert!(taking.contains("orders") && !taking.contains("visits"));
    assert_eq!(left_out, ["visits"]);
    insta::assert_snapshot!(tables(&spec, &["visits".into(), "odrers".into()]).unwrap_err(), @"
    error: table `visits` appends and has no key: its rows would be duplicated
    = hint: give `tables.visits` a `key`, and deploy

    error: there is no table `odrers`
    = hint: did you mean `orders`?
    ");
}
