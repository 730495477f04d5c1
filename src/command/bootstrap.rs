//! `pipectl bootstrap`

use super::deploy::{Agreement, execute};
use crate::context::Context;
use crate::deploy::{Scope, Settings};
use crate::error::Result;
use crate::exit::Exit;
use crate::release::checked_stacks;

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    agreement: Agreement,
}

pub async fn run(context: &Context, args: &Args) -> Result<Exit> {
    let (project, spec) = context.spec()?;
    let desired = checked_stacks(&project, &spec)?;
    let settings = Settings::default();
    execute(context, &project, &spec, desired, Scope::Bootstrap, &args.agreement, settings).await
}
