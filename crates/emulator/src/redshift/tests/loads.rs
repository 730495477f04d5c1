//! Loads as pipectl writes them: batches of earlier pipeline documents, foreign files, and transactions at the same time.

use std::time::Duration;

use pipectl_contract::document::{LoadColumn, TableLoad};
use pipectl_contract::ledger::DataFile;
use pipectl_contract::load_statements::{self, Batch, Files};
use pipectl_contract::manifest::Manifest;
use pipectl_contract::{Map, keys};
use serde_json::{Value, json};

use super::support::{Fixture, Values, request, write_parquet};
use crate::redshift::Isolation;

const BUCKET: &str = "shop-transformed";

/// The table `t` with these columns and the key `id`.
fn table(columns: &[(&str, &str)]) -> TableLoad {
    let column =
        |(name, kind): &(&str, &str)| LoadColumn { name: (*name).to_owned(), kind: kind.parse().unwrap(), stub: None };
    TableLoad {
        name: "t".into(),
        columns: columns.iter().map(column).collect(),
        key: vec!["id".into()],
        ..TableLoad::default()
    }
}

fn spark(columns: &[(&str, &str)]) -> Map<String> {
    columns.iter().map(|(name, kind)| ((*name).to_owned(), (*kind).to_owned())).collect()
}

fn texts(values: &[&str]) -> Values {
    Values::Texts(values.iter().map(|text| Some((*text).to_owned())).collect())
}

async fn with_table(columns: &str, isolation: Isolation) -> Option<Fixture> {
    let fixture = Fixture::start_with(isolation).await?;
    let ledger = load_statements::create_ledger("t");
    fixture.each(&["CREATE SCHEMA core", "CREATE SCHEMA pipectl", &ledger]).await;
    fixture.each(&[&format!("CREATE TABLE core.t ({columns})")]).await;
    Some(fixture)
}

/// Writes the manifest of the files of a batch, and returns its address.
fn manifest(fixture: &Fixture, batch: &str) -> String {
    let folder = keys::rows_folder("t", batch);
    let mut files = Vec::new();
    for entry in std::fs::read_dir(fixture.bucket().join(&folder)).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        if name.starts_with("part-") {
            files.push(DataFile { key: format!("{folder}{name}"), size: entry.metadata().unwrap().len() });
        }
    }
    let key = keys::manifest("t", batch);
    let path = fixture.bucket().join(&key);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, serde_json::to_vec(&Manifest::new(BUCKET, &files)).unwrap()).unwrap();
    format!("s3://{BUCKET}/{key}")
}

fn statements(fixture: &Fixture, table: &TableLoad, batch: &str, columns: &Map<String>) -> Vec<String> {
    let address = manifest(fixture, batch);
    load_statements::statements(table, Batch { name: batch, files: Files::Manifest(&address), columns })
        .unwrap_or_else(|unfit| panic!("{unfit:?}"))
}

async fn load(fixture: &Fixture, table: &TableLoad, batch: &str, columns: &Map<String>) -> Value {
    let sqls = statements(fixture, table, batch, columns);
    fixture.batch(&sqls.iter().map(String::as_str).collect::<Vec<_>>()).await
}

#[tokio::test]
async fn a_batch_of_an_earlier_document_keeps_its_columns() {
    let Some(fixture) =
        with_table("id BIGINT, first VARCHAR(9), last VARCHAR(9), n INTEGER", Isolation::Snapshot).await
    else {
        return;
    };
    let file = "message m { optional int64 id; optional byte_array first (UTF8); optional byte_array last (UTF8); optional int32 n; }";
    for (batch, id, n) in [("1", 1, 10), ("2", 2, 20)] {
        let path = fixture.bucket().join(keys::rows_folder("t", batch)).join("part-0.snappy.parquet");
        let rows =
            vec![Values::Int64s(vec![Some(id)]), texts(&["Ada"]), texts(&["Byron"]), Values::Int32s(vec![Some(n)])];
        write_parquet(&path, file, rows);
    }
    // What a run that broke off has left, and what is no row at all.
    let folder = fixture.bucket().join(keys::rows_folder("t", "1"));
    for name in ["_SUCCESS", "_temporary/0/part-0.snappy.parquet", "part-9$folder$.parquet", "stranger.parquet"] {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "no parquet").unwrap();
    }
    std::fs::rename(folder.join("part-9$folder$.parquet"), folder.join("x$folder$")).unwrap();
    let columns = spark(&[("id", "bigint"), ("first", "string"), ("last", "string"), ("n", "int")]);

    // The deploy swapped two text columns of the document.
    let swapped = table(&[("id", "bigint"), ("last", "varchar(9)"), ("first", "varchar(9)"), ("n", "integer")]);
    let done = load(&fixture, &swapped, "1", &columns).await;
    assert_eq!(done["Status"], "FINISHED", "{done:#}");
    assert_eq!(fixture.rows("SELECT id, first, last, n FROM core.t").await, "1|Ada|Byron|10");

    // One column is new, one is gone, and one is wider.
    fixture
        .each(&["DROP TABLE core.t", "CREATE TABLE core.t (id BIGINT, added VARCHAR(9), last VARCHAR(9), n BIGINT)"])
        .await;
    fixture.each(&["INSERT INTO core.t VALUES (2, 'kept', 'old', 1)"]).await;
    let changed = table(&[("id", "bigint"), ("added", "varchar(9)"), ("last", "varchar(9)"), ("n", "bigint")]);
    fixture.each(&["DELETE FROM pipectl.ledger_t"]).await;
    for batch in ["1", "2"] {
        let done = load(&fixture, &changed, batch, &columns).await;
        assert_eq!(done["Status"], "FINISHED", "{done:#}");
    }
    assert_eq!(
        fixture.rows("SELECT id, added, last, n FROM core.t ORDER BY id").await,
        "1|NULL|Byron|10\n2|kept|Byron|20"
    );
}

#[tokio::test]
async fn a_manifest_is_read_as_redshift_reads_it() {
    let Some(fixture) = with_table("id BIGINT", Isolation::Snapshot).await else { return };
    let file = "message m { optional int64 id; }";
    let part = fixture.bucket().join("t/part-0.parquet");
    write_parquet(&part, file, vec![Values::Int64s(vec![Some(1)])]);
    let size = part.metadata().unwrap().len();
    let url = format!("s3://{BUCKET}/t/part-0.parquet");
    let gone = format!("s3://{BUCKET}/t/gone.parquet");
    for (manifest, expected) in [
        ("{".to_owned(), "Manifest file is not in correct json format"),
        (json!({"entries": [{"url": url}]}).to_string(), "must contain the key 'content_length'"),
        (
            json!({"entries": [{"url": url, "meta": {"content_length": 1}}]}).to_string(),
            "and the manifest says 1",
        ),
        (
            json!({"entries": [{"url": gone, "mandatory": true, "meta": {"content_length": 1}}]}).to_string(),
            "t/gone.parquet does not exist",
        ),
        (json!({"entries": [{"url": gone, "meta": {"content_length": 1}}]}).to_string(), "No file of the manifest"),
        (
            json!({"entries": [{"url": gone, "meta": {"content_length": 1}}, {"url": url, "meta": {"content_length": size}}]})
                .to_string(),
            "",
        ),
    ] {
        std::fs::write(fixture.bucket().join("m.json"), manifest).unwrap();
        let copy = format!("COPY core.t FROM 's3://{BUCKET}/m.json' IAM_ROLE default FORMAT AS PARQUET MANIFEST");
        let done = fixture.one(&copy).await;
        let error = done["Error"].as_str().unwrap_or_default();
        assert!(error.contains(expected) && error.is_empty() == expected.is_empty(), "{expected}: {error}");
    }
    assert_eq!(fixture.rows("SELECT id FROM core.t").await, "1");
}

/// Submits statements as one transaction and does not wait for it.
async fn submit(fixture: &Fixture, sqls: &[String]) -> String {
    let mut body = request();
    body["Sqls"] = json!(sqls);
    let answer = fixture.call("BatchExecuteStatement", body).await;
    answer.body["Id"].as_str().unwrap().to_owned()
}

async fn end(fixture: &Fixture, id: &str) -> Value {
    fixture.call("DescribeStatement", json!({ "Id": id, "WaitTimeSeconds": 30 })).await.body
}

/// Holds a table until so many sessions wait for it, then lets them go on.
async fn hold(fixture: &Fixture, table: &str, submissions: &[Vec<String>]) -> Vec<Value> {
    let holder = fixture.warehouse.session(None).await.unwrap();
    holder.execute(&format!("BEGIN; LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")).await.unwrap();
    let mut ids = Vec::new();
    for sqls in submissions {
        ids.push(submit(fixture, sqls).await);
    }
    let waiting = format!("SELECT 1 FROM pg_locks WHERE NOT granted AND relation = '{table}'::regclass");
    let watcher = fixture.warehouse.session(None).await.unwrap();
    while watcher.query(&waiting).await.unwrap().rows.len() < submissions.len() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    holder.execute("COMMIT").await.unwrap();
    let mut ended = Vec::new();
    for id in &ids {
        ended.push(end(fixture, id).await);
    }
    ended
}

/// The same batch twice at the same time, as after a deploy during a load. `locked` is whether the transactions begin with
/// their lock. Returns how many of them were committed, and what the table and its ledger hold then.
async fn twice(isolation: Isolation, locked: bool) -> Option<(usize, String)> {
    let fixture = with_table("id BIGINT, n INTEGER", isolation).await?;
    let path = fixture.bucket().join(keys::rows_folder("t", "1")).join("part-0.parquet");
    let rows = vec![Values::Int64s(vec![Some(1)]), Values::Int32s(vec![Some(1)])];
    write_parquet(&path, "message m { optional int64 id; optional int32 n; }", rows);
    let columns = spark(&[("id", "bigint"), ("n", "int")]);
    let sqls = statements(&fixture, &table(&[("id", "bigint"), ("n", "integer")]), "1", &columns);
    let (first, rest) = sqls.split_first().unwrap();
    assert_eq!(first, "LOCK pipectl.ledger_t");
    // Without their lock, both have looked into the ledger when they reach the table.
    let (held, sqls) = if locked { ("pipectl.ledger_t", sqls.clone()) } else { ("core.t", rest.to_vec()) };
    let ended = hold(&fixture, held, &[sqls.clone(), sqls]).await;
    let committed = ended.iter().filter(|done| done["Status"] == "FINISHED").count();
    let rows = fixture.rows("SELECT (SELECT COUNT(*) FROM core.t), (SELECT COUNT(*) FROM pipectl.ledger_t)").await;
    Some((committed, rows))
}

#[tokio::test]
async fn a_batch_that_is_loaded_twice_at_once_counts_once() {
    for isolation in [Isolation::Snapshot, Isolation::Serializable] {
        let Some(locked) = twice(isolation, true).await else { return };
        assert_eq!(locked, (2, "1|1".to_owned()), "{isolation:?}");
    }
    // The lock is what does it: a snapshot alone lets both in, and serializable transactions fail.
    assert_eq!(twice(Isolation::Snapshot, false).await, Some((2, "2|2".to_owned())));
    assert_eq!(twice(Isolation::Serializable, false).await, Some((1, "1|1".to_owned())));
}

#[tokio::test]
async fn a_table_that_is_rebuilt_beside_a_load_keeps_the_rows_of_the_load() {
    for isolation in [Isolation::Snapshot, Isolation::Serializable] {
        let Some(fixture) = with_table("id BIGINT, n INTEGER", isolation).await else { return };
        let path = fixture.bucket().join(keys::rows_folder("t", "1")).join("part-0.parquet");
        let rows = vec![Values::Int64s(vec![Some(1)]), Values::Int32s(vec![Some(1)])];
        write_parquet(&path, "message m { optional int64 id; optional int32 n; }", rows);
        let columns = spark(&[("id", "bigint"), ("n", "int")]);
        let load = statements(&fixture, &table(&[("id", "bigint"), ("n", "integer")]), "1", &columns);
        let column = |name: &str, kind: &str| pipectl_contract::schema_change::Column {
            name: name.into(),
            kind: kind.into(),
            required: false,
        };
        let schema = |kind: &str| pipectl_contract::schema_change::Table {
            columns: vec![column("id", "bigint"), column("n", kind)],
            ..Default::default()
        };
        let migration =
            pipectl_contract::schema_change::compare("core.t", &schema("integer"), &schema("bigint")).unwrap();
        let rebuild = migration.steps[0].clone();
        assert_eq!(rebuild[0], "LOCK pipectl.ledger_t");
        for order in [[load.clone(), rebuild.clone()], [rebuild, load]] {
            fixture.each(&["DELETE FROM core.t", "DELETE FROM pipectl.ledger_t"]).await;
            let ended = hold(&fixture, "pipectl.ledger_t", &order).await;
            assert!(ended.iter().all(|done| done["Status"] == "FINISHED"), "{isolation:?} {ended:#?}");
            let rows = "SELECT (SELECT COUNT(*) FROM core.t), (SELECT COUNT(*) FROM pipectl.ledger_t)";
            assert_eq!(fixture.rows(rows).await, "1|1", "{isolation:?}");
        }
    }
}
