//! Handles the state of a stack: wait, continue a rollback, delete a failed creation, or fail.

use super::conflict::{Attempt, Halt};
use super::follow::Ended;
use super::progress::Step;
use super::{Session, stale_change_sets};
use crate::aws::Kind;
use crate::aws::cloudformation::StackResource;
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::plan::deployed::{Stack, StackState};
use crate::plan::{Known, loss};
use crate::render::RenderedStack;

const ROLLBACK_FAILED: &str = "UPDATE_ROLLBACK_FAILED";
/// How old an unused change set must be to count as stale.
const STALE: time::Duration = time::Duration::hours(1);

impl Session {
    /// A stack with its template; none if there is nothing to update. Waits for what others do to it, and takes it out
    /// of a failed rollback if that was asked for.
    pub(super) async fn read(&self, desired: &RenderedStack) -> Result<Option<Known>> {
        loop {
            let Some(stack) = self.settled(&desired.name, &desired.stack_name).await? else {
                self.stacks.mark_absent(&desired.stack_name);
                return Ok(None);
            };
            match stack.status.state() {
                StackState::Absent => return Ok(None),
                StackState::Shell => {
                    self.check_holds_nothing(&stack).await?;
                    self.reporter.emit(Step::Note(format!(
                        "`{}` is in {} after a failed creation. It contains no data: a deploy deletes it and creates it again",
                        stack.name, stack.status
                    )));
                    return Ok(None);
                }
                StackState::Broken
                    if stack.status.as_str() == ROLLBACK_FAILED && self.run.settings.recovery.continue_rollback =>
                {
                    self.continue_rollback(desired, &stack).await?;
                }
                StackState::Broken => return Err(self.broken(&desired.name, &stack).await),
                StackState::Busy | StackState::Settled => {
                    let text = self.target.aws.cloudformation.template(&stack.id).await?;
                    return Ok(Some(Known::new(stack, text)));
                }
            }
        }
    }

    /// Deletes what blocks a creation: the stack of a failed creation, or of one that never started. If the survey found
    /// no stack it does not check again: CloudFormation rejects the creation of an existing stack.
    pub(super) async fn clear_failed_creation(&self, desired: &RenderedStack) -> Attempt<()> {
        if self.stacks.take_absent(&desired.stack_name) {
            return Ok(());
        }
        let Some(stack) = self.settled(&desired.name, &desired.stack_name).await? else { return Ok(()) };
        match stack.status.state() {
            StackState::Absent => self.clear_review(desired, &stack).await,
            StackState::Shell => {
                self.check_holds_nothing(&stack).await?;
                let what = format!("is deleted after a failed creation ({})", stack.status);
                let ended = self.delete(desired, &stack, what).await?;
                if ended.stack.status.as_str() == "DELETE_COMPLETE" {
                    return Ok(());
                }
                Err(self.cause(desired, &ended.stack, &ended.events).await.into())
            }
            StackState::Broken => Err(self.broken(&desired.name, &stack).await.into()),
            StackState::Busy | StackState::Settled => Err(Halt::Conflict(format!("the stack is in {}", stack.status))),
        }
    }

    /// A stack in review is made by a change set that was never executed. If all of them are left from runs that are
    /// long over, it goes with them. A younger one may be just about to be executed by another deploy.
    async fn clear_review(&self, desired: &RenderedStack, stack: &Stack) -> Attempt<()> {
        if stack.status.as_str() != "REVIEW_IN_PROGRESS" {
            return Ok(());
        }
        let Ok(change_sets) = self.target.aws.cloudformation.change_sets(&stack.id).await else { return Ok(()) };
        let now = time::OffsetDateTime::now_utc();
        let left = |created: &str| {
            let parsed = time::OffsetDateTime::parse(created, &time::format_description::well_known::Rfc3339);
            parsed.is_ok_and(|created| now - created > STALE)
        };
        let ours = |name: &str| stale_change_sets::purpose(name).is_some();
        if change_sets.is_empty() || !change_sets.iter().all(|one| ours(&one.name) && left(&one.created)) {
            return Ok(());
        }
        let what = "is deleted, because its change set was never executed".to_owned();
        self.delete(desired, stack, what).await.map(drop)
    }

    async fn delete(&self, desired: &RenderedStack, stack: &Stack, what: String) -> Attempt<Ended> {
        self.reporter.emit(Step::Stack { stack: desired.name.clone(), what });
        let token = self.run.new_client_token(&desired.name);
        let anchor = self.anchor(&stack.id, &token).await;
        self.target.aws.cloudformation.delete_stack(&stack.id, &token, self.target.role.as_deref()).await?;
        Ok(self.follow(&desired.name, &stack.id, anchor, &token).await?)
    }

    /// Fails if a stack that has to be deleted before it can be created still holds data.
    async fn check_holds_nothing(&self, stack: &Stack) -> Result<()> {
        let resources = self.target.aws.cloudformation.resources(&stack.id).await?;
        let held: Vec<String> = resources.iter().filter_map(held).collect();
        if held.is_empty() {
            return Ok(());
        }
        let error = Error::new(format!(
            "`{}` is in {} after a failed creation and contains data, so it is not deleted automatically",
            stack.name, stack.status
        ));
        let error = held.into_iter().fold(error, Error::note);
        Err(error.hint(format!(
            "save what is needed, then run `aws cloudformation delete-stack --region {} --stack-name {}` and `pipectl deploy --env {}`",
            self.target.aws.region, stack.name, self.target.environment
        )))
    }

    /// Goes on with a rollback that failed, without what was named to be skipped.
    async fn continue_rollback(&self, desired: &RenderedStack, stack: &Stack) -> Result<()> {
        let (name, stack_name) = (&desired.name, &desired.stack_name);
        let failed = self.failed_resources(stack).await?;
        let skip = self.run.settings.recovery.skipped(name);
        let wrong: Vec<&String> = skip.iter().filter(|id| !failed.iter().any(|one| one.logical_id == **id)).collect();
        if let [first, ..] = wrong.as_slice() {
            let can: Vec<String> = failed.iter().map(|one| format!("{name}/{}", one.logical_id)).collect();
            return Err(Error::new(format!("`{name}/{first}` cannot be skipped: its rollback has not failed"))
                .hint(format!("these can be: `{}`", can.join("`, `")))
                .exit(Exit::Usage));
        }
        let without = if skip.is_empty() { String::new() } else { format!(", without `{}`", skip.join("`, `")) };
        self.reporter.emit(Step::Stack { stack: name.clone(), what: format!("continues its rollback{without}") });
        let token = self.run.new_client_token(name);
        let anchor = self.anchor(&stack.id, &token).await;
        let role = self.target.role.as_deref();
        match self.target.aws.cloudformation.continue_rollback(&stack.id, &skip, &token, role).await {
            Ok(()) => {}
            // Somebody else has begun it: it is waited for.
            Err(failure) if failure.kind == Kind::WrongState => return Ok(()),
            Err(failure) => return Err(failure.into()),
        }
        let ended = self.follow(name, &stack.id, anchor, &token).await?;
        if ended.stack.status.state() == StackState::Broken {
            return Err(self.broken(name, &ended.stack).await);
        }
        if !skip.is_empty() {
            self.reporter.emit(Step::Note(format!(
                "the resources skipped in `{stack_name}` no longer match their template: `{}`. Their next change may fail; \
                 `pipectl plan` does not show this",
                skip.join("`, `")
            )));
        }
        Ok(())
    }

    /// The resources of which the way back failed.
    async fn failed_resources(&self, stack: &Stack) -> Result<Vec<StackResource>> {
        let mut resources = self.target.aws.cloudformation.resources(&stack.id).await?;
        resources.retain(|resource| resource.status == "UPDATE_FAILED");
        Ok(resources)
    }

    /// The error of a stack that cannot be changed until someone fixes it.
    async fn broken(&self, name: &str, stack: &Stack) -> Error {
        let (region, environment) = (&self.target.aws.region, &self.target.environment);
        if stack.status.as_str() == ROLLBACK_FAILED {
            let failed = self.failed_resources(stack).await.unwrap_or_default();
            let error = Error::new(format!(
                "`{}` is in {}: its last update and the rollback of it failed",
                stack.name, stack.status
            ));
            let error = failed.iter().fold(error, |error, one| {
                let reason = one.reason.as_deref().unwrap_or("CloudFormation gave no reason");
                error.note(format!("`{}` ({}): {reason}", one.logical_id, one.resource_type))
            });
            let command = format!("pipectl deploy --env {environment} --continue-rollback");
            let error = error.hint(format!("fix the cause, then run `{command}`"));
            let skip: Vec<String> = failed.iter().map(|one| format!(" --skip {name}/{}", one.logical_id)).collect();
            if skip.is_empty() {
                return error;
            }
            return error.hint(format!("to skip resources that cannot be fixed: `{command}{}`", skip.concat()));
        }
        let error = Error::new(format!("`{}` is in {} and cannot be changed", stack.name, stack.status));
        let error = match &stack.status_reason {
            Some(reason) => error.note(reason.clone()),
            None => error,
        };
        match stack.status.as_str() {
            "UPDATE_FAILED" => error.hint(format!(
                "run `aws cloudformation rollback-stack --region {region} --stack-name {}`, then deploy again",
                stack.name
            )),
            _ => error.hint(format!(
                "check its events, then delete it with `aws cloudformation delete-stack --region {region} --stack-name {}`",
                stack.name
            )),
        }
    }
}

/// What a resource holds that would be lost with it, in words.
fn held(resource: &StackResource) -> Option<String> {
    // What was taken over and given back is the stack's no more.
    let left = resource.status == "DELETE_COMPLETE" || resource.status.starts_with("IMPORT_ROLLBACK");
    let there = resource.status.ends_with("_COMPLETE") && !left;
    if resource.physical_id.is_empty() || !(there || resource.status == "DELETE_FAILED") {
        return None;
    }
    let StackResource { logical_id, resource_type, physical_id, .. } = resource;
    Some(format!("`{logical_id}` ({resource_type}, {physical_id}): {}", loss::holds(resource_type)?))
}
