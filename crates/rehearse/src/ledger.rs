//! Rows in and out of each step, from the ledgers of the jobs and the loader.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use pipectl_contract::keys;
use pipectl_contract::ledger::{Clean, Counts, Loaded, Stage, Transform};
use pipectl_contract::report::Report;
use serde::Serialize;

/// What happened to a table's rows in one rehearsal.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct TableRows {
    /// Objects that the clean job has taken.
    pub objects: u64,
    pub read: u64,
    pub cleaned: u64,
    pub quarantined: u64,
    pub duplicates: u64,
    pub transformed: u64,
    pub staged: u64,
    /// Cleaned rows that wait: the transform job has stopped the table.
    pub waiting: u64,
    /// Rows of batches that an earlier run left unloaded.
    pub late: u64,
    pub changed: u64,
}

impl TableRows {
    /// Whether every row is accounted for: in = out + quarantined + duplicates + waiting, at every stage.
    pub fn adds_up(&self) -> bool {
        self.read == self.transformed + self.quarantined + self.duplicates + self.waiting
            && self.staged == self.transformed
    }
}

/// The entries of all ledgers that are there.
#[derive(Debug, Clone, Default)]
pub(super) struct Ledgers {
    clean: BTreeMap<String, Clean>,
    transform: BTreeMap<String, Transform>,
    load: BTreeMap<(String, String), Loaded>,
    reports: BTreeMap<String, Report>,
}

/// Something of a new batch that is worth a word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Remark {
    /// Rows that a stage (`clean` or `transform`) has quarantined.
    Quarantined { stage: Stage, batch: String, table: String, rows: u64 },
    /// A file whose content came before under another name.
    SameFile { key: String, first: String },
    /// Columns of the data that the table does not have.
    UnknownColumns { table: String, columns: Vec<String> },
}

impl Ledgers {
    /// Reads the ledgers in the folders of the cleaned and the transformed bucket.
    pub(super) fn read(cleaned: &Path, transformed: &Path) -> Self {
        let mut ledgers = Self {
            clean: entries(&cleaned.join(keys::ledger_folder(Stage::Clean))),
            transform: entries(&transformed.join(keys::ledger_folder(Stage::Transform))),
            load: BTreeMap::new(),
            reports: entries(&transformed.join(keys::REPORTS)),
        };
        for folder in
            fs_err::read_dir(transformed.join(keys::ledger_folder(Stage::Load))).into_iter().flatten().flatten()
        {
            let batch = folder.file_name().to_string_lossy().into_owned();
            let tables = entries(&folder.path()).into_iter().map(|(table, load)| ((batch.clone(), table), load));
            ledgers.load.extend(tables);
        }
        ledgers
    }

    /// The rows of what has come since an earlier reading, by table.
    pub(super) fn since(&self, earlier: &Self) -> BTreeMap<String, TableRows> {
        let mut tables: BTreeMap<String, TableRows> = BTreeMap::new();
        // Of the rows that were cleaned since then, those that `transform` has taken.
        let mut taken: BTreeMap<&str, u64> = BTreeMap::new();
        for (_, stage) in self.clean.iter().filter(|(batch, _)| !earlier.clean.contains_key(*batch)) {
            for input in &stage.inputs {
                tables.entry(input.table.clone()).or_default().objects += 1;
            }
            for (table, counts) in &stage.tables {
                let rows = tables.entry(table.clone()).or_default();
                rows.read += counts.rows_in;
                rows.cleaned += counts.rows_out;
                rows.quarantined += counts.quarantined;
                rows.duplicates += counts.duplicates + counts.unchanged;
            }
        }
        let mut seen = BTreeSet::new();
        for (_, stage) in self.transform.iter().filter(|(batch, _)| !earlier.transform.contains_key(*batch)) {
            for (table, counts) in &stage.tables {
                let rows = tables.entry(table.clone()).or_default();
                // What SQL makes, what an earlier run has cleaned, and what a request takes once more begins here.
                let known: u64 = stage
                    .inputs
                    .iter()
                    .filter(|input| input.tables.as_ref().is_none_or(|tables| tables.contains(table)))
                    .map(|input| &input.batch)
                    .filter(|batch| {
                        !earlier.clean.contains_key(*batch) && seen.insert(((*batch).clone(), table.clone()))
                    })
                    .filter_map(|batch| Some(self.clean.get(batch)?.tables.get(table)?.rows_out))
                    .sum();
                *taken.entry(table).or_default() += known;
                rows.read += counts.rows_in.saturating_sub(known);
                rows.transformed += counts.rows_out;
                rows.quarantined += counts.quarantined;
                rows.duplicates += counts.duplicates + counts.unchanged;
            }
        }
        for (_, report) in self.reports.iter().filter(|(batch, _)| !earlier.reports.contains_key(*batch)) {
            let stopped = report
                .tables
                .iter()
                .filter(|(_, table)| report.stage == Stage::Transform.as_str() && table.stopped.is_some());
            for (table, _) in stopped {
                if let Some(rows) = tables.get_mut(table) {
                    rows.waiting = rows.cleaned.saturating_sub(taken.get(table.as_str()).copied().unwrap_or_default());
                }
            }
        }
        for ((batch, table), load) in self.load.iter().filter(|(load, _)| !earlier.load.contains_key(*load)) {
            let rows = tables.entry(table.clone()).or_default();
            // An earlier run broke off before this load: its rows were read then.
            if earlier.transform.contains_key(batch) {
                rows.late += load.staged.unwrap_or_default();
            } else {
                rows.staged += load.staged.unwrap_or_default();
            }
            rows.changed += load.changed.unwrap_or_default();
        }
        tables
    }

    /// What is worth a word of the batches that have come since an earlier reading.
    pub(super) fn remarks(&self, earlier: &Self) -> Vec<Remark> {
        let mut remarks = Vec::new();
        for (batch, entry) in self.clean.iter().filter(|(batch, _)| !earlier.clean.contains_key(*batch)) {
            remarks.extend(remarks_of(Stage::Clean, batch, &entry.tables));
            remarks.extend(entry.inputs.iter().filter_map(|input| {
                Some(Remark::SameFile { key: input.key.clone(), first: input.duplicate_of.clone()? })
            }));
        }
        for (batch, entry) in self.transform.iter().filter(|(batch, _)| !earlier.transform.contains_key(*batch)) {
            remarks.extend(remarks_of(Stage::Transform, batch, &entry.tables));
        }
        remarks
    }

    /// Batches of the transform ledger and their tables that no load entry records.
    pub(super) fn not_loaded(&self) -> BTreeSet<(String, String)> {
        let pending = self.transform.iter().flat_map(|(batch, stage)| {
            let loads = stage.tables.keys().map(|table| (batch.clone(), table.clone()));
            loads.filter(|load| !self.load.contains_key(load)).collect::<Vec<_>>()
        });
        pending.collect()
    }
}

fn remarks_of(stage: Stage, batch: &str, tables: &BTreeMap<String, Counts>) -> Vec<Remark> {
    let mut remarks = Vec::new();
    for (table, counts) in tables {
        let (batch, table) = (batch.to_owned(), table.clone());
        if !counts.unknown_columns.is_empty() {
            let columns = counts.unknown_columns.clone();
            remarks.push(Remark::UnknownColumns { table: table.clone(), columns });
        }
        if counts.quarantined > 0 {
            remarks.push(Remark::Quarantined { stage, batch, table, rows: counts.quarantined });
        }
    }
    remarks
}

/// The JSON files of a folder, by name; what cannot be read is left to the jobs, which fail on it.
fn entries<T: serde::de::DeserializeOwned>(folder: &Path) -> BTreeMap<String, T> {
    let files = fs_err::read_dir(folder).into_iter().flatten().flatten();
    let read = files.filter_map(|file| {
        let name = file.file_name().to_string_lossy().strip_suffix(".json")?.to_owned();
        Some((name, serde_json::from_slice(&fs_err::read(file.path()).ok()?).ok()?))
    });
    read.collect()
}

#[cfg(test)]
mod tests {
    use fs_err as fs;
    use pipectl_contract::ledger::{BatchInput, Entry};

    use super::*;

    #[test]
    fn rows_are_counted_since_the_last_read() {
        let directory = tempfile::tempdir().unwrap();
        let (cleaned, transformed) = (directory.path().join("cleaned"), directory.path().join("transformed"));
        let write = |path: std::path::PathBuf, text: &str| {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write(cleaned.join("_ledger/clean/old.json"), r#"{"tables":{"orders":{"rows_in":99}}}"#);
        let before = Ledgers::read(&cleaned, &transformed);
        write(
            cleaned.join("_ledger/clean/b1.json"),
            r#"{"version":1,"inputs":[{"key":"landing/orders/a","table":"orders"},{"key":"landing/orders/b","table":"orders","duplicate_of":"landing/orders/a"}],
               "tables":{"orders":{"rows_in":10,"rows_out":7,"quarantined":1,"duplicates":2,"unknown_columns":["x"]}}}"#,
        );
        write(
            transformed.join("_ledger/transform/b2.json"),
            r#"{"inputs":[{"batch":"b1"}],"tables":{"orders":{"rows_in":7,"rows_out":6,"quarantined":1},"stores":{}}}"#,
        );
        write(transformed.join("_ledger/load/b2/orders.json"), r#"{"version":1,"staged":6,"changed":5}"#);
        let after = Ledgers::read(&cleaned, &transformed);
        let rows = &after.since(&before)["orders"];
        let expected = TableRows {
            objects: 2,
            read: 10,
            cleaned: 7,
            quarantined: 2,
            duplicates: 2,
            transformed: 6,
            staged: 6,
            waiting: 0,
            late: 0,
            changed: 5,
        };
        assert_eq!((rows, rows.adds_up()), (&expected, true));
        assert_eq!(after.not_loaded(), BTreeSet::from([("b2".to_owned(), "stores".to_owned())]));
        assert!(after.since(&after).is_empty() && after.remarks(&after).is_empty());
        let quarantined =
            |stage, batch: &str| Remark::Quarantined { stage, batch: batch.into(), table: "orders".into(), rows: 1 };
        let expected = [
            Remark::UnknownColumns { table: "orders".into(), columns: vec!["x".into()] },
            quarantined(Stage::Clean, "b1"),
            Remark::SameFile { key: "landing/orders/b".into(), first: "landing/orders/a".into() },
            quarantined(Stage::Transform, "b2"),
        ];
        assert_eq!(after.remarks(&before), expected);
    }

    #[test]
    fn a_stopped_table_keeps_its_rows_waiting() {
        let directory = tempfile::tempdir().unwrap();
        let (cleaned, transformed) = (directory.path().join("cleaned"), directory.path().join("transformed"));
        let write = |path: std::path::PathBuf, text: &str| {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        let before = Ledgers::read(&cleaned, &transformed);
        write(
            cleaned.join("_ledger/clean/b1.json"),
            r#"{"inputs":[{"key":"landing/sales/a","table":"sales"}],
               "tables":{"sales":{"rows_in":10,"rows_out":9,"quarantined":1}}}"#,
        );
        let sales = || Ledgers::read(&cleaned, &transformed).since(&before)["sales"].clone();
        assert!(!sales().adds_up(), "{:?}", sales());
        let report =
            |stage: &str| format!(r#"{{"stage":"{stage}","tables":{{"sales":{{"stopped":"too many bad rows"}}}}}}"#);
        write(transformed.join("reports/b2.json"), &report("clean"));
        assert!(!sales().adds_up(), "{:?}", sales());
        write(transformed.join("reports/b2.json"), &report("transform"));
        assert!(sales().adds_up() && sales().waiting == 9, "{:?}", sales());
        // The next run takes them.
        write(
            transformed.join("_ledger/transform/b3.json"),
            r#"{"inputs":[{"batch":"b1"}],"tables":{"sales":{"rows_in":9,"rows_out":9}}}"#,
        );
        write(transformed.join("_ledger/load/b3/sales.json"), r#"{"staged":9,"changed":9}"#);
        assert!(sales().adds_up() && sales().waiting == 0, "{:?}", sales());
    }

    fn entry<I>(inputs: Vec<I>, rows: Counts) -> Entry<I> {
        Entry { inputs, tables: BTreeMap::from([("rates".to_owned(), rows)]), ..Entry::default() }
    }

    fn named<T: Clone>(entries: &[(&str, T)]) -> BTreeMap<String, T> {
        entries.iter().map(|(name, entry)| ((*name).to_owned(), entry.clone())).collect()
    }

    /// A request to replay cleaned rows, and then new rows of the same table, each in a separate run.
    #[test]
    fn replayed_objects_are_counted_again() {
        let counts = |rows: u64| Counts { rows_in: rows, rows_out: rows, ..Counts::default() };
        let clean = |rows| entry(Vec::new(), counts(rows));
        let transform =
            |batch: &str, rows| entry(vec![BatchInput { batch: batch.to_owned(), tables: None }], counts(rows));
        let load = |batch: &str, staged: u64| {
            let loaded = Loaded { staged: Some(staged), ..Loaded::default() };
            ((batch.to_owned(), "rates".to_owned()), loaded)
        };
        let before = Ledgers { clean: named(&[("c1", clean(90))]), ..Ledgers::default() };
        let after = Ledgers {
            clean: named(&[("c1", clean(90)), ("c2", clean(2))]),
            transform: named(&[("t1", transform("c1", 90)), ("t2", transform("c2", 2)), ("t3", transform("c2", 2))]),
            load: BTreeMap::from([load("t1", 90), load("t2", 2), load("t3", 2)]),
            ..Ledgers::default()
        };
        let rows = &after.since(&before)["rates"];
        assert_eq!((rows.read, rows.transformed, rows.adds_up()), (94, 94, true), "{rows:?}");
    }
}
