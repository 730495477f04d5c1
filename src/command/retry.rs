//! `pipectl retry`

use crate::account::Account;
use crate::aws::Aws;
use crate::context::Context;
use crate::error::Result;
use crate::exit::Exit;
use crate::operations::waiting;
use crate::spec::Spec;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The table, or the mart as `marts.NAME`
    #[arg(value_name = "TABLE")]
    table: String,
}

pub async fn run(context: &Context, args: &Args) -> Result<Exit> {
    let (project, spec) = context.spec()?;
    let (is_mart, name) = match args.table.split_once('.') {
        Some(("marts", name)) => (true, name),
        Some(("core", name)) => (false, name),
        _ => (false, args.table.as_str()),
    };
    waiting::check(&spec, is_mart, name)?;
    let account = Account::open(&project, &spec).await?;
    let done = in_account(context, &spec, &account.aws, is_mart, name).await;
    account.close().await?;
    done
}

async fn in_account(context: &Context, spec: &Spec, aws: &Aws, is_mart: bool, name: &str) -> Result<Exit> {
    for failed in waiting::retry(aws, spec, is_mart, name).await? {
        context.ui.line(format_args!("the batch {} of `{}` is tried again", failed.batch, failed.name));
    }
    wake(context, spec, aws).await?;
    Ok(Exit::Success)
}

/// Has the loader continue, and says so.
pub(super) async fn wake(context: &Context, spec: &Spec, aws: &Aws) -> Result<()> {
    if waiting::wake(aws, spec).await? {
        context.ui.line(format_args!("the loader was called; see `pipectl status --env {}`", spec.environment_name));
    } else {
        context.ui.line("the next `pipectl rehearse` takes it up");
    }
    Ok(())
}
