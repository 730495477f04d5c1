//! After a crash: what was under way is ended as what it is, never as a success that it was not.

use super::{delete, execute, rollback};
use crate::account::local_account::Account;

const REASON: &str = "pipectl ended in the middle of this operation.";

/// Ends every operation that a crash has interrupted.
pub(crate) fn recover(account: &Account) {
    let interrupted: Vec<(String, String)> = account
        .stacks()
        .live
        .values()
        .filter(|stack| stack.is_in_progress())
        .map(|stack| (stack.name.clone(), stack.status.clone()))
        .collect();
    for (name, status) in interrupted {
        match status.as_str() {
            "CREATE_IN_PROGRESS" => {
                set(account, &name, "ROLLBACK_IN_PROGRESS");
                rollback::undo_creation(account, &name);
            }
            "ROLLBACK_IN_PROGRESS" => rollback::undo_creation(account, &name),
            "UPDATE_IN_PROGRESS" => {
                set(account, &name, "UPDATE_ROLLBACK_IN_PROGRESS");
                rollback::undo_update(account, &name);
            }
            "UPDATE_ROLLBACK_IN_PROGRESS" => rollback::undo_update(account, &name),
            // The update itself had succeeded: only the old resources were still to go.
            "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS" => execute::finish(account, &name),
            "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS" => {
                let found = {
                    let stacks = account.stacks();
                    let operation = stacks.find(&name).and_then(|stack| stack.operation.clone());
                    operation.map(|operation| (operation.resources, operation.created))
                };
                if let Some((before, created)) = found {
                    rollback::clean_up_after_rollback(account, &name, &before, &created);
                }
            }
            _ => delete::execute(account, &name),
        }
    }
}

fn set(account: &Account, name: &str, status: &str) {
    if let Some(stack) = account.stacks().find_mut(name) {
        stack.set_status(status, Some(REASON));
    }
}
