//! Drift: what somebody changed past the stacks. Only resources with a body on this machine can drift: buckets. All others
//! are data of their stack and nothing else, so they are not compared.

use serde_json::{Value, json};

use super::changes::Changes;
use super::difference::{self, Difference, differences};
use super::{PAGE, no_stack, page, unsaved};
use crate::account::clock;
use crate::account::local_account::{Account, exists};
use crate::account::query::{Fault, Query};
use crate::account::state::{Drift, Stack, StackResource};

/// A resource as it is.
enum Live {
    /// There is nothing but what the stack says.
    OfTheStack,
    Gone,
    Is(Value),
}

fn live(account: &Account, resource: &StackResource) -> Live {
    if resource.resource_type != "AWS::S3::Bucket" {
        return Live::OfTheStack;
    }
    if account.store.has_bucket(&resource.physical_id) {
        Live::Is(account.store.configuration(&resource.physical_id).properties)
    } else {
        Live::Gone
    }
}

/// Compares, at once; the answer of AWS takes a while.
pub(super) fn detect(account: &Account, query: &Query) -> Result<Value, Fault> {
    let name = query.required("StackName")?;
    let mut stacks = account.stacks();
    let stack = stacks.find_mut(name).ok_or_else(|| no_stack(name))?;
    let comparable = ["CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "UPDATE_ROLLBACK_FAILED"];
    if !comparable.contains(&stack.status.as_str()) {
        let text = format!("Drift detection is not supported for stack {} in status {}", stack.name, stack.status);
        return Err(Fault::validation(text));
    }
    let (id, time) = (clock::uuid(), clock::now());
    let resources: Vec<Value> =
        stack.resources.iter().filter(|one| exists(one)).filter_map(|one| found(account, stack, one, &time)).collect();
    stack.drift = Some(Drift { id: id.clone(), time, resources });
    let name = stack.name.clone();
    stacks.save(&name).map_err(|error| unsaved(&error))?;
    Ok(json!({"StackDriftDetectionId": id}))
}

/// What is found of one resource; none if it cannot be compared.
fn found(account: &Account, stack: &Stack, resource: &StackResource, time: &str) -> Option<Value> {
    let expected = &resource.properties;
    let (status, actual) = match live(account, resource) {
        Live::OfTheStack => return None,
        Live::Gone => ("DELETED", None),
        Live::Is(actual) if differences(expected, &actual).is_empty() => ("IN_SYNC", Some(actual)),
        Live::Is(actual) => ("MODIFIED", Some(actual)),
    };
    let compared: Vec<Value> = actual
        .iter()
        .flat_map(|actual| differences(expected, actual))
        .map(|one| {
            let kind = match (&one.before, &one.after) {
                (None, _) => "ADD",
                (_, None) => "REMOVE",
                _ => "NOT_EQUAL",
            };
            json!({
                "PropertyPath": format!("/{}", one.path), "ExpectedValue": text(one.before.as_ref()),
                "ActualValue": text(one.after.as_ref()), "DifferenceType": kind,
            })
        })
        .collect();
    Some(json!({
        "StackId": stack.id, "LogicalResourceId": resource.logical_id, "PhysicalResourceId": resource.physical_id,
        "ResourceType": resource.resource_type, "ExpectedProperties": expected.to_string(),
        "ActualProperties": actual.map(|actual| actual.to_string()), "PropertyDifferences": compared,
        "StackResourceDriftStatus": status, "Timestamp": time,
    }))
}

/// A value as AWS writes it; `null` for what is not there.
fn text(value: Option<&Value>) -> String {
    value.map_or_else(|| "null".to_owned(), difference::text)
}

impl Drift {
    fn drifted(&self) -> usize {
        self.resources.iter().filter(|one| one["StackResourceDriftStatus"] != "IN_SYNC").count()
    }

    /// AWS's word for a stack with this drift.
    pub(super) fn status(&self) -> &'static str {
        if self.drifted() == 0 { "IN_SYNC" } else { "DRIFTED" }
    }
}

pub(super) fn detection(account: &Account, query: &Query) -> Result<Value, Fault> {
    let id = query.required("StackDriftDetectionId")?;
    let stacks = account.stacks();
    let found = stacks.live.values().find_map(|stack| Some((stack, stack.drift.as_ref().filter(|one| one.id == id)?)));
    let (stack, drift) =
        found.ok_or_else(|| Fault::validation(format!("Drift detection with ID {id} does not exist.")))?;
    Ok(json!({
        "StackId": stack.id, "StackDriftDetectionId": id, "StackDriftStatus": drift.status(),
        "DetectionStatus": "DETECTION_COMPLETE", "DriftedStackResourceCount": drift.drifted(), "Timestamp": drift.time,
    }))
}

pub(super) fn resource_drifts(account: &Account, query: &Query) -> Result<Value, Fault> {
    let name = query.required("StackName")?;
    let desired = query.list("StackResourceDriftStatusFilters");
    let stacks = account.stacks();
    let stack = stacks.find(name).ok_or_else(|| no_stack(name))?;
    let all = stack.drift.iter().flat_map(|drift| &drift.resources);
    let status = |one: &Value| one["StackResourceDriftStatus"].as_str().unwrap_or_default().to_owned();
    let found = all.filter(|one| desired.is_empty() || desired.contains(&status(one))).cloned().collect();
    let (found, next) = page(found, query, PAGE);
    Ok(json!({"StackResourceDrifts": found, "NextToken": next}))
}

/// A stack with its resources as they are, and not as it has deployed them.
pub(super) fn as_it_is(account: &Account, stack: &Stack) -> Stack {
    let mut stack = stack.clone();
    for resource in stack.resources.iter_mut().filter(|one| exists(one)) {
        match live(account, resource) {
            Live::OfTheStack => {}
            Live::Gone => "DELETE_COMPLETE".clone_into(&mut resource.status),
            Live::Is(properties) => resource.properties = properties,
        }
    }
    stack
}

/// Adds to the changes of a drift-aware change set what was deployed and what is there.
pub(super) fn annotate(account: &Account, stack: &Stack, changes: &mut Changes) {
    for resource in stack.resources.iter().filter(|one| exists(one)) {
        let (status, drifted) = match live(account, resource) {
            Live::OfTheStack => ("UNSUPPORTED", Vec::new()),
            Live::Gone => ("DELETED", Vec::new()),
            Live::Is(actual) => match differences(&resource.properties, &actual) {
                none if none.is_empty() => ("IN_SYNC", none),
                some => ("MODIFIED", some),
            },
        };
        let mut listed = false;
        for all in [&mut changes.with_values, &mut changes.plain] {
            let of_resource = |one: &&mut Value| one["ResourceChange"]["LogicalResourceId"] == resource.logical_id;
            if let Some(change) = all.iter_mut().find(of_resource) {
                listed = true;
                explain(&mut change["ResourceChange"], resource, status, &drifted);
            }
        }
        // What somebody changed is what the template wants now: CloudFormation only takes note.
        if !listed && status == "MODIFIED" {
            let mut change = json!({
                "Action": "SyncWithActual", "LogicalResourceId": resource.logical_id,
                "PhysicalResourceId": resource.physical_id, "ResourceType": resource.resource_type,
                "Scope": ["Properties"], "Details": [],
            });
            explain(&mut change, resource, status, &drifted);
            let change = json!({"Type": "Resource", "ResourceChange": change});
            changes.with_values.push(change.clone());
            changes.plain.push(change);
            changes.any = true;
        }
    }
}

fn explain(change: &mut Value, resource: &StackResource, status: &str, drifted: &[Difference]) {
    change["ResourceDriftStatus"] = status.into();
    if drifted.is_empty() {
        return;
    }
    change["PreviousDeploymentContext"] = json!({"Properties": resource.properties}).to_string().into();
    for detail in change["Details"].as_array_mut().into_iter().flatten() {
        let target = &mut detail["Target"];
        target["BeforeValueFrom"] = "ACTUAL_STATE".into();
        target["AfterValueFrom"] = "TEMPLATE".into();
        let path = target["Path"].as_str().unwrap_or_default().to_owned();
        if let Some(one) = drifted.iter().find(|one| path == format!("/Properties/{}", one.path)) {
            target["Drift"] = json!({
                "PreviousValue": text(one.before.as_ref()), "ActualValue": text(one.after.as_ref()),
                "DriftDetectionTimestamp": clock::now(),
            });
        }
    }
}
