//! What the account says of stacks, resources, events and exports.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::evaluation::ssm_value;
use super::{PAGE, no_stack, no_such_stack, page, template_source};
use crate::account::local_account::Account;
use crate::account::query::{Fault, Query};
use crate::account::state::{Deployment, Drift, Event, Stack, StackResource, Stacks};
use crate::template::{Intrinsic, ParameterType, Template};

pub(super) fn stacks(account: &Account, query: &Query) -> Result<Value, Fault> {
    let stacks = account.stacks();
    let described: Vec<Value> = match query.get("StackName") {
        Some(name) => vec![stack(&stacks, stacks.find(name).ok_or_else(|| no_stack(name))?)],
        None => stacks.live.values().map(|one| stack(&stacks, one)).collect(),
    };
    let (described, next) = page(described, query, PAGE);
    Ok(json!({"Stacks": described, "NextToken": next}))
}

fn stack(stacks: &Stacks, stack: &Stack) -> Value {
    let template = template_source::parse(&stack.deployment.template).ok();
    let description = template.as_ref().and_then(|template| template.description.clone());
    let mut answer = json!({
        "StackId": stack.id, "StackName": stack.name, "Description": description, "ChangeSetId": stack.change_set_id,
        "CreationTime": stack.created, "LastUpdatedTime": stack.updated, "DeletionTime": stack.deleted,
        "RollbackConfiguration": {}, "StackStatus": stack.status, "StackStatusReason": stack.status_reason,
        "DisableRollback": stack.disable_rollback, "NotificationARNs": [], "RoleARN": stack.role_arn,
        "Tags": tags(&stack.deployment.tags), "DriftInformation": {
            "StackDriftStatus": stack.drift.as_ref().map_or("NOT_CHECKED", Drift::status),
            "LastCheckTimestamp": stack.drift.as_ref().map(|drift| &drift.time),
        },
    });
    if stack.deleted.is_none() {
        answer["EnableTerminationProtection"] = stack.termination_protection.into();
    }
    if !stack.deployment.capabilities.is_empty() {
        answer["Capabilities"] = json!(stack.deployment.capabilities);
    }
    let parameters = parameters(stacks, template.as_deref(), &stack.deployment);
    if !parameters.is_empty() {
        answer["Parameters"] = parameters.into();
    }
    if !stack.outputs.is_empty() {
        answer["Outputs"] = stack
            .outputs
            .iter()
            .map(|output| {
                json!({
                    "OutputKey": output.key, "OutputValue": output.value, "Description": output.description,
                    "ExportName": output.export,
                })
            })
            .collect();
    }
    answer
}

/// The parameters as AWS shows them: `NoEcho` ones as stars, SSM ones with what they stand for.
pub(super) fn parameters(stacks: &Stacks, template: Option<&Template>, deployment: &Deployment) -> Vec<Value> {
    let one = |(name, value): (&String, &String)| {
        let parameter = template.and_then(|template| template.parameter(name));
        let hidden = parameter.is_some_and(|parameter| parameter.no_echo);
        let mut answer = json!({"ParameterKey": name, "ParameterValue": if hidden { "****" } else { value.as_str() }});
        if parameter.is_some_and(|parameter| matches!(parameter.parameter_type, ParameterType::Ssm { .. })) {
            answer["ResolvedValue"] = ssm_value(stacks, value).into();
        }
        answer
    };
    deployment.parameters.iter().map(one).collect()
}

pub(super) fn tags(tags: &BTreeMap<String, String>) -> Value {
    tags.iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect()
}

pub(super) fn list_stacks(account: &Account, query: &Query) -> Value {
    let stacks = account.stacks();
    let desired = query.list("StackStatusFilter");
    let mut all: Vec<&Stack> = stacks.live.values().chain(&stacks.deleted).collect();
    all.sort_by(|left, right| right.created.cmp(&left.created));
    let summaries: Vec<Value> = all
        .into_iter()
        .filter(|stack| desired.is_empty() || desired.contains(&stack.status))
        .map(|stack| {
            json!({
                "StackId": stack.id, "StackName": stack.name, "CreationTime": stack.created,
                "LastUpdatedTime": stack.updated, "DeletionTime": stack.deleted, "StackStatus": stack.status,
                "StackStatusReason": stack.status_reason,
                "DriftInformation": {"StackDriftStatus": "NOT_CHECKED"},
            })
        })
        .collect();
    let (summaries, next) = page(summaries, query, PAGE);
    json!({"StackSummaries": summaries, "NextToken": next})
}

/// The events of a stack, newest first.
pub(super) fn events(account: &Account, query: &Query) -> Result<Value, Fault> {
    let name = query.required("StackName")?;
    let stacks = account.stacks();
    let stack = stacks.find(name).ok_or_else(|| no_such_stack(name))?;
    let events = stack.events.iter().rev().map(|one| event(stack, one)).collect();
    let (events, next) = page(events, query, PAGE);
    Ok(json!({"StackEvents": events, "NextToken": next}))
}

fn event(stack: &Stack, event: &Event) -> Value {
    json!({
        "StackId": stack.id, "EventId": event.id, "StackName": stack.name, "LogicalResourceId": event.logical_id,
        "PhysicalResourceId": event.physical_id, "ResourceType": event.resource_type, "Timestamp": event.time,
        "ResourceStatus": event.status, "ResourceStatusReason": event.reason,
        "ResourceProperties": event.properties.as_ref().map(Value::to_string),
        "ClientRequestToken": event.token,
    })
}

pub(super) fn resources(account: &Account, query: &Query) -> Result<Value, Fault> {
    let stacks = account.stacks();
    let physical = query.get("PhysicalResourceId");
    let stack = match (query.get("StackName"), physical) {
        (Some(name), _) => stacks.find(name).ok_or_else(|| no_stack(name))?,
        (None, Some(id)) => {
            let mut all = stacks.live.values();
            let owner = all.find(|stack| stack.resources.iter().any(|one| one.physical_id == id));
            owner.ok_or_else(|| Fault::validation(format!("Stack for {id} does not exist")))?
        }
        (None, None) => return Err(Fault::validation("StackName or PhysicalResourceId must be specified.")),
    };
    let desired = query.get("LogicalResourceId");
    let found: Vec<Value> = stack
        .resources
        .iter()
        .filter(|one| desired.is_none_or(|id| one.logical_id == id))
        .map(|one| {
            let mut answer = summary(one);
            answer["StackId"] = stack.id.clone().into();
            answer["StackName"] = stack.name.clone().into();
            answer["Timestamp"] = one.updated.clone().into();
            answer
        })
        .collect();
    Ok(json!({"StackResources": found}))
}

pub(super) fn resource(account: &Account, query: &Query) -> Result<Value, Fault> {
    let name = query.required("StackName")?;
    let id = query.required("LogicalResourceId")?;
    let stacks = account.stacks();
    let stack = stacks.find(name).ok_or_else(|| Fault::validation(format!("Stack '{name}' does not exist")))?;
    let found = stack
        .resource(id)
        .ok_or_else(|| Fault::validation(format!("Resource {id} does not exist for stack {}", stack.name)))?;
    let mut detail = summary(found);
    detail["StackId"] = stack.id.clone().into();
    detail["StackName"] = stack.name.clone().into();
    detail["LastUpdatedTimestamp"] = found.updated.clone().into();
    detail["Metadata"] = "{}".into();
    Ok(json!({"StackResourceDetail": detail}))
}

pub(super) fn list_resources(account: &Account, query: &Query) -> Result<Value, Fault> {
    let name = query.required("StackName")?;
    let stacks = account.stacks();
    let stack = stacks.find(name).ok_or_else(|| no_stack(name))?;
    let summaries: Vec<Value> = stack
        .resources
        .iter()
        .map(|one| {
            let mut answer = summary(one);
            answer["LastUpdatedTimestamp"] = one.updated.clone().into();
            answer
        })
        .collect();
    let (summaries, next) = page(summaries, query, PAGE);
    Ok(json!({"StackResourceSummaries": summaries, "NextToken": next}))
}

fn summary(resource: &StackResource) -> Value {
    json!({
        "LogicalResourceId": resource.logical_id, "PhysicalResourceId": resource.physical_id,
        "ResourceType": resource.resource_type, "ResourceStatus": resource.status,
        "ResourceStatusReason": resource.status_reason,
        "DriftInformation": {"StackResourceDriftStatus": "NOT_CHECKED"},
    })
}

pub(super) fn exports(account: &Account) -> Value {
    let stacks = account.stacks();
    let exports: Vec<Value> = stacks
        .live
        .values()
        .flat_map(|stack| stack.outputs.iter().map(move |output| (stack, output)))
        .filter_map(|(stack, output)| {
            let name = output.export.as_ref()?;
            Some(json!({"ExportingStackId": stack.id, "Name": name, "Value": output.value}))
        })
        .collect();
    json!({"Exports": exports})
}

pub(super) fn imports(account: &Account, query: &Query) -> Result<Value, Fault> {
    let export = query.required("ExportName")?;
    let stacks = account.stacks();
    let users: Vec<&str> = stacks
        .live
        .values()
        .filter(|stack| imports_of(stack).iter().any(|name| name == export))
        .map(|stack| stack.name.as_str())
        .collect();
    if users.is_empty() {
        return Err(Fault::validation(format!("Export '{export}' is not imported by any stack.")));
    }
    Ok(json!({"Imports": users}))
}

/// The names of the exports that a stack imports, as far as the template spells them out.
pub(super) fn imports_of(stack: &Stack) -> Vec<String> {
    let Ok(template) = template_source::parse(&stack.deployment.template) else { return Vec::new() };
    let mut names = Vec::new();
    let properties = template.resources.iter().map(|resource| &resource.properties);
    for expression in properties.chain(template.outputs.iter().map(|output| &output.value)) {
        expression.walk(&mut |inner| {
            if let Some(Intrinsic::ImportValue(name)) = inner.intrinsic() {
                names.extend(name.as_str().map(str::to_owned));
            }
        });
    }
    names
}
