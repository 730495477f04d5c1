//! `pipectl plan`

use std::path::PathBuf;

use crate::account::Account;
use crate::context::Context;
use crate::deploy::stop::Stop;
use crate::deploy::{Scope, Session, overwrite, survey};
use crate::error::Result;
use crate::exit::Exit;
use crate::package::Compile;
use crate::plan::Plan;
use crate::progress_output::ProgressOutput;
use crate::project;
use crate::release::checked;
use crate::schema_migration;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// How the plan is written
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,

    /// Save the plan: `pipectl deploy FILE` executes exactly this plan, or fails
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,

    /// Show what somebody changed in the account since the last deploy and this one would overwrite
    #[arg(long)]
    drift: bool,

    /// Compile nothing: take what `pipectl package` has built from these files, or fail
    #[arg(long)]
    no_build: bool,

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
    let desired = checked(context, &project, &spec, Compile::unless(args.no_build))?;
    let account = Account::open(&project, &spec).await?;
    let session = Session::open(account.aws.clone(), &spec, desired, Scope::Pipeline, stop);
    let (migrations, (session, mut steps)) = tokio::try_join!(schema_migration::changes(&account, &spec), session)?;
    let mut lines = ProgressOutput::new(&context.ui);
    let plan = match &args.out {
        None if args.drift => Plan { migrations, ..overwrite::plan(&session, &mut steps, &mut lines).await? },
        None => Plan { migrations, ..survey::plan(&session, &mut steps, &mut lines).await? },
        Some(file) => {
            project::check_writable(file)?;
            let mut survey = survey::keep(&session, &mut steps, &mut lines).await?;
            survey.plan.migrations = migrations;
            if args.drift
                && let Err(error) = overwrite::add(&session, &mut survey).await
            {
                survey::discard(&session).await?;
                return Err(error);
            }
            let saved = session.saved_plan(survey, project.commit());
            if let Err(error) = saved.write().and_then(|text| project::write(file, text.as_bytes())) {
                survey::discard(&session).await?;
                return Err(error);
            }
            session.keep_change_sets();
            saved.plan
        }
    };
    account.close().await?;
    context.ui.clear();
    context.ui.data(args.format.write(&plan, context.ui.colour()))?;
    if let Some(file) = &args.out {
        context.ui.line(format_args!("saved; execute it with `pipectl deploy {}`", file.display()));
    }
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
