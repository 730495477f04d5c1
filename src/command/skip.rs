//! `pipectl skip`

use super::retry::wake;
use crate::account::Account;
use crate::aws::Aws;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::operations::waiting;
use crate::spec::Spec;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The table
    table: String,

    /// The batch whose load failed, as `status` shows it
    batch: String,

    /// Do not ask
    #[arg(long, short = 'y')]
    yes: bool,
}

pub async fn run(context: &Context, args: &Args) -> Result<Exit> {
    let (project, spec) = context.spec()?;
    waiting::check(&spec, false, &args.table)?;
    let account = Account::open(&project, &spec).await?;
    let done = in_account(context, args, &spec, &account.aws).await;
    account.close().await?;
    done
}

async fn in_account(context: &Context, args: &Args, spec: &Spec, aws: &Aws) -> Result<Exit> {
    let (table, batch, environment) = (&args.table, &args.batch, &spec.environment_name);
    let failed = waiting::failed_load(aws, spec, table, batch).await?;
    let undo = format!("pipectl replay --from cleaned --since {} --table {table} --env {environment}", day(batch));
    if !args.yes {
        let question = format!("Leave the batch {batch} of `{table}` out of the warehouse? `{undo}` undoes it.");
        match context.ui.confirm(question) {
            Some(true) => {}
            Some(false) => return Err(Error::new("nothing was changed")),
            None => {
                return Err(Error::new("nobody can be asked here")
                    .hint("add `--yes` to do it without a question")
                    .exit(Exit::Usage));
            }
        }
    }
    waiting::skip(aws, spec, failed).await?;
    context.ui.line(format_args!("the batch {batch} of `{table}` is left out; to undo: {undo}"));
    wake(context, spec, aws).await?;
    Ok(Exit::Success)
}

/// The day on which a batch began, for `--since`: `20261120T125030Z-…` is `2026-11-20`.
fn day(batch: &str) -> String {
    match (batch.get(..4), batch.get(4..6), batch.get(6..8)) {
        (Some(year), Some(month), Some(day)) => format!("{year}-{month}-{day}"),
        _ => "DATE".to_owned(),
    }
}
