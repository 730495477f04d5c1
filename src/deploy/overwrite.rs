//! Asks CloudFormation what a deploy would overwrite that somebody changed since the last one: by change sets that
//! compare with what is there. They are read, never executed, and deleted before this returns.

use std::sync::Arc;

use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinSet;

use super::conflict::{Halt, too_many_conflicts};
use super::progress::{Progress, Step};
use super::survey::{Survey, Surveyed, decided, survey};
use super::{Purpose, Session};
use crate::error::{Error, Result};
use crate::plan::{Comparison, Plan, StackPlan};
use crate::render::RenderedStack;

/// Makes the plan with what it overwrites, and leaves nothing behind, not even after an error or Ctrl-C.
pub async fn plan(
    session: &Arc<Session>,
    steps: &mut UnboundedReceiver<Step>,
    progress: &mut dyn Progress,
) -> Result<Plan> {
    let planned = async {
        let mut survey = survey(session, steps, progress, Purpose::Plan).await?;
        add(session, &mut survey).await?;
        survey.plan.warnings.extend(session.orphaned_stacks(progress).await);
        Ok::<Plan, Error>(survey.plan)
    };
    let planned = planned.await;
    let cleaned = session.clean_up().await;
    let plan = planned?;
    cleaned?;
    Ok(plan)
}

/// Adds to a plan what it overwrites. A stack that does not change overwrites nothing and is not asked for; one whose
/// change is known only during the deploy cannot be.
pub async fn add(session: &Arc<Session>, survey: &mut Survey) -> Result<()> {
    let mut tasks = JoinSet::new();
    for (name, surveyed) in survey.stacks.iter().filter(|(_, surveyed)| surveyed.change_set.is_some()) {
        let Some(desired) = session.stack(name) else { continue };
        let (session, surveyed) = (Arc::clone(session), surveyed.clone());
        tasks.spawn(async move { session.with_drift(&desired, surveyed).await });
    }
    let mut errors = Vec::new();
    while let Some(done) = tasks.join_next().await {
        match done {
            Ok(Ok(plan)) => {
                if let Some(known) = survey.plan.stacks.iter_mut().find(|known| known.name == plan.name) {
                    *known = plan;
                }
            }
            Ok(Err(error)) => errors.push(error),
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }
    survey.plan = session.hide_in_plan(std::mem::take(&mut survey.plan));
    errors.sort_by_key(|error| error.message().to_owned());
    Error::all(errors.into_iter().map(|error| session.hide_in_error(error)))
}

impl Session {
    async fn with_drift(&self, desired: &RenderedStack, surveyed: Surveyed) -> Result<StackPlan> {
        let Surveyed { plan, parameters, known, .. } = surveyed;
        let made = self.prepare(desired, &decided(&parameters), false, Purpose::Drift).await;
        // A saved plan keeps its change sets; this one is none of them.
        self.drop_change_sets(&desired.stack_name, Purpose::Drift).await?;
        let comparison = Comparison {
            desired,
            known: known.as_ref(),
            parameters: &parameters,
            account_region: &self.account_region,
        };
        let made = made.map_err(|halt| match halt {
            Halt::Failed(error) => error,
            Halt::Conflict(why) => too_many_conflicts(&desired.stack_name, &why),
        })?;
        match made {
            Some(change_set) => comparison.with_drift(plan, &change_set),
            None => Ok(plan),
        }
    }
}
