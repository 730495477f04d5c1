//! Changes the account: artifacts first, then the stacks along the graph.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinSet;

use super::consent::Consent;
use super::progress::{Progress, Step, catch_up};
use super::record::{self, End};
use super::schedule::{self, Ended, Work};
use super::stop::Stop;
use super::survey::{Survey, Surveyed};
use super::{BOOTSTRAP, Session};
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::plan::stack_parameters::Outputs;
use crate::spec::Map;

/// What became of a stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Created,
    Updated,
    Unchanged,
    Failed,
    /// Not started: a stack that it needs failed, or somebody asked to stop.
    Skipped,
    /// Left to CloudFormation, which goes on with it.
    Running,
}

/// What became of the stacks, in the order in which they ended; then those that did not begin.
pub type Report = Vec<(String, Outcome)>;

/// How a rollout ended: what became of each stack, and why it is not all that was asked for.
#[derive(Debug)]
pub struct Ending {
    pub report: Report,
    pub result: Result<()>,
}

/// Executes a plan. Fails with the root cause of every failed stack, the first one first; stacks
/// that need one that failed are not started. Nothing is started if data would be lost that nobody agreed to.
pub async fn execute(
    session: &Arc<Session>,
    mut survey: Survey,
    consent: &Consent,
    steps: &mut UnboundedReceiver<Step>,
    progress: &mut dyn Progress,
) -> Ending {
    let mut ending = match consent.check(&survey.plan.losses(), &session.target.environment) {
        Ok(()) => {
            let behind = match survey.previous_run.take() {
                Some(check) => check.result().await,
                None => false,
            };
            let record = session.begin_record(&survey, behind);
            let ending = roll_out(session, survey, consent, steps, progress).await;
            if behind && ending.result.is_ok() {
                session.set_missing_policies(&ending.report).await;
            }
            // The policies were set after the last stack had ended.
            catch_up(steps, progress);
            record::end(session, record, ending.result.as_ref().err(), progress).await;
            ending
        }
        Err(error) => Ending { report: Vec::new(), result: Err(error) },
    };
    let cleaned = session.clean_up().await;
    if ending.result.is_ok() {
        ending.result = cleaned;
    }
    ending
}

async fn roll_out(
    session: &Arc<Session>,
    survey: Survey,
    consent: &Consent,
    steps: &mut UnboundedReceiver<Step>,
    progress: &mut dyn Progress,
) -> Ending {
    if !session.stacks.contains(BOOTSTRAP)
        && survey.plan.has_changes()
        && let Err(error) = session.upload_artifacts().await
    {
        return Ending {
            report: session.stacks.names().iter().map(|name| skipped(name)).collect(),
            result: Err(error),
        };
    }
    let graph = match session.stacks.change_graph() {
        Ok(graph) => graph,
        Err(error) => return Ending { report: Vec::new(), result: Err(error) },
    };
    let mut work = Rollout {
        session,
        consent: Arc::new(consent.clone()),
        changes: survey.plan.has_changes(),
        stacks: survey.stacks,
        outputs: session.stacks.imported().clone(),
        report: Vec::new(),
        errors: Vec::new(),
        failed: Vec::new(),
        policies: JoinSet::new(),
    };
    let ended =
        schedule::run(&graph, &mut work, steps, progress, session.run.stop.clone(), session.run.settings.parallel)
            .await;
    let Rollout { mut report, errors, failed, policies, .. } = work;
    policies.join_all().await;
    report.extend(ended.running.iter().map(|name| (name.clone(), Outcome::Running)));
    report.extend(ended.waiting.iter().map(|name| skipped(name)));
    let result = if errors.is_empty() && ended.stopped {
        Err(stopped(session, &ended, progress).await)
    } else {
        failures(errors, &failed, &ended)
    };
    Ending { report, result }
}

fn skipped(name: &str) -> (String, Outcome) {
    (name.to_owned(), Outcome::Skipped)
}

fn failures(mut errors: Vec<Error>, failed: &[String], ended: &Ended) -> Result<()> {
    let interrupted = |error: &Error| error.exit_code() == Exit::Interrupted;
    // An interruption is not a cause: a stack that failed is reported first.
    errors.sort_by_key(interrupted);
    if let [first, ..] = errors.as_mut_slice()
        && !ended.waiting.is_empty()
    {
        let note = format!("not started, because `{}` failed: {}", failed.join("`, `"), ended.waiting.join(", "));
        *first = first.clone().note(note);
    }
    Error::all(errors)
}

/// The error of a rollout that was stopped. What it leaves running can be cancelled if somebody is there to be asked.
async fn stopped(session: &Session, ended: &Ended, progress: &mut dyn Progress) -> Error {
    let mut error = match ended.running.as_slice() {
        [] => Stop::error("operations that were running have completed"),
        running => {
            let error =
                Stop::error(&format!("{} still being changed in AWS: `{}`", are(running), running.join("`, `")));
            session.interrupt(running, error, progress).await
        }
    };
    if !ended.waiting.is_empty() {
        error = error.note(format!("not started: {}", ended.waiting.join(", ")));
    }
    error.hint(format!("run `pipectl deploy --env {}` again: it resumes where it stopped", session.target.environment))
}

fn are(names: &[String]) -> &'static str {
    if names.len() == 1 { "one stack is" } else { "stacks are" }
}

struct Rollout<'a> {
    session: &'a Arc<Session>,
    consent: Arc<Consent>,
    /// Whether anything changes at all.
    changes: bool,
    stacks: BTreeMap<String, Surveyed>,
    outputs: Outputs,
    report: Report,
    errors: Vec<Error>,
    failed: Vec<String>,
    /// The stack policies that are being set: no other stack has to wait for one.
    policies: JoinSet<()>,
}

impl Work for Rollout<'_> {
    type Outcome = Result<(Outcome, Map<String>)>;

    fn start(&mut self, name: &str) -> impl Future<Output = Self::Outcome> + Send + 'static {
        let session = Arc::clone(self.session);
        session.journal.started(name);
        let surveyed = self.stacks.remove(name);
        let outputs = self.outputs.clone();
        let name = name.to_owned();
        let changes = self.changes;
        let consent = Arc::clone(&self.consent);
        async move {
            let (Some(desired), Some(surveyed)) = (session.stacks.get(&name), surveyed) else {
                return Err(Error::new(format!("the stack `{name}` was not planned")));
            };
            let done = Box::pin(session.deploy_stack(&desired, surveyed, &outputs, &consent)).await?;
            // In the local account the bucket comes into being with this stack; all others wait for it.
            if name == BOOTSTRAP && changes {
                session.upload_artifacts().await?;
            }
            Ok(done)
        }
    }

    fn finished(&mut self, name: &str, outcome: Self::Outcome) -> bool {
        match outcome {
            Ok((outcome, outputs)) => {
                if let (Outcome::Created | Outcome::Updated, Some(desired)) = (outcome, self.session.stacks.get(name)) {
                    let session = Arc::clone(self.session);
                    self.policies.spawn(async move { session.close_policy(&desired).await });
                }
                let outputs = outputs.into_iter().map(|(name, value)| (name, Some(value))).collect();
                self.outputs.insert(name.to_owned(), outputs);
                self.session.journal.ended(name, End::from(outcome));
                self.report.push((name.to_owned(), outcome));
                true
            }
            Err(error) => {
                let error = self.session.reporter.redactor.error(error);
                self.session.journal.failed(name, &error);
                self.report.push((name.to_owned(), Outcome::Failed));
                self.failed.push(name.to_owned());
                self.errors.push(error);
                false
            }
        }
    }

    fn how_to_follow(&self) -> Option<String> {
        let environment = &self.session.target.environment;
        Some(format!("AWS continues without pipectl: `pipectl status --env {environment}` shows the progress"))
    }
}
