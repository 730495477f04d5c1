//! `pipectl bootstrap`

use super::deploy::{Agreement, carry_out};
use super::wanted::checked_stacks;
use crate::context::Context;
use crate::deploy::{Scope, Settings};
use crate::error::Result;
use crate::exit::Exit;

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    agreement: Agreement,
}

pub async fn run(context: &Context, args: &Args) -> Result<Exit> {
    let (project, spec) = context.spec()?;
    let wanted = checked_stacks(&project, &spec)?;
    let settings = Settings::default();
    carry_out(context, &project, &spec, wanted, Scope::Bootstrap, &args.agreement, settings).await
}
