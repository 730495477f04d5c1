//! Runs as people read them.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::quantity::{counted, thousands};
use crate::text_table::columns;

use super::{Run, Stage};

/// Why rows were put aside: the reason, the object that they came from, how many they are.
pub type Reasons = BTreeMap<(String, String), u64>;

fn stage(run: &Run) -> &'static str {
    match run.stage {
        Stage::Failed => "FAILED",
        Stage::Cleaned => "cleaned",
        Stage::Transformed => "transformed",
        Stage::Loaded => "loaded",
    }
}

/// `2026-11-20T12:50:44Z` to `2026-11-20 12:50:44`.
fn when(at: &str) -> String {
    at.trim_end_matches('Z').replacen('T', " ", 1)
}

/// One line a run.
pub fn list(runs: &[Run]) -> String {
    let heading = ["WHEN (UTC)", "RUN", "OBJECTS", "IN", "LOADED", "UNCHANGED", "QUARANTINED", "REACHED", "TABLES"];
    let mut cells = vec![heading.map(str::to_owned).to_vec()];
    for run in runs {
        let tables: Vec<&str> = run.tables.keys().map(String::as_str).collect();
        let tables = match tables.as_slice() {
            [one, two, three, rest @ ..] if !rest.is_empty() => {
                format!("{one}, {two}, {three} and {} more", rest.len())
            }
            tables => tables.join(", "),
        };
        let replayed = if run.replays.is_empty() { "" } else { " (replay)" };
        cells.push(vec![
            when(&run.at),
            run.name.clone(),
            thousands(run.objects as u64),
            thousands(run.total(|rows| rows.rows_in)),
            thousands(run.total(|rows| rows.loaded)),
            thousands(run.total(|rows| rows.unchanged)),
            thousands(run.total(|rows| rows.quarantined)),
            stage(run).to_owned(),
            format!("{tables}{replayed}"),
        ]);
    }
    let mut text = columns(&cells, &[2, 3, 4, 5, 6]);
    for run in runs {
        for (table, why) in &run.stopped {
            let _ = write!(text, "\n{}: `{table}` waits: {why}\n", run.name);
        }
    }
    text
}

/// All of one run.
pub fn whole(run: &Run, reasons: &BTreeMap<String, Reasons>) -> String {
    let mut text = format!("run {}, {}, {}\n", run.name, when(&run.at), stage(run));
    let mut say = |line: std::fmt::Arguments<'_>| {
        let _ = writeln!(text, "{line}");
    };
    for (table, why) in &run.stopped {
        say(format_args!("`{table}` waits: {why}"));
    }
    if run.batches.len() > 1 || run.batches.first().is_some_and(|batch| *batch != run.name) {
        let batches = if run.batches.len() == 1 { "batch" } else { "batches" };
        say(format_args!("of the cleaned {batches} {}", run.batches.join(", ")));
    }
    if !run.replays.is_empty() {
        say(format_args!("replayed because of {}", run.replays.join(", ")));
    }
    let repeated =
        if run.repeated > 0 { format!(", {} with content that was there before", run.repeated) } else { String::new() };
    say(format_args!("{}{repeated}\n", counted(run.objects as u64, "object")));
    let heading = ["TABLE", "IN", "LOADED", "UNCHANGED", "QUARANTINED", "WAREHOUSE"];
    let mut cells = vec![heading.map(str::to_owned).to_vec()];
    for (table, rows) in &run.tables {
        let warehouse = match (rows.in_warehouse, rows.changed) {
            (false, _) => "not yet".to_owned(),
            (true, Some(changed)) => format!("{} rows added or changed", thousands(changed)),
            (true, None) => "has it".to_owned(),
        };
        let numbers = [rows.rows_in, rows.loaded, rows.unchanged, rows.quarantined].map(thousands);
        cells.push(std::iter::once(table.clone()).chain(numbers).chain([warehouse]).collect());
    }
    if !run.tables.is_empty() {
        say(format_args!("{}", columns(&cells, &[1, 2, 3, 4]).trim_end()));
    }
    for (table, columns) in &run.unknown_columns {
        say(format_args!("\n{table}: columns that the table does not have: {}", columns.join(", ")));
    }
    for (folder, reasons) in reasons {
        say(format_args!("\nquarantined rows, each with its reason: {folder}"));
        let mut sorted: Vec<_> = reasons.iter().collect();
        sorted.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        for ((reason, source), count) in sorted.iter().take(10) {
            let source = if source.is_empty() { String::new() } else { format!(" ({source})") };
            say(format_args!("  {}× {reason}{source}", thousands(**count)));
        }
        if sorted.len() > 10 {
            say(format_args!("  and {} other reasons or objects", sorted.len() - 10));
        }
    }
    text
}
