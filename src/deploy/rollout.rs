//! Changes the account: artifacts first, then the stacks along the graph.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::mpsc::UnboundedReceiver;

use super::consent::Consent;
use super::progress::{Progress, Step};
use super::record::{self, End};
use super::schedule::{self, Work};
use super::stop::Stop;
use super::survey::{Survey, Surveyed, decided};
use super::{BOOTSTRAP, Purpose, Session, cause, replication};
use crate::aws::Kind;
use crate::error::{Error, Result};
use crate::plan::deployed::{Stack, Standing};
use crate::plan::wanted::{Outputs, ParameterValue, parameters};
use crate::plan::{Comparison, Known, StackAction};
use crate::render::RenderedStack;
use crate::spec::Map;

/// What became of a stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Created,
    Updated,
    Unchanged,
}

/// What became of the stacks, in the order in which they ended.
pub type Report = Vec<(String, Outcome)>;

/// Carries out what a survey found. Fails with the root cause of every stack that failed, the first one first; stacks
/// that need one that failed are not started. Nothing is started if data would be lost that nobody agreed to.
pub async fn carry_out(
    session: &Arc<Session>,
    survey: Survey,
    consent: &Consent,
    steps: &mut UnboundedReceiver<Step>,
    progress: &mut dyn Progress,
) -> Result<Report> {
    let report = match consent.check(&survey.plan.losses(), &session.environment) {
        Ok(()) => {
            let record = session.begin_record(&survey);
            let report = roll_out(session, survey, consent, steps, progress).await;
            record::end(session, record, report.as_ref().err(), progress).await;
            report
        }
        Err(error) => Err(error),
    };
    let cleaned = session.clean_up().await;
    let report = report?;
    cleaned?;
    Ok(report)
}

async fn roll_out(
    session: &Arc<Session>,
    survey: Survey,
    consent: &Consent,
    steps: &mut UnboundedReceiver<Step>,
    progress: &mut dyn Progress,
) -> Result<Report> {
    if !session.stacks.contains_key(BOOTSTRAP) && survey.plan.has_changes() {
        session.upload_artifacts().await?;
    }
    let mut work = Rollout {
        session,
        consent: Arc::new(consent.clone()),
        changes: survey.plan.has_changes(),
        stacks: survey.stacks,
        outputs: session.outputs.clone(),
        report: Vec::new(),
        errors: Vec::new(),
        failed: Vec::new(),
    };
    let ended = schedule::run(&session.graph(true)?, &mut work, steps, progress, session.stop.clone()).await;
    let Rollout { report, mut errors, failed, .. } = work;
    if !errors.is_empty() {
        if !ended.waiting.is_empty() {
            let note = format!("not started, because `{}` failed: {}", failed.join("`, `"), ended.waiting.join(", "));
            errors[0] = errors[0].clone().note(note);
        }
        Error::all(errors)?;
    }
    if ended.stopped {
        let mut error = match ended.running.as_slice() {
            [] => Stop::error("what had begun was finished"),
            running => Stop::error(&format!("{} still being changed in AWS: `{}`", are(running), running.join("`, `")))
                .hint(format!("follow with `pipectl status --env {}`", session.environment)),
        };
        if !ended.waiting.is_empty() {
            error = error.note(format!("not started: {}", ended.waiting.join(", ")));
        }
        return Err(error
            .hint(format!("run `pipectl deploy --env {}` again: it goes on where it stopped", session.environment)));
    }
    Ok(report)
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
            let (Some(wanted), Some(surveyed)) = (session.stack(&name), surveyed) else {
                return Err(Error::new(format!("the stack `{name}` was not planned")));
            };
            let done = session.deploy_stack(&wanted, surveyed, &outputs, &consent).await?;
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
                let outputs = outputs.into_iter().map(|(name, value)| (name, Some(value))).collect();
                self.outputs.insert(name.to_owned(), outputs);
                self.session.journal.ended(name, End::from(outcome));
                self.report.push((name.to_owned(), outcome));
                true
            }
            Err(error) => {
                self.session.journal.failed(name, &error);
                self.failed.push(name.to_owned());
                self.errors.push(error);
                false
            }
        }
    }
}

impl Session {
    /// Brings one stack to what is wanted, now that the outputs of all that it needs are known.
    async fn deploy_stack(
        &self,
        wanted: &RenderedStack,
        surveyed: Surveyed,
        outputs: &Outputs,
        consent: &Consent,
    ) -> Result<(Outcome, Map<String>)> {
        let parameters = parameters(wanted, outputs, &self.keys);
        if let Some((name, _)) = parameters.iter().find(|(_, value)| value.known().is_none()) {
            return Err(missing(wanted, name));
        }
        let as_planned = parameters == surveyed.parameters;
        let Surveyed { plan, change_set, known, .. } = surveyed;
        let (outcome, outputs, protected) = match (known, change_set) {
            (Some(known), None) if as_planned && plan.action == StackAction::None => {
                (Outcome::Unchanged, known.stack.outputs, known.stack.termination_protection)
            }
            (Some(known), Some(change_set)) if as_planned => {
                let stops = replication::needs_stop(replication::changed(&plan));
                let stack = self.change(wanted, &known.stack.id, &change_set, stops).await?;
                (Outcome::Updated, stack.outputs, stack.termination_protection)
            }
            (Some(known), _) => self.update(wanted, &known, &parameters, consent).await?,
            (None, _) => {
                let stack = self.create(wanted, &decided(&parameters)).await?;
                (Outcome::Created, stack.outputs, stack.termination_protection)
            }
        };
        if wanted.termination_protection && !protected {
            self.aws.cloudformation.protect(&wanted.stack_name, true).await?;
        }
        self.start_replications(wanted, &wanted.stack_name).await?;
        let what = match outcome {
            Outcome::Created => "is created",
            Outcome::Updated => "is updated",
            Outcome::Unchanged => "is up to date",
        };
        self.say(Step::Done { stack: wanted.name.clone(), what: what.to_owned() });
        Ok((outcome, outputs))
    }

    /// Updates a stack of which the plan could not tell all: a value has come that only the deploy could tell.
    async fn update(
        &self,
        wanted: &RenderedStack,
        known: &Known,
        parameters: &Map<ParameterValue>,
        consent: &Consent,
    ) -> Result<(Outcome, Map<String>, bool)> {
        let comparison = Comparison { wanted, known: Some(known), parameters, place: &self.place };
        let change_set = if comparison.unchanged() {
            None
        } else {
            self.prepare(wanted, &decided(parameters), false, Purpose::Deploy).await?
        };
        let Some(change_set) = change_set else {
            return Ok((Outcome::Unchanged, known.stack.outputs.clone(), known.stack.termination_protection));
        };
        // The plan did not show these: it could not know them.
        let plan = comparison.with_change_set(&change_set)?;
        consent.check(&plan.losses(), &self.environment)?;
        let stops = replication::needs_stop(replication::changed(&plan));
        let stack = self.change(wanted, &known.stack.id, &change_set.id, stops).await?;
        Ok((Outcome::Updated, stack.outputs, stack.termination_protection))
    }

    async fn create(&self, wanted: &RenderedStack, parameters: &Map<String>) -> Result<Stack> {
        if let Some(left) = self.settled(&wanted.name, &wanted.stack_name).await?
            && left.status.standing() == Standing::Shell
        {
            // A creation that was rolled back leaves a stack without resources that can only be deleted.
            self.say(Step::Stack { stack: wanted.name.clone(), what: "is cleared of a failed creation".to_owned() });
            self.aws.cloudformation.delete_stack(&left.id, &self.run, None).await?;
            let since = self.aws.cloudformation.last_event(&left.id).await.ok().flatten();
            self.follow(&wanted.name, &left.id, since).await?;
        }
        let change_set = self.prepare(wanted, parameters, true, Purpose::Deploy).await?.ok_or_else(|| {
            Error::new(format!("CloudFormation sees nothing to create in `{}`", wanted.stack_name))
                .hint("a stack needs at least one resource whose condition holds")
        })?;
        self.execute(wanted, &change_set.stack_id, &change_set.id, true).await
    }

    /// Executes a change set, with the replications of the stack stopped meanwhile if it needs that.
    pub(super) async fn change(
        &self,
        wanted: &RenderedStack,
        stack: &str,
        change_set: &str,
        stops: bool,
    ) -> Result<Stack> {
        let stopped = if stops { self.stop_replications(&wanted.name, stack).await? } else { Vec::new() };
        let done = self.execute(wanted, stack, change_set, false).await;
        if done.is_err() {
            // The stack is what it was, so what it replicates shall go on as well.
            self.resume(&wanted.name, &stopped).await;
        }
        done
    }

    async fn execute(&self, wanted: &RenderedStack, stack: &str, change_set: &str, create: bool) -> Result<Stack> {
        let since = self.aws.cloudformation.last_event(stack).await.ok().flatten();
        let what = if create { "is being created" } else { "is being updated" };
        self.say(Step::Stack { stack: wanted.name.clone(), what: what.to_owned() });
        let token = self.client_token(&wanted.name);
        if let Err(failure) = self.aws.cloudformation.execute(change_set, &token, create).await {
            if matches!(failure.kind, Kind::ChangeSetNotFound | Kind::InvalidChangeSetStatus) {
                return Err(Error::new(format!(
                    "the plan of `{}` is out of date: the stack was changed since",
                    wanted.stack_name
                ))
                .note(failure.message)
                .hint(format!("run `pipectl deploy --env {}` again to see the new plan", self.environment)));
            }
            return Err(failure.into());
        }
        self.executed(&wanted.stack_name);
        let ended = self.follow(&wanted.name, stack, since).await?;
        if ended.stack.status.succeeded() {
            Ok(ended.stack)
        } else {
            Err(cause::error(wanted, &ended.stack, &ended.events))
        }
    }
}

fn missing(wanted: &RenderedStack, parameter: &str) -> Error {
    let input = wanted.inputs.iter().find(|input| input.parameter == parameter);
    let from = match input.map(|input| &input.from) {
        Some(crate::render::InputSource::Output { stack, output }) => {
            format!("the output `{output}` of the stack `{stack}`")
        }
        Some(crate::render::InputSource::Artifact { name }) => format!("the artifact `{name}`"),
        _ => "the pipeline document".to_owned(),
    };
    let error = Error::new(format!("`{}` has no value for `{parameter}`: there is no {from}", wanted.stack_name));
    match wanted.template.parameter(parameter) {
        Some(found) => error.at(&found.span, "this parameter"),
        None => error,
    }
    .hint("correct `Metadata.pipectl.inputs` of the template, or add what it names")
}
