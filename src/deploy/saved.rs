//! Saved plans: created without changing anything, and executed only if nothing has changed since.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio::sync::mpsc::UnboundedReceiver;

use super::Session;
use super::previous_run::PreviousRunCheck;
use super::progress::{Progress, Step};
use super::run::id_in_token;
use super::survey::{Survey, Surveyed, read_all};
use crate::aws::Kind;
use crate::error::{Error, Result};
use crate::plan::change_set::Progress as Making;
use crate::plan::saved::{Commit, SavedPlan, SavedStack};
use crate::plan::stack_parameters::{Outputs, parameters};
use crate::plan::{Known, StackAction, StackPlan};
use crate::render::RenderedStack;
use crate::spec::Map;

impl Session {
    /// The file for a survey whose change sets stay.
    pub fn saved_plan(&self, survey: Survey, commit: Option<Commit>) -> SavedPlan {
        let Survey { plan, mut stacks, .. } = survey;
        let mut saved = SavedPlan::new(self.run.id.clone(), commit, self.artifacts.digests(), plan);
        saved.stacks = self
            .stacks
            .in_order()
            .filter_map(|desired| {
                let found = stacks.remove(&desired.name)?;
                Some(SavedStack::new(desired, &found.parameters, found.known.as_ref(), found.change_set))
            })
            .collect();
        saved
    }

    /// Whether the last thing that happened to a stack was done by this plan, in a run that was cut off.
    async fn did(&self, name: &str, stack: &str) -> Result<bool> {
        let token = self.target.aws.cloudformation.last_token(stack).await?;
        Ok(token.as_deref().and_then(|token| id_in_token(token, name)) == Some(self.run.id.as_str()))
    }
}

/// Reads again what a saved plan was made from. Fails, with everything that is not as it was, if it is out of date. A
/// stack that this plan has already changed, in a run that was cut off, counts as done.
pub async fn resume(
    session: &Arc<Session>,
    saved: &SavedPlan,
    file: &str,
    steps: &mut UnboundedReceiver<Step>,
    progress: &mut dyn Progress,
) -> Result<Survey> {
    let desired: Vec<RenderedStack> = session.stacks.in_order().map(|stack| (**stack).clone()).collect();
    let mut stale = saved.changed_files(&desired, &session.artifacts.digests());
    let target =
        (&session.target.account_region.account, &session.target.account_region.region, &session.target.environment);
    let then = (&saved.plan.account, &saved.plan.region, &saved.plan.environment);
    if target != then {
        stale.push(format!("it was made for `{}`, account {}, region {}", then.2, then.0, then.1));
    }
    if !stale.is_empty() {
        return Err(out_of_date(session, file, &stale));
    }
    let previous_run = PreviousRunCheck::start(&session.target, session.run.action());
    let mut known = read_all(session, steps, progress).await?;
    let mut outputs = session.stacks.imported().clone();
    let mut stacks = BTreeMap::new();
    let mut unsure: BTreeSet<String> = BTreeSet::new();
    for (desired, then) in desired.iter().zip(&saved.stacks) {
        let Some(plan) = saved.stack_plan(&desired.name) else { continue };
        // The value comes from a stack that has changed: report that stack.
        if desired.needs().iter().any(|need| unsure.contains(*need)) {
            unsure.insert(desired.name.clone());
            continue;
        }
        let known = known.remove(&desired.name).flatten();
        let checked = check(session, desired, then, plan.clone(), known, &outputs).await?;
        match checked {
            Ok(surveyed) => {
                outputs.insert(desired.name.clone(), surveyed.outputs.clone().into_iter().collect());
                stacks.insert(desired.name.clone(), surveyed);
            }
            Err(why) => {
                stale.push(why);
                unsure.insert(desired.name.clone());
            }
        }
    }
    if !stale.is_empty() {
        return Err(out_of_date(session, file, &stale));
    }
    Ok(Survey { plan: saved.plan.clone(), stacks, previous_run: Some(previous_run) })
}

/// Checks one stack; says why the plan is out of date, if it is.
async fn check(
    session: &Session,
    desired: &RenderedStack,
    then: &SavedStack,
    plan: StackPlan,
    known: Option<Known>,
    outputs: &Outputs,
) -> Result<std::result::Result<Surveyed, String>> {
    let name = &desired.stack_name;
    let parameters = parameters(desired, outputs, &session.artifacts.keys);
    session.reporter.redactor.add(&session.target.comparison(desired, known.as_ref(), &parameters));
    let changed = then.changed_parameters(desired, &parameters);
    if !changed.is_empty() {
        return Ok(Err(format!("`{name}` would be given another value for `{}`", changed.join("`, `"))));
    }
    let mut surveyed = Surveyed {
        plan,
        parameters: parameters.clone(),
        outputs: Map::new(),
        change_set: then.change_set.clone(),
        known,
    };
    let mut changed = then.changed_stack(surveyed.known.as_ref().map(|known| &known.stack), name);
    if changed.is_none()
        && let Some(arn) = &then.change_set
    {
        changed = unusable(session, name, surveyed.known.as_ref(), arn).await?;
    }
    if let Some(why) = changed {
        let Some(known) = &surveyed.known else { return Ok(Err(why)) };
        if !session.did(&desired.name, &known.stack.id).await? {
            return Ok(Err(why));
        }
        if !known.stack.status.succeeded() {
            return Ok(Err(format!("this plan was tried on `{name}`, which is now in {}", known.stack.status)));
        }
        // What was planned is there.
        surveyed.plan = StackPlan { action: StackAction::None, ..surveyed.plan };
        surveyed.change_set = None;
    }
    let comparison = session.target.comparison(desired, surveyed.known.as_ref(), &parameters);
    surveyed.outputs = comparison.outputs_after(&surveyed.plan)?;
    Ok(Ok(surveyed))
}

/// Why a change set cannot be executed; none if it can.
async fn unusable(session: &Session, stack: &str, known: Option<&Known>, arn: &str) -> Result<Option<String>> {
    let found = match session.target.aws.cloudformation.change_set(stack, arn).await {
        Ok(found) => found,
        Err(failure) if matches!(failure.kind, Kind::ChangeSetNotFound | Kind::NoSuchStack) => {
            return Ok(Some(format!("the change set of `{stack}` was deleted")));
        }
        Err(failure) => return Err(failure.into()),
    };
    if known.is_some_and(|known| known.stack.id != found.stack_id) {
        return Ok(Some(format!("the change set of `{stack}` is of another stack")));
    }
    Ok(match (found.progress(), found.execution_status.as_deref()) {
        (Making::Ready, Some("AVAILABLE")) => None,
        (Making::Ready, Some("OBSOLETE")) => {
            Some(format!("the change set of `{stack}` is obsolete: the stack was changed since"))
        }
        (Making::Ready, Some(status)) if status.starts_with("EXECUTE_") => {
            Some(format!("the change set of `{stack}` was executed before ({status})"))
        }
        (_, status) => Some(format!(
            "the change set of `{stack}` cannot be executed ({}, {})",
            found.status,
            status.unwrap_or("no execution status")
        )),
    })
}

fn out_of_date(session: &Session, file: &str, reasons: &[String]) -> Error {
    let error = Error::new(format!("the plan in `{file}` is out of date, so nothing was deployed"));
    let error = reasons.iter().fold(error, |error, reason| error.note(reason.clone()));
    error.hint(format!("make a new one: `pipectl plan --env {} --out {file}`", session.target.environment))
}
