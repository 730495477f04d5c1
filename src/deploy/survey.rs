//! Asks the account what would change. It leaves nothing behind, even if it fails.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinSet;

use super::conflict::{Attempt, Halt, TRIES, too_many_conflicts};
use super::progress::{Progress, Step};
use super::schedule::{self, Work};
use super::stop::Stop;
use super::{Purpose, Session};
use crate::error::{Error, Result};
use crate::plan::stack_parameters::{Outputs, ParameterValue, parameters};
use crate::plan::{self, Comparison, Known, Plan, StackPlan};
use crate::render::RenderedStack;
use crate::spec::Map;

/// What a survey found.
#[derive(Debug)]
pub struct Survey {
    pub plan: Plan,
    /// By stack name.
    pub(super) stacks: BTreeMap<String, Surveyed>,
}

/// What a survey found out about one stack.
#[derive(Debug, Clone)]
pub(super) struct Surveyed {
    pub(super) plan: StackPlan,
    /// Given to the parameters.
    pub(super) parameters: Map<ParameterValue>,
    pub(super) outputs: Map<Option<String>>,
    /// The change set that would do it; none for a stack to be created, or if nothing changes.
    pub(super) change_set: Option<String>,
    pub(super) known: Option<Known>,
}

/// Makes the plan and leaves nothing behind, not even after an error or Ctrl-C.
pub async fn plan(
    session: &Arc<Session>,
    steps: &mut UnboundedReceiver<Step>,
    progress: &mut dyn Progress,
) -> Result<Plan> {
    let survey = survey(session, steps, progress, Purpose::Plan).await;
    let cleaned = session.clean_up().await;
    let mut survey = survey?;
    cleaned?;
    survey.plan.warnings.extend(session.orphaned_stacks(progress).await);
    Ok(survey.plan)
}

/// Makes a plan to be saved. The change sets stay: the file names them.
pub async fn keep(
    session: &Arc<Session>,
    steps: &mut UnboundedReceiver<Step>,
    progress: &mut dyn Progress,
) -> Result<Survey> {
    let mut survey = survey(session, steps, progress, Purpose::Saved).await;
    match &mut survey {
        Ok(survey) => survey.plan.warnings.extend(session.orphaned_stacks(progress).await),
        Err(_) => {
            // The error of the survey is the one to report.
            let _ = session.clean_up().await;
        }
    }
    survey
}

/// Makes the plan of a deploy. The change sets stay, to be executed: what was shown is what is done.
pub async fn prepare(
    session: &Arc<Session>,
    steps: &mut UnboundedReceiver<Step>,
    progress: &mut dyn Progress,
) -> Result<Survey> {
    session.check_previous_run();
    let survey = survey(session, steps, progress, Purpose::Deploy).await;
    if survey.is_err() {
        // The error of the survey is the one to report.
        let _ = session.clean_up().await;
    }
    survey
}

/// Drops a plan that nobody wants.
pub async fn discard(session: &Arc<Session>) -> Result<()> {
    session.clean_up().await
}

pub(super) async fn survey(
    session: &Arc<Session>,
    steps: &mut UnboundedReceiver<Step>,
    progress: &mut dyn Progress,
    purpose: Purpose,
) -> Result<Survey> {
    let known = read_all(session, steps, progress).await?;
    let mut work = Surveying {
        session,
        purpose,
        known,
        outputs: session.outputs.clone(),
        stacks: BTreeMap::new(),
        errors: Vec::new(),
    };
    let ended =
        schedule::run(&session.graph(false)?, &mut work, steps, progress, session.stop.clone(), session.parallel).await;
    let Surveying { stacks, errors, .. } = work;
    if ended.stopped {
        return Err(Stop::error("no plan was made"));
    }
    Error::all(errors)?;
    let found: Vec<(Arc<RenderedStack>, &Surveyed)> =
        session.names.iter().filter_map(|name| Some((session.stack(name)?, stacks.get(name)?))).collect();
    let mut sides = Vec::new();
    for (desired, found) in &found {
        sides.push(plan::Side { desired, known: found.known.as_ref(), plan: &found.plan });
    }
    let mut warnings = plan::between(&sides, &session.account_region)?;
    warnings.extend(session.foreign_imports(&sides).await?);
    let plan = Plan {
        environment: session.environment.clone(),
        account: session.account_region.account.clone(),
        region: session.account_region.region.clone(),
        stacks: found.iter().map(|(_, found)| found.plan.clone()).collect(),
        warnings,
        migrations: Vec::new(),
    };
    Ok(Survey { plan: session.hide_in_plan(plan), stacks })
}

/// Reads all stacks at once, each with its template: two calls a stack.
pub(super) async fn read_all(
    session: &Arc<Session>,
    steps: &mut UnboundedReceiver<Step>,
    progress: &mut dyn Progress,
) -> Result<BTreeMap<String, Option<Known>>> {
    let mut tasks = JoinSet::new();
    for (name, desired) in session.stacks.clone() {
        let session = Arc::clone(session);
        tasks.spawn(async move {
            let known = session.read(&desired).await;
            (name, known)
        });
    }
    let (mut all, mut errors) = (BTreeMap::new(), Vec::new());
    loop {
        let done = tokio::select! {
            // Report the reason of a wait while it lasts.
            biased;
            Some(step) = steps.recv() => {
                progress.step(&step);
                continue;
            }
            done = tasks.join_next() => done,
        };
        let Some(done) = done else { break };
        match done {
            Ok((name, Ok(known))) => {
                all.insert(name, known);
            }
            Ok((_, Err(error))) => errors.push(error),
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }
    // The order of responses is random; the order of errors must not be.
    errors.sort_by_key(|error| error.message().to_owned());
    // Ten stacks without an answer are one trouble with the network.
    errors.dedup_by_key(|error| error.message().to_owned());
    Error::all(errors.into_iter().map(|error| session.hide_in_error(error)))?;
    Ok(all)
}

impl Session {
    /// What would happen to a stack, given the outputs of those that it needs. If somebody changes it meanwhile, it is
    /// looked at again.
    pub(super) async fn survey_stack(
        &self,
        desired: &RenderedStack,
        mut known: Option<Known>,
        outputs: &Outputs,
        purpose: Purpose,
    ) -> Result<Surveyed> {
        let mut last = String::new();
        for _ in 0..TRIES {
            match self.try_survey(desired, known, outputs, purpose).await {
                Ok(surveyed) => return Ok(surveyed),
                Err(Halt::Failed(error)) => return Err(error),
                Err(Halt::Conflict(why)) => last = why,
            }
            known = self.read(desired).await?;
        }
        Err(too_many_conflicts(&desired.stack_name, &last))
    }

    async fn try_survey(
        &self,
        desired: &RenderedStack,
        known: Option<Known>,
        outputs: &Outputs,
        purpose: Purpose,
    ) -> Attempt<Surveyed> {
        let parameters = parameters(desired, outputs, &self.keys);
        self.learn_secrets(desired, known.as_ref(), &parameters);
        let comparison = Comparison {
            desired,
            known: known.as_ref(),
            parameters: &parameters,
            account_region: &self.account_region,
        };
        let mut change_set = None;
        let mut plan = if comparison.unchanged() {
            comparison.nothing()
        } else if known.is_none() || !comparison.decided() {
            comparison.from_templates()?
        } else {
            let given = decided(&parameters);
            let stack = known.as_ref().map(|known| known.stack.id.as_str()).unwrap_or_default();
            let made = Box::pin(self.prepare(desired, &given, false, purpose));
            let (made, ()) = tokio::join!(made, Box::pin(self.clear_stale_change_sets(stack, purpose)));
            match made? {
                None => comparison.nothing(),
                Some(found) => {
                    let plan = comparison.with_change_set(&found)?;
                    change_set = Some(found.id);
                    plan
                }
            }
        };
        let deployed = known.as_ref().map(|known| known.stack.id.as_str());
        plan.notes.extend(self.replication_notes(desired, deployed, &plan).await?);
        let outputs = comparison.outputs_after(&plan)?;
        Ok(Surveyed { plan, parameters: parameters.clone(), outputs, change_set, known: known.clone() })
    }
}

/// The values that are known.
pub(super) fn decided(parameters: &Map<ParameterValue>) -> Map<String> {
    let known = parameters.iter().filter_map(|(name, value)| Some((name.clone(), value.known()?.to_owned())));
    known.collect()
}

struct Surveying<'a> {
    session: &'a Arc<Session>,
    purpose: Purpose,
    known: BTreeMap<String, Option<Known>>,
    outputs: Outputs,
    stacks: BTreeMap<String, Surveyed>,
    errors: Vec<Error>,
}

impl Work for Surveying<'_> {
    type Outcome = Result<Surveyed>;

    fn start(&mut self, name: &str) -> impl Future<Output = Self::Outcome> + Send + 'static {
        let session = Arc::clone(self.session);
        let known = self.known.remove(name).flatten();
        let outputs = self.outputs.clone();
        let purpose = self.purpose;
        let name = name.to_owned();
        async move {
            let Some(desired) = session.stack(&name) else {
                return Err(Error::new(format!("the stack `{name}` is not part of this run")));
            };
            session.survey_stack(&desired, known, &outputs, purpose).await
        }
    }

    fn finished(&mut self, name: &str, outcome: Self::Outcome) -> bool {
        match outcome {
            Ok(surveyed) => {
                self.outputs.insert(name.to_owned(), surveyed.outputs.clone().into_iter().collect());
                self.stacks.insert(name.to_owned(), surveyed);
                true
            }
            Err(error) => {
                self.errors.push(self.session.hide_in_error(error));
                false
            }
        }
    }
}
