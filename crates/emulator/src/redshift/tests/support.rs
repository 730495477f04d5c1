//! A warehouse for one test, and files to load into it.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parquet::column::writer::ColumnWriter;
use parquet::data_type::ByteArray;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::postgres::binaries;
use crate::redshift::{Answer, DataApi, Isolation, Warehouse, WarehouseConfig};

pub(super) const CALLER: &str = "arn:aws:sts::000000000000:assumed-role/shop-local-load/session";
pub(super) const SECRET: &str = "redshift!shop-local-pipectl_admin";

/// A running warehouse in a temporary directory.
pub(super) struct Fixture {
    pub(super) warehouse: Warehouse,
    pub(super) api: DataApi,
    pub(super) events: UnboundedReceiver<Value>,
    pub(super) directory: TempDir,
}

impl Drop for Fixture {
    fn drop(&mut self) {
        self.warehouse.stop();
    }
}

impl Fixture {
    /// `None` if the test is skipped because there is no PostgreSQL.
    pub(super) async fn start() -> Option<Self> {
        if !is_installed() {
            return None;
        }
        Some(Self::start_in(tempfile::tempdir().unwrap()).await)
    }

    /// A warehouse whose transactions have this isolation.
    pub(super) async fn start_with(isolation: Isolation) -> Option<Self> {
        if !is_installed() {
            return None;
        }
        let directory = tempfile::tempdir().unwrap();
        let (sender, events) = unbounded_channel();
        let config = WarehouseConfig { isolation, ..config(directory.path(), sender) };
        let warehouse = Warehouse::start(config).await.unwrap();
        let api = warehouse.data_api();
        Some(Self { warehouse, api, events, directory })
    }

    pub(super) async fn start_in(directory: TempDir) -> Self {
        let (sender, events) = unbounded_channel();
        let warehouse = Warehouse::start(config(directory.path(), sender)).await.unwrap();
        let api = warehouse.data_api();
        Self { warehouse, api, events, directory }
    }

    pub(super) fn bucket(&self) -> PathBuf {
        self.directory.path().join("buckets/transformed")
    }

    pub(super) async fn call(&self, action: &str, body: Value) -> Answer {
        self.api.handle(action, &body, CALLER).await
    }

    /// Runs the statements as one batch and returns its description.
    pub(super) async fn batch(&self, sqls: &[&str]) -> Value {
        let mut body = request();
        body["Sqls"] = json!(sqls);
        self.submit("BatchExecuteStatement", body).await
    }

    /// Runs each statement alone; fails the test if one fails.
    pub(super) async fn each(&self, sqls: &[&str]) {
        for sql in sqls {
            let described = self.one(sql).await;
            assert_eq!(described["Status"], "FINISHED", "{sql}\n{described:#}");
        }
    }

    /// Runs one statement and returns its description.
    pub(super) async fn one(&self, sql: &str) -> Value {
        let mut body = request();
        body["Sql"] = json!(sql);
        self.submit("ExecuteStatement", body).await
    }

    pub(super) async fn submit(&self, action: &str, body: Value) -> Value {
        let answer = self.call(action, body).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        let id = answer.body["Id"].clone();
        self.call("DescribeStatement", json!({ "Id": id, "WaitTimeSeconds": 30 })).await.body
    }

    /// The rows of a query, one line each.
    pub(super) async fn rows(&self, sql: &str) -> String {
        match self.warehouse.rows(sql).await {
            Ok((_, rows)) => {
                let line = |row: Vec<Option<String>>| {
                    row.into_iter().map(|value| value.unwrap_or("NULL".to_owned())).collect::<Vec<_>>().join("|")
                };
                rows.into_iter().map(line).collect::<Vec<_>>().join("\n")
            }
            Err(error) => error.message().to_owned(),
        }
    }
}

fn is_installed() -> bool {
    let Err(error) = binaries::find(None, None) else { return true };
    pipectl_core::testing::cannot_run("postgresql", error.message(), "make setup, or apt-get install postgresql");
    false
}

pub(super) fn request() -> Value {
    json!({ "WorkgroupName": "shop-local", "Database": "warehouse", "SecretArn": SECRET })
}

fn config(directory: &Path, events: tokio::sync::mpsc::UnboundedSender<Value>) -> WarehouseConfig {
    let bucket = directory.join("buckets/transformed");
    std::fs::create_dir_all(&bucket).unwrap();
    WarehouseConfig {
        directory: directory.join("warehouse"),
        account: "000000000000".to_owned(),
        region: "us-east-1".to_owned(),
        workgroup: "shop-local".to_owned(),
        workgroup_arn: "arn:aws:redshift-serverless:us-east-1:000000000000:workgroup/1".to_owned(),
        database: "warehouse".to_owned(),
        secrets: vec![SECRET.to_owned()],
        buckets: BTreeMap::from([("shop-transformed".to_owned(), bucket)]),
        events: Some(events),
        ..WarehouseConfig::default()
    }
}

/// A column's values; `None` is NULL.
pub(super) enum Values {
    Booleans(Vec<Option<bool>>),
    Int32s(Vec<Option<i32>>),
    Int64s(Vec<Option<i64>>),
    Doubles(Vec<Option<f64>>),
    Texts(Vec<Option<String>>),
}

/// Writes a Parquet file with one row group.
pub(super) fn write_parquet(path: &Path, schema: &str, columns: Vec<Values>) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let properties = WriterProperties::builder().set_compression(parquet::basic::Compression::SNAPPY).build();
    let mut file = SerializedFileWriter::new(File::create(path).unwrap(), schema, Arc::new(properties)).unwrap();
    let mut group = file.next_row_group().unwrap();
    for values in columns {
        let mut column = group.next_column().unwrap().unwrap();
        match (column.untyped(), values) {
            (ColumnWriter::BoolColumnWriter(writer), Values::Booleans(values)) => {
                writer.write_batch(&present(&values), Some(&levels(&values)), None).unwrap();
            }
            (ColumnWriter::Int32ColumnWriter(writer), Values::Int32s(values)) => {
                writer.write_batch(&present(&values), Some(&levels(&values)), None).unwrap();
            }
            (ColumnWriter::Int64ColumnWriter(writer), Values::Int64s(values)) => {
                writer.write_batch(&present(&values), Some(&levels(&values)), None).unwrap();
            }
            (ColumnWriter::DoubleColumnWriter(writer), Values::Doubles(values)) => {
                writer.write_batch(&present(&values), Some(&levels(&values)), None).unwrap();
            }
            (ColumnWriter::ByteArrayColumnWriter(writer), Values::Texts(values)) => {
                let texts: Vec<ByteArray> =
                    values.iter().flatten().map(|text| ByteArray::from(text.as_str())).collect();
                writer.write_batch(&texts, Some(&levels(&values)), None).unwrap();
            }
            _ => panic!("the values are not of the column's type"),
        }
        column.close().unwrap();
    }
    group.close().unwrap();
    file.close().unwrap();
}

fn present<T: Clone>(values: &[Option<T>]) -> Vec<T> {
    values.iter().flatten().cloned().collect()
}

fn levels<T>(values: &[Option<T>]) -> Vec<i16> {
    values.iter().map(|value| i16::from(value.is_some())).collect()
}
