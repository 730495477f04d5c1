//! `pipectl drift`

use serde::Serialize;

use crate::account::Account;
use crate::context::Context;
use crate::deploy::stop::Stop;
use crate::deploy::{BOOTSTRAP, drift};
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::output_format::Format;
use crate::plan::drift::{Drift, Summary};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// How the drift is written
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// The drift for machines. New fields may come at any time.
#[derive(Serialize)]
struct Document<'a> {
    /// Increases when a field changes its meaning or is removed.
    version: u32,
    has_drift: bool,
    summary: Summary,
    #[serde(flatten)]
    drift: &'a Drift,
}

pub async fn run(context: &Context, args: &Args) -> Result<Exit> {
    let (ui, stop) = (&context.ui, Stop::on_ctrl_c());
    let (project, spec) = context.spec()?;
    let mut stacks = project.render(&spec)?;
    // On AWS it is the administrator's, and a reader of the pipeline may lack permissions for it.
    stacks.retain(|stack| spec.environment.local || stack.name != BOOTSTRAP);
    let account = Account::open(&project, &spec).await?;
    ui.status("CloudFormation compares the account with what it has deployed");
    let mut progress = |stack: &str, left: usize| ui.status(format_args!("{stack} is compared; {left} stacks to go"));
    let found = drift::detect(&account.aws, &spec, stacks, &stop, &mut progress).await;
    account.close().await?;
    ui.clear();
    let drift = found?;
    let document = Document { version: 1, has_drift: drift.is_any(), summary: drift.summary(), drift: &drift };
    args.format.print(ui, &document, || drift.text(ui.colour()))?;
    let failed = drift.stacks.iter().filter_map(|stack| Some((&stack.stack_name, stack.failure.as_ref()?)));
    Error::all(failed.map(|(stack, reason)| {
        Error::new(format!("CloudFormation could not compare all of `{stack}`: {reason}"))
            .hint("give these credentials the right to read what this names, as the role of pull requests has it")
    }))?;
    Ok(if drift.is_any() { Exit::Changes } else { Exit::Success })
}
