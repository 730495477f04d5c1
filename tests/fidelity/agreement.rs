//! What a recorded change set says, read without the program's own code, beside what `plan --format json` shows of it.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::account::Served;

/// What CloudFormation writes for a value that is known only after the deploy, and what a plan writes.
const KNOWN_AFTER_APPLY: &str = "{{changeSet:KNOWN_AFTER_APPLY}}";
const AFTER_DEPLOY: &str = "(known after deploy)";
const SECRET: &str = "(secret)";

/// What must come of a change set.
pub(super) enum Outcome {
    /// These changes are shown.
    Changes(Vec<Value>),
    /// The stack is shown as unchanged.
    Nothing,
    /// The plan fails and gives this reason.
    Refused(String),
}

/// What a plan shows of the changes of a recording.
#[derive(Default)]
pub(super) struct Agreement {
    pub(super) recorded: usize,
    pub(super) shown: usize,
    pub(super) differences: Vec<String>,
    pub(super) notes: BTreeSet<String>,
}

/// What must come of what is served.
pub(super) fn outcome(served: &Served) -> Outcome {
    let answer = &served.with_values;
    let reason = text(&answer["StatusReason"]);
    match answer["Status"].as_str() {
        Some("FAILED" | "DELETE_COMPLETE" | "DELETE_FAILED") => {
            let empty = ["The submitted information didn't contain changes", "No updates are to be performed"];
            if empty.iter().any(|start| reason.starts_with(start)) {
                Outcome::Nothing
            } else {
                Outcome::Refused(reason)
            }
        }
        _ => {
            let mut changes = changes(answer);
            if reason.contains("[WARN] --include-property-values") {
                complete(&mut changes, self::changes(&served.without));
            }
            Outcome::Changes(changes)
        }
    }
}

fn changes(answer: &Value) -> Vec<Value> {
    let changes = answer["Changes"].as_array().into_iter().flatten();
    changes.map(|change| &change["ResourceChange"]).filter(|change| !change.is_null()).cloned().collect()
}

/// Adds the resources and the details that were left out.
fn complete(changes: &mut Vec<Value>, others: Vec<Value>) {
    let place = |detail: &Value| {
        let target = &detail["Target"];
        json!([target["Attribute"], target["Name"], detail["ChangeSource"], detail["CausingEntity"]])
    };
    for other in others {
        let known = changes.iter_mut().find(|change| change["LogicalResourceId"] == other["LogicalResourceId"]);
        let Some(known) = known else {
            changes.push(other);
            continue;
        };
        let mut details = list(&known["Details"]);
        for detail in list(&other["Details"]) {
            if !details.iter().any(|one| place(one) == place(&detail)) {
                details.push(detail);
            }
        }
        known["Details"] = details.into();
    }
}

/// Compares what must come with the plan of the stack.
pub(super) fn compare(outcome: &Outcome, stack: &Value) -> Agreement {
    let mut agreement = Agreement::default();
    let shown = list(&stack["resources"]);
    agreement.shown = shown.len();
    match outcome {
        Outcome::Refused(reason) => {
            agreement.differences.push(format!("the plan was made although the change set failed: {reason}"));
        }
        Outcome::Nothing if stack["action"] != "none" => {
            agreement.differences.push(format!("action {}, not none", stack["action"]));
        }
        Outcome::Nothing => {
            agreement.notes.insert("nothing changes".to_owned());
        }
        Outcome::Changes(changes) => {
            agreement.recorded = changes.len();
            let ids = |all: &[Value], name: &str| all.iter().map(|one| text(&one[name])).collect::<Vec<_>>();
            let (expected, got) = (ids(changes, "LogicalResourceId"), ids(&shown, "logical_id"));
            if expected != got {
                agreement.differences.push(format!("resources {got:?}, not {expected:?}"));
            }
            for change in changes {
                if let Some(shown) = shown.iter().find(|one| one["logical_id"] == change["LogicalResourceId"]) {
                    resource(change, shown, &mut agreement);
                }
            }
        }
    }
    agreement
}

fn resource(change: &Value, shown: &Value, agreement: &mut Agreement) {
    let id = text(&change["LogicalResourceId"]);
    let name = text(&change["Action"]);
    let action = match (name.as_str(), change["Replacement"].as_str()) {
        ("Add", replacement) => {
            if replacement == Some("True") {
                agreement.notes.insert("an addition recorded with `Replacement: True` is shown as an addition".into());
            }
            "add"
        }
        ("Remove", _) => "remove",
        ("Import", _) => "import",
        ("Dynamic", _) => "may-change",
        ("Modify" | "SyncWithActual", Some("True")) => "replace",
        ("Modify" | "SyncWithActual", Some("False")) => "change",
        ("Modify" | "SyncWithActual", _) => "may-replace",
        (other, _) => other,
    };
    let physical = Some(change["PhysicalResourceId"].clone()).filter(|id| *id != "").unwrap_or_default();
    for (what, expected, got) in [
        ("action", json!(action), &shown["action"]),
        ("type", change["ResourceType"].clone(), &shown["type"]),
        ("physical id", physical, &shown["physical_id"]),
        ("policy", change["PolicyAction"].clone(), &shown["policy"]),
    ] {
        if expected != *got {
            agreement.differences.push(format!("{id}: {what} {got}, not {expected}"));
        }
    }
    let properties = list(&shown["properties"]);
    let (before, after) = (context(&change["BeforeContext"]), context(&change["AfterContext"]));
    let mut values = |expected: &Value, got: Value, what: &str| {
        let mut masked = false;
        if !same(&mut masked, expected, &got) {
            agreement.differences.push(format!("{id}: {what} {got}, not {expected}"));
        }
        if masked {
            agreement.notes.insert("secrets are masked".to_owned());
        }
    };
    match action {
        "add" | "import" => {
            let expected = after.map_or(json!({}), |after| json!({"Properties": after["Properties"]}));
            let mut got = json!({"Properties": expected["Properties"].is_object().then(Map::new)});
            if !expected["Properties"].is_object() {
                got = json!({});
            }
            for property in &properties {
                set(&mut got, &text(&property["path"]), &property["after"]);
            }
            values(&expected, got, "properties");
        }
        "remove" => {}
        _ => {
            let (before, after) = match (before, after) {
                (Some(before), Some(after)) => (before, after),
                (before, after) => of_details(change, before.as_ref(), after.as_ref()),
            };
            // What is shown, laid over what was, is what will be; and what it replaces is what was.
            let (mut there, mut back) = (before.clone(), after.clone());
            for property in &properties {
                let path = text(&property["path"]);
                set(&mut there, &path, &property["after"]);
                set(&mut back, &path, &property["before"]);
            }
            values(&after, there, "after the shown changes");
            values(&before, back, "before the shown changes");
            details(&id, change, &properties, agreement);
        }
    }
}

/// Both sides of a change from its details, when at most one side has the whole resource.
fn of_details(change: &Value, was: Option<&Value>, will_be: Option<&Value>) -> (Value, Value) {
    let (mut before, mut after) = (json!({}), json!({}));
    for detail in list(&change["Details"]) {
        let path = place(&detail);
        for (side, name, whole) in [(&mut before, "BeforeValue", was), (&mut after, "AfterValue", will_be)] {
            let printed = &detail["Target"][name];
            let value = if printed.is_null() { whole.and_then(|whole| whole.pointer(&path)) } else { Some(printed) };
            set(side, &path, &json_text(value.unwrap_or(&Value::Null)));
        }
    }
    (before, after)
}

/// Every detail is shown somewhere, and what is shown has the strongest recreation and a cause of its details.
fn details(id: &str, change: &Value, properties: &[Value], agreement: &mut Agreement) {
    let all = list(&change["Details"]);
    for detail in &all {
        let path = place(detail);
        if !properties.iter().any(|property| related(&text(&property["path"]), &path)) {
            agreement.differences.push(format!("{id}: {path} is not shown"));
        }
    }
    for property in properties {
        let path = text(&property["path"]);
        let about: Vec<&Value> = all.iter().filter(|detail| related(&place(detail), &path)).collect();
        let recreation = |word: &str| about.iter().any(|detail| detail["Target"]["RequiresRecreation"] == word);
        let expected = ["Always", "Conditionally", "Never"].into_iter().find(|word| recreation(word));
        let other = about.iter().find_map(|detail| detail["Target"]["RequiresRecreation"].as_str());
        let expected = json!(expected.or(other));
        if property["requires_recreation"] != expected {
            let got = &property["requires_recreation"];
            agreement.differences.push(format!("{id}: {path} requires recreation {got}, not {expected}"));
        }
        let causes: Vec<&Value> =
            about.iter().map(|detail| &detail["CausingEntity"]).filter(|cause| !cause.is_null()).collect();
        let right = if causes.is_empty() { property["cause"].is_null() } else { causes.contains(&&property["cause"]) };
        if !right {
            agreement.differences.push(format!("{id}: {path} is caused by {}, not {causes:?}", property["cause"]));
        }
    }
}

/// The place of a detail as a JSON pointer from the resource.
fn place(detail: &Value) -> String {
    let target = &detail["Target"];
    match (target["Path"].as_str(), target["Name"].as_str()) {
        (Some(path), _) if !path.is_empty() => path.to_owned(),
        (_, Some(name)) => format!("/{}/{}", text(&target["Attribute"]), name.replace('~', "~0").replace('/', "~1")),
        _ => format!("/{}", text(&target["Attribute"])),
    }
}

fn related(one: &str, other: &str) -> bool {
    let (one, other) = (format!("{one}/"), format!("{other}/"));
    one.starts_with(&other) || other.starts_with(&one)
}

/// Puts a value at a pointer, or takes away what is there. Objects on the way are made; JSON in a text is read.
fn set(whole: &mut Value, pointer: &str, value: &Value) {
    let steps: Vec<String> =
        pointer.split('/').skip(1).map(|step| step.replace("~1", "/").replace("~0", "~")).collect();
    let Some((last, way)) = steps.split_last() else { return };
    let mut place = whole;
    for step in way {
        *place = json_text(place);
        if let Value::Array(items) = place {
            let Some(item) = step.parse().ok().and_then(|index: usize| items.get_mut(index)) else { return };
            place = item;
            continue;
        }
        if !place.is_object() {
            if value.is_null() {
                return;
            }
            *place = json!({});
        }
        place = place.as_object_mut().unwrap().entry(step.clone()).or_insert(Value::Null);
    }
    *place = json_text(place);
    match place {
        Value::Array(items) => {
            if let Some(item) = last.parse().ok().and_then(|index: usize| items.get_mut(index)) {
                *item = value.clone();
            }
        }
        Value::Object(entries) if value.is_null() => {
            entries.shift_remove(last);
        }
        place => {
            if value.is_null() {
                return;
            }
            if !place.is_object() {
                *place = json!({});
            }
            place[last] = value.clone();
        }
    }
}

/// Whether two values say the same: texts with JSON as what they hold, `true` as `"true"`, nothing as an absent entry.
/// A masked value says what it hides.
fn same(masked: &mut bool, expected: &Value, got: &Value) -> bool {
    if got.as_str().is_some_and(|text| text.contains(SECRET)) {
        *masked = true;
        return true;
    }
    match (json_text(expected), json_text(got)) {
        (Value::Object(expected), Value::Object(got)) => {
            let keys: BTreeSet<&String> = expected.keys().chain(got.keys()).collect();
            let side = |entries: &Map<String, Value>, key: &str| entries.get(key).cloned().unwrap_or_default();
            keys.into_iter().all(|key| same(masked, &side(&expected, key), &side(&got, key)))
        }
        (Value::Array(expected), Value::Array(got)) => {
            expected.len() == got.len() && expected.iter().zip(&got).all(|(expected, got)| same(masked, expected, got))
        }
        (Value::Object(entries), Value::Null) | (Value::Null, Value::Object(entries)) => {
            entries.values().all(Value::is_null)
        }
        (expected, got) => scalar(&expected).replace(KNOWN_AFTER_APPLY, AFTER_DEPLOY) == scalar(&got),
    }
}

fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// The list or object that a text holds.
fn json_text(value: &Value) -> Value {
    match value.as_str().map(serde_json::from_str::<Value>) {
        Some(Ok(inner @ (Value::Array(_) | Value::Object(_)))) => inner,
        _ => value.clone(),
    }
}

/// A context: a structure, or the text of one.
fn context(value: &Value) -> Option<Value> {
    Some(json_text(value)).filter(Value::is_object)
}

fn list(value: &Value) -> Vec<Value> {
    value.as_array().cloned().unwrap_or_default()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn modify() -> Value {
        json!({"Action": "Modify", "LogicalResourceId": "Topic", "PhysicalResourceId": "t", "ResourceType": "AWS::SNS::Topic", "Replacement": "False",
            "BeforeContext": {"Properties": {"A": "1", "B": {"C": [1]}}}, "AfterContext": {"Properties": {"A": "2", "B": {"C": [1]}}},
            "Details": [{"Target": {"Attribute": "Properties", "Name": "A", "Path": "/Properties/A", "RequiresRecreation": "Never"}}]})
    }

    fn shown(after: &Value) -> Value {
        json!({"action": "update", "resources": [{"action": "change", "logical_id": "Topic", "type": "AWS::SNS::Topic", "physical_id": "t", "policy": null,
            "properties": [{"path": "/Properties/A", "before": "1", "after": after, "requires_recreation": "Never", "cause": null}]}]})
    }

    /// The test itself can fail: each wrong plan is detected.
    #[test]
    fn disagreements_are_detected() {
        let outcome = Outcome::Changes(vec![modify()]);
        let differences = |stack: &Value| compare(&outcome, stack).differences.join("; ");
        assert_eq!(differences(&shown(&json!(2))), "");
        assert!(differences(&shown(&json!("3"))).contains("after the shown changes"));
        for (pointer, value) in [
            ("/resources/0/action", json!("replace")),
            ("/resources/0/physical_id", json!("u")),
            ("/resources/0/properties/0/before", json!("0")),
            ("/resources/0/properties/0/requires_recreation", json!("Always")),
            ("/resources/0/properties/0/cause", json!("X")),
            ("/resources/0/properties", json!([])),
            ("/resources", json!([])),
        ] {
            let mut stack = shown(&json!("2"));
            *stack.pointer_mut(pointer).unwrap() = value;
            assert_ne!(differences(&stack), "", "{pointer}");
        }
        assert_ne!(compare(&Outcome::Nothing, &shown(&json!("2"))).differences.len(), 0);
    }
}
