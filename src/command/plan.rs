//! `pipectl plan`

use super::account::Account;
use super::lines::Lines;
use super::wanted::wanted;
use crate::context::Context;
use crate::deploy::stop::Stop;
use crate::deploy::{Scope, Session, survey};
use crate::error::Result;
use crate::exit::Exit;
use crate::plan::Plan;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// How the plan is written
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,

    /// Exit with 2 if anything would change
    #[arg(long)]
    exit_code: bool,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Format {
    Text,
    Json,
    Markdown,
}

pub async fn run(context: &Context, args: &Args) -> Result<Exit> {
    let stop = Stop::on_ctrl_c();
    let (project, spec) = context.spec()?;
    let wanted = wanted(context, &project, &spec)?;
    let account = Account::open(&project, &spec).await?;
    let (session, mut steps) = Session::open(account.aws.clone(), &spec, wanted, Scope::Pipeline, stop).await?;
    let plan = survey::plan(&session, &mut steps, &mut Lines::new(&context.ui)).await?;
    account.close().await?;
    context.ui.clear();
    context.ui.data(args.format.write(&plan, context.ui.colour()))?;
    Ok(if args.exit_code && plan.has_changes() { Exit::Changes } else { Exit::Success })
}

impl Format {
    fn write(self, plan: &Plan, colour: bool) -> String {
        match self {
            Self::Text => plan.text(colour),
            Self::Json => plan.json(),
            Self::Markdown => plan.markdown(),
        }
    }
}
