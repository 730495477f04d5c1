//! JSON values of a policy as texts.

use serde_json::Value;

/// A value, or the values of a list, as texts.
pub fn texts(value: Option<&Value>) -> impl Iterator<Item = String> + '_ {
    let values = match value {
        Some(Value::Array(items)) => items.as_slice(),
        Some(value) => std::slice::from_ref(value),
        None => &[],
    };
    values.iter().filter_map(|value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        _ => None,
    })
}
