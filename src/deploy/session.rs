//! A session: one run of pipectl against one environment.

use std::sync::Arc;

use tokio::sync::mpsc::UnboundedReceiver;

use super::artifacts::Artifacts;
use super::journal::Journal;
use super::open_change_sets::OpenChangeSets;
use super::progress::Step;
use super::reporter::Reporter;
use super::run::Run;
use super::stacks::Stacks;
use super::stop::Stop;
use super::target::Target;
use super::{BOOTSTRAP, EXECUTION_ROLE, Release, Scope, Settings};
use crate::aws::Aws;
use crate::error::{Error, Result};
use crate::plan::stack_parameters::Outputs;
use crate::spec::{Map, Spec};

/// One run of pipectl against one environment.
#[derive(Debug)]
pub struct Session {
    pub(super) target: Target,
    pub(super) run: Run,
    pub(super) stacks: Stacks,
    pub(super) artifacts: Artifacts,
    pub(super) change_sets: OpenChangeSets,
    pub(super) reporter: Reporter,
    pub(super) journal: Journal,
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
        let (mut role, mut imported) = (None, Outputs::new());
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
            imported.insert(BOOTSTRAP.to_owned(), known);
        }
        let part = |name: &str| match scope {
            Scope::Bootstrap => name == BOOTSTRAP,
            Scope::Pipeline => local || name != BOOTSTRAP,
        };
        let Release { mut stacks, uploads, keys, commit } = desired;
        stacks.retain(|stack| part(&stack.name));
        let stacks = Stacks::new(stacks, imported);
        settings.recovery.check(stacks.names())?;
        let uploads = if scope == Scope::Pipeline { uploads } else { Vec::new() };
        let (reporter, steps) = Reporter::new(&aws);
        let session = Self {
            target: Target::new(aws, spec, role),
            run: Run::new(scope, commit, settings, stop),
            stacks,
            artifacts: Artifacts { uploads, keys },
            change_sets: OpenChangeSets::default(),
            reporter,
            journal: Journal::default(),
        };
        for stack in session.stacks.by_name().values() {
            session.reporter.redactor.add(&session.target.comparison(stack, None, &Map::new()));
        }
        Ok((Arc::new(session), steps))
    }

    /// Keeps the change sets of the run: a saved plan names them.
    pub fn keep_change_sets(&self) {
        self.change_sets.keep();
    }

    /// Deletes the change sets that were not executed, and the empty stacks that were created with them.
    pub(super) async fn clean_up(&self) -> Result<()> {
        self.change_sets.delete_all(&self.target.aws.cloudformation).await
    }
}
