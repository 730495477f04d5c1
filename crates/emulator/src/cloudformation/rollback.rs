//! After a failure: back to what was before, truly.

use std::sync::Arc;

use super::steps::{self, Failure, Leaving};
use super::{adoption, delete, difference::differences};
use crate::account::local_account::{Account, exists};
use crate::account::state::{OnFailure, OperationKind, Stack, StackResource};
use crate::resource::{self, Refusal};

/// Does what the operation asks for after a failure.
pub(super) async fn after(account: &Arc<Account>, stack_name: &str, failure: &Failure) {
    let Some((kind, on_failure)) = operation(account, stack_name) else { return };
    let reason = reason_of(failure);
    match (kind, on_failure) {
        (OperationKind::Create, OnFailure::DoNothing) => settle(account, stack_name, "CREATE_FAILED", &reason),
        (_, OnFailure::DoNothing) => settle(account, stack_name, "UPDATE_FAILED", &reason),
        (OperationKind::Create, OnFailure::Delete) => {
            begin(account, stack_name, "DELETE_IN_PROGRESS", &reason);
            tokio::time::sleep(account.current_pace()).await;
            delete::execute(account, stack_name);
        }
        (OperationKind::Create, OnFailure::Rollback) => {
            begin(account, stack_name, "ROLLBACK_IN_PROGRESS", &format!("{reason} Rollback requested by user."));
            tokio::time::sleep(account.current_pace()).await;
            undo_creation(account, stack_name);
        }
        _ => {
            begin(account, stack_name, "UPDATE_ROLLBACK_IN_PROGRESS", &reason);
            tokio::time::sleep(account.current_pace()).await;
            undo_update(account, stack_name);
        }
    }
}

fn operation(account: &Account, stack_name: &str) -> Option<(OperationKind, OnFailure)> {
    let stacks = account.stacks();
    let operation = stacks.find(stack_name)?.operation.as_ref()?;
    Some((operation.kind, operation.on_failure))
}

fn reason_of(failure: &Failure) -> String {
    match &failure.logical_id {
        Some(logical_id) => format!("The following resource(s) failed to {}: [{logical_id}].", failure.verb),
        None => failure.reason.clone(),
    }
}

fn begin(account: &Account, stack_name: &str, status: &str, reason: &str) {
    let mut stacks = account.stacks();
    if let Some(stack) = stacks.find_mut(stack_name) {
        stack.set_status(status, Some(reason));
    }
    steps::save(&stacks, stack_name);
}

/// Leaves everything as it is.
fn settle(account: &Account, stack_name: &str, status: &str, reason: &str) {
    let mut stacks = account.stacks();
    if let Some(stack) = stacks.find_mut(stack_name) {
        end(stack, status, Some(reason));
    }
    steps::save(&stacks, stack_name);
}

fn end(stack: &mut Stack, status: &str, reason: Option<&str>) {
    stack.set_status(status, reason);
    stack.operation = None;
    for known in &mut stack.change_sets {
        "EXECUTE_FAILED".clone_into(&mut known.execution_status);
    }
}

/// Takes away what a failed creation has made.
pub(super) fn undo_creation(account: &Account, stack_name: &str) {
    let (created, strict) = {
        let stacks = account.stacks();
        let Some(operation) = stacks.find(stack_name).and_then(|stack| stack.operation.as_ref()) else { return };
        (operation.created.clone(), operation.retain_except_on_create)
    };
    adoption::give_back(account, stack_name);
    let mut failed = Vec::new();
    for resource in created.iter().rev() {
        let policy = if strict { "RetainExceptOnCreate" } else { resource.deletion_policy.as_str() };
        if steps::remove(account, stack_name, resource, Leaving::by_policy(policy, true)).is_err() {
            failed.push(resource.logical_id.clone());
        }
    }
    let mut stacks = account.stacks();
    if let Some(stack) = stacks.find_mut(stack_name) {
        stack.outputs.clear();
        for resource in stack.resources.iter_mut().filter(|one| one.status == "CREATE_IN_PROGRESS") {
            "DELETE_COMPLETE".clone_into(&mut resource.status);
        }
        if failed.is_empty() {
            end(stack, "ROLLBACK_COMPLETE", None);
        } else {
            let reason = format!("The following resource(s) failed to delete: [{}]. ", failed.join(", "));
            end(stack, "ROLLBACK_FAILED", Some(&reason));
        }
    }
    steps::save(&stacks, stack_name);
}

/// Gives every changed resource back what it had, and takes away what the update has made.
pub(super) fn undo_update(account: &Account, stack_name: &str) {
    let Some((before, created, skip)) = ({
        let stacks = account.stacks();
        let operation = stacks.find(stack_name).and_then(|stack| stack.operation.as_ref());
        operation.map(|operation| (operation.resources.clone(), operation.created.clone(), operation.skip.clone()))
    }) else {
        return;
    };
    let now = {
        let stacks = account.stacks();
        stacks.find(stack_name).map(|stack| stack.resources.clone()).unwrap_or_default()
    };
    let mut failed: Vec<&str> = Vec::new();
    for old in &before {
        let Some(current) = now.iter().find(|one| one.logical_id == old.logical_id) else { continue };
        let replaced = current.physical_id != old.physical_id;
        let changed = replaced || !differences(&current.properties, &old.properties).is_empty();
        if !changed && current.status != "UPDATE_FAILED" {
            continue;
        }
        let physical = Some(current).filter(|_| !replaced && !skip.contains(&old.logical_id));
        if !restore(account, stack_name, old, physical) {
            failed.push(&old.logical_id);
        }
    }
    let mut stacks = account.stacks();
    if let Some(stack) = stacks.find_mut(stack_name) {
        if !failed.is_empty() {
            // What to go back to is kept: somebody may go on with it.
            let reason = format!("The following resource(s) failed to update: [{}]. ", failed.join(", "));
            stack.set_status("UPDATE_ROLLBACK_FAILED", Some(&reason));
            for known in &mut stack.change_sets {
                "EXECUTE_FAILED".clone_into(&mut known.execution_status);
            }
            steps::save(&stacks, stack_name);
            return;
        }
        if let Some(operation) = &mut stack.operation {
            operation.cleanup.clear();
            std::mem::swap(&mut stack.deployment, &mut operation.deployment);
            stack.outputs.clone_from(&operation.outputs);
        }
        stack.set_status("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", None);
    }
    steps::save(&stacks, stack_name);
    drop(stacks);
    clean_up_after_rollback(account, stack_name, &before, &created);
}

/// The second half of an update's rollback: what the update has made goes.
pub(super) fn clean_up_after_rollback(
    account: &Account,
    stack_name: &str,
    before: &[StackResource],
    created: &[StackResource],
) {
    adoption::give_back(account, stack_name);
    for made in created.iter().rev() {
        // It was made by this operation, so nothing of before is lost with it.
        let _ = steps::remove(account, stack_name, made, Leaving::Delete);
    }
    let mut stacks = account.stacks();
    if let Some(stack) = stacks.find_mut(stack_name) {
        stack.resources = before
            .iter()
            .map(|old| {
                let mut restored = old.clone();
                if exists(old) && stack.resource(&old.logical_id).is_some_and(|one| one.status != old.status) {
                    "UPDATE_COMPLETE".clone_into(&mut restored.status);
                }
                restored
            })
            .collect();
        end(stack, "UPDATE_ROLLBACK_COMPLETE", None);
    }
    steps::save(&stacks, stack_name);
}

/// Gives a resource back what it had, its physical counterpart too if one is named. Returns whether that went well.
fn restore(account: &Account, stack_name: &str, old: &StackResource, current: Option<&StackResource>) -> bool {
    {
        let mut stacks = account.stacks();
        if let Some(stack) = stacks.find_mut(stack_name) {
            stack.resource_event(old, "UPDATE_IN_PROGRESS", None);
        }
    }
    // What was accepted once is accepted again, unless somebody has taken it away meanwhile.
    let restored =
        current.map_or(Ok(()), |current| resource::update(&account.store, &account.secrets, current, &old.properties));
    let (status, reason) = match restored {
        Ok(()) => ("UPDATE_COMPLETE", None),
        Err(Refusal(reason)) => ("UPDATE_FAILED", Some(reason)),
    };
    let mut stacks = account.stacks();
    if let Some(stack) = stacks.find_mut(stack_name) {
        stack.resource_event(old, status, reason.as_deref());
        if let Some(known) = stack.resource_mut(&old.logical_id) {
            if reason.is_none() {
                known.properties = old.properties.clone();
            }
            status.clone_into(&mut known.status);
            known.status_reason.clone_from(&reason);
        }
    }
    reason.is_none()
}
