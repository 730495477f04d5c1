use pipectl_contract::document::{
    Buckets, Checks, Child, Column, Csv, Database, Document, Format, Iceberg, List, LoadColumn, Mart, Object,
    Reference, Shopify, Source, Stub, Table, TableLoad, Transform, VERSION, Warehouse,
};
use pipectl_contract::options::{Bounds, Capture, CheckName, Load, MartKind, RowBounds, SchemaChanges};
use pipectl_contract::{ColumnType, Map, keys, names, schema_change};

use crate::message;

fn text(text: &str) -> String {
    text.to_owned()
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

fn column(name: &str, kind: &str, from: &str, required: bool) -> Column {
    Column { name: text(name), kind: kind.parse().unwrap(), from: text(from), required, timezone: None }
}

/// A table without any option.
fn table(source: &str, format: Format) -> Table {
    Table {
        source: text(source),
        object: None,
        landing: keys::landing_folder("plain"),
        format,
        csv: None,
        snapshot: false,
        deletes: false,
        ingest_ledger: None,
        columns: vec![column("id", "bigint", "id", false)],
        key: Vec::new(),
        order_by: None,
        watermark: None,
        load: Load::Append,
        schema_changes: SchemaChanges::Stop,
        checks: Checks::default(),
        quarantine_limit: 0.1,
    }
}

fn orders() -> Table {
    let columns = [
        ("id", "bigint", "ID", true),
        ("customer_id", "integer", "customer", false),
        ("total", "decimal(12,2)", "Total", false),
        ("state", "varchar(16)", "state", false),
        ("open", "boolean", "open", false),
        ("day", "date", "day", false),
        ("updated_at", "timestamp", "changed", false),
        ("tags", "super", "tags", false),
    ];
    Table {
        landing: keys::landing_folder("orders"),
        csv: Some(Csv {
            delimiter: text(";"),
            encoding: text("windows-1252"),
            header: true,
            null: texts(&["", "NULL"]),
            decimal: text(","),
            thousands: Some(text(".")),
            date_format: Some(text("d.M.yyyy")),
            escape: Some(text("\\")),
        }),
        snapshot: true,
        deletes: true,
        columns: columns.map(|(name, kind, from, required)| column(name, kind, from, required)).into(),
        key: texts(&["id"]),
        order_by: Some(text("updated_at")),
        load: Load::Upsert,
        schema_changes: SchemaChanges::Accept,
        checks: Checks {
            not_null: texts(&["day"]),
            unique: vec![texts(&["id"]), texts(&["customer_id", "day"])],
            accepted_values: [("state", texts(&["open", "paid"]))].into(),
            between: [
                ("total", Bounds { min: Some(text("0")), max: Some(text("1000000")) }),
                ("day", Bounds { min: Some(text("2020-01-01")), max: None }),
            ]
            .into(),
            matches: [("state", text("[a-z]+"))].into(),
            references: [("customer_id", Reference { table: text("customers"), column: text("id") })].into(),
            rows: RowBounds { min: Some(1), max: Some(1_000_000) },
            fresh_within_hours: [("updated_at", 36)].into(),
            warn: vec![CheckName::References, CheckName::FreshWithin],
        },
        quarantine_limit: 0.25,
        ..table("erp", Format::Csv)
    }
}

fn sources() -> Map<Source> {
    let database = Database {
        host: Some(text("db.example.com")),
        port: 3306,
        database: text("erp"),
        schema: text("erp"),
        secret: names::source_secret("shop-dev", "db"),
        tls: true,
        capture: Capture::Watermark,
        overlap_seconds: 600,
    };
    let created = Database { host: None, port: 5432, capture: Capture::Cdc, ..database.clone() };
    let object = Object {
        name: text("orders"),
        connection: text("orders"),
        arguments: text("sortKey: UPDATED_AT"),
        kind: text("Order"),
        fields: text("id updatedAt"),
        children: vec![Child { connection: text("lineItems"), kind: text("LineItem"), fields: text("id") }],
        lists: vec![List { field: text("refunds"), kind: text("Refund"), fields: text("id"), keep: true }],
        pivots: texts(&["quantities"]),
        cursor: text("Order"),
        tables: [("Order", text("shop_orders"))].into(),
        scopes: texts(&["read_orders"]),
        deletions: [("ORDER", text("Order"))].into(),
    };
    let shopify = Shopify {
        store: text("example.myshopify.com"),
        api_version: text("2026-10"),
        secret: names::source_secret("shop-dev", "shop"),
        start: Some(text("2020-01-01T00:00:00Z")),
        objects: vec![object],
    };
    [
        ("erp", Source::Files {}),
        ("weather", Source::Lambda {}),
        ("shop", Source::Shopify(shopify)),
        ("db", Source::Mysql(database)),
        ("log", Source::Postgresql(created)),
    ]
    .into()
}

fn buckets() -> Buckets {
    let bucket = |zone| names::bucket("shop-dev", zone, "111111111111", "eu-central-1");
    Buckets {
        raw: bucket(names::Zone::Raw),
        cleaned: bucket(names::Zone::Cleaned),
        transformed: bucket(names::Zone::Transformed),
        raw_archive: bucket(names::Zone::RawArchive),
        cleaned_archive: bucket(names::Zone::CleanedArchive),
    }
}

#[test]
fn a_document_with_every_option() {
    let wide = schema_change::Table {
        columns: vec![schema_change::Column { name: text("id"), kind: text("bigint"), required: true }],
        key: texts(&["id"]),
        attributes: text("DISTSTYLE AUTO SORTKEY AUTO"),
    };
    let customers = Table {
        object: Some(text("Customers")),
        landing: keys::landing_object_folder("db", "Customers"),
        ingest_ledger: Some(keys::ingest_entries_folder("db")),
        key: texts(&["id"]),
        watermark: Some(text("changed")),
        load: Load::Upsert,
        ..table("db", Format::Parquet)
    };
    let changes = Table { object: Some(text("log")), deletes: true, ..table("log", Format::Changes) };
    let load = TableLoad {
        name: text("orders"),
        columns: vec![
            LoadColumn { name: text("id"), kind: ColumnType::Bigint, stub: None },
            LoadColumn {
                name: text("customer_id"),
                kind: ColumnType::Bigint,
                stub: Some(Stub { table: text("customers"), column: text("id") }),
            },
        ],
        key: texts(&["id"]),
        order_by: Some(text("updated_at")),
        load: Load::Upsert,
        deletes: true,
        deleted_keys: Some(text("pipectl.deleted_orders")),
        may_hold_stubs: true,
        distribution: Some(text("id")),
    };
    let document = Document {
        version: VERSION,
        pipeline: text("shop"),
        environment: text("dev"),
        prefix: text("shop-dev"),
        buckets: buckets(),
        empty_after_load: true,
        sources: sources(),
        tables: [
            ("orders", orders()),
            ("customers", customers),
            ("log", changes),
            ("plain", table("weather", Format::Jsonl)),
        ]
        .into(),
        warehouse: Warehouse {
            workgroup: text("shop-dev"),
            database: text("warehouse"),
            secret: names::warehouse_secret("shop-dev"),
            setup: texts(&["CREATE SCHEMA IF NOT EXISTS core"]),
            schema: [("core.orders", wide)].into(),
            complete: texts(&["GRANT USAGE ON SCHEMA core TO quicksight"]),
            users: [("quicksight", names::reader_secret("shop-dev", "quicksight"))].into(),
            tables: [("orders", load)].into(),
            marts: vec![Mart {
                name: text("sales"),
                kind: MartKind::MaterializedView,
                reads: texts(&["core.orders"]),
                refresh: texts(&["REFRESH MATERIALIZED VIEW marts.sales"]),
                unload: Some(text("UNLOAD ('SELECT * FROM marts.sales')")),
            }],
            parallel: 2,
        },
        transforms: [(
            "plain",
            Transform { sql: text("SELECT id FROM orders"), reads: texts(&["orders"]), reads_changed: texts(&["log"]) },
        )]
        .into(),
        iceberg: Some(Iceberg { database: text("shop_dev_iceberg"), snapshot_days: 7 }),
    };
    message("document", &document);
}

#[test]
fn a_document_without_options() {
    let mart = Mart {
        name: text("sales"),
        kind: MartKind::Table,
        reads: Vec::new(),
        refresh: texts(&["CREATE TABLE x"]),
        unload: None,
    };
    let document = Document {
        version: VERSION,
        pipeline: text("shop"),
        environment: text("dev"),
        prefix: text("shop-dev"),
        buckets: buckets(),
        empty_after_load: false,
        sources: [("erp", Source::Files {})].into(),
        tables: [("plain", table("erp", Format::Jsonl))].into(),
        warehouse: Warehouse { marts: vec![mart], ..Warehouse::default() },
        transforms: Map::new(),
        iceberg: None,
    };
    message("document_without_options", &document);
}
