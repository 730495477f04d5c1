//! Taking an update back while it runs, and going on with a rollback that failed.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{no_such_stack, rollback, unsaved};
use crate::account::local_account::Account;
use crate::account::query::{Fault, Query};

/// Answers `CancelUpdateStack`: the update ends after the resource that it is at, and is rolled back.
pub(super) fn cancel(account: &Account, query: &Query) -> Result<Value, Fault> {
    let name = query.required("StackName")?;
    let mut stacks = account.stacks();
    let stack = stacks.find_mut(name).ok_or_else(|| no_such_stack(name))?;
    if stack.status != "UPDATE_IN_PROGRESS" {
        return Err(Fault::validation("CancelUpdateStack cannot be called from current stack status"));
    }
    if let Some(operation) = &mut stack.operation {
        operation.cancelled = true;
    }
    let stack_name = stack.name.clone();
    stacks.save(&stack_name).map_err(|error| unsaved(&error))?;
    Ok(json!({}))
}

/// Answers `ContinueUpdateRollback`: starts it and answers at once.
pub(super) fn continue_rollback(account: &Arc<Account>, query: &Query) -> Result<Value, Fault> {
    let name = query.required("StackName")?;
    let skip = query.list("ResourcesToSkip");
    let mut stacks = account.stacks();
    let stack = stacks.find_mut(name).ok_or_else(|| no_such_stack(name))?;
    if stack.status != "UPDATE_ROLLBACK_FAILED" {
        return Err(Fault::validation(format!(
            "Stack:{} is in {} state and can not continue rolling back.",
            stack.id, stack.status
        )));
    }
    let failed = |id: &String| stack.resource(id).is_some_and(|one| one.status == "UPDATE_FAILED");
    if let Some(id) = skip.iter().find(|id| !failed(id)) {
        return Err(Fault::validation(format!(
            "Resource [{id}] is not in the UPDATE_FAILED state and cannot be skipped"
        )));
    }
    let Some(operation) = &mut stack.operation else {
        return Err(Fault::internal("the local account does not know any more what to go back to"));
    };
    operation.token = query.get("ClientRequestToken").map(str::to_owned);
    operation.skip = skip;
    stack.set_status("UPDATE_ROLLBACK_IN_PROGRESS", Some("User Initiated"));
    let stack_name = stack.name.clone();
    stacks.save(&stack_name).map_err(|error| unsaved(&error))?;
    drop(stacks);
    let worker = Arc::clone(account);
    account.in_background(async move {
        tokio::time::sleep(worker.current_pace()).await;
        rollback::undo_update(&worker, &stack_name);
    });
    Ok(json!({}))
}

/// Whether the update of a stack was cancelled.
pub(super) fn cancelled(account: &Account, stack_name: &str) -> bool {
    let stacks = account.stacks();
    let operation = stacks.find(stack_name).and_then(|stack| stack.operation.as_ref());
    operation.is_some_and(|operation| operation.cancelled)
}
