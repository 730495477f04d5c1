//! What the loader does next: a pure function of the document, the ledgers and the statements that run.

use std::collections::{BTreeMap, BTreeSet};

use pipectl_contract::Map;
use pipectl_contract::document::{Mart, TableLoad};
use pipectl_contract::keys::{self, unloaded};
use pipectl_contract::ledger::{DataFile, Failed, FailureKind};
use pipectl_contract::limits::TRANSACTION_STATEMENTS;
use pipectl_contract::load_statements::{self, Batch, Files, Unfit};
use pipectl_contract::manifest::Manifest;
use pipectl_contract::schema_change::Refusal;
use pipeline::document::Warehouse;

use crate::event::Name;
use crate::inspect::{Found, Need, QUESTIONS, need};
use crate::statement::digest;

/// How often a statement is submitted again at once after a transient failure.
pub const ATTEMPTS: u32 = 4;

/// How long a table waits after its last attempt until the loader tries it again by itself.
pub const PAUSE_SECONDS: i64 = 15 * 60;

/// What the ledgers say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct View {
    /// Whether the warehouse is as this document has it.
    pub set_up: bool,
    /// How many parts of the set-up are done.
    pub setup: usize,
    /// What is in the warehouse, once it was looked at.
    pub found: Option<Found>,
    /// How many parts of what completes the set-up are done.
    pub completed: usize,
    /// The batches that are not marked as loaded, in their order.
    pub pending: BTreeMap<String, Pending>,
    /// The newest batch of all.
    pub latest: Option<String>,
    /// The marts that were refreshed after the newest batch, and as `<mart>.unload` those whose files were written.
    pub refreshed: BTreeSet<String>,
    /// The last failure of each table.
    pub failed_loads: BTreeMap<String, Failed>,
    /// The last failure of each mart, and as `<mart>.unload` of its files.
    pub failed_marts: BTreeMap<String, Failed>,
    /// The statements of this pipeline that have not ended.
    pub running: Vec<Name>,
    /// Seconds since 1970.
    pub now: i64,
}

/// A batch on its way into the warehouse.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pending {
    pub tables: BTreeMap<String, Staged>,
    /// The tables whose load is recorded.
    pub recorded: BTreeSet<String>,
}

/// The files of one table in a batch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Staged {
    /// The folder of the files, which is read where the entry lists none.
    pub path: String,
    pub files: Vec<DataFile>,
    /// The columns of the files with their types.
    pub columns: Map<String>,
    pub rows: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A transaction in the warehouse. `attempt` counts its failures so far.
    Run { name: Name, statements: Vec<String>, attempt: u32 },
    /// A load. The manifest, if there is one, must be written before.
    Load { batch: String, table: String, manifest: Option<Manifest>, statements: Vec<String>, attempt: u32 },
    /// A batch with columns that its table cannot take.
    Unfit { batch: String, table: String, columns: Vec<Unfit> },
    /// A table without a row, or without a table in the warehouse: recorded and nothing else.
    Skip { batch: String, table: String, known: bool },
    /// All tables of a batch are recorded.
    Close { batch: String },
    /// The users are made, with what is in their secrets.
    Users { name: Name, found: Found },
    /// What is there cannot become what the document wants without a loss.
    Refuse(Vec<Refusal>),
    /// The warehouse is as the document has it; some columns are not used any more.
    SetUp { unused: BTreeMap<String, Vec<String>> },
}

/// Why work that is known is not submitted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// `core.orders` or `marts.sales`.
    pub what: String,
    pub why: String,
}

/// Cuts the set-up into batches that the Data API takes.
pub fn setup_parts(warehouse: &Warehouse) -> Vec<&[String]> {
    warehouse.setup.chunks(TRANSACTION_STATEMENTS).collect()
}

/// The document, and where the batches are.
#[derive(Clone, Copy, Debug)]
pub struct Plan<'a> {
    pub warehouse: &'a Warehouse,
    /// The first 12 digits of the document's digest.
    pub document: &'a str,
    /// The bucket of the transformed zone.
    pub bucket: &'a str,
}

impl Plan<'_> {
    /// Returns the steps that can be taken now; they do not depend on each other.
    ///
    /// The set-up of this document comes first, and begins when no other statement of the pipeline runs. Then each table
    /// has its own queue, oldest batch first, and each mart is computed when the queues of the tables that it reads are
    /// empty. A failure stops its own table and the marts that read it.
    pub fn steps(&self, view: &View) -> Vec<Step> {
        if self.waits_for(view).is_some() {
            return Vec::new();
        }
        if !view.set_up {
            return vec![self.set_up(view)];
        }
        let mut steps = self.recordings(view);
        let mut free = self.warehouse.parallel.max(1).saturating_sub(view.running.len());
        for step in self.loads(view).into_iter().chain(self.marts(view)) {
            if matches!(step, Step::Unfit { .. }) {
                steps.push(step);
            } else if free > 0 {
                free -= 1;
                steps.push(step);
            }
        }
        steps
    }

    /// The statement whose end must come before anything else is submitted.
    pub fn waits_for<'v>(&self, view: &'v View) -> Option<&'v Name> {
        let mut running = view.running.iter();
        if view.set_up { running.find(|name| name.document().is_some()) } else { running.next() }
    }

    /// What waits, and why.
    pub fn waiting(&self, view: &View) -> Vec<Waiting> {
        let mut waiting = Vec::new();
        for (table, batch, _) in self.heads(view) {
            if let Some(failed) = self.blocking(view.failed_loads.get(table), batch, view) {
                waiting.push(Waiting { what: format!("core.{table}"), why: failed.message.clone() });
            }
        }
        for mart in &self.warehouse.marts {
            let failed =
                view.latest.as_ref().and_then(|batch| self.blocking(view.failed_marts.get(&mart.name), batch, view));
            if let Some(failed) = failed {
                waiting.push(Waiting { what: format!("marts.{}", mart.name), why: failed.message.clone() });
            } else if !view.refreshed.contains(&mart.name)
                && let Some(input) = self.missing_input(mart, view)
            {
                waiting.push(Waiting { what: format!("marts.{}", mart.name), why: format!("it reads {input}") });
            }
        }
        waiting
    }

    /// Makes what is missing, looks at what is there, changes what is otherwise, looks again, and completes.
    fn set_up(&self, view: &View) -> Step {
        let (warehouse, document) = (self.warehouse, self.document.to_owned());
        let run = |name, statements| Step::Run { name, statements, attempt: 0 };
        if let Some(part) = setup_parts(warehouse).get(view.setup) {
            return run(Name::Setup { document, part: view.setup + 1 }, part.to_vec());
        }
        let Some(found) = &view.found else {
            return run(Name::Inspect { document }, QUESTIONS.map(str::to_owned).into());
        };
        let unused = match need(warehouse, found) {
            Need::Refused(refused) => return Step::Refuse(refused),
            Need::Run(statements) => {
                let step = digest(&statements)[..12].to_owned();
                return run(Name::Migrate { document, step }, statements);
            }
            Need::Nothing { unused } => unused,
        };
        if view.completed == 0 && !warehouse.users.is_empty() {
            return Step::Users { name: Name::Complete { document, part: 1 }, found: found.clone() };
        }
        let done = view.completed.saturating_sub(1);
        if let Some(part) = warehouse.complete.chunks(TRANSACTION_STATEMENTS).nth(done) {
            return run(Name::Complete { document, part: done + 2 }, part.to_vec());
        }
        Step::SetUp { unused }
    }

    /// What only the ledger must hear of.
    fn recordings(&self, view: &View) -> Vec<Step> {
        let mut steps = Vec::new();
        for (batch, pending) in &view.pending {
            let mut open = 0;
            for (table, staged) in pending.tables.iter().filter(|(table, _)| !pending.recorded.contains(*table)) {
                let known = self.warehouse.tables.contains_key(table);
                if !known || staged.rows == 0 {
                    steps.push(Step::Skip { batch: batch.clone(), table: table.clone(), known });
                }
                open += 1;
            }
            if open == 0 {
                steps.push(Step::Close { batch: batch.clone() });
            }
        }
        steps
    }

    /// The oldest batch of each table that is not in the warehouse.
    fn heads<'v>(&self, view: &'v View) -> Vec<(&'v String, &'v String, &'v Staged)> {
        let mut heads: BTreeMap<&String, (&String, &Staged)> = BTreeMap::new();
        for (batch, pending) in &view.pending {
            for (table, staged) in &pending.tables {
                let loads = staged.rows > 0 && self.warehouse.tables.contains_key(table);
                if loads && !pending.recorded.contains(table) {
                    heads.entry(table).or_insert((batch, staged));
                }
            }
        }
        let mut heads: Vec<_> = heads.into_iter().map(|(table, (batch, staged))| (table, batch, staged)).collect();
        // The oldest batches first.
        heads.sort_by_key(|(table, batch, _)| (*batch, *table));
        heads
    }

    fn loads(&self, view: &View) -> Vec<Step> {
        let mut steps = Vec::new();
        for (table, batch, staged) in self.heads(view) {
            let name = Name::Load { batch: batch.clone(), table: table.clone() };
            let failed = view.failed_loads.get(table);
            if view.running.contains(&name) || self.blocking(failed, batch, view).is_some() {
                continue;
            }
            let Some(load) = self.warehouse.tables.get(table) else { continue };
            let attempt = failed.filter(|failed| failed.batch == *batch).map_or(0, |failed| failed.attempts);
            steps.push(self.load(load, batch.clone(), table.clone(), staged, attempt));
        }
        steps
    }

    /// Loads the files of a batch that are in the transformed bucket.
    fn load(&self, load: &TableLoad, batch: String, table: String, staged: &Staged, attempt: u32) -> Step {
        let manifest = (!staged.files.is_empty()).then(|| Manifest::new(self.bucket, &staged.files));
        let address = match &manifest {
            Some(_) => format!("s3://{}/{}", self.bucket, keys::manifest(&table, &batch)),
            None => staged.path.clone(),
        };
        let files = if manifest.is_some() { Files::Manifest(&address) } else { Files::Folder(&address) };
        match load_statements::statements(load, Batch { name: &batch, files, columns: &staged.columns }) {
            Ok(statements) => Step::Load { batch, table, manifest, statements, attempt },
            Err(columns) => Step::Unfit { batch, table, columns },
        }
    }

    fn marts(&self, view: &View) -> Vec<Step> {
        let Some(batch) = &view.latest else { return Vec::new() };
        let mut steps = Vec::new();
        for mart in &self.warehouse.marts {
            let refreshed = view.refreshed.contains(&mart.name);
            let (name, key, statements) = if !refreshed {
                if self.missing_input(mart, view).is_some() {
                    continue;
                }
                let name = Name::Mart { batch: batch.clone(), mart: mart.name.clone() };
                (name, mart.name.clone(), mart.refresh.clone())
            } else if let Some(unload) =
                mart.unload.as_ref().filter(|_| !view.refreshed.contains(&unloaded(&mart.name)))
            {
                let name = Name::Unload { batch: batch.clone(), mart: mart.name.clone() };
                (name, unloaded(&mart.name), vec![unload.clone()])
            } else {
                continue;
            };
            let failed = view.failed_marts.get(&key);
            if view.running.contains(&name) || self.blocking(failed, batch, view).is_some() {
                continue;
            }
            let attempt = failed.filter(|failed| failed.batch == *batch).map_or(0, |failed| failed.attempts);
            steps.push(Step::Run { name, statements, attempt });
        }
        steps
    }

    /// A table or mart that must be ready before a mart is computed.
    fn missing_input<'m>(&self, mart: &'m Mart, view: &View) -> Option<&'m str> {
        let is_missing = |read: &&String| match read.split_once('.') {
            Some(("core", table)) => view.pending.values().any(|pending| {
                !pending.recorded.contains(table) && pending.tables.get(table).is_some_and(|staged| staged.rows > 0)
            }),
            Some(("marts", other)) => {
                self.warehouse.marts.iter().any(|mart| mart.name == *other) && !view.refreshed.contains(other)
            }
            _ => false,
        };
        mart.reads.iter().find(is_missing).map(String::as_str)
    }

    /// The failure that keeps a batch from being tried, if there is one.
    fn blocking<'v>(&self, failed: Option<&'v Failed>, batch: &str, view: &View) -> Option<&'v Failed> {
        let failed = failed?;
        let heals = failed.kind == FailureKind::Transient
            && (failed.attempts < ATTEMPTS || view.now - seconds(&failed.failed_at) >= PAUSE_SECONDS);
        let tried_again = failed.retry || failed.document != self.document || heals;
        (failed.batch == batch && !tried_again).then_some(failed)
    }
}

/// Seconds since 1970; a time that cannot be read is long ago.
fn seconds(time: &str) -> i64 {
    pipeline::instant::parse(time).map_or(0, |time| time.secs())
}

impl View {
    /// Notes that a statement has ended well.
    pub fn done(&mut self, name: &Name) {
        self.running.retain(|running| running != name);
        match name {
            Name::Setup { part, .. } => self.setup = self.setup.max(*part),
            Name::Inspect { .. } => {}
            // It is looked at again.
            Name::Migrate { .. } => self.found = None,
            Name::Complete { part, .. } => self.completed = self.completed.max(*part),
            Name::Load { batch, table } => {
                if let Some(pending) = self.pending.get_mut(batch) {
                    pending.recorded.insert(table.clone());
                }
            }
            Name::Mart { batch, mart } => {
                if self.latest.as_ref() == Some(batch) {
                    self.refreshed.insert(mart.clone());
                }
            }
            Name::Unload { batch, mart } => {
                if self.latest.as_ref() == Some(batch) {
                    self.refreshed.insert(unloaded(mart));
                }
            }
        }
    }

    /// Notes that a load or a mart has failed.
    pub fn failed(&mut self, name: &Name, failed: Failed) {
        self.running.retain(|running| running != name);
        match name {
            Name::Load { table, .. } => self.failed_loads.insert(table.clone(), failed),
            Name::Mart { mart, .. } => self.failed_marts.insert(mart.clone(), failed),
            Name::Unload { mart, .. } => self.failed_marts.insert(unloaded(mart), failed),
            _ => None,
        };
    }

    /// The last failure of what a statement belongs to.
    pub fn failure(&self, name: &Name) -> Option<&Failed> {
        match name {
            Name::Load { table, .. } => self.failed_loads.get(table),
            Name::Mart { mart, .. } => self.failed_marts.get(mart),
            Name::Unload { mart, .. } => self.failed_marts.get(&unloaded(mart)),
            _ => None,
        }
    }
}
#[cfg(test)]
mod tests {
    use super::*;
    use pipectl_contract::ColumnType;
    use pipectl_contract::document::LoadColumn;
    use pipectl_contract::options::MartKind;
    use pipeline::document::Mart;

    fn warehouse(setup: usize) -> Warehouse {
        let load = |name: &str| TableLoad {
            name: name.into(),
            columns: vec![LoadColumn { name: "id".into(), kind: ColumnType::Bigint, stub: None }],
            key: vec!["id".into()],
            ..TableLoad::default()
        };
        Warehouse {
            workgroup: "w".into(),
            database: "d".into(),
            secret: "s".into(),
            setup: (0..setup).map(|number| format!("s{number}")).collect(),
            complete: (0..41).map(|number| format!("c{number}")).collect(),
            users: [("reader".to_owned(), "secret".to_owned())].into(),
            tables: ["a", "b"].map(|name| (name, load(name))).into(),
            marts: ["z", "y"]
                .map(|name| Mart {
                    name: name.into(),
                    kind: MartKind::Table,
                    reads: vec![if name == "z" { "core.a".into() } else { "core.b".into() }],
                    refresh: vec![format!("refresh {name}")],
                    unload: (name == "z").then(|| "unload".to_owned()),
                })
                .into(),
            parallel: 4,
            ..Warehouse::default()
        }
    }

    fn plan(warehouse: &Warehouse) -> Plan<'_> {
        Plan { warehouse, document: "sha", bucket: "t" }
    }

    fn view(batches: &[(&str, &[(&str, u64)])]) -> View {
        let pending = batches.iter().map(|(batch, tables)| {
            let staged = |(table, rows): &(&str, u64)| {
                let path = format!("s3://t/{table}/batch={batch}/");
                ((*table).to_owned(), Staged { path, rows: *rows, ..Staged::default() })
            };
            let tables = tables.iter().map(staged).collect();
            ((*batch).to_owned(), Pending { tables, recorded: BTreeSet::new() })
        });
        View {
            pending: pending.collect(),
            latest: batches.last().map(|(batch, _)| (*batch).to_owned()),
            set_up: true,
            ..View::default()
        }
    }

    /// Follows the steps to the end, as if every statement finished at once; the steps of one round stand in one line.
    fn walk(warehouse: &Warehouse, mut view: View) -> Vec<String> {
        let mut walked = Vec::new();
        loop {
            let steps = plan(warehouse).steps(&view);
            if steps.is_empty() {
                return walked;
            }
            assert!(walked.len() < 50, "{walked:?}");
            let mut round = Vec::new();
            for step in steps {
                match step {
                    Step::Run { name, statements, .. } => {
                        assert!(statements.len() <= TRANSACTION_STATEMENTS);
                        round.push(name.text("p"));
                        view.done(&name);
                        if matches!(name, Name::Inspect { .. }) {
                            view.found = Some(Found::default());
                        }
                    }
                    Step::Load { batch, table, .. } => {
                        let name = Name::Load { batch, table };
                        round.push(name.text("p"));
                        view.done(&name);
                    }
                    Step::Unfit { .. } => panic!("a batch without columns fits"),
                    Step::Users { name, .. } => {
                        round.push(format!("users {}", name.text("p")));
                        view.done(&name);
                    }
                    Step::Refuse(_) => round.push("refused".to_owned()),
                    Step::SetUp { .. } => {
                        round.push("set up".to_owned());
                        view.set_up = true;
                    }
                    Step::Skip { batch, table, known } => {
                        round.push(format!("skip {batch}/{table} {known}"));
                        view.done(&Name::Load { batch, table });
                    }
                    Step::Close { batch } => {
                        round.push(format!("close {batch}"));
                        view.pending.remove(&batch);
                    }
                }
            }
            walked.push(round.join(", "));
        }
    }

    #[test]
    fn set_up_then_batches_then_marts() {
        let batches = view(&[("1", &[("b", 1), ("a", 1)]), ("2", &[("a", 0), ("gone", 5)])]);
        let batches = View { set_up: false, ..batches };
        assert_eq!(
            walk(&warehouse(41), batches),
            [
                "p/setup/sha",
                "p/setup/sha/2",
                "p/inspect/sha",
                "users p/complete/sha/1",
                "p/complete/sha/2",
                "p/complete/sha/3",
                "set up",
                "skip 2/a true, skip 2/gone false, p/load/1/a, p/load/1/b",
                "close 1, close 2, p/marts/2/z, p/marts/2/y",
                "p/unload/2/z",
            ]
        );
    }

    #[test]
    fn nothing_to_load_is_nothing_to_do() {
        assert_eq!(walk(&warehouse(0), View { set_up: true, ..View::default() }), [""; 0]);
        let refreshed = ["z".to_owned(), "z.unload".to_owned()].into();
        let refreshed = View { set_up: true, latest: Some("1".into()), refreshed, ..View::default() };
        assert_eq!(walk(&warehouse(0), refreshed), ["p/marts/1/y"]);
    }

    fn names(steps: &[Step]) -> Vec<String> {
        let name = |step: &Step| match step {
            Step::Run { name, attempt, .. } => Some(format!("{} {attempt}", name.text("p"))),
            Step::Load { batch, table, attempt, .. } => Some(format!("p/load/{batch}/{table} {attempt}")),
            Step::Unfit { batch, table, .. } => Some(format!("unfit {batch}/{table}")),
            _ => None,
        };
        steps.iter().filter_map(name).collect()
    }

    fn failed(batch: &str, kind: FailureKind, attempts: u32) -> Failed {
        Failed {
            batch: batch.into(),
            kind,
            attempts,
            document: "sha".into(),
            message: "why".into(),
            ..Failed::default()
        }
    }

    #[test]
    fn a_failed_table_stops_itself_and_the_marts_that_read_it() {
        let warehouse = warehouse(0);
        let mut view = view(&[("1", &[("a", 1), ("b", 1)]), ("2", &[("a", 1), ("b", 1)])]);
        view.failed_loads.insert("a".into(), failed("1", FailureKind::Data, 1));
        assert_eq!(walk(&warehouse, view.clone()), ["p/load/1/b", "p/load/2/b", "p/marts/2/y"]);
        let waiting = plan(&warehouse).waiting(&view);
        let texts: Vec<String> = waiting.iter().map(|one| format!("{}: {}", one.what, one.why)).collect();
        assert_eq!(texts, ["core.a: why", "marts.z: it reads core.a", "marts.y: it reads core.b"]);
        // It is tried again when a person asks, and under another document.
        for change in [
            Failed { retry: true, ..failed("1", FailureKind::Data, 1) },
            Failed { document: "other".into(), ..failed("1", FailureKind::Data, 1) },
        ] {
            view.failed_loads.insert("a".into(), change);
            assert_eq!(names(&plan(&warehouse).steps(&view)), ["p/load/1/a 1", "p/load/1/b 0"]);
        }
        // A failure of an earlier batch is over with that batch.
        view.pending.get_mut("1").unwrap().recorded.insert("a".into());
        view.failed_loads.insert("a".into(), failed("1", FailureKind::Data, 1));
        assert_eq!(names(&plan(&warehouse).steps(&view)), ["p/load/1/b 0", "p/load/2/a 0"]);
    }

    #[test]
    fn a_transient_failure_is_tried_again_at_once_and_later_after_a_pause() {
        let warehouse = warehouse(0);
        let mut view = view(&[("1", &[("a", 1)])]);
        view.now = 1_000_000_000;
        let mut one = failed("1", FailureKind::Transient, ATTEMPTS - 1);
        one.failed_at = "2001-09-09T01:46:40Z".into();
        view.failed_loads.insert("a".into(), one.clone());
        assert_eq!(names(&plan(&warehouse).steps(&view)), ["p/load/1/a 3", "p/marts/1/y 0"]);
        one.attempts = ATTEMPTS;
        view.failed_loads.insert("a".into(), one);
        assert_eq!(names(&plan(&warehouse).steps(&view)), ["p/marts/1/y 0"]);
        view.now += PAUSE_SECONDS;
        assert_eq!(names(&plan(&warehouse).steps(&view)), ["p/load/1/a 4", "p/marts/1/y 0"]);
    }

    #[test]
    fn no_more_statements_run_than_the_document_allows() {
        let warehouse = Warehouse { parallel: 2, ..warehouse(0) };
        let mut view = view(&[("1", &[("a", 1), ("b", 1)]), ("2", &[("a", 1)])]);
        assert_eq!(names(&plan(&warehouse).steps(&view)), ["p/load/1/a 0", "p/load/1/b 0"]);
        view.running = vec![Name::Load { batch: "1".into(), table: "a".into() }];
        assert_eq!(names(&plan(&warehouse).steps(&view)), ["p/load/1/b 0"]);
        view.running.push(Name::Load { batch: "1".into(), table: "b".into() });
        assert_eq!(names(&plan(&warehouse).steps(&view)), [""; 0]);
    }

    /// docs/performance.md has these numbers.
    #[test]
    fn a_batch_of_the_reference_pipeline_takes_four_hops() {
        let tables = [
            "customers",
            "inventory_items",
            "inventory_levels",
            "order_lines",
            "orders",
            "products",
            "refunds",
            "stores",
            "supplies",
            "transactions",
            "variants",
            "visits",
        ];
        let one = warehouse(0);
        let load = &one.tables["a"];
        let mart = |name: &str, reads: &[&str]| Mart {
            name: name.into(),
            kind: MartKind::Table,
            reads: reads.iter().map(|read| format!("core.{read}")).collect(),
            refresh: vec![format!("refresh {name}")],
            unload: None,
        };
        let warehouse = Warehouse {
            tables: tables.map(|name| (name, TableLoad { name: name.into(), ..load.clone() })).into(),
            marts: vec![
                mart("daily_revenue", &["orders"]),
                mart("customer_value", &["customers", "orders"]),
                mart("top_products", &["order_lines", "orders", "products"]),
            ],
            ..one.clone()
        };
        let staged = tables.map(|table| (table, 1));
        let walked = walk(&warehouse, view(&[("1", &staged)]));
        let statements = walked.iter().flat_map(|round| round.split(", ")).filter(|step| step.starts_with("p/"));
        assert_eq!((statements.count(), walked.len()), (15, 4), "{walked:#?}");
    }

    #[test]
    fn the_set_up_waits_for_running_statements_and_loads_wait_for_a_set_up() {
        let warehouse = warehouse(1);
        let load = Name::Load { batch: "1".into(), table: "a".into() };
        let mut view = View { set_up: false, running: vec![load.clone()], ..view(&[("1", &[("a", 1)])]) };
        assert_eq!((plan(&warehouse).steps(&view), plan(&warehouse).waits_for(&view)), (Vec::new(), Some(&load)));
        view.running = vec![Name::Migrate { document: "other".into(), step: "1".into() }];
        view.set_up = true;
        assert_eq!(plan(&warehouse).steps(&view), Vec::new());
        view.running.clear();
        assert_eq!(names(&plan(&warehouse).steps(&view)), ["p/load/1/a 0", "p/marts/1/y 0"]);
    }

    #[test]
    fn copy_reads_the_listed_files_or_an_older_entrys_folder() {
        let copied = |view: &View| match plan(&warehouse(0)).steps(view).swap_remove(0) {
            Step::Load { statements, manifest, .. } => (statements[2].clone(), manifest),
            other => panic!("{other:?}"),
        };
        let mut view = view(&[("1", &[("a", 1)])]);
        let (copy, manifest) = copied(&view);
        assert_eq!(copy, "COPY pipectl_stage FROM 's3://t/a/batch=1/' IAM_ROLE default FORMAT AS PARQUET");
        assert_eq!(manifest, None);
        let staged = view.pending.get_mut("1").unwrap().tables.get_mut("a").unwrap();
        staged.files = vec![DataFile { key: "a/batch=1/part-0.parquet".into(), size: 7 }];
        let (copy, manifest) = copied(&view);
        assert_eq!(
            copy,
            "COPY pipectl_stage FROM 's3://t/_manifests/a/batch=1.json' IAM_ROLE default FORMAT AS PARQUET MANIFEST"
        );
        assert_eq!(
            serde_json::to_string(&manifest).unwrap(),
            r#"{"entries":[{"url":"s3://t/a/batch=1/part-0.parquet","mandatory":true,"meta":{"content_length":7}}]}"#
        );
    }
}
