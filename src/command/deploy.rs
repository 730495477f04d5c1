//! `pipectl deploy`

use super::account::Account;
use super::lines::Lines;
use super::wanted::wanted;
use crate::context::Context;
use crate::deploy::stop::Stop;
use crate::deploy::{Scope, Session, Wanted, rollout, survey};
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::project::Project;
use crate::spec::Spec;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Do not ask
    #[arg(long, short = 'y')]
    yes: bool,
}

pub async fn run(context: &Context, args: &Args) -> Result<Exit> {
    let (project, spec) = context.spec()?;
    let wanted = wanted(context, &project, &spec)?;
    carry_out(context, &project, &spec, wanted, Scope::Pipeline, args.yes).await
}

/// Shows the plan, asks, and does what was shown.
pub(super) async fn carry_out(
    context: &Context,
    project: &Project,
    spec: &Spec,
    wanted: Wanted,
    scope: Scope,
    yes: bool,
) -> Result<Exit> {
    let (ui, stop) = (&context.ui, Stop::on_ctrl_c());
    let account = Account::open(project, spec).await?;
    let (session, mut steps) = Session::open(account.aws.clone(), spec, wanted, scope, stop).await?;
    let mut lines = Lines::new(ui);
    let survey = survey::prepare(&session, &mut steps, &mut lines).await?;
    ui.clear();
    ui.data(survey.plan.text(ui.colour()))?;
    if survey.plan.has_changes() && !yes {
        let answer = ui.confirm(format_args!("Deploy this to `{}`?", spec.environment_name));
        if answer != Some(true) {
            survey::discard(&session).await?;
            account.close().await?;
            return match answer {
                Some(_) => Err(Error::new("nothing was deployed")),
                None => Err(Error::new("nobody can be asked here")
                    .hint("add `--yes` to deploy without a question")
                    .exit(Exit::Usage)),
            };
        }
    }
    let report = rollout::carry_out(&session, survey, &mut steps, &mut lines).await;
    account.close().await?;
    ui.clear();
    let count = |outcome| report.as_ref().map_or(0, |report| report.iter().filter(|(_, one)| *one == outcome).count());
    let (created, updated) = (count(rollout::Outcome::Created), count(rollout::Outcome::Updated));
    let report = report?;
    if created + updated > 0 {
        ui.line(format_args!(
            "Done: {created} created, {updated} updated, {} up to date.",
            report.len() - created - updated
        ));
    }
    Ok(Exit::Success)
}
