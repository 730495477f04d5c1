//! What is done about the state in which a stack is found.

use std::collections::BTreeSet;
use std::sync::{MutexGuard, PoisonError};

use super::follow::Ended;
use super::overtaken::{Attempt, Halt};
use super::progress::Step;
use super::{Session, leftover};
use crate::aws::Kind;
use crate::aws::cloudformation::StackResource;
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::plan::deployed::{Stack, Standing};
use crate::plan::{Known, loss};
use crate::render::RenderedStack;

const ROLLBACK_FAILED: &str = "UPDATE_ROLLBACK_FAILED";
/// How old a change set is of which nobody is about to do anything any more.
const LEFT_BEHIND: time::Duration = time::Duration::hours(1);

impl Session {
    fn absent(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.absent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A stack with its template; none if there is nothing to update. Waits for what others do to it, and takes it out
    /// of a failed rollback if that was asked for.
    pub(super) async fn read(&self, wanted: &RenderedStack) -> Result<Option<Known>> {
        loop {
            let Some(stack) = self.settled(&wanted.name, &wanted.stack_name).await? else {
                self.absent().insert(wanted.stack_name.clone());
                return Ok(None);
            };
            match stack.status.standing() {
                Standing::Absent => return Ok(None),
                Standing::Shell => {
                    self.check_holds_nothing(&stack).await?;
                    self.say(Step::Note(format!(
                        "`{}` is in {} after a creation that failed. It holds no data: a deploy deletes it and creates it anew",
                        stack.name, stack.status
                    )));
                    return Ok(None);
                }
                Standing::Broken if stack.status.as_str() == ROLLBACK_FAILED && self.recovery.continue_rollback => {
                    self.continue_rollback(wanted, &stack).await?;
                }
                Standing::Broken => return Err(self.broken(&wanted.name, &stack).await),
                Standing::Busy | Standing::Settled => {
                    let text = self.aws.cloudformation.template(&stack.id).await?;
                    return Ok(Some(Known::new(stack, text)));
                }
            }
        }
    }

    /// Clears away what stands in the way of a creation: the shell of one that failed, or of one that was never begun.
    /// Where the survey has found nothing at all it does not look again: CloudFormation refuses to create what is there.
    pub(super) async fn make_way(&self, wanted: &RenderedStack) -> Attempt<()> {
        if self.absent().remove(&wanted.stack_name) {
            return Ok(());
        }
        let Some(stack) = self.settled(&wanted.name, &wanted.stack_name).await? else { return Ok(()) };
        match stack.status.standing() {
            Standing::Absent => self.clear_review(wanted, &stack).await,
            Standing::Shell => {
                self.check_holds_nothing(&stack).await?;
                let what = format!("is cleared of a failed creation ({})", stack.status);
                let ended = self.delete(wanted, &stack, what).await?;
                if ended.stack.status.as_str() == "DELETE_COMPLETE" {
                    return Ok(());
                }
                Err(self.cause(wanted, &ended.stack, &ended.events).await.into())
            }
            Standing::Broken => Err(self.broken(&wanted.name, &stack).await.into()),
            Standing::Busy | Standing::Settled => Err(Halt::Overtaken(format!("the stack is in {}", stack.status))),
        }
    }

    /// A stack in review is made by a change set that was never executed. If all of them are left from runs that are
    /// long over, it goes with them. A younger one may be just about to be executed by another deploy.
    async fn clear_review(&self, wanted: &RenderedStack, stack: &Stack) -> Attempt<()> {
        if stack.status.as_str() != "REVIEW_IN_PROGRESS" {
            return Ok(());
        }
        let Ok(change_sets) = self.aws.cloudformation.change_sets(&stack.id).await else { return Ok(()) };
        let now = time::OffsetDateTime::now_utc();
        let left = |created: &str| {
            let parsed = time::OffsetDateTime::parse(created, &time::format_description::well_known::Rfc3339);
            parsed.is_ok_and(|created| now - created > LEFT_BEHIND)
        };
        let ours = |name: &str| leftover::purpose(name).is_some();
        if change_sets.is_empty() || !change_sets.iter().all(|one| ours(&one.name) && left(&one.created)) {
            return Ok(());
        }
        let what = "is cleared of a change set that was never executed".to_owned();
        self.delete(wanted, stack, what).await.map(drop)
    }

    async fn delete(&self, wanted: &RenderedStack, stack: &Stack, what: String) -> Attempt<Ended> {
        self.say(Step::Stack { stack: wanted.name.clone(), what });
        let token = self.other_token(&wanted.name);
        let anchor = self.anchor(&stack.id, &token).await;
        self.aws.cloudformation.delete_stack(&stack.id, &token, self.role.as_deref()).await?;
        Ok(self.follow(&wanted.name, &stack.id, anchor, &token).await?)
    }

    /// Fails if a stack that has to be deleted before it can be created still holds data.
    async fn check_holds_nothing(&self, stack: &Stack) -> Result<()> {
        let resources = self.aws.cloudformation.resources(&stack.id).await?;
        let held: Vec<String> = resources.iter().filter_map(held).collect();
        if held.is_empty() {
            return Ok(());
        }
        let error = Error::new(format!(
            "`{}` is in {} after a creation that failed, and it holds data: it is not deleted without you",
            stack.name, stack.status
        ));
        let error = held.into_iter().fold(error, Error::note);
        Err(error.hint(format!(
            "save what is needed, then run `aws cloudformation delete-stack --region {} --stack-name {}` and `pipectl deploy --env {}`",
            self.aws.region, stack.name, self.environment
        )))
    }

    /// Goes on with a rollback that failed, without what was named to be skipped.
    async fn continue_rollback(&self, wanted: &RenderedStack, stack: &Stack) -> Result<()> {
        let (name, stack_name) = (&wanted.name, &wanted.stack_name);
        let failed = self.failed_resources(stack).await?;
        let skip = self.recovery.skipped(name);
        let wrong: Vec<&String> = skip.iter().filter(|id| !failed.iter().any(|one| one.logical_id == **id)).collect();
        if let [first, ..] = wrong.as_slice() {
            let can: Vec<String> = failed.iter().map(|one| format!("{name}/{}", one.logical_id)).collect();
            return Err(Error::new(format!("`{name}/{first}` cannot be skipped: its rollback has not failed"))
                .hint(format!("these can be: `{}`", can.join("`, `")))
                .exit(Exit::Usage));
        }
        let without = if skip.is_empty() { String::new() } else { format!(", without `{}`", skip.join("`, `")) };
        self.say(Step::Stack { stack: name.clone(), what: format!("goes on with its rollback{without}") });
        let token = self.other_token(name);
        let anchor = self.anchor(&stack.id, &token).await;
        let role = self.role.as_deref();
        match self.aws.cloudformation.continue_rollback(&stack.id, &skip, &token, role).await {
            Ok(()) => {}
            // Somebody else has begun it: it is waited for.
            Err(failure) if failure.kind == Kind::WrongState => return Ok(()),
            Err(failure) => return Err(failure.into()),
        }
        let ended = self.follow(name, &stack.id, anchor, &token).await?;
        if ended.stack.status.standing() == Standing::Broken {
            return Err(self.broken(name, &ended.stack).await);
        }
        if !skip.is_empty() {
            self.say(Step::Note(format!(
                "what was skipped in `{stack_name}` is no longer as its template says: `{}`. The next change of it may fail; \
                 `pipectl plan` does not show this",
                skip.join("`, `")
            )));
        }
        Ok(())
    }

    /// The resources of which the way back failed.
    async fn failed_resources(&self, stack: &Stack) -> Result<Vec<StackResource>> {
        let mut resources = self.aws.cloudformation.resources(&stack.id).await?;
        resources.retain(|resource| resource.status == "UPDATE_FAILED");
        Ok(resources)
    }

    /// The error of a stack with which nothing can be done until someone mends it.
    async fn broken(&self, name: &str, stack: &Stack) -> Error {
        let (region, environment) = (&self.aws.region, &self.environment);
        if stack.status.as_str() == ROLLBACK_FAILED {
            let failed = self.failed_resources(stack).await.unwrap_or_default();
            let error = Error::new(format!(
                "`{}` is in {}: its last update failed, and so did the way back",
                stack.name, stack.status
            ));
            let error = failed.iter().fold(error, |error, one| {
                let reason = one.reason.as_deref().unwrap_or("CloudFormation gave no reason");
                error.note(format!("`{}` ({}): {reason}", one.logical_id, one.resource_type))
            });
            let command = format!("pipectl deploy --env {environment} --continue-rollback");
            let error = error.hint(format!("mend what this names, then run `{command}`"));
            let skip: Vec<String> = failed.iter().map(|one| format!(" --skip {name}/{}", one.logical_id)).collect();
            if skip.is_empty() {
                return error;
            }
            return error.hint(format!("what cannot be mended can be left as it is: `{command}{}`", skip.concat()));
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
                "look at its events, then delete it with `aws cloudformation delete-stack --region {region} --stack-name {}`",
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
