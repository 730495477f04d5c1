use pipectl_contract::keys;
use pipectl_contract::ledger::Stage;
use pipectl_contract::names::{self, Artifact, QUEUES, Statement, Zone, arguments, columns, environment};
use serde_json::{Map, Value, json};

use crate::written;

/// The keys: constants by their name, functions with arguments and result.
#[test]
fn keys() {
    let constants = json!({
        "LANDING": keys::LANDING,
        "REPLAY_REQUESTS": keys::REPLAY_REQUESTS,
        "REPLAY": keys::REPLAY,
        "STATE": keys::STATE,
        "PARKED": keys::PARKED,
        "LEDGER": keys::LEDGER,
        "QUARANTINE": keys::QUARANTINE,
        "SNAPSHOTS": keys::SNAPSHOTS,
        "MANIFESTS": keys::MANIFESTS,
        "REPORTS": keys::REPORTS,
        "EXPORTS": keys::EXPORTS,
        "ICEBERG": keys::ICEBERG,
    });
    let batch = "20261101T080000Z-71477f854035";
    let document = "29073a33b0b7";
    let mut functions = Map::new();
    let mut add = |name: &str, arguments: Value, key: String| {
        functions.insert(name.to_owned(), json!({"arguments": arguments, "key": key}));
    };
    add("landing_folder", json!({"table": "orders"}), keys::landing_folder("orders"));
    add(
        "landing_object_folder",
        json!({"source": "erp", "object": "Orders"}),
        keys::landing_object_folder("erp", "Orders"),
    );
    add(
        "ingest_batch_folder",
        json!({"source": "erp", "object": "Orders", "batch": batch}),
        keys::ingest_batch_folder("erp", "Orders", batch),
    );
    add("ingest_marker", json!({"source": "erp"}), keys::ingest_marker("erp"));
    add("replay_request", json!({"id": batch}), keys::replay_request(batch));
    add(
        "replay_copy",
        json!({"id": "r", "batch": batch, "key": "landing/orders/a.csv"}),
        keys::replay_copy("r", batch, "landing/orders/a.csv"),
    );
    add("source_state", json!({"source": "shop"}), keys::source_state("shop"));
    add("ingest_state_folder", json!({"source": "erp"}), keys::ingest_state_folder("erp"));
    add("parked_folder", json!({"source": "shop"}), keys::parked_folder("shop"));
    add("ledger_folder", json!({"stage": "clean"}), keys::ledger_folder(Stage::Clean));
    add("ledger_entry", json!({"stage": "transform", "batch": batch}), keys::ledger_entry(Stage::Transform, batch));
    add("ledger_index", json!({"stage": "transform"}), keys::ledger_index(Stage::Transform));
    add("ledger_index_folder", json!({"stage": "clean"}), keys::ledger_index_folder(Stage::Clean));
    add("ingest_entries_folder", json!({"source": "erp"}), keys::ingest_entries_folder("erp"));
    add("ingest_entry", json!({"source": "erp", "batch": batch}), keys::ingest_entry("erp", batch));
    add("load_entries_folder", json!({"batch": batch}), keys::load_entries_folder(batch));
    add("load_entry", json!({"batch": batch, "table": "orders"}), keys::load_entry(batch, "orders"));
    add(
        "mart_entries_folder",
        json!({"batch": batch, "document": document}),
        keys::mart_entries_folder(batch, document),
    );
    let mart = json!({"batch": batch, "document": document, "mart": "sales"});
    add("mart_entry", mart.clone(), keys::mart_entry(batch, document, "sales"));
    add("unload_entry", mart, keys::unload_entry(batch, document, "sales"));
    add("failures_folder", json!({}), keys::failures_folder());
    add("failed_load", json!({"table": "orders"}), keys::failed_load("orders"));
    add("failed_mart", json!({"mart": "sales"}), keys::failed_mart("sales"));
    add("failed_unload", json!({"mart": "sales"}), keys::failed_unload("sales"));
    add("setup_entry", json!({"document": document}), keys::setup_entry(document));
    add("iceberg_mark", json!({"table": "orders"}), keys::iceberg_mark("orders"));
    add("batches_prefix", json!({"table": "orders"}), keys::batches_prefix("orders"));
    add("snapshots_folder", json!({"table": "orders"}), keys::snapshots_folder("orders"));
    let rows = json!({"table": "orders", "batch": batch});
    add("rows_folder", rows.clone(), keys::rows_folder("orders", batch));
    add("manifest", rows.clone(), keys::manifest("orders", batch));
    add("quarantine_folder", rows.clone(), keys::quarantine_folder("orders", batch));
    add("snapshot_folder", rows, keys::snapshot_folder("orders", batch));
    add("report", json!({"batch": batch}), keys::report(batch));
    add("export_folder", json!({"mart": "sales"}), keys::export_folder("sales"));
    add("document", json!({"sha256": document}), keys::document(document));
    written("keys", &json!({"constants": constants, "functions": functions}));
}

#[test]
fn names() {
    let text = |text: &str| text.to_owned();
    let statements = [
        Statement::Setup { document: text("d"), part: 1 },
        Statement::Setup { document: text("d"), part: 2 },
        Statement::Inspect { document: text("d") },
        Statement::Migrate { document: text("d"), step: text("0f") },
        Statement::Complete { document: text("d"), part: 1 },
        Statement::Load { batch: text("b"), table: text("orders") },
        Statement::Mart { batch: text("b"), mart: text("sales") },
        Statement::Unload { batch: text("b"), mart: text("sales") },
    ];
    let buckets = Zone::ALL.map(|zone| names::bucket("shop-dev", zone, "111111111111", "eu-central-1"));
    written(
        "names",
        &json!({
            "constants": {
                "DELETED": columns::DELETED,
                "INFERRED": columns::INFERRED,
                "POSITION": columns::POSITION,
                "DOCUMENT_ARGUMENT": arguments::DOCUMENT,
                "SOURCE_ARGUMENT": arguments::SOURCE,
                "ADMIN_USER": names::ADMIN_USER,
            },
            "environment": environment::ALL,
            "artifacts": Artifact::ALL.map(Artifact::as_str),
            "queues": QUEUES.map(|queue| queue.name),
            "buckets": buckets,
            "warehouse_secret": names::warehouse_secret("shop-dev"),
            "source_secret": names::source_secret("shop-dev", "erp"),
            "reader_secret": names::reader_secret("shop-dev", "quicksight"),
            "statements": statements.map(|statement| statement.text("shop-dev")),
            "export_statement": names::export_statement("shop-dev", "sales"),
        }),
    );
}
