//! Every statement of the document, run on the warehouse that stands in for Redshift.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::super::table::ColumnEntry;
use super::super::*;
use super::reference;
use crate::rehearse::warehouse::{DataApi, Warehouse as StandIn, WarehouseConfig};
use crate::spec::ColumnType;

/// A literal for a column; `day` makes rows that are older or newer.
fn literal(column: &ColumnEntry, day: u32) -> String {
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

async fn rows(warehouse: &StandIn, sql: &str) -> String {
    let (_, rows) = warehouse.rows(sql).await.unwrap();
    let line = |row: Vec<Option<String>>| row.into_iter().map(Option::unwrap_or_default).collect::<Vec<_>>().join("|");
    rows.into_iter().map(line).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn every_statement_runs_and_a_batch_counts_once() {
    let (spec, marts) = reference("local");
    let document = document(&spec, &marts).unwrap();
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
        Err(error) => return eprintln!("skipped: {}", error.message()),
    };
    let api = warehouse.data_api();
    for _ in 0..2 {
        let done = batch(&api, &document.warehouse.setup).await;
        assert_eq!(done["Status"], "FINISHED", "{done:#}");
    }
    // The third batch is older than the second, and the last is the second once more.
    for (name, day) in [("a", 1), ("b", 9), ("c", 5), ("b", 9)] {
        for (table, entry) in &document.warehouse.tables {
            let values: Vec<String> =
                document.tables[table].columns.iter().map(|column| literal(column, day)).collect();
            let sqls: Vec<String> = entry
                .load
                .iter()
                .map(|sql| match sql.strip_prefix("COPY ").and_then(|rest| rest.split(' ').next()) {
                    Some(stage) => format!("INSERT INTO {stage} VALUES ({})", values.join(", ")),
                    None => sql.replace("{batch}", name),
                })
                .collect();
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
        rows(&warehouse, "SELECT batch, rows_staged FROM pipectl.ledger WHERE table_name = 'orders' ORDER BY batch")
            .await,
        "a|1\nb|1\nc|0"
    );
    assert_eq!(rows(&warehouse, "SELECT orders, revenue, net_revenue FROM marts.daily_revenue").await, "1|7.00|0.00");
    assert_eq!(rows(&warehouse, "SELECT orders, segment FROM marts.customer_value").await, "1|bought once");
    assert_eq!(rows(&warehouse, "SELECT sold, place FROM marts.top_products").await, "7|1");
    warehouse.stop();
}
