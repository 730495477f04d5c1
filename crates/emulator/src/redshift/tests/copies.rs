//! COPY of Parquet files, and the whole load of a table.

use super::support::{Fixture, Values, write_parquet};

const ORDERS: &str = "message orders {
    optional int64 id;
    optional byte_array name (UTF8);
    optional int32 day (DATE);
    optional int64 updated (TIMESTAMP(MICROS,true));
    optional int64 total (DECIMAL(12,2));
    optional int32 units;
    optional boolean paid;
    optional double weight;
    optional byte_array extra (UTF8);
}";

const TABLE: &str = "CREATE TABLE IF NOT EXISTS core.orders (id BIGINT NOT NULL, name VARCHAR(8), day DATE, updated TIMESTAMP, \
    total DECIMAL(12,2), units INTEGER, paid BOOLEAN, weight DOUBLE PRECISION, extra SUPER, PRIMARY KEY (id)) DISTKEY (id) SORTKEY (updated)";

/// A column with one text for each row.
fn texts<'a>(values: impl IntoIterator<Item = &'a str>) -> Values {
    Values::Texts(values.into_iter().map(|value| Some(value.to_owned())).collect())
}

/// Rows (id, name, microseconds of `updated`).
fn orders(rows: &[(i64, &str, i64)]) -> Vec<Values> {
    let none = rows.len() - 1;
    vec![
        Values::Int64s(rows.iter().map(|row| Some(row.0)).collect()),
        texts(rows.iter().map(|row| row.1)),
        Values::Int32s((0..=none).map(|index| (index != none).then_some(19_800)).collect()),
        Values::Int64s(rows.iter().map(|row| Some(row.2)).collect()),
        Values::Int64s((0..=none).map(|index| (index != none).then_some(-123_456_789)).collect()),
        Values::Int32s(rows.iter().map(|_| Some(-7)).collect()),
        Values::Booleans(rows.iter().map(|_| Some(true)).collect()),
        Values::Doubles(rows.iter().map(|_| Some(1.5)).collect()),
        texts(rows.iter().map(|_| "{\"a\":1}")),
    ]
}

async fn with_orders() -> Option<Fixture> {
    let fixture = Fixture::start().await?;
    let setup = [
        "CREATE SCHEMA core",
        "CREATE SCHEMA pipectl",
        TABLE,
        "CREATE TABLE pipectl.ledger (batch VARCHAR(64), table_name VARCHAR(128), loaded_at TIMESTAMP, rows_staged BIGINT)",
    ];
    fixture.each(&setup).await;
    Some(fixture)
}

#[tokio::test]
async fn every_type_arrives_as_it_was_written() {
    let Some(fixture) = with_orders().await else { return };
    let folder = fixture.bucket().join("orders/batch=1");
    write_parquet(
        &folder.join("part-0.parquet"),
        ORDERS,
        orders(&[(1, "one", 1_700_000_000_123_456), (2, "zwölf", 0)]),
    );
    std::fs::write(folder.join("_SUCCESS"), "").unwrap();
    std::fs::write(folder.join(".part-0.parquet.crc"), "x").unwrap();
    let copy = fixture
        .one("COPY core.orders FROM 's3://shop-transformed/orders/batch=1/' IAM_ROLE default FORMAT AS PARQUET")
        .await;
    assert_eq!((&copy["Status"], &copy["ResultRows"]), (&"FINISHED".into(), &2.into()), "{copy:#}");
    assert_eq!(
        fixture.rows("SELECT * FROM core.orders ORDER BY id").await,
        "1|one|2024-03-18|2023-11-14 22:13:20.123456|-1234567.89|-7|t|1.5|\"{\\\"a\\\":1}\"\n\
         2|zwölf|NULL|1970-01-01 00:00:00|NULL|-7|t|1.5|\"{\\\"a\\\":1}\""
    );
    assert_eq!(fixture.rows("SELECT JSON_PARSE(extra) FROM core.orders WHERE id = 1").await, "{\"a\":1}");
}

#[tokio::test]
async fn a_file_that_does_not_match_is_rejected_as_a_whole() {
    let Some(fixture) = with_orders().await else { return };
    fixture
        .each(&[
            "CREATE TABLE core.small (id BIGINT, name VARCHAR(3))",
            "CREATE TABLE core.narrow (id INTEGER, name VARCHAR(9))",
        ])
        .await;
    let two = "message two { optional int64 id; optional byte_array name (UTF8); }";
    let rows = |name: &str| vec![Values::Int64s(vec![Some(1)]), texts([name])];
    let bucket = fixture.bucket();
    write_parquet(&bucket.join("two/a.parquet"), two, rows("ab"));
    write_parquet(&bucket.join("two/b.parquet"), two, rows("äöü"));
    std::fs::create_dir_all(bucket.join("bad")).unwrap();
    std::fs::write(bucket.join("bad/a.parquet"), "no parquet").unwrap();
    for (table, path, expected) in [
        (
            "core.small",
            "shop-transformed/two/",
            "The length of the data column is longer than the length defined in the table. Table: 3, Data: 6, File name: https://s3.us-east-1.amazonaws.com/shop-transformed/two/b.parquet",
        ),
        (
            "core.narrow",
            "shop-transformed/two/",
            "File 'https://s3.us-east-1.amazonaws.com/shop-transformed/two/a.parquet' has an incompatible Parquet schema for column 's3://shop-transformed/two/.id'. Column type: INT, Parquet schema:\noptional int64 id [d:1 r:0]",
        ),
        (
            "core.orders",
            "shop-transformed/two/",
            "Unmatched number of columns between table and file. Table columns: 9, Data columns: 2, File name: https://s3.us-east-1.amazonaws.com/shop-transformed/two/a.parquet",
        ),
        ("core.small", "shop-transformed/none/", "The specified S3 prefix 'none/' does not exist"),
        ("core.small", "shop-transformed/../two/", "The specified S3 prefix '../two/' does not exist"),
        (
            "core.small",
            "elsewhere/two/",
            "S3ServiceException:The specified bucket does not exist,Status 404,Error NoSuchBucket",
        ),
        (
            "core.small",
            "shop-transformed/bad/",
            "Error reading file https://s3.us-east-1.amazonaws.com/shop-transformed/bad/a.parquet",
        ),
        ("core.missing", "shop-transformed/two/", "relation \"core.missing\" does not exist"),
    ] {
        let described =
            fixture.one(&format!("COPY {table} FROM 's3://{path}' IAM_ROLE default FORMAT AS PARQUET")).await;
        let error = described["Error"].as_str().unwrap_or_default();
        assert!(error.contains(expected), "{table} {path}\n{error}");
    }
    assert_eq!(
        fixture.rows("SELECT (SELECT COUNT(*) FROM core.small) + (SELECT COUNT(*) FROM core.narrow)").await,
        "0"
    );
}

#[tokio::test]
async fn the_loaders_batch_upserts_once_however_often_it_runs() {
    let Some(mut fixture) = with_orders().await else { return };
    let load = |batch: &str| {
        [
            "CREATE TEMP TABLE stage (LIKE core.orders)".to_owned(),
            format!("COPY stage FROM 's3://shop-transformed/orders/batch={batch}/' IAM_ROLE default FORMAT AS PARQUET"),
            format!("DELETE FROM stage WHERE EXISTS (SELECT 1 FROM pipectl.ledger l WHERE l.batch = '{batch}' AND l.table_name = 'orders')"),
            "DELETE FROM stage USING core.orders t WHERE t.id = stage.id AND t.updated > stage.updated".to_owned(),
            "MERGE INTO core.orders USING stage ON core.orders.id = stage.id WHEN MATCHED THEN UPDATE SET name = stage.name, updated = stage.updated \
             WHEN NOT MATCHED THEN INSERT (id, name, updated) VALUES (stage.id, stage.name, stage.updated)".to_owned(),
            format!("INSERT INTO pipectl.ledger SELECT '{batch}', 'orders', GETDATE(), (SELECT COUNT(*) FROM stage) \
             WHERE NOT EXISTS (SELECT 1 FROM pipectl.ledger WHERE batch = '{batch}' AND table_name = 'orders')"),
        ]
    };
    let bucket = fixture.bucket();
    write_parquet(
        &bucket.join("orders/batch=1/a.parquet"),
        ORDERS,
        orders(&[(1, "a", 10), (2, "b", 10), (3, "c", 10)]),
    );
    // A late row (2), a newer one (3) and a new one (4).
    write_parquet(
        &bucket.join("orders/batch=2/a.parquet"),
        ORDERS,
        orders(&[(2, "old", 9), (3, "new", 11), (4, "d", 1)]),
    );
    for (batch, changed) in [("1", 3), ("1", 0), ("2", 2), ("2", 0), ("1", 0)] {
        let sqls = load(batch);
        let sqls: Vec<&str> = sqls.iter().map(String::as_str).collect();
        let described = fixture.batch(&sqls).await;
        assert_eq!(described["Status"], "FINISHED", "{described:#}");
        assert_eq!(described["SubStatements"][4]["ResultRows"], changed, "batch {batch}");
    }
    assert_eq!(fixture.rows("SELECT id, name FROM core.orders ORDER BY id").await, "1|a\n2|b\n3|new\n4|d");
    assert_eq!(fixture.rows("SELECT batch, rows_staged FROM pipectl.ledger ORDER BY 1").await, "1|3\n2|2");
    assert!(fixture.events.try_recv().is_err(), "no event was asked for");
}

#[tokio::test]
async fn a_hundred_thousand_rows_load_in_one_batch() {
    let Some(fixture) = with_orders().await else { return };
    let names: Vec<String> = (0..100_000).map(|index| format!("o{index}")).collect();
    let rows: Vec<(i64, &str, i64)> =
        names.iter().zip(0..).map(|(name, index)| (index, name.as_str(), index)).collect();
    write_parquet(&fixture.bucket().join("orders/batch=1/a.parquet"), ORDERS, orders(&rows));
    let start = std::time::Instant::now();
    let copy = fixture
        .one("COPY core.orders FROM 's3://shop-transformed/orders/batch=1/' IAM_ROLE default FORMAT AS PARQUET")
        .await;
    eprintln!("COPY of 100,000 rows: {:?}", start.elapsed());
    assert_eq!(copy["ResultRows"], 100_000, "{copy:#}");
    assert_eq!(fixture.rows("SELECT COUNT(DISTINCT name), SUM(id) FROM core.orders").await, "100000|4999950000");
}
