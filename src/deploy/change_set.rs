//! Change sets: created under a unique name, awaited, and always deleted.

use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::conflict::{Attempt, Halt, is_conflict};
use super::stop::Stop;
use super::{Purpose, Session};
use crate::aws::cloudformation::NewChangeSet;
use crate::aws::{Failure, Pace};
use crate::error::{Error, Result};
use crate::plan::change_set::{ChangeSet, Progress};
use crate::render::RenderedStack;
use crate::spec::Map;

/// How long AWS may give no good answer before we give up. What was started goes on there meanwhile, so giving up
/// early would report a failure that is none.
const PATIENCE: Duration = Duration::from_mins(5);

/// Asking again and again.
pub(super) struct Patience {
    waits: Box<dyn Iterator<Item = Duration> + Send>,
    failing_since: Option<Instant>,
}

impl Patience {
    pub(super) fn new(pace: Pace) -> Self {
        Self { waits: Box::new(pace.waits()), failing_since: None }
    }

    /// Waits until it is time to ask again.
    pub(super) async fn pause(&mut self) {
        if let Some(wait) = self.waits.next() {
            tokio::time::sleep(wait).await;
        }
    }

    /// Takes an answer; none for a failure that may pass.
    pub(super) fn bear<T>(&mut self, answer: Result<T, Failure>) -> Result<Option<T>, Failure> {
        match answer {
            Ok(answer) => {
                self.failing_since = None;
                Ok(Some(answer))
            }
            Err(failure) if failure.is_transient() => {
                let since = *self.failing_since.get_or_insert_with(Instant::now);
                if since.elapsed() > PATIENCE { Err(failure) } else { Ok(None) }
            }
            Err(failure) => Err(failure),
        }
    }
}

impl Session {
    fn open_change_sets(&self) -> MutexGuard<'_, Vec<(String, String, bool)>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a change set and waits until it is ready; none if it would change nothing.
    pub(super) async fn prepare(
        &self,
        desired: &RenderedStack,
        parameters: &Map<String>,
        create: bool,
        purpose: Purpose,
    ) -> Attempt<Option<ChangeSet>> {
        let new = NewChangeSet {
            stack_name: desired.stack_name.clone(),
            name: self.change_set_name(&desired.stack_name, purpose),
            create,
            template: self.template_source(desired, purpose).await?,
            parameters: parameters.clone(),
            tags: desired.tags.clone(),
            // A plan may not pass a role; CloudFormation looks with the one that the stack was deployed with.
            role: self.role.clone().filter(|_| matches!(purpose, Purpose::Saved | Purpose::Deploy)),
            revert_drift: purpose == Purpose::Drift,
        };
        // Noted before the call: if the answer is lost, the change set may be there all the same.
        self.open_change_sets().push((new.stack_name.clone(), new.name.clone(), create));
        let arn = self.aws.cloudformation.create_change_set(&new).await.map_err(|failure| {
            if is_conflict(&failure) { failure.into() } else { Halt::Failed(refused(desired, failure)) }
        })?;
        let mut patience = Patience::new(self.aws.pace);
        loop {
            if let Some(change_set) = patience.bear(self.aws.cloudformation.change_set(&new.stack_name, &arn).await)? {
                match change_set.progress() {
                    Progress::Ready => return Ok(Some(change_set)),
                    Progress::Empty => return Ok(None),
                    Progress::Failed(reason) => {
                        return Err(self.refusal(desired, &arn, &reason).await.into());
                    }
                    Progress::Pending => {}
                }
            }
            // Nothing was changed yet, so there is no need to see this to its end.
            if self.stop.requested() {
                return Err(Stop::error(&format!("`{}` was not changed", desired.stack_name)).into());
            }
            patience.pause().await;
        }
    }

    /// The name of the next change set of a stack: that of the run, with a number from the second on. The first may
    /// have been made for a stack or for values that are others now.
    fn change_set_name(&self, stack_name: &str, purpose: Purpose) -> String {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        let count = made.entry(stack_name.to_owned()).or_default();
        *count += 1;
        let name = purpose.change_set(&self.run);
        if *count == 1 { name } else { format!("{name}-{count}") }
    }

    /// A change set was executed: there is nothing to clean up.
    pub(super) fn executed(&self, stack_name: &str) {
        self.open_change_sets().retain(|(stack, ..)| stack != stack_name);
    }

    /// Deletes what was made at a stack for one purpose.
    pub(super) async fn drop_change_sets(&self, stack_name: &str, purpose: Purpose) -> Result<()> {
        let own = |stack: &str, name: &str| stack == stack_name && name.starts_with(&purpose.change_set(&self.run));
        let names: Vec<String> = {
            let open = self.open_change_sets();
            open.iter().filter(|(stack, name, _)| own(stack, name)).map(|(_, name, _)| name.clone()).collect()
        };
        for name in &names {
            self.aws.cloudformation.delete_change_set(stack_name, name).await?;
        }
        self.open_change_sets().retain(|(stack, name, _)| !own(stack, name));
        Ok(())
    }

    /// The change sets stay: a saved plan names them.
    pub fn forget_change_sets(&self) {
        self.open_change_sets().clear();
    }

    /// Deletes the change sets that were made and not executed, and the empty stacks that came into being with them.
    pub(super) async fn clean_up(self: &Arc<Self>) -> Result<()> {
        let open = std::mem::take(&mut *self.open_change_sets());
        let mut tasks = tokio::task::JoinSet::new();
        for (stack, name, create) in open {
            let session = Arc::clone(self);
            tasks.spawn(async move {
                let cloudformation = &session.aws.cloudformation;
                cloudformation.delete_change_set(&stack, &name).await?;
                if create
                    && let Some(found) = cloudformation.stack(&stack).await?
                    && found.status.as_str() == "REVIEW_IN_PROGRESS"
                    // Another deploy may be about to create the stack.
                    && cloudformation.change_sets(&found.id).await?.is_empty()
                {
                    cloudformation.delete_stack(&found.id, &name, None).await?;
                }
                Ok::<(), Failure>(())
            });
        }
        let mut result = Ok(());
        while let Some(done) = tasks.join_next().await {
            if let Ok(Err(failure)) = done {
                result = Err(failure.into());
            }
        }
        result
    }
}

fn refused(desired: &RenderedStack, failure: Failure) -> Error {
    let message = format!("CloudFormation refuses the change of `{}`", desired.stack_name);
    let cause = Error::from(failure);
    cause
        .hints()
        .iter()
        .fold(Error::new(format!("{message}: {}", cause.message())), |error, hint| error.hint(hint.clone()))
}
