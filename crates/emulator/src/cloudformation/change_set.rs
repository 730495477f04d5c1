//! Change sets: made, described, listed, removed.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use regex::Regex;
use serde_json::{Value, json};

use super::adoption;
use super::changes::{self, Changes};
use super::{PAGE, describe, drift, no_such_stack, not_updatable, page, template_source, unsaved};
use crate::account::clock;
use crate::account::local_account::Account;
use crate::account::query::{Fault, Query};
use crate::account::state::{ChangeSet, Deployment, Stack, Stacks};
use crate::template::Template;

const NO_CHANGES: &str =
    "The submitted information didn't contain changes. Submit different information to create a change set.";

static STACK_NAME: LazyLock<Regex> =
    LazyLock::new(|| Regex::new("^[a-zA-Z][-a-zA-Z0-9]{0,127}$").expect("the pattern is valid"));

pub(super) fn create(account: &Account, query: &Query) -> Result<Value, Fault> {
    let stack_name = query.required("StackName")?.to_owned();
    let name = query.required("ChangeSetName")?.to_owned();
    let kind = query.get("ChangeSetType").unwrap_or("UPDATE");
    if !matches!(kind, "CREATE" | "UPDATE") {
        return Err(Fault::validation(format!("the local account has no change sets of type {kind}")));
    }
    let mut stacks = account.stacks();
    let existing = stacks.find(&stack_name).cloned();
    let new_stack = existing.is_none();
    let mut stack = starting_point(account, existing, &stack_name, &name, kind)?;
    if let Some(known) = stack.change_sets.iter().find(|known| known.name == name) {
        // The same token is the same request, sent again.
        if known.client_token.is_some() && known.client_token.as_deref() == query.get("ClientToken") {
            return Ok(json!({"Id": known.id, "StackId": stack.id}));
        }
        return Err(Fault::new("AlreadyExistsException", format!("ChangeSet [{name}] already exists")));
    }
    let (desired, template) = desired(account, query, &stack)?;
    let old_template = match stack.deployment.template.as_str() {
        "" => None,
        text => Some(template_source::parse(text)?),
    };
    let revert_drift = query.get("DeploymentMode") == Some("REVERT_DRIFT");
    let compared = if revert_drift { drift::as_it_is(account, &stack) } else { stack.clone() };
    let mut outcome = changes::compare(
        account,
        &stacks,
        &compared,
        &desired,
        &template,
        old_template.as_deref(),
        query.flag("ImportExistingResources"),
    )?;
    if revert_drift {
        drift::annotate(account, &stack, &mut outcome);
    }
    let change_set = assemble(account, &stack, query, &name, desired, outcome);
    let answer = json!({"Id": change_set.id, "StackId": stack.id});
    if new_stack {
        stack.set_status("REVIEW_IN_PROGRESS", Some("User Initiated"));
    }
    stack.change_sets.push(change_set);
    let stack_name = stack.name.clone();
    stacks.live.insert(stack_name.clone(), stack);
    stacks.save(&stack_name).map_err(|error| unsaved(&error))?;
    Ok(answer)
}

/// The stack that a change set is made for; a new one for the first change set of a name.
fn starting_point(
    account: &Account,
    existing: Option<Stack>,
    stack_name: &str,
    name: &str,
    kind: &str,
) -> Result<Stack, Fault> {
    match existing {
        Some(stack) if kind == "CREATE" => {
            if stack.status == "REVIEW_IN_PROGRESS" {
                return Ok(stack);
            }
            Err(Fault::validation(format!(
                "Stack [{stack_name}] already exists and cannot be created again with the changeSet [{name}]."
            )))
        }
        Some(stack) => {
            let ready = [
                "CREATE_COMPLETE",
                "UPDATE_COMPLETE",
                "UPDATE_ROLLBACK_COMPLETE",
                "IMPORT_COMPLETE",
                "CREATE_FAILED",
                "UPDATE_FAILED",
            ];
            if ready.contains(&stack.status.as_str()) { Ok(stack) } else { Err(not_updatable(&stack)) }
        }
        None if kind == "CREATE" => {
            if !STACK_NAME.is_match(stack_name) {
                return Err(Fault::validation(format!(
                    "1 validation error detected: Value '{stack_name}' at 'stackName' failed to satisfy constraint: \
                     Member must satisfy regular expression pattern: [a-zA-Z][-a-zA-Z0-9]*|arn:[-a-zA-Z0-9:/._+]*"
                )));
            }
            Ok(new_stack(account, stack_name))
        }
        None => Err(no_such_stack(stack_name)),
    }
}

fn new_stack(account: &Account, name: &str) -> Stack {
    let id = format!("arn:aws:cloudformation:{}:{}:stack/{name}/{}", account.region, account.id, clock::uuid());
    Stack {
        name: name.to_owned(),
        id,
        status: "REVIEW_IN_PROGRESS".to_owned(),
        status_reason: None,
        created: clock::now(),
        updated: None,
        deleted: None,
        deployment: Deployment::default(),
        resources: Vec::new(),
        outputs: Vec::new(),
        events: Vec::new(),
        change_sets: Vec::new(),
        change_set_id: None,
        termination_protection: false,
        policy: None,
        disable_rollback: false,
        role_arn: None,
        operation: None,
        drift: None,
    }
}

/// What the request wants: template, parameters, tags; checked as CloudFormation checks them.
fn desired(account: &Account, query: &Query, stack: &Stack) -> Result<(Deployment, Arc<Template>), Fault> {
    let text = if query.flag("UsePreviousTemplate") {
        stack.deployment.template.clone()
    } else {
        template_source::text(account, query)?
    };
    let template = template_source::parse(&text)?;
    template_source::check_types(&template)?;
    let mut given = BTreeMap::new();
    for entry in query.structures("Parameters") {
        let Some(key) = entry.get("ParameterKey") else { continue };
        let previous = entry.get("UsePreviousValue").is_some_and(|value| value == "true");
        let value = if previous { stack.deployment.parameters.get(key) } else { entry.get("ParameterValue") };
        match value {
            Some(value) => {
                given.insert(key.clone(), value.clone());
            }
            None if previous => {
                return Err(Fault::validation(format!(
                    "Invalid input for parameter key {key}. Cannot specify usePreviousValue as true for a parameter key \
                     not in the previous template"
                )));
            }
            None => {}
        }
    }
    let parameters = template.parameter_texts(&given).map_err(Fault::validation)?;
    let tags = if query.has_list("Tags") {
        let pair = |entry: BTreeMap<String, String>| Some((entry.get("Key")?.clone(), entry.get("Value")?.clone()));
        query.structures("Tags").into_iter().filter_map(pair).collect()
    } else {
        stack.deployment.tags.clone()
    };
    let capabilities = query.list("Capabilities");
    let needed = template_source::capabilities(&template);
    let granted = |needed: &str| {
        capabilities.iter().any(|known| known == needed)
            || (needed == "CAPABILITY_IAM" && capabilities.iter().any(|known| known == "CAPABILITY_NAMED_IAM"))
    };
    if !needed.iter().all(|needed| granted(needed)) {
        return Err(Fault::new(
            "InsufficientCapabilitiesException",
            format!("Requires capabilities : [{}]", needed.join(", ")),
        ));
    }
    Ok((Deployment { template: text, parameters, tags, capabilities }, template))
}

fn assemble(
    account: &Account,
    stack: &Stack,
    query: &Query,
    name: &str,
    desired: Deployment,
    outcome: Changes,
) -> ChangeSet {
    let id = format!("arn:aws:cloudformation:{}:{}:changeSet/{name}/{}", account.region, account.id, clock::uuid());
    // A stack that is only under review has nothing to compare with: even an empty template would be a change.
    let any = outcome.any || stack.status == "REVIEW_IN_PROGRESS";
    let (status, execution, reason) =
        if any { ("CREATE_COMPLETE", "AVAILABLE", None) } else { ("FAILED", "UNAVAILABLE", Some(NO_CHANGES)) };
    ChangeSet {
        name: name.to_owned(),
        id,
        kind: query.get("ChangeSetType").unwrap_or("UPDATE").to_owned(),
        description: query.get("Description").map(str::to_owned),
        created: clock::now(),
        status: status.to_owned(),
        execution_status: execution.to_owned(),
        status_reason: reason.map(str::to_owned),
        client_token: query.get("ClientToken").map(str::to_owned),
        on_stack_failure: query.get("OnStackFailure").map(str::to_owned),
        role_arn: query.get("RoleARN").map(str::to_owned),
        desired,
        imports: adoption::imports(&outcome.with_values),
        changes: outcome.with_values,
        plain_changes: outcome.plain,
        revert_drift: query.get("DeploymentMode") == Some("REVERT_DRIFT"),
    }
}

/// Finds a change set by its ARN, or by its name and its stack.
pub(super) fn find<'a>(stacks: &'a Stacks, query: &Query) -> Result<(&'a Stack, &'a ChangeSet), Fault> {
    let name = query.required("ChangeSetName")?;
    let not_found =
        || Fault { status: 404, code: "ChangeSetNotFound", message: format!("ChangeSet [{name}] does not exist") };
    if name.starts_with("arn:") {
        let mut all = stacks.live.values().chain(&stacks.deleted);
        let owner = all.find_map(|stack| Some((stack, stack.change_sets.iter().find(|known| known.id == name)?)));
        return owner.ok_or_else(not_found);
    }
    let Some(stack_name) = query.get("StackName") else {
        return Err(Fault::validation("StackName must be specified if ChangeSetName is not specified as an ARN."));
    };
    let stack = stacks.find(stack_name).ok_or_else(|| no_such_stack(stack_name))?;
    let change_set = stack.change_sets.iter().find(|known| known.name == name).ok_or_else(not_found)?;
    Ok((stack, change_set))
}

pub(super) fn describe(account: &Account, query: &Query) -> Result<Value, Fault> {
    let stacks = account.stacks();
    let (stack, change_set) = find(&stacks, query)?;
    let with_values = query.flag("IncludePropertyValues");
    let changes = if with_values { &change_set.changes } else { &change_set.plain_changes };
    let (changes, next) = page(changes.clone(), query, PAGE);
    let template = template_source::parse(&change_set.desired.template).ok();
    let parameters = describe::parameters(&stacks, template.as_deref(), &change_set.desired);
    let mut answer = json!({
        "ChangeSetName": change_set.name, "ChangeSetId": change_set.id, "StackId": stack.id,
        "StackName": stack.name, "Description": change_set.description,
        "CreationTime": change_set.created, "ExecutionStatus": change_set.execution_status,
        "Status": change_set.status, "StatusReason": change_set.status_reason, "NotificationARNs": [],
        "RollbackConfiguration": {}, "Capabilities": change_set.desired.capabilities, "Changes": changes,
        "NextToken": next, "IncludeNestedStacks": false, "OnStackFailure": change_set.on_stack_failure,
    });
    if change_set.revert_drift {
        answer["DeploymentMode"] = "REVERT_DRIFT".into();
    }
    if !parameters.is_empty() {
        answer["Parameters"] = parameters.into();
    }
    if !change_set.desired.tags.is_empty() {
        answer["Tags"] = describe::tags(&change_set.desired.tags);
    }
    Ok(answer)
}

pub(super) fn list(account: &Account, query: &Query) -> Result<Value, Fault> {
    let name = query.required("StackName")?;
    let stacks = account.stacks();
    let stack = stacks.find(name).ok_or_else(|| no_such_stack(name))?;
    let summaries: Vec<Value> = stack
        .change_sets
        .iter()
        .filter(|change_set| change_set.execution_status != "EXECUTE_COMPLETE")
        .map(|change_set| {
            json!({
                "StackId": stack.id, "StackName": stack.name, "ChangeSetId": change_set.id,
                "ChangeSetName": change_set.name, "ExecutionStatus": change_set.execution_status,
                "Status": change_set.status, "StatusReason": change_set.status_reason,
                "CreationTime": change_set.created, "Description": change_set.description,
                "IncludeNestedStacks": false,
            })
        })
        .collect();
    let (summaries, next) = page(summaries, query, PAGE);
    Ok(json!({"Summaries": summaries, "NextToken": next}))
}

pub(super) fn delete(account: &Account, query: &Query) -> Result<Value, Fault> {
    let mut stacks = account.stacks();
    let found = match find(&stacks, query) {
        Ok((stack, change_set)) => (stack.name.clone(), change_set.id.clone(), change_set.execution_status.clone()),
        // Removing what is not there succeeds, as long as its stack is named rightly.
        Err(fault) if fault.code == "ChangeSetNotFound" => return Ok(json!({})),
        Err(fault) => return Err(fault),
    };
    let (stack_name, id, execution) = found;
    if execution.starts_with("EXECUTE_IN") {
        return Err(Fault::new(
            "InvalidChangeSetStatus",
            format!("ChangeSet [{id}] cannot be deleted in its current status of [{execution}]"),
        ));
    }
    if let Some(stack) = stacks.find_mut(&stack_name) {
        stack.change_sets.retain(|known| known.id != id);
    }
    stacks.save(&stack_name).map_err(|error| unsaved(&error))?;
    Ok(json!({}))
}
