//! One stack: brought to its desired state, also while others change it.

use super::conflict::{Attempt, Halt, TRIES, too_many_conflicts};
use super::consent::Consent;
use super::follow::Anchor;
use super::progress::Step;
use super::rollout::Outcome;
use super::survey::{Surveyed, decided};
use super::{Purpose, Session, replication};
use crate::error::{Error, Result};
use crate::plan::deployed::Stack;
use crate::plan::stack_parameters::{Outputs, ParameterValue, parameters};
use crate::plan::{Comparison, Known, StackAction, StackPlan};
use crate::render::RenderedStack;
use crate::spec::Map;

/// What is wanted of one stack, now that the outputs of all that it needs are known.
struct Task<'a> {
    desired: &'a RenderedStack,
    parameters: Map<ParameterValue>,
    consent: &'a Consent,
    /// What was shown of it.
    shown: &'a StackPlan,
}

impl Session {
    /// Brings one stack to what is wanted. Returns what was done and the outputs. The policy of a stack that was changed is
    /// still to be closed: no other stack has to wait for that.
    pub(super) async fn deploy_stack(
        &self,
        desired: &RenderedStack,
        surveyed: Surveyed,
        outputs: &Outputs,
        consent: &Consent,
    ) -> Result<(Outcome, Map<String>)> {
        let parameters = parameters(desired, outputs, &self.keys);
        self.learn_secrets(desired, None, &parameters);
        if let Some((name, _)) = parameters.iter().find(|(_, value)| value.known().is_none()) {
            return Err(missing(desired, name));
        }
        let shown = surveyed.plan.clone();
        let task = Task { desired, parameters, consent, shown: &shown };
        let (outcome, stack) = Box::pin(self.until_done(&task, surveyed)).await?;
        if desired.termination_protection && !stack.termination_protection {
            self.protect(desired).await?;
        }
        self.start_replications(desired, &desired.stack_name).await?;
        let what = match outcome {
            Outcome::Created => "is created",
            Outcome::Updated => "is updated",
            _ => "is up to date",
        };
        self.emit(Step::Done { stack: desired.name.clone(), what: what.to_owned() });
        Ok((outcome, stack.outputs))
    }

    /// Does what was planned; if somebody else was quicker, what is left to do after him.
    async fn until_done(&self, task: &Task<'_>, surveyed: Surveyed) -> Result<(Outcome, Stack)> {
        let (name, stack_name) = (&task.desired.name, &task.desired.stack_name);
        let mut planned = Some(surveyed);
        let mut last = String::new();
        for _ in 0..TRIES {
            let attempt = match planned.take() {
                Some(surveyed) => self.as_planned(task, surveyed).await,
                None => self.anew(task).await,
            };
            match attempt {
                Ok(done) => return Ok(done),
                Err(Halt::Failed(error)) => return Err(error),
                Err(Halt::Conflict(why)) => {
                    self.emit(Step::Stack {
                        stack: name.clone(),
                        what: "was changed concurrently: is planned again".to_owned(),
                    });
                    last = why;
                }
            }
        }
        Err(too_many_conflicts(stack_name, &last))
    }

    async fn as_planned(&self, task: &Task<'_>, surveyed: Surveyed) -> Attempt<(Outcome, Stack)> {
        let as_planned = task.parameters == surveyed.parameters;
        let Surveyed { plan, change_set, known, .. } = surveyed;
        match (known, change_set) {
            (Some(known), None) if as_planned && plan.action == StackAction::None => {
                Ok((Outcome::Unchanged, known.stack))
            }
            (Some(known), Some(change_set)) if as_planned => {
                let stack = self.change(task.desired, &known.stack.id, &change_set, &plan).await?;
                Ok((Outcome::Updated, stack))
            }
            (Some(known), _) => self.update(task, &known).await,
            (None, _) => self.create(task).await,
        }
    }

    /// Looks again, and does what is left to do.
    async fn anew(&self, task: &Task<'_>) -> Attempt<(Outcome, Stack)> {
        let Some(known) = self.read(task.desired).await? else { return self.create(task).await };
        let comparison = self.comparison(task, &known);
        let change_set = if comparison.unchanged() { None } else { self.prepared(task).await? };
        let Some((change_set, found)) = change_set else { return Ok((Outcome::Unchanged, known.stack)) };
        let plan = comparison.with_change_set(&found)?;
        if plan.resources != task.shown.resources {
            if self.exact {
                return Err(self.not_as_shown(task.desired).into());
            }
            self.emit(Step::Note(format!(
                "`{}` changed after the plan was shown: {} of its resources change now",
                task.desired.stack_name,
                plan.resources.len()
            )));
        }
        task.consent.check(&plan.losses(), &self.environment)?;
        let stack = self.change(task.desired, &known.stack.id, &change_set, &plan).await?;
        Ok((Outcome::Updated, stack))
    }

    /// Updates a stack whose plan was incomplete, because a value became known only during the deploy.
    async fn update(&self, task: &Task<'_>, known: &Known) -> Attempt<(Outcome, Stack)> {
        let comparison = self.comparison(task, known);
        let change_set = if comparison.unchanged() { None } else { self.prepared(task).await? };
        let Some((change_set, found)) = change_set else { return Ok((Outcome::Unchanged, known.stack.clone())) };
        // The plan did not show these: it could not know them.
        let plan = comparison.with_change_set(&found)?;
        task.consent.check(&plan.losses(), &self.environment)?;
        let stack = self.change(task.desired, &known.stack.id, &change_set, &plan).await?;
        Ok((Outcome::Updated, stack))
    }

    fn comparison<'a>(&'a self, task: &'a Task<'_>, known: &'a Known) -> Comparison<'a> {
        Comparison {
            desired: task.desired,
            known: Some(known),
            parameters: &task.parameters,
            account_region: &self.account_region,
        }
    }

    /// The change set of an update, with its ARN; none if it would change nothing.
    async fn prepared(&self, task: &Task<'_>) -> Attempt<Option<(String, crate::plan::change_set::ChangeSet)>> {
        let made = self.prepare(task.desired, &decided(&task.parameters), false, Purpose::Deploy).await?;
        Ok(made.map(|change_set| (change_set.id.clone(), change_set)))
    }

    async fn create(&self, task: &Task<'_>) -> Attempt<(Outcome, Stack)> {
        let desired = task.desired;
        self.clear_failed_creation(desired).await?;
        let change_set = self.prepare(desired, &decided(&task.parameters), true, Purpose::Deploy).await?;
        let change_set = change_set.ok_or_else(|| {
            Error::new(format!("CloudFormation sees nothing to create in `{}`", desired.stack_name))
                .hint("a stack needs at least one resource whose condition holds")
        })?;
        let stack = self.execute(desired, &change_set.stack_id, &change_set.id, true).await?;
        Ok((Outcome::Created, stack))
    }

    /// Executes a change set of an update: with the replications of the stack stopped meanwhile if it needs that, and
    /// with the stack policy open for what was agreed to.
    async fn change(&self, desired: &RenderedStack, stack: &str, change_set: &str, plan: &StackPlan) -> Attempt<Stack> {
        let stops = replication::needs_stop(replication::changed(plan));
        let stopped = if stops { self.stop_replications(&desired.name, stack).await? } else { Vec::new() };
        let opened = self.open_policy(desired, plan).await;
        let done = self.execute(desired, stack, change_set, false).await;
        if done.is_err() {
            // The stack is unchanged, so its replication must resume as well.
            self.resume(&desired.name, &stopped).await;
        }
        if done.is_err() && opened {
            self.close_policy(desired).await;
        }
        done
    }

    /// Executes a change set and follows it to its end.
    pub(super) async fn execute(
        &self,
        desired: &RenderedStack,
        stack: &str,
        change_set: &str,
        create: bool,
    ) -> Attempt<Stack> {
        let token = self.client_token(&desired.name);
        let anchor = if create { Anchor::First } else { self.anchor(stack, &token).await };
        self.aws.cloudformation.execute(&desired.stack_name, change_set, &token, create).await?;
        let what = if create { "is being created" } else { "is being updated" };
        self.emit(Step::Stack { stack: desired.name.clone(), what: what.to_owned() });
        self.executed(&desired.stack_name);
        let ended = self.follow(&desired.name, stack, anchor, &token).await?;
        if ended.stack.status.succeeded() {
            Ok(ended.stack)
        } else {
            Err(self.cause(desired, &ended.stack, &ended.events).await.into())
        }
    }

    fn not_as_shown(&self, desired: &RenderedStack) -> Error {
        Error::new(format!("the plan of `{}` is out of date: the stack was changed since", desired.stack_name))
            .hint(format!("make a new one: `pipectl plan --env {} --out FILE`", self.environment))
    }
}

fn missing(desired: &RenderedStack, parameter: &str) -> Error {
    let input = desired.inputs.iter().find(|input| input.parameter == parameter);
    let from = match input.map(|input| &input.from) {
        Some(crate::render::InputSource::Output { stack, output }) => {
            format!("the output `{output}` of the stack `{stack}`")
        }
        Some(crate::render::InputSource::Artifact { name }) => format!("the artifact `{name}`"),
        _ => "the pipeline document".to_owned(),
    };
    let error = Error::new(format!("`{}` has no value for `{parameter}`: there is no {from}", desired.stack_name));
    match desired.template.parameter(parameter) {
        Some(found) => error.at(&found.span, "this parameter"),
        None => error,
    }
    .hint("correct `Metadata.pipectl.inputs` of the template, or add what it names")
}
