//! Every statement of the document, run on the warehouse that stands in for Redshift.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use pipectl_contract::document::{self as contract, Document};
use pipectl_contract::load_statements::{self, Batch, Files};
use pipectl_contract::{ColumnType, Map};
use pipectl_core::document::document;
use pipectl_core::testing::{cannot_run, reference};

use crate::redshift::{DataApi, Warehouse as StandIn, WarehouseConfig};
use crate::spec::Spec;
use crate::yaml;

/// A literal for a column; `day` makes rows that are older or newer.
fn literal(column: &contract::Column, day: u32) -> String {
    match &column.kind {
        // A cancelled order is no revenue.
        _ if column.name == "cancelled_at" => "NULL".into(),
        ColumnType::Boolean => "FALSE".into(),
        ColumnType::Varchar(length) => format!("'{}'", &"PAID"[..4.min(*length as usize)]),
        ColumnType::Date => "'2026-10-01'".into(),
        ColumnType::Timestamp => format!("'2026-10-{day:02} 12:00:00'"),
        ColumnType::Super => "'[\"new\"]'".into(),
        _ => "7".into(),
    }
}

async fn batch(api: &DataApi, sqls: &[String]) -> Value {
    let body = json!({
        "WorkgroupName": "shop-local", "Database": "warehouse", "SecretArn": "redshift!shop-local-pipectl_admin", "Sqls": sqls,
    });
    let caller = "arn:aws:sts::000000000000:assumed-role/shop-local-load/session";
    let answer = api.handle("BatchExecuteStatement", &body, caller).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let described = json!({ "Id": answer.body["Id"], "WaitTimeSeconds": 30 });
    api.handle("DescribeStatement", &described, caller).await.body
}

/// The statements of a batch, with the rows as literals in place of its files.
fn load_of(document: &Document, table: &str, batch: &str, rows: &str) -> Vec<String> {
    let batch = Batch { name: batch, files: Files::Folder("s3://b/f/"), columns: &Map::new() };
    let statements = load_statements::statements(&document.warehouse.tables[table], batch).unwrap();
    let filled =
        statements.into_iter().map(|sql| match sql.strip_prefix("COPY ").and_then(|rest| rest.split(' ').next()) {
            Some(stage) => format!("INSERT INTO {stage} VALUES {rows}"),
            None => sql,
        });
    filled.collect()
}

async fn rows(warehouse: &StandIn, sql: &str) -> String {
    let (_, rows) = warehouse.rows(sql).await.unwrap();
    let line = |row: Vec<Option<String>>| row.into_iter().map(Option::unwrap_or_default).collect::<Vec<_>>().join("|");
    rows.into_iter().map(line).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn every_statement_runs_and_a_batch_counts_once() {
    let (spec, marts) = reference("local");
    let document = document(&spec, &marts, &[]).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let warehouse = StandIn::start(WarehouseConfig {
        directory: directory.path().join("warehouse"),
        account: "000000000000".into(),
        region: "us-east-1".into(),
        workgroup: "shop-local".into(),
        database: "warehouse".into(),
        secrets: vec!["redshift!shop-local-pipectl_admin".into()],
        buckets: BTreeMap::new(),
        ..WarehouseConfig::default()
    })
    .await;
    let warehouse = match warehouse {
        Ok(warehouse) => warehouse,
        Err(error) => return cannot_run("postgresql", error.message(), "make setup, or apt-get install postgresql"),
    };
    let api = warehouse.data_api();
    for _ in 0..2 {
        let done = batch(&api, &document.warehouse.setup).await;
        assert_eq!(done["Status"], "FINISHED", "{done:#}");
    }
    // The third batch is older than the second, and the last is the second once more.
    for (name, day) in [("a", 1), ("b", 9), ("c", 5), ("b", 9)] {
        for (table, _) in &document.warehouse.tables {
            let entry = &document.tables[table];
            let values = entry.columns.iter().map(|column| literal(column, day));
            let values: Vec<String> = values.chain(entry.deletes.then(|| "FALSE".to_owned())).collect();
            let sqls = load_of(&document, table, name, &format!("({})", values.join(", ")));
            let done = batch(&api, &sqls).await;
            assert_eq!(done["Status"], "FINISHED", "{table}\n{done:#}");
        }
    }
    for mart in &document.warehouse.marts {
        for _ in 0..2 {
            let done = batch(&api, &mart.refresh).await;
            assert_eq!(done["Status"], "FINISHED", "{}\n{done:#}", mart.name);
        }
    }
    assert_eq!(rows(&warehouse, "SELECT COUNT(*), MIN(updated_at) FROM core.orders").await, "1|2026-10-09 12:00:00");
    assert_eq!(rows(&warehouse, "SELECT COUNT(*) FROM core.visits").await, "1");
    assert_eq!(
        rows(&warehouse, "SELECT batch, rows_staged FROM pipectl.ledger_orders ORDER BY batch").await,
        "a|1\nb|1\nc|0"
    );
    assert_eq!(rows(&warehouse, "SELECT orders, revenue, net_revenue FROM marts.daily_revenue").await, "1|7.00|7.00");
    assert_eq!(rows(&warehouse, "SELECT orders, segment FROM marts.customer_value").await, "1|bought once");
    assert_eq!(rows(&warehouse, "SELECT sold, place FROM marts.top_products").await, "7|1");
    warehouse.stop();
}

/// A document of a pipeline with one table and one mart of each kind.
fn with_marts(columns: &str) -> Document {
    let text = format!(
        "name: shop\nsources: {{lists: {{files: {{snapshot: true}}}}}}\nwarehouse: {{read_only_users: [metabase]}}\ntables:\n  \
         t: {{source: lists, columns: {{{columns}}}, key: [id], order_by: at}}\n  \
         f: {{source: lists, columns: {{id: bigint, t: {{type: bigint, references: t.id, late: stub}}}}, key: [id]}}\n\
         marts:\n  a: {{sql: a.sql, unload: csv}}\n  v: {{sql: v.sql, as: view, unload: parquet}}\n  \
         m: {{sql: m.sql, as: materialized_view}}\n"
    );
    let environment = "account: \"000000000000\"\nregion: us-east-1\n";
    let spec =
        Spec::load(&yaml::Source::new("p.yaml", text), &yaml::Source::new("local.yaml", environment), "local").unwrap();
    let sql = |name: &str, sql: &str| (name.to_owned(), yaml::Source::new(format!("{name}.sql"), sql));
    let marts = [
        sql("a", "select id, at, n, 1.5 as half from core.t where _inferred is not true or n is null"),
        sql("v", "select id, n from marts.a"),
        sql("m", "select count(*) as rows from core.t"),
    ];
    document(&spec, &marts, &[]).unwrap_or_else(|error| panic!("{error}"))
}

async fn start(directory: &std::path::Path) -> Option<(StandIn, DataApi)> {
    let bucket = directory.join("buckets/transformed");
    std::fs::create_dir_all(&bucket).unwrap();
    let warehouse = StandIn::start(WarehouseConfig {
        directory: directory.join("warehouse"),
        account: "000000000000".into(),
        region: "us-east-1".into(),
        workgroup: "shop-local".into(),
        database: "warehouse".into(),
        secrets: vec!["redshift!shop-local-pipectl_admin".into()],
        readers: BTreeMap::from([("shop-local/warehouse/metabase".into(), "metabase".into())]),
        buckets: BTreeMap::from([("shop-local-transformed-000000000000-us-east-1".into(), bucket)]),
        ..WarehouseConfig::default()
    })
    .await;
    match warehouse {
        Ok(warehouse) => {
            let api = warehouse.data_api();
            Some((warehouse, api))
        }
        Err(error) => {
            cannot_run("postgresql", error.message(), "make setup, or apt-get install postgresql");
            None
        }
    }
}

async fn alone(api: &DataApi, sql: &str, secret: &str) -> Value {
    let body = json!({"WorkgroupName": "shop-local", "Database": "warehouse", "SecretArn": secret, "Sql": sql});
    let answer = api.handle("ExecuteStatement", &body, "arn:aws:sts::000000000000:assumed-role/x/session").await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let described = json!({ "Id": answer.body["Id"], "WaitTimeSeconds": 30 });
    api.handle("DescribeStatement", &described, "").await.body
}

async fn run(api: &DataApi, sqls: &[String]) {
    let done = match sqls {
        [] => return,
        [sql] => alone(api, sql, "redshift!shop-local-pipectl_admin").await,
        sqls => batch(api, sqls).await,
    };
    assert_eq!(done["Status"], "FINISHED", "{sqls:#?}\n{done:#}");
}

/// Loads rows, given as literals in the order of the columns, `_deleted` last.
async fn load(api: &DataApi, document: &Document, table: &str, name: &str, rows: &str) {
    run(api, &load_of(document, table, name, rows)).await;
}

#[tokio::test]
async fn deletes_late_rows_migrations_and_unloads() {
    let directory = tempfile::tempdir().unwrap();
    let Some((warehouse, api)) = start(directory.path()).await else { return };
    let first = with_marts("id: bigint, at: timestamp, n: varchar(4)");
    for statements in [
        &first.warehouse.setup,
        &vec!["CREATE USER metabase PASSWORD 'Metabase1'".to_owned()],
        &first.warehouse.complete,
    ] {
        run(&api, statements).await;
    }
    let all = "SELECT id, n, _inferred FROM core.t ORDER BY id";

    // A fact comes before what it points to, whose row then fills the place.
    load(&api, &first, "f", "1", "(1, 7, FALSE)").await;
    assert_eq!(rows(&warehouse, all).await, "7||t");
    load(&api, &first, "t", "1", "(7, '2026-01-01', 'a', FALSE), (8, '2026-01-05', 'b', FALSE)").await;
    assert_eq!(rows(&warehouse, all).await, "7|a|f\n8|b|f");

    // A deletion that is older than the row does nothing; a newer one holds against a row that comes late.
    load(&api, &first, "t", "2", "(7, '2026-01-09', NULL, TRUE), (8, '2026-01-02', NULL, TRUE)").await;
    assert_eq!(rows(&warehouse, all).await, "8|b|f");
    load(&api, &first, "t", "3", "(7, '2026-01-08', 'old', FALSE), (9, '2026-01-08', 'new', FALSE)").await;
    assert_eq!(rows(&warehouse, all).await, "8|b|f\n9|new|f");
    load(&api, &first, "t", "4", "(7, '2026-01-10', 'back', FALSE)").await;
    assert_eq!(rows(&warehouse, all).await, "7|back|f\n8|b|f\n9|new|f");

    // Marts of each kind, twice, and their files.
    for _ in 0..2 {
        for mart in &first.warehouse.marts {
            run(&api, &mart.refresh).await;
        }
        for mart in &first.warehouse.marts {
            run(&api, &mart.unload.clone().into_iter().collect::<Vec<_>>()).await;
        }
    }
    let exports = directory.path().join("buckets/transformed/exports");
    assert_eq!(
        std::fs::read_to_string(exports.join("a/000.csv")).unwrap(),
        "id,at,n,half\n8,2026-01-05 00:00:00,b,1.5\n9,2026-01-08 00:00:00,new,1.5\n7,2026-01-10 00:00:00,back,1.5\n"
    );
    assert_eq!(std::fs::read_dir(exports.join("v")).unwrap().count(), 1);
    assert!(exports.join("v/000.parquet").metadata().unwrap().len() > 100);
    assert_eq!(rows(&warehouse, "SELECT rows FROM marts.m").await, "3");

    // Who may only read reads all marts, the new ones too, and changes nothing.
    let reader = "shop-local/warehouse/metabase";
    for sql in ["SELECT * FROM marts.a", "SELECT * FROM marts.v", "SELECT * FROM marts.m", "SELECT * FROM core.t"] {
        let done = alone(&api, sql, reader).await;
        assert_eq!(done["Status"], "FINISHED", "{sql}\n{done:#}");
    }
    for sql in
        ["DELETE FROM core.t", "SELECT * FROM pipectl.ledger_t", "CREATE TABLE core.x (a INT)", "DROP TABLE marts.a"]
    {
        let done = alone(&api, sql, reader).await;
        assert!(
            done["Error"].as_str().unwrap_or_default().contains("denied")
                || done["Error"].as_str().unwrap_or_default().contains("must be owner"),
            "{sql}\n{done:#}"
        );
    }

    // The table grows a column, a longer text and another type; what it was, stays.
    let second = with_marts("id: bigint, at: timestamp, n: varchar(9), v: \"decimal(12,2)\"");
    let third = with_marts("id: bigint, at: timestamp, n: varchar(9), v: \"decimal(14,3)\"");
    let changed = |before: &Document, after: &Document| {
        let (before, after) = (&before.warehouse.schema["core.t"], &after.warehouse.schema["core.t"]);
        pipectl_contract::schema_change::compare("core.t", before, after)
            .unwrap_or_else(|refused| panic!("{refused:?}"))
            .steps
    };
    run(&api, &["DROP MATERIALIZED VIEW IF EXISTS marts.\"m\" CASCADE".to_owned()]).await;
    for step in changed(&first, &second).into_iter().chain(changed(&second, &third)) {
        run(&api, &step).await;
    }
    run(&api, &third.warehouse.complete).await;
    load(&api, &third, "t", "5", "(9, '2026-02-01', 'long name', 1.25, FALSE)").await;
    assert_eq!(
        rows(&warehouse, "SELECT id, n, v, _inferred FROM core.t ORDER BY id").await,
        "7|back||f\n8|b||f\n9|long name|1.250|f"
    );
    // The view is bound to no table, so that it was not in the way.
    assert_eq!(rows(&warehouse, "SELECT COUNT(*) FROM marts.v").await, "3");
    warehouse.stop();
}
