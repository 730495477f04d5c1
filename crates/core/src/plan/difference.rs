//! The leaves in which two JSON values differ.

use serde_json::Value;

/// One difference, at a JSON pointer.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Difference {
    pub(super) path: String,
    pub(super) before: Option<Value>,
    pub(super) after: Option<Value>,
}

/// The differences between two values, in the order of the first one and then of what the second one adds.
pub(super) fn between(before: &Value, after: &Value, path: &str) -> Vec<Difference> {
    let mut differences = Vec::new();
    collect(Some(before), Some(after), path, &mut differences);
    differences
}

fn collect(before: Option<&Value>, after: Option<&Value>, path: &str, into: &mut Vec<Difference>) {
    match (before, after) {
        (Some(before), Some(after)) if same(before, after) => {}
        (Some(Value::Object(before)), Some(Value::Object(after))) => {
            for (key, value) in before {
                collect(Some(value), after.get(key), &step(path, key), into);
            }
            for (key, value) in after.iter().filter(|(key, _)| !before.contains_key(*key)) {
                collect(None, Some(value), &step(path, key), into);
            }
        }
        // Lists of different length are shown whole: an item that was put in front would seem to change all others.
        (Some(Value::Array(before)), Some(Value::Array(after))) if before.len() == after.len() => {
            for (index, (before, after)) in before.iter().zip(after).enumerate() {
                collect(Some(before), Some(after), &step(path, &index.to_string()), into);
            }
        }
        // A document in a text, as some properties have it: what differs in it is worth more than two long texts.
        (Some(Value::String(one)), Some(Value::String(other))) => match (document(one), document(other)) {
            (Some(one), Some(other)) => collect(Some(&one), Some(&other), path, into),
            _ => into.push(Difference { path: path.to_owned(), before: before.cloned(), after: after.cloned() }),
        },
        (before, after) => {
            into.push(Difference { path: path.to_owned(), before: before.cloned(), after: after.cloned() });
        }
    }
}

/// The object that a text is.
fn document(text: &str) -> Option<Value> {
    serde_json::from_str(text).ok().filter(Value::is_object)
}

/// Whether two values are the same to CloudFormation, to which `true` and `"true"`, `1` and `"1"` are.
fn same(before: &Value, after: &Value) -> bool {
    let text = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(value) => Some(value.to_string()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    before == after || matches!((text(before), text(after)), (Some(before), Some(after)) if before == after)
}

/// A JSON pointer, one step longer.
pub(super) fn step(path: &str, key: &str) -> String {
    format!("{path}/{}", key.replace('~', "~0").replace('/', "~1"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn show(before: &Value, after: &Value) -> String {
        between(before, after, "")
            .into_iter()
            .map(|d| format!("{} {:?} {:?}", d.path, d.before.map(|v| v.to_string()), d.after.map(|v| v.to_string())))
            .collect::<Vec<_>>()
            .join("\n")
    }

    #[test]
    fn differing_values_have_json_pointers() {
        let before = json!({"a": {"b": 1, "c": [1, 2]}, "d/e": "x", "same": true});
        let after = json!({"a": {"b": 2, "c": [1, 3]}, "new": {"f": 1}, "same": "true"});
        insta::assert_snapshot!(show(&before, &after), @r#"
        /a/b Some("1") Some("2")
        /a/c/1 Some("2") Some("3")
        /d~1e Some("\"x\"") None
        /new None Some("{\"f\":1}")
        "#);
    }

    #[test]
    fn lists_of_different_length_are_shown_in_full() {
        insta::assert_snapshot!(show(&json!({"a": [1, 2]}), &json!({"a": [0, 1, 2]})), @r#"/a Some("[1,2]") Some("[0,1,2]")"#);
    }

    #[test]
    fn json_in_a_string_is_compared_by_its_values() {
        let text =
            |action: &str| json!({"Definition": json!({"States": {"A": {"Next": action}}}).to_string(), "Name": "{"});
        insta::assert_snapshot!(show(&text("B"), &text("C")), @r#"/Definition/States/A/Next Some("\"B\"") Some("\"C\"")"#);
        let (spaced, dense) = (json!({"D": "{\"a\": 1}"}), json!({"D": "{\"a\":1}"}));
        insta::assert_snapshot!(show(&spaced, &dense), @"");
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i32>().prop_map(Value::from),
            "[a-z/~]{0,4}".prop_map(Value::from)
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                proptest::collection::hash_map("[a-z/~]{1,3}", inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn a_value_does_not_differ_from_itself(value in value()) {
            prop_assert!(between(&value, &value, "").is_empty());
        }

        #[test]
        fn every_pointer_resolves_to_the_reported_value(before in value(), after in value()) {
            for difference in between(&before, &after, "") {
                prop_assert_eq!(before.pointer(&difference.path), difference.before.as_ref());
                prop_assert_eq!(after.pointer(&difference.path), difference.after.as_ref());
            }
        }
    }
}
