//! `pipectl history`

use std::fmt::Write as _;

use pipectl_contract::names::Zone;

use crate::account::Account;
use crate::context::Context;
use crate::deploy::record::{End, Record};
use crate::error::Result;
use crate::exit::Exit;
use crate::operations::history;
use crate::output_format::Format;
use crate::text_table::columns;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// How many runs to show, the newest first
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,

    /// How the runs are written
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub async fn run(context: &Context, args: &Args) -> Result<Exit> {
    let (project, spec) = context.spec()?;
    let account = Account::open(&project, &spec).await?;
    let read = history::latest(&account.aws, &spec.bucket(Zone::Artifacts), args.limit as usize).await;
    account.close().await?;
    let history = read?;
    args.format.print(&context.ui, &history, || text(&history.runs))?;
    if history.runs.is_empty() && args.format == Format::Text {
        context.ui.line(format_args!("No deploy of `{}` is recorded.", spec.environment_name));
    }
    if history.unreadable > 0 {
        let are = match history.unreadable {
            1 => "one record is".to_owned(),
            count => format!("{count} records are"),
        };
        context.ui.warn(format_args!("{are} not shown: another version of pipectl wrote what this one cannot read"));
    }
    Ok(Exit::Success)
}

fn text(runs: &[Record]) -> String {
    if runs.is_empty() {
        return String::new();
    }
    let heads = ["STARTED (UTC)", "RUN", "RESULT", "TOOK", "BY", "COMMIT", "STACKS"];
    let mut cells = vec![heads.map(str::to_owned).to_vec()];
    cells.extend(runs.iter().map(|run| {
        let commit = run.commit.as_ref().map_or_else(String::new, |commit| {
            let sha: String = commit.sha.chars().take(8).collect();
            format!("{sha}{}", if commit.modified { "+" } else { "" })
        });
        vec![
            started(run),
            run.action.as_str().to_owned(),
            run.result.as_str().to_owned(),
            run.seconds.map_or_else(String::new, |seconds| format!("{}:{:02}", seconds / 60, seconds % 60)),
            caller(&run.caller).to_owned(),
            commit,
            stacks(run),
        ]
    }));
    let mut text = columns(&cells, &[3]);
    for run in runs {
        let failed: Vec<_> = run.stacks.iter().filter(|stack| stack.error.is_some()).collect();
        if let (true, Some(error)) = (failed.is_empty(), &run.error) {
            let _ = writeln!(text, "\n{}  {}", started(run), one_line(error));
        }
        for (index, stack) in failed.iter().enumerate() {
            let lead = if index == 0 { "\n" } else { "" };
            let error = one_line(stack.error.as_deref().unwrap_or_default());
            let _ = writeln!(text, "{lead}{}  {}: {error}", started(run), stack.stack);
        }
    }
    text
}

fn one_line(text: &str) -> String {
    text.lines().map(str::trim).collect::<Vec<_>>().join(" ")
}

fn started(run: &Record) -> String {
    run.started.trim_end_matches('Z').replace('T', " ")
}

/// The part of an ARN that identifies a person: `arn:aws:sts::111111111111:assumed-role/deploy/ci` is `deploy/ci`.
fn caller(arn: &str) -> &str {
    let name = arn.splitn(6, ':').last().unwrap_or(arn);
    name.split_once('/').map_or(name, |(_, rest)| rest)
}

fn stacks(run: &Record) -> String {
    let ends = [End::Created, End::Updated, End::Deleted, End::Failed, End::Unfinished, End::Skipped, End::Unchanged];
    let count = |end: End| run.stacks.iter().filter(|stack| stack.result == end).count();
    let counts = ends.into_iter().map(|end| (count(end), end)).filter(|(count, _)| *count > 0);
    counts.map(|(count, end)| format!("{count} {}", end.as_str())).collect::<Vec<_>>().join(", ")
}
