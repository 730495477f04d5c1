//! `pipectl destroy`

use super::account::Account;
use super::lines::Lines;
use super::wanted::stacks;
use crate::context::Context;
use crate::deploy::destroy::{destroy, inventory};
use crate::deploy::stop::Stop;
use crate::deploy::{Scope, Session};
use crate::error::{Error, Result};
use crate::exit::Exit;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Do not ask
    #[arg(long, short = 'y')]
    yes: bool,

    /// Delete the objects in the buckets too, with all their versions
    #[arg(long)]
    delete_data: bool,
}

pub async fn run(context: &Context, args: &Args) -> Result<Exit> {
    let (ui, stop) = (&context.ui, Stop::on_ctrl_c());
    let (project, spec) = context.spec()?;
    let wanted = stacks(&project, &spec)?;
    let account = Account::open(&project, &spec).await?;
    let (session, mut steps) = Session::open(account.aws.clone(), &spec, wanted, Scope::Pipeline, stop).await?;
    let found = inventory(&session, args.delete_data).await?;
    if found.stacks.is_empty() {
        account.close().await?;
        ui.line(format_args!("Nothing of `{}` is deployed.", spec.environment_name));
        return Ok(Exit::Success);
    }
    if !args.yes {
        ui.line(format_args!("These stacks of `{}` are deleted: {}", spec.environment_name, found.stacks.join(", ")));
        if !found.secrets.is_empty() {
            ui.warn(format_args!("these secrets are deleted with their values: {}", found.secrets.join(", ")));
        }
        if !found.filled.is_empty() {
            ui.warn(format_args!("all objects in these buckets are deleted for good: {}", found.filled.join(", ")));
        }
        let answer = ui.ask(format_args!("Type `{}` to delete them:", spec.environment_name));
        if answer.as_deref() != Some(spec.environment_name.as_str()) {
            account.close().await?;
            return match answer {
                Some(_) => Err(Error::new("nothing was deleted")),
                None => Err(Error::new("nobody can be asked here")
                    .hint("add `--yes` to delete without a question")
                    .exit(Exit::Usage)),
            };
        }
    }
    let remains = destroy(&session, found, args.delete_data, &mut steps, &mut Lines::new(ui)).await;
    account.close().await?;
    ui.clear();
    let remains = remains?;
    ui.line(format_args!("Done: {} stacks deleted.", remains.stacks.len()));
    if !remains.retained.is_empty() {
        ui.note("kept, as the deletion policy says, and no part of a stack any more; the next deploy takes them over:");
        for resource in &remains.retained {
            ui.line(format_args!("  {}  {}", resource.resource_type, resource.physical_id));
        }
    }
    if !spec.environment.local {
        ui.note("the bootstrap stack stays: other deploys of this environment need it");
    }
    Ok(Exit::Success)
}
