//! `pipectl deploy`

use std::path::{Path, PathBuf};

use crate::account::Account;
use crate::context::Context;
use crate::deploy::consent::Consent;
use crate::deploy::rollout::Outcome;
use crate::deploy::stop::Stop;
use crate::deploy::{PARALLEL, Recovery, Release, Scope, Session, Settings, protection, rollout, saved, survey};
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::files;
use crate::limits;
use crate::package::Compile;
use crate::plan::saved::SavedPlan;
use crate::progress_output::ProgressOutput;
use crate::project::Project;
use crate::release::checked;
use crate::schema_migration;
use crate::spec::Spec;
use crate::ui::Ui;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// A plan that `pipectl plan --out FILE` saved: exactly this is deployed, without a question, or nothing
    #[arg(value_name = "FILE")]
    plan: Option<PathBuf>,

    /// The environment: NAME for `stacks/NAME.yaml` [default: that of the saved plan]
    #[arg(long = "env", short = 'e', value_name = "NAME", env = "PIPECTL_ENV", required_unless_present = "plan")]
    environment: Option<String>,

    #[command(flatten)]
    agreement: Agreement,

    #[command(flatten)]
    way: Way,
}

/// How the deploy goes about it.
#[derive(Debug, clap::Args)]
struct Way {
    /// Work on at most this many stacks at once
    #[arg(long, value_name = "N", default_value_t = PARALLEL, value_parser = at_least_one)]
    parallel: usize,

    /// Compile nothing: use what `pipectl package` has built from these files, or fail
    #[arg(long)]
    no_build: bool,

    /// Continue failed rollbacks, then deploy
    #[arg(long)]
    continue_rollback: bool,

    /// Leave this resource as it is in that rollback; repeatable
    #[arg(long, value_name = "STACK/LOGICAL-ID", requires = "continue_rollback")]
    skip: Vec<String>,
}

fn at_least_one(text: &str) -> std::result::Result<usize, String> {
    match text.parse() {
        Ok(count) if count > 0 => Ok(count),
        _ => Err("write a number from 1 on".to_owned()),
    }
}

impl Way {
    fn settings(&self, saved_run: Option<String>) -> Settings {
        let recovery = Recovery { continue_rollback: self.continue_rollback, skip: self.skip.clone() };
        Settings { saved_run, parallel: self.parallel, recovery }
    }
}

/// What is agreed to beforehand.
#[derive(Debug, clap::Args)]
pub struct Agreement {
    /// Do not ask
    #[arg(long, short = 'y')]
    yes: bool,

    /// Allow that this resource is removed or replaced with its data; repeatable
    #[arg(long, value_name = "STACK/LOGICAL-ID")]
    allow_data_loss: Vec<String>,
}

pub async fn run(context: &mut Context, args: &Args) -> Result<Exit> {
    let saved = args.plan.as_deref().map(read).transpose()?;
    let environment = args.environment.clone().or_else(|| Some(saved.as_ref()?.plan.environment.clone()));
    let context = context.enter(environment.unwrap_or_default());
    let (project, spec) = context.spec()?;
    let desired = checked(context, &project, &spec, Compile::unless(args.way.no_build))?;
    let (Some(saved), Some(file)) = (saved, &args.plan) else {
        return execute(context, &project, &spec, desired, Scope::Pipeline, &args.agreement, args.way.settings(None))
            .await;
    };
    let account = Account::open(&project, &spec).await?;
    schema_migration::changes(&account, &spec).await?;
    let done = saved_plan(context, &account, &spec, desired, &saved, file, args).await;
    account.close().await?;
    done
}

fn read(file: &Path) -> Result<SavedPlan> {
    let bytes = files::read_given(file, limits::PLAN_BYTES).map_err(|error| {
        Error::from(error).hint("make it with `pipectl plan --env ENV --out FILE`").exit(Exit::Project)
    })?;
    SavedPlan::parse(&file.display().to_string(), &String::from_utf8_lossy(&bytes))
}

/// Executes a saved plan, if it is still valid.
async fn saved_plan(
    context: &Context,
    account: &Account,
    spec: &Spec,
    desired: Release,
    plan: &SavedPlan,
    file: &Path,
    args: &Args,
) -> Result<Exit> {
    let (ui, stop) = (&context.ui, Stop::on_ctrl_c());
    let aws = account.aws.clone();
    let settings = args.way.settings(Some(plan.run.clone()));
    let (session, mut steps) = Session::open_with(aws, spec, desired, Scope::Pipeline, stop, settings).await?;
    let mut lines = ProgressOutput::new(ui);
    let survey = saved::resume(&session, plan, &file.display().to_string(), &mut steps, &mut lines).await?;
    ui.clear();
    ui.data(survey.plan.text(ui.colour()))?;
    let ending = rollout::execute(&session, survey, &args.agreement.consent(), &mut steps, &mut lines).await;
    finish(ui, ending)
}

impl Agreement {
    fn consent(&self) -> Consent {
        Consent::To(self.allow_data_loss.clone())
    }
}

/// Opens the account and deploys into it.
pub(super) async fn execute(
    context: &Context,
    project: &Project,
    spec: &Spec,
    desired: Release,
    scope: Scope,
    agreement: &Agreement,
    settings: Settings,
) -> Result<Exit> {
    let account = Account::open(project, spec).await?;
    let done = into_account(context, &account, spec, desired, scope, agreement, settings).await;
    account.close().await?;
    done
}

/// Shows the plan, asks, and does what was shown.
pub(super) async fn into_account(
    context: &Context,
    account: &Account,
    spec: &Spec,
    desired: Release,
    scope: Scope,
    agreement: &Agreement,
    settings: Settings,
) -> Result<Exit> {
    let (ui, stop) = (&context.ui, Stop::on_ctrl_c());
    let migrations = async {
        match scope {
            Scope::Pipeline => schema_migration::changes(account, spec).await,
            Scope::Bootstrap => Ok(Vec::new()),
        }
    };
    let mut asked = stop.clone();
    let session = Session::open_with(account.aws.clone(), spec, desired, scope, stop, settings);
    let (migrations, (session, mut steps)) = tokio::try_join!(migrations, session)?;
    let mut lines = ProgressOutput::new(ui);
    let mut survey = survey::prepare(&session, &mut steps, &mut lines).await?;
    survey.plan.migrations = migrations;
    ui.clear();
    ui.data(survey.plan.text(ui.colour()))?;
    let consent = agreement.consent();
    if let Err(error) = consent.check(&survey.plan.losses(), &spec.environment_name) {
        survey::discard(&session).await?;
        return Err(error);
    }
    if survey.plan.has_changes() && !agreement.yes {
        let question = format!("Deploy this to `{}`?", spec.environment_name);
        let answer = ui.confirm_until(&question, asked.wait(1)).await;
        if answer != Some(true) {
            survey::discard(&session).await?;
            return match answer {
                Some(_) if asked.requested() => Err(Stop::error("nothing was deployed")),
                Some(_) => Err(Error::new("nothing was deployed")),
                None => Err(Error::new("cannot ask for confirmation here")
                    .hint("add `--yes` to deploy without confirmation")
                    .exit(Exit::Usage)),
            };
        }
    }
    let ending = rollout::execute(&session, survey, &consent, &mut steps, &mut lines).await;
    let exit = finish(ui, ending)?;
    if scope == Scope::Bootstrap && spec.environment.production {
        for name in protection::protect_all(&account.aws, spec).await? {
            ui.line(format_args!("{name} is protected against termination"));
        }
    }
    Ok(exit)
}

/// Deploys what has changed, without a plan and without a question: for an account that only rehearses.
#[cfg(feature = "rehearse")]
pub(super) async fn bring_up_to_date(
    context: &Context,
    account: &Account,
    spec: &Spec,
    desired: Release,
) -> Result<()> {
    let (session, mut steps) =
        Session::open(account.aws.clone(), spec, desired, Scope::Pipeline, Stop::on_ctrl_c()).await?;
    let mut lines = ProgressOutput::new(&context.ui).quiet();
    let survey = survey::prepare(&session, &mut steps, &mut lines).await?;
    let ending = rollout::execute(&session, survey, &Consent::ToAll, &mut steps, &mut lines).await;
    finish(&context.ui, ending).map(drop)
}

/// Says what became of the stacks, and passes on what went wrong.
fn finish(ui: &Ui, ending: rollout::Ending) -> Result<Exit> {
    ui.clear();
    if let Some(text) = summary(&ending) {
        ui.line(text);
    }
    ending.result.map(|()| Exit::Success)
}

/// What became of the stacks, in one line; none if nothing was to be done.
fn summary(ending: &rollout::Ending) -> Option<String> {
    let of = |outcome| {
        let stacks = ending.report.iter().filter(move |(_, one)| *one == outcome);
        stacks.map(|(name, _)| name.as_str()).collect::<Vec<_>>()
    };
    let (created, updated) = (of(Outcome::Created).len(), of(Outcome::Updated).len());
    let counts = format!("{created} created, {updated} updated, {} up to date", of(Outcome::Unchanged).len());
    if ending.result.is_ok() {
        return (created + updated > 0).then(|| format!("Done: {counts}."));
    }
    let others = [("failed", Outcome::Failed), ("still running", Outcome::Running), ("skipped", Outcome::Skipped)];
    let others = others.map(|(what, outcome)| (what, of(outcome)));
    let others = others.iter().filter(|(_, names)| !names.is_empty());
    let others: String = others.map(|(what, names)| format!("; {what}: {}", names.join(", "))).collect();
    (!ending.report.is_empty()).then(|| format!("Ended: {counts}{others}."))
}
