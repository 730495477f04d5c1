//! Deleting a stack: against the order of creation, and not what must stay.

use std::sync::Arc;

use serde_json::{Value, json};

use super::steps::{self, Leaving};
use super::{template_source, unsaved};
use crate::account::clock;
use crate::account::local_account::{Account, exists};
use crate::account::query::{Fault, Query};
use crate::account::state::{OnFailure, Operation, OperationKind, Stack};

/// Starts the deletion and answers at once. A stack that is not there is deleted already.
pub(super) fn start(account: &Arc<Account>, query: &Query) -> Result<Value, Fault> {
    let name = query.required("StackName")?;
    let mut stacks = account.stacks();
    let Some(stack) = stacks.find_mut(name) else { return Ok(json!({})) };
    let stack_name = stack.name.clone();
    if stack.termination_protection {
        return Err(Fault::validation(format!(
            "Stack [{stack_name}] cannot be deleted while TerminationProtection is enabled"
        )));
    }
    if stack.is_in_progress() {
        if stack.status == "DELETE_IN_PROGRESS" {
            return Ok(json!({}));
        }
        return Err(Fault::validation(format!(
            "Stack [{}] cannot be deleted while in status {}",
            stack.id, stack.status
        )));
    }
    if stack.status == "REVIEW_IN_PROGRESS" {
        stack.set_status("DELETE_COMPLETE", None);
        stack.deleted = Some(clock::now());
        stacks.bury(&stack_name).map_err(|error| unsaved(&error))?;
        return Ok(json!({}));
    }
    let mut retain = query.list("RetainResources");
    if !retain.is_empty() && stack.status != "DELETE_FAILED" {
        return Err(Fault::validation(format!(
            "Invalid operation on stack [{}]. When you delete a stack, specify which resources to retain only when the \
             stack is in the DELETE_FAILED state.",
            stack.id
        )));
    }
    if query.get("DeletionMode") == Some("FORCE_DELETE_STACK") {
        let failed = stack.resources.iter().filter(|one| one.status == "DELETE_FAILED");
        retain.extend(failed.map(|one| one.logical_id.clone()));
    }
    stack.operation = Some(Operation {
        kind: OperationKind::Delete,
        token: query.get("ClientRequestToken").map(str::to_owned),
        deployment: stack.deployment.clone(),
        resources: Vec::new(),
        outputs: Vec::new(),
        cleanup: Vec::new(),
        created: Vec::new(),
        imports: Vec::new(),
        imported: Vec::new(),
        retain,
        retain_except_on_create: false,
        on_failure: OnFailure::DoNothing,
        cancelled: false,
        skip: Vec::new(),
    });
    stack.set_status("DELETE_IN_PROGRESS", Some("User Initiated"));
    stacks.save(&stack_name).map_err(|error| unsaved(&error))?;
    drop(stacks);
    let worker = Arc::clone(account);
    account.in_background(async move {
        tokio::time::sleep(worker.current_pace()).await;
        execute(&worker, &stack_name);
    });
    Ok(json!({}))
}

/// Deletes what a stack holds, and the stack with it if all of it went.
pub(super) fn execute(account: &Account, stack_name: &str) {
    let Some(stack) = account.stacks().find(stack_name).cloned() else { return };
    if let Some(reason) = export_in_use(account, &stack) {
        return end(account, stack_name, Some(&reason));
    }
    let retain = stack.operation.as_ref().map(|operation| operation.retain.clone()).unwrap_or_default();
    let template = template_source::parse(&stack.deployment.template).ok();
    let order: Vec<String> = template
        .as_ref()
        .map(|template| template.creation_order().iter().map(|one| one.logical_id.clone()).collect())
        .unwrap_or_default();
    let dependencies = template.as_deref().map(crate::template::Template::dependencies).unwrap_or_default();
    let mut resources: Vec<_> = stack.resources.iter().filter(|one| exists(one)).collect();
    resources.sort_by_key(|one| order.iter().position(|id| *id == one.logical_id));
    let mut failed: Vec<&str> = Vec::new();
    for resource in resources.into_iter().rev() {
        let id = resource.logical_id.as_str();
        // What a resource that stays needs must stay as well.
        let needed = failed.iter().any(|one| dependencies.get(one).is_some_and(|needs| needs.contains(id)));
        if needed {
            continue;
        }
        let leaving = if retain.iter().any(|one| one == id) {
            Leaving::Keep
        } else {
            Leaving::by_policy(&resource.deletion_policy, false)
        };
        if steps::remove(account, stack_name, resource, leaving).is_err() {
            failed.push(id);
        }
    }
    let reason =
        (!failed.is_empty()).then(|| format!("The following resource(s) failed to delete: [{}]. ", failed.join(", ")));
    end(account, stack_name, reason.as_deref());
}

fn end(account: &Account, stack_name: &str, failure: Option<&str>) {
    let mut stacks = account.stacks();
    if let Some(stack) = stacks.find_mut(stack_name) {
        if let Some(reason) = failure {
            stack.set_status("DELETE_FAILED", Some(reason));
        } else {
            stack.set_status("DELETE_COMPLETE", None);
            stack.deleted = Some(clock::now());
            stack.change_set_id = None;
        }
        stack.operation = None;
    }
    if failure.is_some() || stacks.bury(stack_name).is_err() {
        steps::save(&stacks, stack_name);
    }
}

fn export_in_use(account: &Account, stack: &Stack) -> Option<String> {
    let stacks = account.stacks();
    let exports = stack.outputs.iter().filter_map(|output| output.export.as_deref());
    for export in exports {
        let user = stacks.live.values().find(|other| {
            other.name != stack.name && super::describe::imports_of(other).iter().any(|name| name == export)
        });
        if let Some(user) = user {
            return Some(format!("Export {export} cannot be deleted as it is in use by {}", user.name));
        }
    }
    None
}
