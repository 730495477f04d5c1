//! The files of a replication, as DMS documents them: where they lie, what they are called, which columns they have.

mod csv;
mod parquet;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use tempfile::TempDir;
use time::OffsetDateTime;
use time::macros::format_description;

use crate::error::{Error, Result};

use super::configuration::{Configuration, Format, Target};
use super::mapping::BeforeImage;
use super::row::{self, Change, Column, Kind, Operation, Table, Value};

/// A file that is ready to be put.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    pub path: PathBuf,
    pub key: String,
    pub rows: u64,
}

/// Writes the files of one load, or of one span of changes.
pub(super) struct Writer<'a> {
    configuration: &'a Configuration,
    directory: &'a TempDir,
    load: Load,
    /// The file that is open for each table, with the columns that it has.
    open: BTreeMap<(String, String), (Arc<Table>, Open)>,
    done: Vec<File>,
}

/// What a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Load {
    Full,
    Changes,
}

struct Open {
    sheet: Sheet,
    file: Output,
    key: String,
    path: PathBuf,
    rows: u64,
}

enum Output {
    Csv(csv::CsvFile),
    Parquet(parquet::ParquetFile),
}

/// The columns of a file, and how a row comes into them.
struct Sheet {
    operation: bool,
    timestamp: Option<String>,
    columns: Vec<Column>,
    /// Columns with the values before, by the place of the column that they belong to.
    before: Vec<(usize, Column)>,
}

impl Sheet {
    fn new(table: &Table, target: &Target, load: Load, before: Option<&BeforeImage>) -> Self {
        let before = before.filter(|_| load == Load::Changes).into_iter().flat_map(|image| {
            let columns = table.columns.iter().enumerate().filter(|(_, column)| column.key || !image.keys_only);
            columns.map(|(index, column)| {
                let name = format!("{}{}{}", image.prefix, column.name, image.suffix);
                (index, Column { name, key: false, ..column.clone() })
            })
        });
        Self {
            operation: load == Load::Changes || target.operation_in_full_load,
            timestamp: target.timestamp_column.clone(),
            columns: table.columns.clone(),
            before: before.collect(),
        }
    }

    /// All columns of the file.
    fn all(&self) -> Vec<Column> {
        let text = |name: &str| Column { name: name.to_owned(), kind: Kind::Text, key: false };
        let operation = self.operation.then(|| text("Op"));
        let timestamp = self.timestamp.as_deref().map(text);
        let before = self.before.iter().map(|(_, column)| column.clone());
        operation.into_iter().chain(timestamp).chain(self.columns.iter().cloned()).chain(before).collect()
    }

    fn row(&self, change: Change) -> Vec<Value> {
        let mut row = Vec::with_capacity(self.columns.len() + self.before.len() + 2);
        if self.operation {
            row.push(Value::Text(change.operation.letter().to_owned()));
        }
        if self.timestamp.is_some() {
            row.push(Value::Text(row::timestamp(change.committed)));
        }
        let before: Vec<Value> = self
            .before
            .iter()
            .map(|(index, _)| match change.operation {
                // An update that leaves the key alone has the same one before, even where the log does not repeat it.
                Operation::Update => change.before.as_ref().unwrap_or(&change.row)[*index].clone(),
                _ => Value::Null,
            })
            .collect();
        row.extend(change.row);
        row.extend(before);
        row
    }
}

impl<'a> Writer<'a> {
    pub(super) fn new(configuration: &'a Configuration, directory: &'a TempDir, load: Load) -> Self {
        Self { configuration, directory, load, open: BTreeMap::new(), done: Vec::new() }
    }

    /// Writes a change, if the target wants changes of its kind.
    pub(super) fn write(&mut self, change: Change, name: &mut Names) -> Result<()> {
        let target = &self.configuration.target;
        let expected = match change.operation {
            Operation::Insert => true,
            Operation::Update => !target.inserts_only,
            Operation::Delete => !target.inserts_only && !target.inserts_and_updates_only,
        };
        if !expected {
            return Ok(());
        }
        let table_key = (change.table.schema.clone(), change.table.name.clone());
        // A file has one set of columns: after a change of the table's columns another begins.
        if self.open.get(&table_key).is_some_and(|(table, _)| table.columns != change.table.columns) {
            self.close(&table_key)?;
        }
        if !self.open.contains_key(&table_key) {
            let open = self.begin(&change.table, name)?;
            self.open.insert(table_key.clone(), (Arc::clone(&change.table), open));
        }
        let Some((_, open)) = self.open.get_mut(&table_key) else { return Ok(()) };
        let row = open.sheet.row(change);
        open.rows += 1;
        match &mut open.file {
            Output::Csv(file) => file.write(&row),
            Output::Parquet(file) => file.write(row),
        }
    }

    fn begin(&self, table: &Table, names: &mut Names) -> Result<Open> {
        let Configuration { target, mappings, .. } = self.configuration;
        let before = mappings.before_image(&table.schema, &table.name);
        let sheet = Sheet::new(table, target, self.load, before);
        let extension = match (target.format, target.gzip) {
            (Format::Parquet, _) => "parquet",
            (Format::Csv, false) => "csv",
            (Format::Csv, true) => "csv.gz",
        };
        let name = match self.load {
            Load::Full => "LOAD00000001".to_owned(),
            Load::Changes => names.next(),
        };
        let (schema, to) = mappings.target(&table.schema, &table.name);
        let folder = if target.folder.is_empty() { String::new() } else { format!("{}/", target.folder) };
        let key = format!("{folder}{schema}/{to}/{name}.{extension}");
        let path = self.directory.path().join(key.replace('/', "~"));
        let file = match target.format {
            Format::Parquet => Output::Parquet(parquet::ParquetFile::create(&path, &sheet.all(), target)?),
            Format::Csv => Output::Csv(csv::CsvFile::create(&path, &sheet.all(), target)?),
        };
        Ok(Open { sheet, file, key, path, rows: 0 })
    }

    fn close(&mut self, table_key: &(String, String)) -> Result<()> {
        let Some((_, open)) = self.open.remove(table_key) else { return Ok(()) };
        match open.file {
            Output::Csv(file) => file.close()?,
            Output::Parquet(file) => file.close()?,
        }
        self.done.push(File { path: open.path, key: open.key, rows: open.rows });
        Ok(())
    }

    /// Ends all files.
    pub(super) fn finish(mut self) -> Result<Vec<File>> {
        for table_key in self.open.keys().cloned().collect::<Vec<_>>() {
            self.close(&table_key)?;
        }
        Ok(self.done)
    }
}

/// The names of files with changes: the time at which they begin, each later than the one before.
#[derive(Debug, Default)]
pub(super) struct Names {
    last: i128,
}

impl Names {
    fn next(&mut self) -> String {
        let now = OffsetDateTime::now_utc().unix_timestamp_nanos() / 1_000_000;
        self.last = now.max(self.last + 1);
        let time = OffsetDateTime::from_unix_timestamp_nanos(self.last * 1_000_000);
        let time = time.unwrap_or(OffsetDateTime::UNIX_EPOCH);
        let format = format_description!("[year][month][day]-[hour][minute][second][subsecond digits:3]");
        time.format(&format).unwrap_or_default()
    }
}

fn failed(error: &(dyn std::error::Error + 'static)) -> Error {
    Error::new("a file of the replication cannot be written").cause(error)
}
