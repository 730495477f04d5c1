//! `pipectl skip`

use pipectl_contract::keys;
use pipectl_contract::ledger::{Loaded, Skipped, Stage, VERSION};
use pipectl_contract::names::Zone;
use time::UtcDateTime;

use super::retry::{check, wake};
use crate::account::Account;
use crate::aws::Aws;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::operations::ledger::written;
use crate::operations::waiting::failures;
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
    check(&spec, false, &args.table)?;
    let account = Account::open(&project, &spec).await?;
    let done = in_account(context, args, &spec, &account.aws).await;
    account.close().await?;
    done
}

async fn in_account(context: &Context, args: &Args, spec: &Spec, aws: &Aws) -> Result<Exit> {
    let (table, batch, environment) = (&args.table, &args.batch, &spec.environment_name);
    let bucket = spec.bucket(Zone::Transformed);
    let failed = failures(&aws.s3, &bucket).await?;
    let Some((_, failed)) = failed.into_iter().find(|(key, _)| *key == keys::failed_load(table)) else {
        // Of a batch that loads, or will load, nothing must be left out.
        return Err(Error::new(format!("no load of `{table}` has failed"))
            .hint(format!("see `pipectl status --env {environment}`")));
    };
    if failed.batch != *batch {
        return Err(Error::new(format!("`{table}` does not wait for the batch {batch}"))
            .hint(format!("it waits for {0}: `pipectl skip {table} {0} --env {environment}`", failed.batch)));
    }
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
    let entry = Loaded {
        version: VERSION,
        stage: Stage::Load.as_str().to_owned(),
        batch: batch.clone(),
        table: table.clone(),
        staged: Some(0),
        changed: Some(0),
        deleted: Some(0),
        statement_id: None,
        committed_at: written(UtcDateTime::now()),
        skipped: Some(Skipped { by: aws.caller.clone(), reason: failed.message }),
    };
    let bytes = serde_json::to_vec(&entry).map_err(|error| Error::new("the entry cannot be written").cause(&error))?;
    if !aws.s3.create(&bucket, &keys::load_entry(batch, table), bytes).await? {
        return Err(Error::new(format!("the batch {batch} of `{table}` was loaded or skipped meanwhile")));
    }
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
