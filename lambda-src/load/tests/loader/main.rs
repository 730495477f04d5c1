//! The loader as Lambda runs it: the binary, against an S3 and a Redshift Data API on loopback.

#![expect(clippy::unwrap_used, reason = "a helper that fails is a test that fails")]

mod crashes;
mod warehouse;

use serde_json::{Value, json};
use test_server::{Invocation, Lambda, S3};

use warehouse::Warehouse;

struct Setting {
    warehouse: Warehouse,
    s3: S3,
    lambda: Lambda,
}

impl Setting {
    async fn new() -> Self {
        let (warehouse, s3) = (Warehouse::default(), S3::default());
        let lambda = Lambda::new(env!("CARGO_BIN_EXE_load"))
            .with("PIPELINE_DOCUMENT", "s3://artifacts/config/pipeline-1.json")
            .with("AWS_ENDPOINT_URL_REDSHIFT_DATA", warehouse.serve().await.url)
            .with("AWS_ENDPOINT_URL", s3.serve().await.unwrap().url);
        let setting = Self { warehouse, s3, lambda };
        setting.document("SELECT 1");
        setting
    }

    fn document(&self, mart: &str) {
        self.document_of(mart, &json!({}));
    }

    fn document_of(&self, mart: &str, schema: &Value) {
        let load = |table: &str| {
            json!({"name": table, "columns": [{"name": "id", "type": "bigint"}, {"name": "note", "type": "varchar(9)"}],
                "key": ["id"], "load": "upsert", "deletes": false, "may_hold_stubs": false})
        };
        let document = json!({"version": 1, "pipeline": "shop", "environment": "dev", "prefix": "shop-dev",
            "buckets": {"raw": "raw", "cleaned": "c", "transformed": "t", "raw_archive": "ra", "cleaned_archive": "ca"},
            "empty_after_load": false, "sources": {}, "tables": {}, "warehouse": {
            "workgroup": "shop-dev", "database": "warehouse", "secret": "redshift!shop-dev-pipectl_admin",
            "setup": ["CREATE SCHEMA IF NOT EXISTS core"], "schema": schema, "tables": {"orders": load("orders"), "lines": load("lines")},
            "complete": [], "users": {}, "marts": [{"name": "daily", "kind": "table", "reads": ["core.orders"], "refresh": [mart]}]}});
        self.s3.put("artifacts/config/pipeline-1.json", document.to_string());
    }

    fn batch(&self, batch: &str, tables: &[(&str, u64)]) {
        let table = |(name, rows): &(&str, u64)| {
            // As the job writes it: a table without rows has no path.
            let path = (*rows > 0).then(|| format!("s3://t/{name}/batch={batch}/"));
            let files = json!([{"key": format!("{name}/batch={batch}/part-0.parquet"), "size": 9}]);
            let files = if *rows > 0 { files } else { json!([]) };
            let entry = json!({"path": path, "files": files, "columns": {"id": "bigint", "note": "string"}, "rows_in": rows, "rows_out": rows, "quarantined": 0, "duplicates": 0});
            ((*name).to_owned(), entry)
        };
        let tables: serde_json::Map<String, Value> = tables.iter().map(table).collect();
        let entry = json!({"version": 1, "stage": "transform", "batch": batch, "tables": tables});
        self.s3.put(&format!("t/_ledger/transform/{batch}.json"), entry.to_string());
    }

    async fn invoke(&self, event: Value) -> Invocation {
        self.lambda.invoke(&event).await.unwrap()
    }

    /// Invokes with `{}` and then with each event that Redshift sends, until it sends none.
    async fn run(&self) -> Vec<Result<Value, String>> {
        let mut results = vec![self.invoke(json!({})).await.result];
        while let Some(event) = self.warehouse.event() {
            assert!(results.len() < 30, "{results:?}");
            results.push(self.invoke(event).await.result);
        }
        results
    }

    fn ledger(&self) -> Vec<String> {
        let own = |key: &String| key.starts_with("t/_ledger/") && !key.starts_with("t/_ledger/transform/");
        self.s3.keys().into_iter().filter(own).collect()
    }
}

#[tokio::test]
async fn events_carry_the_batches_into_the_warehouse_in_the_order_of_each_table() {
    let setting = Setting::new().await;
    setting.batch("20261001T000000Z-a", &[("orders", 3), ("lines", 0)]);
    setting.batch("20261002T000000Z-b", &[("orders", 2)]);
    let results = setting.run().await;
    assert!(results.iter().all(Result::is_ok), "{results:?}");
    let names = setting.warehouse.submitted();
    assert_eq!(names.len(), 5, "{names:?}");
    assert!(names[1].starts_with("shop-dev/inspect/"));
    assert!(names[0].starts_with("shop-dev/setup/") && names[0].len() == "shop-dev/setup/".len() + 12);
    assert_eq!(
        names[2..],
        [
            "shop-dev/load/20261001T000000Z-a/orders",
            "shop-dev/load/20261002T000000Z-b/orders",
            "shop-dev/marts/20261002T000000Z-b/daily"
        ]
    );
    let entry = setting.s3.text("t/_ledger/load/20261001T000000Z-a/orders.json").unwrap();
    let entry: Value = serde_json::from_str(&entry).unwrap();
    assert_eq!((&entry["staged"], &entry["changed"], &entry["statement_id"]), (&json!(10), &json!(10), &json!("id-3")));
    assert_eq!(setting.ledger().len(), 7, "{:?}", setting.ledger());
    let copy = "COPY pipectl_stage FROM 's3://t/_manifests/orders/batch=20261001T000000Z-a.json' IAM_ROLE default \
                FORMAT AS PARQUET MANIFEST";
    assert!(setting.warehouse.sql().contains(&copy.to_owned()));
    let manifest = setting.s3.text("t/_manifests/orders/batch=20261001T000000Z-a.json").unwrap();
    assert_eq!(
        manifest,
        r#"{"entries":[{"url":"s3://t/orders/batch=20261001T000000Z-a/part-0.parquet","mandatory":true,"meta":{"content_length":9}}]}"#
    );

    // Once more changes nothing.
    let results = setting.run().await;
    assert_eq!(results, [Ok(json!({"recorded": [], "submitted": [], "waiting": [], "pending": 0}))]);
    assert_eq!(setting.warehouse.submitted().len(), 5);
}

#[tokio::test]
async fn double_events_submit_nothing_twice() {
    let setting = Setting::new().await;
    setting.batch("1", &[("lines", 1), ("orders", 1)]);
    for _ in 0..2 {
        setting.invoke(json!({})).await.result.unwrap();
    }
    while let Some(event) = setting.warehouse.event() {
        for _ in 0..2 {
            setting.invoke(event.clone()).await.result.unwrap();
        }
    }
    // Only a look at the warehouse is taken twice.
    let names = setting.warehouse.submitted();
    assert_eq!(names.iter().filter(|name| !name.contains("/inspect/")).count(), 4, "{names:?}");
}

fn failed(setting: &Setting, table: &str) -> Value {
    let entry = setting.s3.text(&format!("t/_ledger/failed/load/{table}.json")).unwrap();
    serde_json::from_str(&entry).unwrap()
}

#[tokio::test]
async fn a_failed_load_fails_the_lambda_with_its_text_and_stops_only_its_table() {
    let setting = Setting::new().await;
    setting.batch("1", &[("orders", 1), ("lines", 1)]);
    setting.batch("2", &[("orders", 1), ("lines", 1)]);
    setting.warehouse.fail("shop-dev/load/1/lines", "Spectrum Scan Error: incompatible Parquet schema");
    let results = setting.run().await;
    let errors: Vec<&String> = results.iter().filter_map(|result| result.as_ref().err()).collect();
    let [error] = errors[..] else { panic!("{results:?}") };
    assert!(
        error.contains("shop-dev/load/1/lines")
            && error.contains("incompatible Parquet schema")
            && error.contains("COPY pipectl_stage")
            && error.contains("`pipectl retry lines`")
            && error.contains("`pipectl skip lines 1`"),
        "{error}"
    );
    // The other table goes on, and the mart that reads it.
    let names = setting.warehouse.submitted();
    let loads = ["shop-dev/load/1/lines", "shop-dev/load/1/orders", "shop-dev/load/2/orders", "shop-dev/marts/2/daily"];
    assert_eq!(names[2..], loads);
    let entry = failed(&setting, "lines");
    assert_eq!((&entry["batch"], &entry["kind"], &entry["attempts"]), (&json!("1"), &json!("data"), &json!(1)));

    // Asked again, it waits and says so.
    let results = setting.run().await;
    let waiting = json!([{"what": "core.lines", "why": "Spectrum Scan Error: incompatible Parquet schema"}]);
    assert_eq!(results, [Ok(json!({"recorded": [], "submitted": [], "waiting": waiting, "pending": 2}))]);

    // A person says `retry`: the same batch is submitted again, and then the next one.
    let mut entry = failed(&setting, "lines");
    entry["retry"] = json!(true);
    setting.s3.put("t/_ledger/failed/load/lines.json", entry.to_string());
    let results = setting.run().await;
    assert!(results.iter().all(Result::is_ok), "{results:?}");
    assert_eq!(setting.warehouse.submitted()[6..], ["shop-dev/load/1/lines", "shop-dev/load/2/lines"]);
    assert!(
        setting.s3.text("t/_ledger/loaded/1.json").is_some() && setting.s3.text("t/_ledger/loaded/2.json").is_some()
    );
}

#[tokio::test]
async fn a_batch_that_was_skipped_is_left_out() {
    let setting = Setting::new().await;
    setting.batch("1", &[("orders", 1)]);
    setting.batch("2", &[("orders", 1)]);
    setting.warehouse.fail("shop-dev/load/1/orders", "Value too long for character type");
    setting.run().await;
    setting.s3.put("t/_ledger/load/1/orders.json", json!({"skipped": {"by": "ada", "reason": "r"}}).to_string());
    let results = setting.run().await;
    assert!(results.iter().all(Result::is_ok), "{results:?}");
    let names = setting.warehouse.submitted();
    assert_eq!(names[2..], ["shop-dev/load/1/orders", "shop-dev/load/2/orders", "shop-dev/marts/2/daily"]);
}

#[tokio::test]
async fn a_transient_failure_is_submitted_again_at_once() {
    let setting = Setting::new().await;
    setting.batch("1", &[("orders", 1)]);
    setting.warehouse.fail("shop-dev/load/1/orders", "1023 Serializable isolation violation on table");
    let results = setting.run().await;
    assert!(results.iter().all(Result::is_ok), "{results:?}");
    let names = setting.warehouse.submitted();
    assert_eq!(names[2..], ["shop-dev/load/1/orders", "shop-dev/load/1/orders", "shop-dev/marts/1/daily"]);
}

#[tokio::test]
async fn independent_tables_load_at_the_same_time() {
    let setting = Setting::new().await;
    setting.batch("1", &[("orders", 1), ("lines", 1)]);
    setting.invoke(json!({})).await.result.unwrap();
    for _ in 0..2 {
        let set_up = setting.warehouse.event().unwrap();
        setting.invoke(set_up).await.result.unwrap();
    }
    assert_eq!(setting.warehouse.running(), 2, "{:?}", setting.warehouse.submitted());
}

#[tokio::test]
async fn a_deploy_during_a_load_submits_the_batch_once() {
    let setting = Setting::new().await;
    setting.batch("1", &[("orders", 1)]);
    setting.invoke(json!({})).await.result.unwrap();
    for _ in 0..2 {
        let set_up = setting.warehouse.event().unwrap();
        setting.invoke(set_up).await.result.unwrap();
    }
    assert_eq!(setting.warehouse.running(), 1);
    // The new document waits for the load that runs before it changes anything.
    setting.document("SELECT 2");
    let result = setting.invoke(json!({})).await.result.unwrap();
    assert_eq!((&result["submitted"], setting.warehouse.running()), (&json!([]), 1));
    let results = setting.run().await;
    assert!(results.iter().all(Result::is_ok), "{results:?}");
    let names = setting.warehouse.submitted();
    let kinds: Vec<&str> = names.iter().filter_map(|name| name.split('/').nth(1)).collect();
    assert_eq!(kinds, ["setup", "inspect", "load", "setup", "inspect", "marts"]);
}

#[tokio::test]
async fn a_batch_that_does_not_fit_waits_with_both_ways_on() {
    let setting = Setting::new().await;
    setting.batch("1", &[("lines", 1), ("orders", 1)]);
    let entry = setting.s3.text("t/_ledger/transform/1.json").unwrap();
    let mut entry: Value = serde_json::from_str(&entry).unwrap();
    entry["tables"]["lines"]["columns"] = json!({"id": "string", "note": "string"});
    setting.s3.put("t/_ledger/transform/1.json", entry.to_string());
    let results = setting.run().await;
    let errors: Vec<&String> = results.iter().filter_map(|result| result.as_ref().err()).collect();
    let [error] = errors[..] else { panic!("{results:?}") };
    assert!(
        error
            .contains("the table `lines` cannot take the batch 1: `id` is string in the batch and bigint in the table"),
        "{error}"
    );
    assert!(error.contains("give the column its earlier type") && error.contains("`pipectl skip lines 1`"), "{error}");
    assert!(setting.warehouse.submitted().contains(&"shop-dev/load/1/orders".to_owned()));
}

#[tokio::test]
async fn a_lost_event_is_made_up_for_by_the_next_run() {
    let setting = Setting::new().await;
    setting.batch("1", &[("orders", 1)]);
    setting.invoke(json!({})).await.result.unwrap();
    let mut count = 0;
    while let Some(event) = setting.warehouse.event() {
        count += 1;
        assert!(count < 10);
        // The event is lost; somebody asks. Only a look is answered by its event alone: asked again, it is a new one.
        let look = event["detail"]["statementName"].as_str().unwrap().contains("/inspect/");
        setting.invoke(if look { event } else { json!({}) }).await.result.unwrap();
    }
    assert_eq!(setting.warehouse.submitted().len(), 4);
    assert!(setting.s3.text("t/_ledger/loaded/1.json").is_some());
}

#[tokio::test]
async fn a_crash_before_the_record_loads_nothing_twice() {
    let setting = Setting::new().await;
    setting.batch("1", &[("orders", 1)]);
    setting.invoke(json!({})).await.result.unwrap();
    for _ in 0..2 {
        let set_up = setting.warehouse.event().unwrap();
        setting.invoke(set_up).await.result.unwrap();
    }
    let loaded = setting.warehouse.event().unwrap();
    setting.s3.fail("PUT t/_ledger/load/1/orders.json", 403, 1);
    setting.invoke(loaded.clone()).await.result.unwrap_err();
    setting.invoke(loaded).await.result.unwrap();
    assert_eq!(setting.warehouse.submitted().len(), 4);
}

#[tokio::test]
async fn a_changed_document_is_set_up_and_its_marts_are_refreshed() {
    let setting = Setting::new().await;
    setting.batch("1", &[("orders", 1)]);
    setting.run().await;
    setting.document("SELECT 2");
    setting.run().await;
    let names = setting.warehouse.submitted();
    assert_eq!(names.len(), 7, "{names:?}");
    assert!(names[4].starts_with("shop-dev/setup/") && names[4] != names[0]);
    assert_eq!(names[6], "shop-dev/marts/1/daily");
    assert!(setting.warehouse.sql().contains(&"SELECT 2".to_owned()));
}

#[tokio::test]
async fn a_broken_ledger_entry_and_a_foreign_event() {
    let setting = Setting::new().await;
    setting.s3.put("t/_ledger/transform/1.json", "{");
    let error = setting.invoke(json!({})).await.result.unwrap_err();
    assert!(error.contains("s3://t/_ledger/transform/1.json cannot be read"), "{error}");
    let event = json!({"detail-type": "Glue Job State Change", "detail": {"jobName": "other", "state": "SUCCEEDED"}});
    assert_eq!(setting.invoke(event).await.result, Ok(json!({"ignored": "the job `other` is SUCCEEDED"})));
}

#[tokio::test]
async fn a_table_is_changed_once_and_checked_before_the_load() {
    let setting = Setting::new().await;
    let schema =
        json!({"core.orders": {"columns": [{"name": "id", "type": "bigint"}, {"name": "at", "type": "date"}]}});
    setting.document_of("SELECT 1", &schema);
    setting.batch("1", &[("orders", 1)]);
    setting.warehouse.columns(&[("id", "integer"), ("old", "date")]);
    setting.invoke(json!({})).await.result.unwrap();
    let mut names = Vec::new();
    while let Some(event) = setting.warehouse.event() {
        let name = event["detail"]["statementName"].as_str().unwrap().to_owned();
        if name.contains("/migrate/") {
            setting.warehouse.columns(&[("id", "bigint"), ("at", "date"), ("old", "date")]);
        }
        names.push(name.split('/').nth(1).unwrap().to_owned());
        setting.invoke(event).await.result.unwrap();
    }
    assert_eq!(names, ["setup", "inspect", "migrate", "inspect", "load", "marts"]);
    let sql = setting.warehouse.sql();
    assert!(
        sql.contains(&"INSERT INTO core.pipectl_rebuild (id, \"old\") SELECT id, \"old\" FROM core.orders".to_owned()),
        "{sql:?}"
    );
    let entry = setting.ledger().into_iter().find(|key| key.contains("/setup/")).unwrap();
    assert!(setting.s3.text(&entry).unwrap().contains(r#""unused_columns":{"core.orders":["old"]}"#));
}

#[tokio::test]
async fn a_change_that_would_lose_values_is_refused_and_nothing_is_loaded() {
    let setting = Setting::new().await;
    let schema = json!({"core.orders": {"columns": [{"name": "id", "type": "integer"}]}});
    setting.document_of("SELECT 1", &schema);
    setting.batch("1", &[("orders", 1)]);
    setting.warehouse.columns(&[("id", "bigint")]);
    let results = setting.run().await;
    let error = results.last().unwrap().as_ref().unwrap_err();
    assert!(
        error.contains("`id` of `core.orders` would change from bigint to integer") && error.contains("hint"),
        "{error}"
    );
    assert_eq!(setting.warehouse.submitted().len(), 2);
    // Fixed by hand, it continues.
    setting.warehouse.columns(&[("id", "integer")]);
    let results = setting.run().await;
    assert!(results.iter().all(Result::is_ok), "{results:?}");
    assert!(setting.s3.text("t/_ledger/loaded/1.json").is_some());
}
