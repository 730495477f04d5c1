//! The Glue catalog and the files: Athena reads a table by the types that the templates say, and fails where a file
//! has others.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use parquet::basic::{LogicalType, Type as Physical};
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use parquet::schema::types::ColumnDescriptor;
use pipectl::local::LocalAccount;
use serde_json::Value;

use crate::support::Test;

/// A column: its name, and its type in the words of Hive.
type Column = (String, String);

/// Compares each table of the catalog with each of its files, after a rehearsal. Answers the tables without any file.
pub(crate) fn without_files(test: &Test) -> Vec<String> {
    let account = LocalAccount::open(&test.path(".pipectl/local"), "000000000000", "us-east-1").unwrap();
    let mut empty = Vec::new();
    let mut wrong = BTreeMap::new();
    for table in account.resources().iter().filter(|resource| resource.resource_type == "AWS::Glue::Table") {
        let input = &table.properties["TableInput"];
        if input["Parameters"]["classification"] != "parquet" {
            continue;
        }
        let location = input["StorageDescriptor"]["Location"].as_str().unwrap();
        let (bucket, folder) = location.strip_prefix("s3://").unwrap().split_once('/').unwrap();
        let files = files(&account.bucket_directory(bucket).join(folder));
        if files.is_empty() {
            empty.push(format!("{bucket} {}", input["Name"].as_str().unwrap()));
        }
        let declared = declared(&input["StorageDescriptor"]["Columns"]);
        for file in files {
            let found = found(&file);
            if found != declared {
                wrong.insert(file, (declared.clone(), found));
            }
        }
    }
    assert!(wrong.is_empty(), "files that are not as the catalog says (catalog, file): {wrong:#?}");
    empty
}

fn declared(columns: &Value) -> Vec<Column> {
    let text = |column: &Value, name: &str| column[name].as_str().unwrap().to_owned();
    columns.as_array().unwrap().iter().map(|column| (text(column, "Name"), text(column, "Type"))).collect()
}

fn found(file: &Path) -> Vec<Column> {
    let reader = SerializedFileReader::new(std::fs::File::open(file).unwrap()).unwrap();
    let schema = reader.metadata().file_metadata().schema_descr();
    schema.columns().iter().map(|column| (column.name().to_owned(), hive(column))).collect()
}

/// Hive's word for a column of a file; what no table should have is shown as it is.
fn hive(column: &ColumnDescriptor) -> String {
    match (column.logical_type_ref(), column.physical_type()) {
        (Some(LogicalType::Integer(kind)), _) if kind.is_signed && kind.bit_width == 16 => "smallint".into(),
        (Some(LogicalType::Decimal(kind)), _) => format!("decimal({},{})", kind.precision, kind.scale),
        (Some(LogicalType::String), _) => "string".into(),
        (Some(LogicalType::Date), _) => "date".into(),
        (Some(LogicalType::Timestamp(_)), Physical::INT64) => "timestamp".into(),
        (None, Physical::INT64) => "bigint".into(),
        (None, Physical::INT32) => "int".into(),
        (None, Physical::DOUBLE) => "double".into(),
        (None, Physical::BOOLEAN) => "boolean".into(),
        (logical, physical) => format!("{physical} {logical:?}"),
    }
}

/// The Parquet files below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|extension| extension == "parquet") {
            found.push(path);
        }
    }
    found
}
