//! A rehearsal that is kept up, and the rows of its databases and its warehouse as they are then.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use super::data::{Column, Kind, Table};
use crate::support::Test;

/// A row as texts; none is NULL.
pub(super) type Row = Vec<Option<String>>;

/// Whose rows are asked for.
#[derive(Clone, Copy)]
pub(super) enum Side<'a> {
    Source(&'a Table),
    Warehouse(&'a Table),
}

/// A rehearsal whose servers are still up; they end with it.
pub(super) struct Kept {
    child: Child,
    pub(super) report: Value,
    /// The command line that opens the warehouse.
    warehouse: String,
    /// And that of each source's database.
    sources: BTreeMap<String, String>,
}

impl Kept {
    /// Rehearses with the data of all sources.
    pub(super) fn rehearse(test: &Test) -> Self {
        let answer = test.path("report.json");
        let data = super::data::SOURCES.map(|source| format!("{source}=data/{source}"));
        let data: Vec<&str> = data.iter().flat_map(|one| ["--data", one]).collect();
        let arguments = ["rehearse", "--env", "local", "--keep", "--format", "json"];
        let mut child = test
            .command(&[&arguments, &data[..]].concat())
            .stdout(File::create(&answer).unwrap())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let (mut printed_text, mut about) = (String::new(), String::new());
        let (mut warehouse, mut sources) = (String::new(), BTreeMap::new());
        // The buckets come last, this one the last of them.
        while !printed_text.contains("shop-local-transformed-0") {
            let mut line = String::new();
            if stderr.read_line(&mut line).unwrap() == 0 {
                child.wait().unwrap();
                let printed = std::fs::read_to_string(&answer).unwrap();
                panic!("the rehearsal ended: {printed_text}\n{printed}");
            }
            if let Some((_, rest)) = line.split_once("the database of the source `") {
                rest.split('`').next().unwrap().clone_into(&mut about);
            } else if line.starts_with("    ") && !about.is_empty() {
                sources.insert(std::mem::take(&mut about), line.trim().to_owned());
            } else if line.contains("psql ") {
                line.trim().clone_into(&mut warehouse);
            }
            printed_text.push_str(&line);
        }
        // What it says from now on must not fill the pipe.
        std::thread::spawn(move || stderr.read_to_end(&mut Vec::new()));
        let report: Value = serde_json::from_slice(&std::fs::read(&answer).unwrap()).unwrap();
        let kept = Self { child, report, warehouse, sources };
        assert_eq!(kept.report["failed"], false, "{:#}", kept.report);
        kept
    }

    /// Runs statements in the warehouse, behind the pipeline's back.
    pub(super) fn in_warehouse(&self, sql: &str) {
        ask(&self.warehouse, &["-X", "-q", "-v", "ON_ERROR_STOP=1", "-c", sql]);
    }

    /// All rows of a table, in one order and one way of writing for both sides.
    pub(super) fn rows(&self, side: Side<'_>) -> Vec<Row> {
        let mut rows: Vec<Row> = match side {
            Side::Source(table) if table.mysql => self.of_mysql(table),
            Side::Source(table) => of_postgresql(&self.sources[table.source], table, &table.from),
            Side::Warehouse(table) => of_postgresql(&self.warehouse, table, &format!("core.{}", table.name)),
        };
        rows.sort();
        rows
    }

    fn of_mysql(&self, table: &Table) -> Vec<Row> {
        let text = |Column(name, kind): &Column| match kind {
            Kind::Time => format!("DATE_FORMAT({name}, '%Y-%m-%d %H:%i:%s.%f')"),
            Kind::Plain | Kind::Boolean => format!("CAST({name} AS CHAR)"),
        };
        let values: Vec<String> = table.columns.iter().map(text).collect();
        let sql = format!("SELECT JSON_ARRAY({}) FROM {}", values.join(", "), table.from);
        let plain = ["--batch", "--raw", "--skip-column-names", "--default-character-set=utf8mb4", "-e", &sql];
        parsed(&ask(&self.sources[table.source], &plain))
    }

    /// Ends it as Ctrl-C does.
    pub(super) fn end(mut self) {
        self.interrupt();
        assert_eq!(self.child.wait().unwrap().code(), Some(0));
    }

    fn interrupt(&self) {
        let _ = Command::new("kill").args(["-INT", &self.child.id().to_string()]).status();
    }
}

impl Drop for Kept {
    /// Of a test that has failed, too, nothing stays up.
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            self.interrupt();
            let _ = self.child.wait();
        }
    }
}

fn of_postgresql(client: &str, table: &Table, from: &str) -> Vec<Row> {
    let text = |Column(name, kind): &Column| match kind {
        Kind::Time => format!("to_char({name}, 'YYYY-MM-DD HH24:MI:SS.US')"),
        Kind::Boolean => format!("{name}::int::text"),
        Kind::Plain => format!("{name}::text"),
    };
    let values: Vec<String> = table.columns.iter().map(text).collect();
    let sql = format!("SELECT json_build_array({})::text FROM {from}", values.join(", "));
    parsed(&ask(client, &["-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-c", &sql]))
}

/// The output of a client. Its command line may begin with environment variables, as for a shell.
fn ask(client: &str, arguments: &[&str]) -> String {
    let words = client.split_whitespace();
    let output = Command::new("env").args(words).args(arguments).stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{client} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// One JSON list a line.
fn parsed(answer: &str) -> Vec<Row> {
    answer.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"))).collect()
}

/// How two lists of rows differ; none if they do not. Both are sorted.
pub(super) fn difference(source: &[Row], warehouse: &[Row]) -> Option<String> {
    if source == warehouse {
        return None;
    }
    let lacking: Vec<&Row> = source.iter().filter(|row| warehouse.binary_search(row).is_err()).take(5).collect();
    let more: Vec<&Row> = warehouse.iter().filter(|row| source.binary_search(row).is_err()).take(5).collect();
    Some(format!(
        "{} rows in the source, {} in the warehouse\nnot in the warehouse: {lacking:?}\nnot in the source: {more:?}",
        source.len(),
        warehouse.len()
    ))
}

#[test]
fn differing_rows_are_reported() {
    let row = |values: [&str; 2]| -> Row { values.map(|value| Some(value.to_owned())).into() };
    let (one, two) = (row(["1", "a"]), row(["2", "b"]));
    assert_eq!(difference(&[one.clone(), two.clone()], &[one.clone(), two.clone()]), None);
    insta::assert_snapshot!(difference(&[one.clone(), two], &[vec![None, None], one.clone(), one]).unwrap(), @r#"
    2 rows in the source, 3 in the warehouse
    not in the warehouse: [[Some("2"), Some("b")]]
    not in the source: [[None, None]]
    "#);
}
