//! `pipectl status`

use super::account::Account;
use crate::context::Context;
use crate::error::Result;
use crate::exit::Exit;

#[derive(Debug, clap::Args)]
pub struct Args {}

pub async fn run(context: &Context, _: &Args) -> Result<Exit> {
    let (project, spec) = context.spec()?;
    let stacks = project.render(&spec)?;
    let account = Account::open(&project, &spec).await?;
    let mut rows = vec![["STACK".to_owned(), "STATE".to_owned(), "LAST CHANGE".to_owned()]];
    for stack in &stacks {
        let found = account.aws.cloudformation.stack(&stack.stack_name).await?;
        let (state, time) = match found {
            Some(found) => (found.status.to_string(), found.updated.or(found.created).unwrap_or_default()),
            None => ("not deployed".to_owned(), String::new()),
        };
        rows.push([stack.stack_name.clone(), state, time]);
    }
    account.close().await?;
    context.ui.data(table(&rows))?;
    Ok(Exit::Success)
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
