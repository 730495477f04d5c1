//! Whether a role may do something, as far as its own policies say.
//!
//! Allow and Deny, actions and resources with their wildcards. Conditions and boundaries are not judged here.

use serde_json::Value;

use super::pattern::wildcard;
use crate::rehearse::resource::{Resource, Resources};

/// Why a role cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Denied {
    NoSuchRole,
    /// The service may not assume it.
    NotTrusted,
    /// No policy of it allows the action on the resource, or one forbids it.
    NotAllowed,
}

/// Whether `service` may assume the role, and the role allows the action.
pub(super) fn allows<'a>(
    resources: &'a Resources,
    role_arn: &str,
    service: &str,
    action: &str,
    resource: &str,
) -> Result<&'a Resource, (Denied, Option<&'a Resource>)> {
    let name = role_arn.rsplit('/').next().unwrap_or_default();
    let Some(role) = resources.named("AWS::IAM::Role", name) else { return Err((Denied::NoSuchRole, None)) };
    let trusts = statements(role.get("/AssumeRolePolicyDocument")).any(|statement| {
        effect(statement) == "Allow"
            && texts(statement.pointer("/Principal/Service")).any(|principal| principal == service)
    });
    if !trusts {
        return Err((Denied::NotTrusted, Some(role)));
    }
    let inline = role.list("/Policies").iter().map(|policy| policy.get("PolicyDocument"));
    let attached = ["AWS::IAM::RolePolicy", "AWS::IAM::Policy", "AWS::IAM::ManagedPolicy"]
        .into_iter()
        .flat_map(|kind| resources.of(kind))
        .filter(|policy| policy.text("/RoleName") == Some(name) || texts(policy.get("/Roles")).any(|role| role == name))
        .map(|policy| policy.get("/PolicyDocument"));
    let matching: Vec<&str> = inline
        .chain(attached)
        .flat_map(statements)
        .filter(|statement| {
            let action = action.to_lowercase();
            texts(statement.get("Action")).any(|pattern| wildcard(&pattern.to_lowercase(), &action))
                && texts(statement.get("Resource")).any(|pattern| wildcard(pattern, resource))
        })
        .map(effect)
        .collect();
    if matching.contains(&"Allow") && !matching.contains(&"Deny") {
        Ok(role)
    } else {
        Err((Denied::NotAllowed, Some(role)))
    }
}

fn statements(document: Option<&Value>) -> impl Iterator<Item = &Value> {
    match document.and_then(|document| document.get("Statement")) {
        Some(Value::Array(statements)) => statements.as_slice(),
        Some(statement) => std::slice::from_ref(statement),
        None => &[],
    }
    .iter()
}

fn effect(statement: &Value) -> &str {
    statement.get("Effect").and_then(Value::as_str).unwrap_or_default()
}

/// A text, or the texts of a list.
fn texts(value: Option<&Value>) -> impl Iterator<Item = &str> {
    match value {
        Some(Value::Array(items)) => items.as_slice(),
        Some(value) => std::slice::from_ref(value),
        None => &[],
    }
    .iter()
    .filter_map(Value::as_str)
}
