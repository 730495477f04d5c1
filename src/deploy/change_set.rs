//! Creates a change set under a unique name and waits until it is ready.

use super::conflict::{Attempt, Halt, is_conflict};
use super::patience::Patience;
use super::stop::Stop;
use super::{Purpose, Session, artifacts};
use crate::aws::Failure;
use crate::aws::cloudformation::NewChangeSet;
use crate::error::Error;
use crate::plan::change_set::{ChangeSet, Progress};
use crate::render::RenderedStack;
use crate::spec::Map;

impl Session {
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
            name: self.change_sets.next_name(&desired.stack_name, self.run.change_set_name(purpose)),
            create,
            template: artifacts::template_source(&self.target, &self.reporter, desired, purpose).await?,
            parameters: parameters.clone(),
            tags: desired.tags.clone(),
            // A plan may not pass a role; CloudFormation looks with the one that the stack was deployed with.
            role: self.target.role.clone().filter(|_| matches!(purpose, Purpose::Saved | Purpose::Deploy)),
            revert_drift: purpose == Purpose::Drift,
        };
        self.change_sets.add(&new.stack_name, &new.name, create);
        let arn = self.target.aws.cloudformation.create_change_set(&new).await.map_err(|failure| {
            if is_conflict(&failure) { failure.into() } else { Halt::Failed(refused(desired, failure)) }
        })?;
        let mut patience = Patience::new(self.target.aws.pace);
        loop {
            if let Some(change_set) =
                patience.tolerate(self.target.aws.cloudformation.change_set(&new.stack_name, &arn).await)?
            {
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
            if self.run.stop.requested() {
                return Err(Stop::error(&format!("`{}` was not changed", desired.stack_name)).into());
            }
            patience.pause().await;
        }
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
