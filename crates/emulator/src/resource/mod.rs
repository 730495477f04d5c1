//! Resources: their names and attributes, and the errors that AWS would return.

mod check;
mod identity;
mod physical;

use std::collections::BTreeMap;

use serde_json::Value;

pub(super) use check::{World, check};
pub(super) use identity::{attribute, identify, is_same, refreshed};
pub(super) use physical::{already_exists, configuration, create, delete, update};

/// A resource that exists: its physical id and its attributes.
#[derive(Debug, Clone)]
pub(super) struct Identity {
    pub(super) physical_id: String,
    pub(super) attributes: BTreeMap<String, Value>,
}

/// The address of a resource: account, region, stack and logical ID.
#[derive(Debug, Clone, Copy)]
pub(super) struct ResourceAddress<'a> {
    pub(super) account: &'a str,
    pub(super) region: &'a str,
    pub(super) stack: &'a str,
    pub(super) logical_id: &'a str,
}

/// Why a resource could not be made, changed or removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal(pub(super) String);

impl Refusal {
    /// A refusal in the form in which CloudFormation passes on what a service said.
    pub(super) fn by_handler(message: &str, code: &str) -> Self {
        Self(format!(
            "Resource handler returned message: \"{message}\" (RequestToken: {}, HandlerErrorCode: {code})",
            crate::account::clock::uuid()
        ))
    }
}

/// A property at a path such as `Code/S3Bucket`.
pub(super) fn property<'a>(properties: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('/').try_fold(properties, |value, step| value.get(step))
}

/// A property that is a text.
pub(super) fn text<'a>(properties: &'a Value, path: &str) -> Option<&'a str> {
    property(properties, path).and_then(Value::as_str)
}

/// Whether a property is true, be it written as a boolean or as a text.
pub(super) fn flag(properties: &Value, path: &str) -> bool {
    match property(properties, path) {
        Some(Value::Bool(value)) => *value,
        Some(Value::String(text)) => text == "true",
        _ => false,
    }
}
