//! What the loader does next: a pure function of the document and the ledgers.

use std::collections::{BTreeMap, BTreeSet};

use pipectl_contract::keys::unloaded;
use pipectl_contract::limits::TRANSACTION_STATEMENTS;
use pipectl_contract::schema_change::Refusal;
use pipeline::document::Warehouse;

use crate::event::Name;
use crate::inspect::{Found, Need, QUESTIONS, need};
use crate::statement::digest;

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
}

/// A batch on its way into the warehouse.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pending {
    pub tables: BTreeMap<String, Staged>,
    /// The tables whose load is recorded.
    pub recorded: BTreeSet<String>,
}

/// The files of one table in a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Staged {
    pub path: String,
    pub rows: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A transaction in the warehouse.
    Run { name: Name, statements: Vec<String> },
    /// A table without a row, or without a place in the warehouse: recorded and nothing else.
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

/// Cuts the set-up into batches that the Data API takes.
pub fn setup_parts(warehouse: &Warehouse) -> Vec<&[String]> {
    warehouse.setup.chunks(TRANSACTION_STATEMENTS).collect()
}

/// Returns the next step, or `None` when the warehouse holds all there is.
///
/// The order: the set-up of this document; the batches from the oldest on, table by table; when all are in, the marts.
pub fn next(warehouse: &Warehouse, document: &str, view: &View) -> Option<Step> {
    if !view.set_up {
        return Some(set_up(warehouse, document, view));
    }
    if let Some((batch, pending)) = view.pending.first_key_value() {
        let open = |(table, _): &(&String, &Staged)| !pending.recorded.contains(*table);
        let Some((table, staged)) = pending.tables.iter().find(open) else {
            return Some(Step::Close { batch: batch.clone() });
        };
        let (batch, table) = (batch.clone(), table.clone());
        return Some(match warehouse.tables.get(&table) {
            Some(load) if staged.rows > 0 => {
                Step::Run { statements: fill(&load.load, &batch, &staged.path), name: Name::Load { batch, table } }
            }
            load => Step::Skip { known: load.is_some(), batch, table },
        });
    }
    let batch = view.latest.as_ref()?;
    if let Some(mart) = warehouse.marts.iter().find(|mart| !view.refreshed.contains(&mart.name)) {
        let name = Name::Mart { batch: batch.clone(), mart: mart.name.clone() };
        return Some(Step::Run { name, statements: mart.refresh.clone() });
    }
    let (mart, unload) = warehouse
        .marts
        .iter()
        .filter_map(|mart| Some((&mart.name, mart.unload.as_ref()?)))
        .find(|(mart, _)| !view.refreshed.contains(&unloaded(mart)))?;
    let name = Name::Unload { batch: batch.clone(), mart: mart.clone() };
    Some(Step::Run { name, statements: vec![unload.clone()] })
}

/// Makes what is missing, looks at what is there, changes what is otherwise, looks again, and completes.
fn set_up(warehouse: &Warehouse, document: &str, view: &View) -> Step {
    let document = document.to_owned();
    if let Some(part) = setup_parts(warehouse).get(view.setup) {
        let name = Name::Setup { document, part: view.setup + 1 };
        return Step::Run { name, statements: part.to_vec() };
    }
    let Some(found) = &view.found else {
        let statements = QUESTIONS.map(str::to_owned).into();
        return Step::Run { name: Name::Inspect { document }, statements };
    };
    let unused = match need(warehouse, found) {
        Need::Refused(refused) => return Step::Refuse(refused),
        Need::Run(statements) => {
            let step = digest(&statements)[..12].to_owned();
            return Step::Run { name: Name::Migrate { document, step }, statements };
        }
        Need::Nothing { unused } => unused,
    };
    if view.completed == 0 && !warehouse.users.is_empty() {
        return Step::Users { name: Name::Complete { document, part: 1 }, found: found.clone() };
    }
    let done = view.completed.saturating_sub(1);
    if let Some(part) = warehouse.complete.chunks(TRANSACTION_STATEMENTS).nth(done) {
        let name = Name::Complete { document, part: done + 2 };
        return Step::Run { name, statements: part.to_vec() };
    }
    Step::SetUp { unused }
}

/// Puts batch and path into the statements of a load.
fn fill(statements: &[String], batch: &str, path: &str) -> Vec<String> {
    let fill = |statement: &String| statement.replace("{batch}", batch).replace("{path}", path);
    statements.iter().map(fill).collect()
}

impl View {
    /// Notes that a step is done.
    pub fn done(&mut self, name: &Name) {
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use pipectl_contract::options::MartKind;
    use pipeline::document::{LoadStatements, Mart};

    fn warehouse(setup: usize) -> Warehouse {
        let load = LoadStatements { load: vec!["COPY stage FROM '{path}'".into(), "INSERT '{batch}'".into()] };
        Warehouse {
            workgroup: "w".into(),
            database: "d".into(),
            secret: "s".into(),
            setup: (0..setup).map(|number| format!("s{number}")).collect(),
            complete: (0..41).map(|number| format!("c{number}")).collect(),
            users: [("reader".to_owned(), "secret".to_owned())].into(),
            tables: [("a", load.clone()), ("b", load)].map(|(name, load)| (name.to_owned(), load)).into(),
            marts: ["z", "y"]
                .map(|name| Mart {
                    name: name.into(),
                    kind: MartKind::Table,
                    refresh: vec![format!("refresh {name}")],
                    unload: (name == "z").then(|| "unload".to_owned()),
                })
                .into(),
            ..Warehouse::default()
        }
    }

    fn view(batches: &[(&str, &[(&str, u64)])]) -> View {
        let pending = batches.iter().map(|(batch, tables)| {
            let staged = |(table, rows): &(&str, u64)| {
                let path = format!("s3://t/{table}/batch={batch}/");
                ((*table).to_owned(), Staged { path, rows: *rows })
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

    /// Follows the steps to the end, as if every statement finished at once.
    fn walk(warehouse: &Warehouse, mut view: View) -> Vec<String> {
        let mut walked = Vec::new();
        while let Some(step) = next(warehouse, "sha", &view) {
            assert!(walked.len() < 50, "{walked:?}");
            match step {
                Step::Run { name, statements } => {
                    assert!(statements.len() <= TRANSACTION_STATEMENTS);
                    walked.push(name.text("p"));
                    view.done(&name);
                    if matches!(name, Name::Inspect { .. }) {
                        view.found = Some(Found::default());
                    }
                }
                Step::Users { name, .. } => {
                    walked.push(format!("users {}", name.text("p")));
                    view.done(&name);
                }
                Step::Refuse(_) => walked.push("refused".to_owned()),
                Step::SetUp { .. } => {
                    walked.push("set up".to_owned());
                    view.set_up = true;
                }
                Step::Skip { batch, table, known } => {
                    walked.push(format!("skip {batch}/{table} {known}"));
                    view.done(&Name::Load { batch, table });
                }
                Step::Close { batch } => {
                    walked.push(format!("close {batch}"));
                    view.pending.remove(&batch);
                }
            }
        }
        walked
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
                "p/load/1/a",
                "p/load/1/b",
                "close 1",
                "skip 2/a true",
                "skip 2/gone false",
                "close 2",
                "p/marts/2/z",
                "p/marts/2/y",
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

    #[test]
    fn statements_get_batch_and_path() {
        let Some(Step::Run { statements, .. }) = next(&warehouse(0), "sha", &view(&[("1", &[("a", 1)])])) else {
            panic!("no statement");
        };
        assert_eq!(statements, ["COPY stage FROM 's3://t/a/batch=1/'", "INSERT '1'"]);
    }
}
