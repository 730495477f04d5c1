use std::collections::BTreeMap;

use pipectl_contract::ledger::{
    BatchInput, Clean, Closed, Counts, DataFile, Failed, FailureKind, Finding, Loaded, MartRefreshed, ObjectInput,
    Reason, Setup, Skipped, Stage, Transform, VERSION, Watermark,
};
use pipectl_contract::replay::{Input, Origin, Request};
use pipectl_contract::report::{self, Report, Seconds, Table};
use pipectl_contract::{keys, names, replay};

use crate::message;

const CLEANED: &str = "20261101T080000Z-71477f854035";
const TRANSFORMED: &str = "20261101T080500Z-0123456789ab";
const REQUEST: &str = "20261031T120000Z-aaaaaaaaaaaa";
const AT: &str = "2026-11-01T08:04:00Z";
const DOCUMENT: &str = "29073a33b0b7";

fn text(text: &str) -> String {
    text.to_owned()
}

fn path(zone: names::Zone, table: &str, batch: &str) -> String {
    let bucket = names::bucket("shop-dev", zone, "111111111111", "eu-central-1");
    format!("s3://{bucket}/{}", keys::rows_folder(table, batch))
}

fn watermark(min: &str, max: &str) -> Watermark {
    Watermark { column: text("updated_at"), min: text(min), max: text(max) }
}

fn clean() -> Clean {
    let object = |name: &str| ObjectInput {
        key: format!("{}{name}", keys::landing_folder("orders")),
        etag: text("9e107d9d372bb6826bd81d3542a419d6"),
        size: 120,
        table: text("orders"),
        ..ObjectInput::default()
    };
    let counts = Counts {
        path: Some(path(names::Zone::Cleaned, "orders", CLEANED)),
        files: Vec::new(),
        rows_in: 10,
        rows_out: 6,
        quarantined: 1,
        duplicates: 2,
        unchanged: 1,
        deleted: 3,
        unknown_columns: vec![text("note")],
        source_columns: [("ID", text("text")), ("Total", text("text"))].into(),
        columns: [("id", text("bigint")), ("total", text("decimal(12,2)"))].into(),
        key: vec![text("id")],
        state: Some(format!("s3://state/{}", keys::snapshot_folder("orders", CLEANED))),
        reasons: vec![Reason { reason: text("`total`: \"x\" is not a decimal(12,2)"), rows: 1 }],
        findings: vec![Finding { kind: text("refused_object"), text: text("landing/orders/e.csv is not read") }],
        watermark: Some(watermark("2026-10-01 00:00:00", "2026-10-31 00:00:00")),
        seconds: 1.5,
    };
    Clean {
        version: VERSION,
        stage: Stage::Clean.as_str().to_owned(),
        batch: text(CLEANED),
        run: text("jr_1"),
        committed_at: text(AT),
        inputs: vec![
            object("a.csv"),
            ObjectInput { duplicate_of: Some(text("landing/orders/a.csv")), ..object("b.csv") },
            ObjectInput { superseded_by: Some(text("landing/orders/a.csv")), ..object("c.csv") },
            ObjectInput { refused: Some(text("it is no CSV file")), ..object("e.csv") },
            ObjectInput {
                key: keys::replay_copy(REQUEST, CLEANED, "landing/orders/d.csv"),
                replay_of: Some(text("landing/orders/d.csv")),
                replay: Some(text(REQUEST)),
                ..object("d.csv")
            },
        ],
        // Of the second table no row is good.
        tables: BTreeMap::from([
            (text("empty"), Counts { rows_in: 4, quarantined: 4, ..Counts::default() }),
            (text("orders"), counts),
        ]),
        replays: vec![text(REQUEST)],
        stopped: BTreeMap::from([(text("log"), text("a column is missing"))]),
    }
}

fn transform() -> Transform {
    let counts = Counts {
        path: Some(path(names::Zone::Transformed, "orders", TRANSFORMED)),
        files: vec![DataFile {
            key: format!("{}part-00000.snappy.parquet", keys::rows_folder("orders", TRANSFORMED)),
            size: 1_234,
        }],
        rows_in: 6,
        rows_out: 5,
        duplicates: 1,
        deleted: 2,
        columns: [("id", text("bigint")), ("total", text("decimal(12,2)"))].into(),
        key: vec![text("id")],
        findings: vec![Finding {
            kind: text("references"),
            text: text("1 rows: `customer_id` is not in customers.id"),
        }],
        watermark: Some(watermark("2026-10-02 00:00:00", "2026-10-31 00:00:00")),
        seconds: 2.25,
        ..Counts::default()
    };
    Transform {
        version: VERSION,
        stage: Stage::Transform.as_str().to_owned(),
        batch: text(TRANSFORMED),
        run: text("jr_2"),
        committed_at: text(AT),
        inputs: vec![
            BatchInput { batch: text("20261101T070000Z-bbbbbbbbbbbb"), tables: None },
            BatchInput { batch: text(CLEANED), tables: Some(vec![text("empty"), text("orders")]) },
        ],
        tables: BTreeMap::from([(text("empty"), Counts::default()), (text("orders"), counts)]),
        replays: vec![text(REQUEST)],
        stopped: BTreeMap::from([(text("log"), text("too many bad rows"))]),
    }
}

#[test]
fn entries_of_the_jobs() {
    message("entry_clean", &clean());
    message("entry_transform", &transform());
}

/// The report of the run of `transform` that took the cleaned batch.
#[test]
fn the_report_of_a_run() {
    let (clean, transform) = (clean(), transform());
    let stage = |stage: Stage| stage.as_str().to_owned();
    let finding = |of: Stage, finding: &Finding| report::Finding {
        stage: stage(of),
        kind: finding.kind.clone(),
        text: finding.text.clone(),
    };
    let (cleaned, transformed) = (&clean.tables["orders"], &transform.tables["orders"]);
    let orders = Table {
        objects: clean.inputs.len(),
        rows_in: cleaned.rows_in,
        loaded: transformed.rows_out,
        deleted: transformed.deleted,
        quarantined: 1,
        duplicates: 3,
        unchanged: 1,
        reasons: vec![report::Reason {
            stage: stage(Stage::Clean),
            reason: cleaned.reasons[0].reason.clone(),
            rows: cleaned.reasons[0].rows,
        }],
        refused: vec![report::Refused { key: text("landing/orders/e.csv"), reason: text("it is no CSV file") }],
        findings: vec![
            finding(Stage::Clean, &cleaned.findings[0]),
            finding(Stage::Transform, &transformed.findings[0]),
        ],
        watermark: transformed.watermark.clone(),
        stopped: None,
        seconds: Seconds { clean: 1.5, transform: Some(2.25) },
    };
    let empty =
        Table { rows_in: 4, quarantined: 4, seconds: Seconds { clean: 0.0, transform: Some(0.0) }, ..Table::default() };
    let log = Table { stopped: Some(text("too many bad rows")), ..Table::default() };
    let report = Report {
        version: report::VERSION,
        batch: text(TRANSFORMED),
        stage: stage(Stage::Transform),
        state: text("failed"),
        run: text("jr_2"),
        ended_at: text(AT),
        seconds: 12.5,
        replays: vec![text(REQUEST)],
        cleaned_batches: transform.inputs.iter().map(|input| input.batch.clone()).collect(),
        tables: BTreeMap::from([(text("empty"), empty), (text("log"), log), (text("orders"), orders)]),
    };
    message("report", &report);
}

#[test]
fn entries_of_the_loader() {
    let loaded = Loaded {
        version: VERSION,
        stage: Stage::Load.as_str().to_owned(),
        batch: text(TRANSFORMED),
        table: text("orders"),
        staged: Some(5),
        changed: None,
        deleted: Some(0),
        statement_id: Some(text("d9b6c0c9")),
        committed_at: text(AT),
        skipped: None,
    };
    message("loaded", &loaded);
    let skipped = Loaded {
        staged: Some(0),
        changed: Some(0),
        statement_id: None,
        skipped: Some(Skipped {
            by: text("arn:aws:sts::111111111111:assumed-role/operator/ada"),
            reason: text("Value too long for character type"),
        }),
        ..loaded
    };
    message("skipped", &skipped);
    let failed = Failed {
        version: VERSION,
        stage: Stage::Failed.as_str().to_owned(),
        batch: text(TRANSFORMED),
        name: text("orders"),
        kind: FailureKind::Data,
        message: text("Value too long for character type"),
        hint: text("correct the cause, then `pipectl retry orders`"),
        attempts: 1,
        statement_id: Some(text("d9b6c0c9")),
        document: text(DOCUMENT),
        failed_at: text(AT),
        retry: false,
    };
    message("failed", &failed);
    let closed = Closed {
        version: VERSION,
        stage: Stage::Loaded.as_str().to_owned(),
        batch: text(TRANSFORMED),
        committed_at: text(AT),
    };
    message("closed", &closed);
    let refreshed = MartRefreshed {
        version: VERSION,
        stage: Stage::Unload.as_str().to_owned(),
        batch: text(TRANSFORMED),
        mart: text("sales"),
        document: text(DOCUMENT),
        rows: Some(7),
        statement_id: Some(text("d9b6c0c9")),
        committed_at: text(AT),
    };
    message("mart_refreshed", &refreshed);
    let setup = Setup {
        version: VERSION,
        stage: Stage::Setup.as_str().to_owned(),
        document: text(DOCUMENT),
        unused_columns: BTreeMap::from([(text("core.orders"), vec![text("note")])]),
        committed_at: text(AT),
    };
    message("setup", &setup);
}

/// Redshift does not know every count, and a table without rows has no path.
#[test]
fn missing_counts_and_paths_are_read() {
    let loaded: Loaded = serde_json::from_str(r#"{"table":"orders","staged":null,"changed":3}"#).unwrap();
    assert_eq!((loaded.staged, loaded.changed, loaded.deleted), (None, Some(3), None));
    let entry: Transform = serde_json::from_str(r#"{"tables":{"orders":{"path":null,"rows_out":0}}}"#).unwrap();
    assert_eq!(entry.tables["orders"].path, None);
}

#[test]
fn a_request_to_replay() {
    let key = text("landing/orders/a.csv");
    let request = Request {
        version: replay::VERSION,
        id: text(REQUEST),
        from: Origin::Raw,
        since: text("2026-10-01T00:00:00Z"),
        requested_at: text("2026-10-31T12:00:00Z"),
        tables: [text("customers"), text("orders")].into(),
        batches: vec![text(CLEANED)],
        inputs: vec![Input {
            table: text("orders"),
            batch: text(CLEANED),
            key: keys::replay_copy(REQUEST, CLEANED, &key),
            of: key,
            etag: text("9e107d9d372bb6826bd81d3542a419d6"),
            size: 120,
        }],
    };
    assert_eq!(request.key(), keys::replay_request(REQUEST));
    message("replay_request", &request);
}
