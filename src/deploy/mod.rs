//! Applies the desired state: the only code that changes AWS.
//!
//! [`survey`] plans the changes and cleans up; [`rollout`] applies them, stack by stack along
//! the graph; [`destroy`] takes it down in the opposite order.

pub mod artifacts;
mod cause;
mod change_set;
mod conflict;
pub mod consent;
pub mod destroy;
pub mod drift;
mod fixes;
mod follow;
mod imports;
mod interrupt;
mod orphaned_stacks;
pub mod overwrite;
mod policy;
mod previous_run;
pub mod progress;
pub mod protection;
pub mod record;
pub mod replication;
pub mod rollout;
pub mod saved;
mod schedule;
mod secrets;
mod stack;
mod stack_state;
pub(crate) mod stale_change_sets;
pub mod stop;
pub mod survey;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher, Hasher};
use std::sync::{Arc, Mutex};

use pipectl_contract::names::Zone;
use pipectl_contract::timestamps;
use time::OffsetDateTime;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::aws::Aws;
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::graph::Graph;
use crate::plan::AccountRegion;
use crate::plan::saved::{Commit, RUN_LENGTH, is_run};
use crate::plan::secrets::Secrets;
use crate::plan::stack_parameters::{ArtifactKeys, Outputs};
use crate::render::RenderedStack;
use crate::spec::{Map, Spec};

use artifacts::Upload;
use previous_run::PreviousRunCheck;
use progress::Step;
use record::Journal;
use stop::Stop;

/// The stack with the artifact bucket and the roles that deploy all others.
pub const BOOTSTRAP: &str = "bootstrap";
/// The output of the bootstrap stack with the role that CloudFormation acts as.
const EXECUTION_ROLE: &str = "ExecutionRoleArn";
/// How many stacks are deployed at once by default.
pub const PARALLEL: usize = 10;

/// The desired state of an environment with its artifacts.
#[derive(Debug, Clone, Default)]
pub struct Release {
    /// In an order in which each follows all that it needs.
    pub stacks: Vec<RenderedStack>,
    pub uploads: Vec<Upload>,
    pub keys: ArtifactKeys,
    /// What the project's files are, for the record.
    pub commit: Option<Commit>,
}

/// One run of pipectl against one environment.
#[derive(Debug)]
pub struct Session {
    aws: Aws,
    environment: String,
    account_region: AccountRegion,
    /// The bucket for artifacts and long templates.
    bucket: String,
    /// The role that CloudFormation acts as; none in the local account, which does not authorize deploys.
    role: Option<String>,
    /// Outputs of stacks that are not part of the run.
    outputs: Outputs,
    keys: ArtifactKeys,
    stacks: BTreeMap<String, Arc<RenderedStack>>,
    names: Vec<String>,
    uploads: Vec<Upload>,
    /// Part of the name of everything that the run makes.
    run: String,
    scope: Scope,
    commit: Option<Commit>,
    /// What became of each stack so far.
    journal: Journal,
    /// The check of the previous run, if this run deploys.
    previous_run: Mutex<Option<PreviousRunCheck>>,
    /// Secrets by stack, to be masked.
    secrets: Mutex<Map<Secrets>>,
    /// How many change sets the run has made, by the full name of the stack.
    made: Mutex<BTreeMap<String, u32>>,
    /// The full names of the stacks of which nothing was there when the run last looked, until it begins to create them.
    absent: Mutex<BTreeSet<String>>,
    /// Whether exactly what was shown is done, or nothing.
    exact: bool,
    parallel: usize,
    recovery: Recovery,
    /// The change sets that the run made and that are not executed: stack, name, and whether it creates the stack.
    open: Mutex<Vec<(String, String, bool)>>,
    steps: UnboundedSender<Step>,
    stop: Stop,
}

/// How a session goes about its work.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The run of a saved plan: exactly that plan is executed, or nothing.
    pub run: Option<String>,
    /// How many stacks are worked on at once.
    pub parallel: usize,
    pub recovery: Recovery,
}

impl Default for Settings {
    fn default() -> Self {
        Self { run: None, parallel: PARALLEL, recovery: Recovery::default() }
    }
}

/// What is done with stacks whose rollback failed.
#[derive(Debug, Clone, Default)]
pub struct Recovery {
    /// Whether their rollback is gone on with.
    pub continue_rollback: bool,
    /// The resources that it leaves as they are, each as `stack/LogicalId`.
    pub skip: Vec<String>,
}

impl Recovery {
    /// The logical ids to be skipped in a stack.
    fn skipped(&self, stack: &str) -> Vec<String> {
        let split = self.skip.iter().filter_map(|address| address.split_once('/'));
        split.filter(|(name, _)| *name == stack).map(|(_, id)| id.to_owned()).collect()
    }

    /// Fails if something is to be skipped that is in no stack.
    fn check(&self, stacks: &[String]) -> Result<()> {
        let wrong = self.skip.iter().filter(|address| {
            !address.split_once('/').is_some_and(|(stack, id)| !id.is_empty() && stacks.iter().any(|one| one == stack))
        });
        Error::all(wrong.map(|address| {
            Error::new(format!("`--skip {address}` names no resource of a stack"))
                .hint(format!("write STACK/LOGICAL-ID, with one of these stacks: {}", stacks.join(", ")))
                .exit(Exit::Usage)
        }))
    }
}

/// What a change set is made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To be looked at. The role of pull requests may make change sets and upload templates under this name only.
    Plan,
    /// To be looked at, and executed once somebody has agreed: a saved plan names it.
    Saved,
    /// To be looked at: what was changed since the last deploy.
    Drift,
    /// To be executed.
    Deploy,
}

impl Purpose {
    /// The name of a run's change sets.
    fn change_set(self, run: &str) -> String {
        match self {
            Self::Plan => format!("plan-{run}"),
            // The role of pull requests may make `plan-*` only, and the role that deploys executes all but those.
            Self::Saved => format!("saved-{run}"),
            Self::Drift => format!("plan-drift-{run}"),
            Self::Deploy => format!("deploy-{run}"),
        }
    }

    /// Where the artifact bucket keeps a long template.
    fn template_key(self, stack: &str, sha256: &str) -> String {
        match self {
            Self::Plan | Self::Saved | Self::Drift => format!("plan/{stack}-{sha256}.yaml"),
            Self::Deploy => format!("templates/{stack}-{sha256}.yaml"),
        }
    }
}

/// What a session works on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// The bootstrap stack alone, by someone who may make roles.
    Bootstrap,
    /// The pipeline. The bootstrap stack is part of it in the local account only.
    Pipeline,
}

impl Session {
    /// Opens a session. Fails if the pipeline is to be deployed where nobody ran `bootstrap`.
    pub async fn open(
        aws: Aws,
        spec: &Spec,
        desired: Release,
        scope: Scope,
        stop: Stop,
    ) -> Result<(Arc<Self>, UnboundedReceiver<Step>)> {
        Self::open_with(aws, spec, desired, scope, stop, Settings::default()).await
    }

    /// Opens a session with settings.
    pub async fn open_with(
        aws: Aws,
        spec: &Spec,
        desired: Release,
        scope: Scope,
        stop: Stop,
        settings: Settings,
    ) -> Result<(Arc<Self>, UnboundedReceiver<Step>)> {
        let local = spec.environment.local;
        let (mut role, mut outputs) = (None, Outputs::new());
        if scope == Scope::Pipeline && !local {
            let Some(stack) = aws.cloudformation.stack(&spec.stack_name(BOOTSTRAP)).await? else {
                return Err(Error::new(format!("the environment `{}` has no bootstrap stack", spec.environment_name))
                    .hint(format!(
                        "run `pipectl bootstrap --env {}` once, as an administrator of the account",
                        spec.environment_name
                    )));
            };
            role = stack.outputs.get(EXECUTION_ROLE).cloned();
            let known = stack.outputs.into_iter().map(|(name, value)| (name, Some(value))).collect();
            outputs.insert(BOOTSTRAP.to_owned(), known);
        }
        let part = |name: &str| match scope {
            Scope::Bootstrap => name == BOOTSTRAP,
            Scope::Pipeline => local || name != BOOTSTRAP,
        };
        let Release { stacks, uploads, keys, commit } = desired;
        let stacks: Vec<Arc<RenderedStack>> =
            stacks.into_iter().filter(|stack| part(&stack.name)).map(Arc::new).collect();
        let names: Vec<String> = stacks.iter().map(|stack| stack.name.clone()).collect();
        let Settings { run, parallel, recovery } = settings;
        recovery.check(&names)?;
        let (steps, receiver) = unbounded_channel();
        let slowed = steps.clone();
        aws.slow_down.listen(move |wait| {
            let _ = slowed.send(Step::Slowed { wait });
        });
        let session = Self {
            environment: spec.environment_name.clone(),
            account_region: AccountRegion { account: aws.account.clone(), region: aws.region.clone() },
            bucket: spec.bucket(Zone::Artifacts),
            role,
            outputs,
            keys,
            names,
            stacks: stacks.into_iter().map(|stack| (stack.name.clone(), stack)).collect(),
            uploads: if scope == Scope::Pipeline { uploads } else { Vec::new() },
            exact: run.is_some(),
            run: run.unwrap_or_else(run_name),
            made: Mutex::default(),
            absent: Mutex::default(),
            scope,
            commit,
            journal: Journal::default(),
            previous_run: Mutex::default(),
            secrets: Mutex::default(),
            parallel,
            recovery,
            open: Mutex::new(Vec::new()),
            steps,
            stop,
            aws,
        };
        for stack in session.stacks.values() {
            session.learn_secrets(stack, None, &Map::new());
        }
        Ok((Arc::new(session), receiver))
    }

    fn stack(&self, name: &str) -> Option<Arc<RenderedStack>> {
        self.stacks.get(name).cloned()
    }

    /// The graph of the stacks. When stacks change, all wait for the bootstrap stack, which makes the artifact bucket.
    fn graph(&self, changing: bool) -> Result<Graph> {
        let first = changing && self.stacks.contains_key(BOOTSTRAP);
        Graph::new(self.names.iter().map(|name| {
            let needs = self.stacks.get(name).into_iter().flat_map(|stack| stack.needs());
            let mut needs: Vec<&str> = needs.filter(|need| self.stacks.contains_key(*need)).collect();
            if first && name != BOOTSTRAP {
                needs.push(BOOTSTRAP);
            }
            (name.as_str(), needs)
        }))
    }

    fn emit(&self, step: Step) {
        // Nobody listens any more only when the run is over.
        let _ = self.steps.send(self.hide_in_step(step));
    }
}

/// A name that no other run has: the time, so that people can distinguish runs, and a random number.
fn run_name() -> String {
    let time = timestamps::stamp(OffsetDateTime::now_utc().unix_timestamp());
    format!("{time}-{:016x}", random())
}

fn random() -> u64 {
    std::collections::hash_map::RandomState::new().build_hasher().finish()
}

/// Whether a text is or begins with the name of a run.
fn begins_with_run(text: &str) -> bool {
    text.get(..RUN_LENGTH).is_some_and(is_run)
}

/// The run that started an operation of a stack, if the client request token is one of pipectl's.
fn run_of<'a>(token: &'a str, stack: &str) -> Option<&'a str> {
    let run = token.get(..RUN_LENGTH).filter(|run| is_run(run))?;
    let rest = token[RUN_LENGTH..].strip_prefix('-')?.strip_prefix(stack)?;
    (rest.is_empty() || rest.starts_with('-')).then_some(run)
}
