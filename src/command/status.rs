//! `pipectl status`

use serde::Serialize;

use super::account::Account;
use super::format::Format;
use crate::context::Context;
use crate::error::Result;
use crate::exit::Exit;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// How the state is written
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// A stack of the environment.
#[derive(Debug, Serialize)]
struct Row {
    stack: String,
    /// CloudFormation's word for it; null where the stack does not exist.
    state: Option<String>,
    changed_at: Option<String>,
}

pub async fn run(context: &Context, args: &Args) -> Result<Exit> {
    let (project, spec) = context.spec()?;
    let stacks = project.render(&spec)?;
    let account = Account::open(&project, &spec).await?;
    let mut rows = Vec::new();
    for stack in &stacks {
        let found = account.aws.cloudformation.stack(&stack.stack_name).await?;
        rows.push(Row {
            stack: stack.stack_name.clone(),
            state: found.as_ref().map(|found| found.status.to_string()),
            changed_at: found.and_then(|found| found.updated.or(found.created)),
        });
    }
    account.close().await?;
    args.format.print(&context.ui, &rows, || text(&rows))?;
    Ok(Exit::Success)
}

fn text(rows: &[Row]) -> String {
    let mut cells = vec![["STACK".to_owned(), "STATE".to_owned(), "LAST CHANGE (UTC)".to_owned()]];
    cells.extend(rows.iter().map(|row| {
        let state = row.state.clone().unwrap_or_else(|| "not deployed".to_owned());
        // To the second: `2026-11-20T12:43:05.638Z` has more than a reader wants.
        let changed = row.changed_at.as_deref().map_or("", |time| time.split(['.', 'Z']).next().unwrap_or(time));
        [row.stack.clone(), state, changed.replace('T', " ")]
    }));
    table(&cells)
}

/// Rows in columns; the first row is the heading.
fn table<const COLUMNS: usize>(rows: &[[String; COLUMNS]]) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let widths: Vec<usize> = (0..COLUMNS).map(width).collect();
    rows.iter().fold(String::new(), |mut text, row| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
        text
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [["A".into(), "B".into()], ["long".into(), "x".into()]];
        assert_eq!(super::table(&rows), "A     B\nlong  x\n");
    }
}
