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
use crate::ui::Ui;

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

/// Opens the account and deploys into it.
pub(super) async fn carry_out(
    context: &Context,
    project: &Project,
    spec: &Spec,
    wanted: Wanted,
    scope: Scope,
    yes: bool,
) -> Result<Exit> {
    let account = Account::open(project, spec).await?;
    let done = into_account(context, &account, spec, wanted, scope, yes).await;
    account.close().await?;
    done
}

/// Shows the plan, asks, and does what was shown.
pub(super) async fn into_account(
    context: &Context,
    account: &Account,
    spec: &Spec,
    wanted: Wanted,
    scope: Scope,
    yes: bool,
) -> Result<Exit> {
    let (ui, stop) = (&context.ui, Stop::on_ctrl_c());
    let (session, mut steps) = Session::open(account.aws.clone(), spec, wanted, scope, stop).await?;
    let mut lines = Lines::new(ui);
    let survey = survey::prepare(&session, &mut steps, &mut lines).await?;
    ui.clear();
    ui.data(survey.plan.text(ui.colour()))?;
    if survey.plan.has_changes() && !yes {
        let answer = ui.confirm(format_args!("Deploy this to `{}`?", spec.environment_name));
        if answer != Some(true) {
            survey::discard(&session).await?;
            return match answer {
                Some(_) => Err(Error::new("nothing was deployed")),
                None => Err(Error::new("nobody can be asked here")
                    .hint("add `--yes` to deploy without a question")
                    .exit(Exit::Usage)),
            };
        }
    }
    let report = rollout::carry_out(&session, survey, &mut steps, &mut lines).await?;
    ui.clear();
    say_done(ui, &report);
    Ok(Exit::Success)
}

/// Deploys what has changed, without a plan and without a question: for an account that only rehearses.
#[cfg(feature = "rehearse")]
pub(super) async fn bring_up_to_date(context: &Context, account: &Account, spec: &Spec, wanted: Wanted) -> Result<()> {
    let (session, mut steps) =
        Session::open(account.aws.clone(), spec, wanted, Scope::Pipeline, Stop::on_ctrl_c()).await?;
    let mut lines = Lines::new(&context.ui).quiet();
    let survey = survey::prepare(&session, &mut steps, &mut lines).await?;
    let report = rollout::carry_out(&session, survey, &mut steps, &mut lines).await?;
    context.ui.clear();
    say_done(&context.ui, &report);
    Ok(())
}

fn say_done(ui: &Ui, report: &rollout::Report) {
    let count = |outcome| report.iter().filter(|(_, one)| *one == outcome).count();
    let (created, updated) = (count(rollout::Outcome::Created), count(rollout::Outcome::Updated));
    if created + updated > 0 {
        let same = report.len() - created - updated;
        ui.line(format_args!("Done: {created} created, {updated} updated, {same} up to date."));
    }
}
