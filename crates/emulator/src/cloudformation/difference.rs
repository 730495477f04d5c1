//! Where two values differ: paths, before and after.

use serde_json::Value;

/// A place where two values differ.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Difference {
    /// Such as `Tags/0/Value`.
    pub(super) path: String,
    pub(super) before: Option<Value>,
    pub(super) after: Option<Value>,
}

impl Difference {
    /// The top-level property.
    pub(super) fn property(&self) -> &str {
        self.path.split('/').next().unwrap_or_default()
    }

    pub(super) fn kind(&self) -> &'static str {
        match (&self.before, &self.after) {
            (None, _) => "Add",
            (_, None) => "Remove",
            _ => "Modify",
        }
    }
}

/// The innermost places where two values differ. Scalars are the same when their texts are: CloudFormation does not
/// tell `4` from `"4"`.
pub(super) fn differences(before: &Value, after: &Value) -> Vec<Difference> {
    let mut found = Vec::new();
    descend("", Some(before), Some(after), &mut found);
    found
}

fn descend(path: &str, before: Option<&Value>, after: Option<&Value>, found: &mut Vec<Difference>) {
    let below = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}/{name}") };
    match (before, after) {
        (Some(Value::Object(before)), Some(Value::Object(after))) => {
            for (name, value) in before {
                descend(&below(name), Some(value), after.get(name), found);
            }
            for (name, value) in after.iter().filter(|(name, _)| !before.contains_key(*name)) {
                descend(&below(name), None, Some(value), found);
            }
        }
        (Some(Value::Array(before)), Some(Value::Array(after))) => {
            for index in 0..before.len().max(after.len()) {
                descend(&below(&index.to_string()), before.get(index), after.get(index), found);
            }
        }
        (Some(before), Some(after)) if same(before, after) => {}
        (before, after) => {
            found.push(Difference { path: path.to_owned(), before: before.cloned(), after: after.cloned() });
        }
    }
}

fn same(before: &Value, after: &Value) -> bool {
    let scalar = |value: &Value| !value.is_object() && !value.is_array();
    before == after || (scalar(before) && scalar(after) && text(before) == text(after))
}

/// A value as a change set shows it.
pub(super) fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        value => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn differences_are_the_innermost() {
        for (before, after, expected) in [
            (json!({"A": 1}), json!({"A": "1"}), vec![]),
            (json!({"A": {"B": 1, "C": 2}}), json!({"A": {"B": 1, "C": 3}}), vec!["Modify A/C"]),
            (json!({"A": [1, 2]}), json!({"A": [1]}), vec!["Remove A/1"]),
            (json!({}), json!({"A": {"B": 1}}), vec!["Add A"]),
        ] {
            let found: Vec<String> =
                differences(&before, &after).iter().map(|one| format!("{} {}", one.kind(), one.path)).collect();
            assert_eq!(found, expected);
        }
    }
}
