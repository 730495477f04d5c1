//! `pipectl retry`

use pipectl_contract::ledger::Failed;
use pipectl_contract::names::Zone;

use crate::account::Account;
use crate::aws::Aws;
use crate::context::Context;
use crate::error::{Error, Result, did_you_mean};
use crate::exit::Exit;
use crate::operations::waiting::failures;
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
    check(&spec, is_mart, name)?;
    let account = Account::open(&project, &spec).await?;
    let done = in_account(context, &spec, &account.aws, is_mart, name).await;
    account.close().await?;
    done
}

/// Rejects a table or mart that the pipeline does not have.
pub(super) fn check(spec: &Spec, is_mart: bool, name: &str) -> Result<()> {
    let known: Vec<&str> = if is_mart {
        spec.pipeline.marts.keys().map(String::as_str).collect()
    } else {
        spec.pipeline.tables.keys().map(String::as_str).collect()
    };
    if known.contains(&name) {
        return Ok(());
    }
    let kind = if is_mart { "mart" } else { "table" };
    let error = Error::new(format!("the pipeline has no {kind} `{name}`")).exit(Exit::Usage);
    Err(error.hint(did_you_mean(name, known)))
}

async fn in_account(context: &Context, spec: &Spec, aws: &Aws, is_mart: bool, name: &str) -> Result<Exit> {
    let bucket = spec.bucket(Zone::Transformed);
    let matches_name = |key: &str, failed: &Failed| {
        let of_mart = key.contains("/marts/");
        is_mart == of_mart && (failed.name == name || (is_mart && failed.name == format!("{name}.unload")))
    };
    let found = failures(&aws.s3, &bucket).await?;
    let found: Vec<_> = found.into_iter().filter(|(key, failed)| matches_name(key, failed)).collect();
    if found.is_empty() {
        let error = Error::new(format!("nothing of `{name}` has failed"));
        return Err(error.hint(format!("see `pipectl status --env {}`", spec.environment_name)));
    }
    for (key, failed) in found {
        let asked = Failed { retry: true, ..failed };
        let bytes =
            serde_json::to_vec(&asked).map_err(|error| Error::new("the entry cannot be written").cause(&error))?;
        aws.s3.put(&bucket, &key, bytes).await?;
        context.ui.line(format_args!("the batch {} of `{}` is tried again", asked.batch, asked.name));
    }
    wake(context, spec, aws).await?;
    Ok(Exit::Success)
}

/// Calls the loader, which reads its ledger. In a local environment the next rehearsal reads it.
pub(super) async fn wake(context: &Context, spec: &Spec, aws: &Aws) -> Result<()> {
    if spec.environment.local {
        context.ui.line("the next `pipectl rehearse` takes it up");
    } else {
        aws.signed_calls.invoke(&format!("{}-load", spec.prefix()), "{}").await?;
        context.ui.line(format_args!("the loader was called; see `pipectl status --env {}`", spec.environment_name));
    }
    Ok(())
}
