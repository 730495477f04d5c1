//! Stack policies: which updates of which resources are refused.

use serde_json::{Value, json};

use super::{no_such_stack, unsaved};
use crate::account::local_account::Account;
use crate::account::query::{Fault, Query};
use crate::account::state::{Stack, StackResource};

/// The longest policy, in bytes.
const LONGEST: usize = 16_384;

/// Answers `SetStackPolicy`. An empty document takes the policy away.
pub(super) fn set(account: &Account, query: &Query) -> Result<Value, Fault> {
    let name = query.required("StackName")?;
    let body = match (query.get("StackPolicyBody"), query.get("StackPolicyURL")) {
        (Some(_), Some(_)) => {
            return Err(Fault::validation("You cannot specify both StackPolicyURL and StackPolicyBody"));
        }
        (Some(body), None) => body,
        (None, _) => return Err(Fault::validation("the local account takes a stack policy as StackPolicyBody only")),
    };
    let policy: Option<Value> = serde_json::from_str(body).ok();
    let policy = policy.filter(|policy| body.len() <= LONGEST && is_valid(policy));
    let policy = policy.ok_or_else(|| Fault::validation("Error validating stack policy: Invalid stack policy"))?;
    let mut stacks = account.stacks();
    let stack = stacks.find_mut(name).ok_or_else(|| no_such_stack(name))?;
    stack.policy = Some(if statements(&policy).is_empty() { json!({}) } else { policy });
    let stack_name = stack.name.clone();
    stacks.save(&stack_name).map_err(|error| unsaved(&error))?;
    Ok(json!({}))
}

/// Answers `GetStackPolicy`.
pub(super) fn get(account: &Account, query: &Query) -> Result<Value, Fault> {
    let name = query.required("StackName")?;
    let stacks = account.stacks();
    let stack = stacks.find(name).ok_or_else(|| no_such_stack(name))?;
    Ok(json!({"StackPolicyBody": stack.policy.as_ref().map(Value::to_string)}))
}

fn is_valid(policy: &Value) -> bool {
    policy.as_object().is_some_and(|entries| entries.keys().all(|key| key == "Statement" || key == "Version"))
        && statements(policy).iter().all(|statement| {
            matches!(statement["Effect"].as_str(), Some("Allow" | "Deny"))
                && statement["Principal"] == "*"
                && !texts(&statement["Action"]).is_empty()
                && texts(&statement["Action"]).iter().all(|action| action.starts_with("Update:"))
                && (statement["Resource"].is_null() != statement["NotResource"].is_null())
        })
}

fn statements(policy: &Value) -> Vec<&Value> {
    match &policy["Statement"] {
        Value::Array(statements) => statements.iter().collect(),
        Value::Null => Vec::new(),
        statement => vec![statement],
    }
}

fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::Array(items) => items.iter().filter_map(Value::as_str).collect(),
        value => value.as_str().into_iter().collect(),
    }
}

/// Why the policy of a stack refuses an update, such as `Update:Replace`, of a resource; none if it does not. Without a
/// policy all updates are allowed; with one, those that nothing allows are refused.
pub(super) fn refusal(stack: &Stack, action: &str, resource: &StackResource) -> Option<String> {
    let policy = stack.policy.as_ref()?;
    let statements = statements(policy);
    if statements.is_empty() {
        return None;
    }
    let address = format!("LogicalResourceId/{}", resource.logical_id);
    let matches = |statement: &Value| {
        let actions = texts(&statement["Action"]).iter().any(|pattern| fits(pattern, action));
        let resources = if statement["Resource"].is_null() {
            !texts(&statement["NotResource"]).iter().any(|pattern| fits(pattern, &address))
        } else {
            texts(&statement["Resource"]).iter().any(|pattern| fits(pattern, &address))
        };
        let of_type = |condition: &Value| {
            let types = texts(&condition["ResourceType"]);
            types.is_empty() || types.iter().any(|pattern| fits(pattern, &resource.resource_type))
        };
        actions
            && resources
            && of_type(&statement["Condition"]["StringEquals"])
            && of_type(&statement["Condition"]["StringLike"])
    };
    let found = |effect: &str| statements.iter().position(|one| one["Effect"] == effect && matches(one));
    let number = match (found("Deny"), found("Allow")) {
        (Some(denies), _) => denies + 1,
        (None, Some(_)) => return None,
        (None, None) => 0,
    };
    Some(format!(
        "Action denied by stack policy: Statement [#{number}] does not allow [{action}] for resource [{address}]"
    ))
}

/// Whether a text fits a pattern with stars.
fn fits(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((start, rest)) => text.strip_prefix(start).is_some_and(|text| {
            text.char_indices().map(|(at, _)| at).chain([text.len()]).any(|at| fits(rest, &text[at..]))
        }),
    }
}
