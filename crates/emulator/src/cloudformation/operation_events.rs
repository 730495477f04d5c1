//! `DescribeEvents`: the events of a stack by operation. Hooks and validations before a deployment there are none.

use serde_json::{Value, json};

use super::{PAGE, change_set, no_such_stack, page};
use crate::account::local_account::Account;
use crate::account::query::{Fault, Query};
use crate::account::state::{Event, Stack};

/// The events of a stack, newest first; of a change set those of its execution.
pub(super) fn describe(account: &Account, query: &Query) -> Result<Value, Fault> {
    let stacks = account.stacks();
    let stack: &Stack = if query.get("ChangeSetName").is_some() {
        let (stack, change_set) = change_set::find(&stacks, query)?;
        if stack.change_set_id.as_ref() != Some(&change_set.id) {
            return Ok(json!({"OperationEvents": []}));
        }
        stack
    } else {
        let Some(name) = query.get("StackName") else {
            return Err(Fault::validation("the local account describes the events of a stack or of a change set"));
        };
        stacks.find(name).ok_or_else(|| no_such_stack(name))?
    };
    let failed_only = query.get("Filters.FailedEvents") == Some("true");
    let events = stack.events.iter().rev().filter(|event| !failed_only || event.status.ends_with("_FAILED"));
    let (events, next) = page(events.map(|event| one(stack, event)).collect(), query, PAGE);
    Ok(json!({"OperationEvents": events, "NextToken": next}))
}

fn one(stack: &Stack, event: &Event) -> Value {
    let failed = event.status.ends_with("_FAILED");
    json!({
        "EventId": event.id, "StackId": stack.id, "EventType": if failed { "PROVISIONING_ERROR" } else { "STACK_EVENT" },
        "LogicalResourceId": event.logical_id, "PhysicalResourceId": event.physical_id,
        "ResourceType": event.resource_type, "Timestamp": event.time, "ResourceStatus": event.status,
        "ResourceStatusReason": event.reason, "ClientRequestToken": event.token,
    })
}
