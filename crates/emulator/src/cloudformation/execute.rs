//! Executing a change set: along the dependencies, create before delete, and back again on a failure.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::evaluation::{Evaluation, answer_of};
use super::steps::{self, Failure};
use super::{change_set, intervene, not_updatable, rollback, template_source, unsaved};
use crate::account::clock;
use crate::account::local_account::{Account, exists};
use crate::account::query::{Fault, Query};
use crate::account::state::{OnFailure, Operation, OperationKind};
use crate::template::Template;

/// Starts the execution and answers at once.
pub(super) fn start(account: &Arc<Account>, query: &Query) -> Result<Value, Fault> {
    let mut stacks = account.stacks();
    let (stack, chosen) = change_set::find(&stacks, query)?;
    let (stack, chosen) = (stack.clone(), chosen.clone());
    let stack_name = stack.name.clone();
    if chosen.execution_status != "AVAILABLE" {
        let status = if chosen.status == "FAILED" { &chosen.status } else { &chosen.execution_status };
        return Err(Fault::new(
            "InvalidChangeSetStatus",
            format!("ChangeSet [{}] cannot be executed in its current status of [{status}]", chosen.id),
        ));
    }
    if stack.is_in_progress() {
        return Err(not_updatable(&stack));
    }
    if chosen.revert_drift {
        return Err(Fault::validation("the local account does not execute drift-aware change sets"));
    }
    let Some(stack) = stacks.live.get_mut(&stack_name) else { return Err(not_updatable(&stack)) };
    let create = stack.status == "REVIEW_IN_PROGRESS";
    let disable_rollback = query.flag("DisableRollback");
    let on_failure = match chosen.on_stack_failure.as_deref() {
        _ if disable_rollback => OnFailure::DoNothing,
        Some("DELETE") => OnFailure::Delete,
        Some("DO_NOTHING") => OnFailure::DoNothing,
        _ => OnFailure::Rollback,
    };
    let now = clock::now();
    stack.operation = Some(Operation {
        kind: if create { OperationKind::Create } else { OperationKind::Update },
        token: query.get("ClientRequestToken").map(str::to_owned),
        deployment: std::mem::replace(&mut stack.deployment, chosen.desired.clone()),
        resources: stack.resources.clone(),
        outputs: stack.outputs.clone(),
        cleanup: Vec::new(),
        created: Vec::new(),
        imports: chosen.imports.clone(),
        imported: Vec::new(),
        retain: Vec::new(),
        retain_except_on_create: query.flag("RetainExceptOnCreate"),
        on_failure,
        cancelled: false,
        skip: Vec::new(),
    });
    stack.updated = Some(now);
    stack.disable_rollback = disable_rollback;
    stack.change_set_id = Some(chosen.id.clone());
    stack.role_arn = chosen.role_arn.clone().or(stack.role_arn.take());
    // The others were made for a stack that will be another one.
    stack.change_sets.retain(|known| known.id == chosen.id);
    for known in &mut stack.change_sets {
        "EXECUTE_IN_PROGRESS".clone_into(&mut known.execution_status);
    }
    stack.set_status(if create { "CREATE_IN_PROGRESS" } else { "UPDATE_IN_PROGRESS" }, Some("User Initiated"));
    stacks.save(&stack_name).map_err(|error| unsaved(&error))?;
    drop(stacks);
    let worker = Arc::clone(account);
    account.in_background(async move { run(&worker, &stack_name).await });
    Ok(json!({}))
}

async fn run(account: &Arc<Account>, stack_name: &str) {
    match forward(account, stack_name).await {
        Ok(()) => finish(account, stack_name),
        Err(failure) => rollback::after(account, stack_name, &failure).await,
    }
}

/// Brings every resource to what the template says.
async fn forward(account: &Account, stack_name: &str) -> Result<(), Failure> {
    let text = {
        let stacks = account.stacks();
        stacks.find(stack_name).map(|stack| stack.deployment.template.clone()).unwrap_or_default()
    };
    let template = template_source::parse(&text).map_err(|fault| Failure::of_stack(&fault.message))?;
    let included: Vec<String> = with_evaluation(account, stack_name, &template, |evaluation, _| {
        evaluation.included().map(|ids| ids.into_iter().map(str::to_owned).collect())
    })?;
    for resource in template.creation_order() {
        if !included.contains(&resource.logical_id) {
            continue;
        }
        if intervene::cancelled(account, stack_name) {
            return Err(Failure::of_stack("User Initiated"));
        }
        let properties = with_evaluation(account, stack_name, &template, |evaluation, stack| {
            evaluation.properties(resource, &|lookup| answer_of(stack, lookup))
        })
        .map_err(|failure| Failure { logical_id: Some(resource.logical_id.clone()), ..failure })?;
        steps::apply(account, stack_name, resource, &properties).await?;
    }
    if intervene::cancelled(account, stack_name) {
        return Err(Failure::of_stack("User Initiated"));
    }
    steps::check_removals(account, stack_name, &included)?;
    let outputs = with_evaluation(account, stack_name, &template, |evaluation, stack| {
        evaluation.outputs(&|lookup| answer_of(stack, lookup))
    })?;
    let mut stacks = account.stacks();
    let taken = outputs.iter().filter_map(|(output, _)| output.export.as_ref()).find(|name| {
        stacks
            .live
            .values()
            .filter(|other| other.name != stack_name)
            .flat_map(|other| &other.outputs)
            .any(|known| known.export.as_ref() == Some(*name))
    });
    if let Some(name) = taken {
        return Err(Failure::of_stack(&format!("Export with name {name} is already exported by another stack")));
    }
    if let Some(stack) = stacks.find_mut(stack_name) {
        stack.outputs = outputs.into_iter().map(|(output, _)| output).collect();
        // What is no longer in the template, or whose condition no longer holds, goes in the cleanup.
        let (kept, gone): (Vec<_>, Vec<_>) =
            stack.resources.drain(..).partition(|resource| included.contains(&resource.logical_id));
        stack.resources = kept;
        if let Some(operation) = &mut stack.operation {
            operation.cleanup.extend(gone.into_iter().filter(exists));
        }
        let order: BTreeMap<&str, usize> = template
            .resources
            .iter()
            .enumerate()
            .map(|(index, resource)| (resource.logical_id.as_str(), index))
            .collect();
        stack.resources.sort_by_key(|resource| order.get(resource.logical_id.as_str()).copied());
    }
    Ok(())
}

fn with_evaluation<T>(
    account: &Account,
    stack_name: &str,
    template: &Template,
    work: impl FnOnce(&Evaluation<'_>, &crate::account::state::Stack) -> Result<T, Fault>,
) -> Result<T, Failure> {
    let stacks = account.stacks();
    let stack = stacks.find(stack_name).ok_or_else(|| Failure::of_stack("the stack was deleted"))?;
    let evaluation = Evaluation::new(account, &stacks, stack, template, &stack.deployment);
    work(&evaluation, stack).map_err(|fault| Failure::of_stack(&fault.message))
}

/// The end of an operation that went well: what is no longer needed is removed.
pub(super) fn finish(account: &Account, stack_name: &str) {
    let (kind, cleanup) = {
        let mut stacks = account.stacks();
        let Some(stack) = stacks.find_mut(stack_name) else { return };
        let Some(operation) = &mut stack.operation else { return };
        let found = (operation.kind, std::mem::take(&mut operation.cleanup));
        if found.0 == OperationKind::Create {
            complete(stack, "CREATE_COMPLETE");
        } else {
            // Kept until it is done, so that a crash in between is finished by the next process.
            operation.cleanup.clone_from(&found.1);
            stack.set_status("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", None);
        }
        steps::save(&stacks, stack_name);
        found
    };
    if kind == OperationKind::Create {
        return;
    }
    for old in cleanup.iter().rev() {
        // A physical resource that cannot be removed does not undo the update: it stays behind, and the event says so.
        let _ = steps::remove(account, stack_name, old, steps::policy_in_cleanup(account, stack_name, old));
    }
    let mut stacks = account.stacks();
    if let Some(stack) = stacks.find_mut(stack_name) {
        complete(stack, "UPDATE_COMPLETE");
    }
    steps::save(&stacks, stack_name);
}

fn complete(stack: &mut crate::account::state::Stack, status: &str) {
    stack.set_status(status, None);
    stack.operation = None;
    for known in &mut stack.change_sets {
        "EXECUTE_COMPLETE".clone_into(&mut known.execution_status);
    }
}
