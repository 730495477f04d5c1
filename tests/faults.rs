//! Every call of a deploy may fail: the deploy ends right, or it says truly what failed and the next one completes it. The
//! table of docs/reliability.md is what came out.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Mutex;

use crate::support::cloud::Cloud;
use crate::support::fixtures::{DEPLOY, Fixtures};
use crate::support::page;
use crate::support::proxy::{Call, CallPosition, Fault};

/// The columns of the table: a fault, how many tries of a call it hits, and its name. A call is tried seven times.
const FAULTS: [(Fault, usize, &str); 9] = [
    (Fault::Throttled, 1, "throttled"),
    (Fault::Throttled, 8, "throttled 8 times"),
    (Fault::Html, 1, "500, HTML"),
    (Fault::ResetBefore, 1, "reset before"),
    (Fault::ResetBefore, 8, "reset before, 8 times"),
    (Fault::ResetAfter, 1, "reset after"),
    (Fault::Cut, 1, "cut after"),
    (Fault::Late, 1, "late"),
    (Fault::Expired, 1, "expired"),
];

/// The stacks of the ground on which something is done, and what that is.
const STACKS: [(&str, &str); 5] = [
    ("iam", "a stack that was rolled back"),
    ("storage", "a new stack"),
    ("warehouse", "an update"),
    ("glue", "an update of what follows"),
    ("ingest", "an empty change set"),
];

/// Objects of the artifact bucket, and what they are.
const OBJECTS: [(&str, &str); 5] = [
    ("config/pipeline.json", "the pipeline document"),
    ("deploys/…", "the record of a deploy"),
    ("glue/clean.py", "an artifact that is there"),
    ("lambda/load.zip", "an artifact that is not there"),
    ("templates/storage.yaml", "a long template"),
];

/// A row of the table and the call that it is about.
type Row = (String, String, CallPosition);

/// One call of each operation for each thing that it is done to, and of the status of a stack the second one too: the
/// first is asked for the plan, the others while the stack is followed.
fn rows(calls: &[Call]) -> Vec<Row> {
    let mut rows: BTreeMap<(String, String, bool), CallPosition> = BTreeMap::new();
    for Call { position, .. } in calls {
        let mut subjects = STACKS.iter().chain(&OBJECTS).chain(&[("", "")]);
        let Some((_, what)) = subjects.find(|(subject, _)| *subject == position.subject) else { continue };
        // What only reads is alike for all stacks.
        let alike = ["iam", "glue", "ingest"].contains(&position.subject.as_str());
        if alike && (position.operation.starts_with("DescribeStack") || position.operation.starts_with("Get")) {
            continue;
        }
        let key = (position.operation.clone(), (*what).to_owned(), false);
        let again = (key.0.clone(), key.1.clone(), true);
        if position.nth == 1 {
            rows.insert(key, position.clone());
        } else if position.nth == 2 && position.operation == "DescribeStacks" && position.subject == "storage" {
            rows.insert(again, position.clone());
        }
    }
    let second = |again: bool| if again { ", followed" } else { "" };
    rows.into_iter()
        .map(|((operation, what, again), position)| (operation, format!("{what}{}", second(again)), position))
        .collect()
}

/// What came of one fault.
#[derive(Debug, Clone)]
struct Outcome {
    row: usize,
    column: usize,
    cell: String,
    /// What the failed deploy said.
    error: String,
}

#[test]
fn a_deploy_survives_a_fault_at_any_call() {
    let Some(fixtures) = Fixtures::create() else { return };
    let cloud = Cloud::copy_of(fixtures.mixed.path());
    let printed = cloud.run(&fixtures.after, &DEPLOY);
    assert_eq!(printed.code, Some(0), "{}", printed.text);
    let (right, rows) = (cloud.state(), rows(&cloud.calls()));
    drop(cloud);
    let only = std::env::var("PIPECTL_FAULTS").unwrap_or_default();
    let cases: Vec<(usize, usize)> = (0..rows.len())
        .flat_map(|row| (0..FAULTS.len()).map(move |column| (row, column)))
        .filter(|(row, column)| format!("{} {} {}", rows[*row].0, rows[*row].1, FAULTS[*column].2).contains(&only))
        .collect();
    let (queue, outcomes) = (Mutex::new(cases.into_iter()), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        // More than there are cores: those that wait for a late answer leave theirs to others.
        for _ in 0..6 {
            scope.spawn(|| {
                loop {
                    let Some((row, column)) = queue.lock().unwrap().next() else { break };
                    let outcome = strike(&fixtures, &rows[row].2, FAULTS[column], &right);
                    let (cell, error) = outcome.unwrap_or_else(|why| (format!("WRONG: {why}"), String::new()));
                    outcomes.lock().unwrap().push(Outcome { row, column, cell, error });
                }
            });
        }
    });
    let outcomes = outcomes.into_inner().unwrap();
    let name = |one: &Outcome| format!("{} ({}), {}", rows[one.row].0, rows[one.row].1, FAULTS[one.column].2);
    let wrong: Vec<String> = outcomes
        .iter()
        .filter(|one| one.cell.starts_with("WRONG"))
        .map(|one| format!("{}: {}", name(one), one.cell))
        .collect();
    for one in outcomes.iter().filter(|one| !one.error.is_empty()) {
        println!("{}:\n{}\n", name(one), one.error);
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), outcomes.len(), wrong.join("\n\n"));
    let untrue: BTreeSet<String> = outcomes
        .iter()
        .filter(|one| !one.error.is_empty() && !is_true(FAULTS[one.column].0, &rows[one.row].0, &one.error))
        .map(|one| format!("{}: {}", name(one), one.error))
        .collect();
    assert!(untrue.is_empty(), "{}", untrue.into_iter().collect::<Vec<_>>().join("\n\n"));
    let table = table(&rows, &outcomes);
    if only.is_empty() { page::compare("faults", &table) } else { println!("{table}") }
}

/// Injects one fault into a deploy. Fails with all deviations.
fn strike(
    fixtures: &Fixtures,
    position: &CallPosition,
    (fault, times, _): (Fault, usize, &str),
    right: &str,
) -> Result<(String, String), String> {
    let cloud = Cloud::copy_of(fixtures.mixed.path());
    cloud.proxy.strike(position, fault, times);
    let printed = cloud.run(&fixtures.after, &DEPLOY);
    if !cloud.proxy.heal() {
        return Err(format!("the call was never made: {}", printed.text));
    }
    if printed.code == Some(0) {
        same(&cloud, right, &printed.text)?;
        let left = cloud.stale_change_sets();
        return if left.is_empty() {
            Ok(("right".into(), String::new()))
        } else {
            Err(format!("left behind: {left:?}"))
        };
    }
    if printed.code != Some(1) {
        return Err(format!("exit code {:?}: {}", printed.code, printed.text));
    }
    let again = cloud.run(&fixtures.after, &DEPLOY);
    if again.code != Some(0) {
        return Err(format!("the second deploy fails as well:\n{}\n{}", printed.text, again.text));
    }
    same(&cloud, right, &format!("{}\n{}", printed.text, again.text))?;
    let error = printed.text.find("error: ").map_or(printed.text.as_str(), |at| &printed.text[at..]);
    Ok(("fails, next right".into(), error.trim().to_owned()))
}

fn same(cloud: &Cloud, right: &str, printed: &str) -> Result<(), String> {
    let state = cloud.state();
    if state == right {
        return Ok(());
    }
    let missing: Vec<&str> = right.lines().filter(|line| !state.contains(line)).collect();
    let surplus: Vec<&str> = state.lines().filter(|line| !right.contains(line)).collect();
    Err(format!("the end is another: without {missing:?}, with {surplus:?}\n{printed}"))
}

/// Whether an error names what failed, why, and what to do.
fn is_true(fault: Fault, operation: &str, error: &str) -> bool {
    let why: &[&str] = match fault {
        Fault::Throttled => &["Rate exceeded", "Please reduce your request rate", "HTTP status 503"],
        // The next call reports it, if the first is not needed to continue.
        Fault::Expired => return error.contains("expired") && error.contains("hint: log in"),
        Fault::ResetBefore => &["did not answer"],
        _ => return false,
    };
    why.iter().any(|word| error.contains(word)) && error.contains("hint: ") && error.contains(operation)
}

fn table(rows: &[Row], outcomes: &[Outcome]) -> String {
    let mut text =
        format!("| call | of | {} |\n|---|---|{}\n", FAULTS.map(|(.., name)| name).join(" | "), "---|".repeat(9));
    for (number, (operation, what, _)) in rows.iter().enumerate() {
        let cell = |column: usize| {
            outcomes.iter().find(|one| (one.row, one.column) == (number, column)).map_or("", |one| one.cell.as_str())
        };
        let cells: Vec<&str> = (0..FAULTS.len()).map(cell).collect();
        let _ = writeln!(text, "| `{operation}` | {what} | {} |", cells.join(" | "));
    }
    text
}
