//! Change sets as AWS described them.

use std::path::PathBuf;

use serde_json::{Map, Value, json};

/// One change set, as it was described with the values of properties, without them, or both.
pub(super) struct Recording {
    pub(super) file: String,
    pub(super) test: String,
    /// The label of the first answer about it.
    pub(super) label: String,
    pub(super) with_values: Option<Value>,
    pub(super) without: Option<Value>,
}

/// Change sets that were written by hand, for what no recording holds.
pub(super) fn written() -> Vec<Recording> {
    let mut recordings = read(WRITTEN, include_str!("written.json"));
    recordings.push(many());
    recordings
}

/// More changes than a page, or a few pages, would hold.
fn many() -> Recording {
    let change = |number: usize| {
        let replaced = number.is_multiple_of(7);
        let (before, after) = (format!("{number}"), format!("{number}, changed"));
        json!({"Type": "Resource", "ResourceChange": {
            "Action": "Modify", "LogicalResourceId": format!("Item{number}"), "PhysicalResourceId": format!("/items/{number}"),
            "ResourceType": "AWS::SSM::Parameter", "Replacement": if replaced { "True" } else { "False" },
            "PolicyAction": replaced.then_some("ReplaceAndDelete"),
            "BeforeContext": {"Properties": {"Value": before}}, "AfterContext": {"Properties": {"Value": after}},
            "Details": [{"ChangeSource": "DirectModification", "Evaluation": "Static", "Target": {
                "Attribute": "Properties", "Name": "Value", "Path": "/Properties/Value", "AttributeChangeType": "Modify",
                "RequiresRecreation": if replaced { "Always" } else { "Never" }, "BeforeValue": before, "AfterValue": after,
            }}],
        }})
    };
    let described = json!({"ChangeSetId": "many", "Status": "CREATE_COMPLETE", "ExecutionStatus": "AVAILABLE",
        "Changes": (0..320).map(change).collect::<Vec<_>>()});
    Recording {
        file: WRITTEN.to_owned(),
        test: "hundreds of changes".to_owned(),
        label: "described".to_owned(),
        with_values: Some(described),
        without: None,
    }
}

/// The name that stands for a file of recordings where there is none.
pub(super) const WRITTEN: &str = "by hand";

/// All change sets of all files, in the order of their names; none if there is no folder with recordings.
pub(super) fn all() -> Option<Vec<Recording>> {
    let folder = crate::support::recorded()?;
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    files.sort();
    let mut recordings = Vec::new();
    for path in files {
        let text = std::fs::read_to_string(&path).unwrap();
        recordings.extend(read(&path.file_name().unwrap().to_string_lossy(), &text));
    }
    Some(recordings)
}

fn read(file: &str, text: &str) -> Vec<Recording> {
    // A file of another kind holds no test, and so no change set.
    let tests: Map<String, Value> = serde_json::from_str(text).unwrap_or_default();
    let mut recordings = Vec::new();
    for (name, test) in &tests {
        let mut answers = Vec::new();
        collect("", &test["recorded-content"], &mut answers);
        recordings.extend(paired(file, name.rsplit("::").next().unwrap_or(name), answers));
    }
    recordings
}

/// The descriptions of change sets in an answer, at any depth, each with its label.
fn collect<'a>(label: &str, answer: &'a Value, into: &mut Vec<(String, &'a Value)>) {
    match answer {
        Value::Object(entries) if entries.contains_key("ChangeSetId") && answer["Changes"].is_array() => {
            into.push((label.to_owned(), answer));
        }
        Value::Object(entries) => {
            for (key, value) in entries {
                let label = if label.is_empty() { key.clone() } else { format!("{label}.{key}") };
                collect(&label, value, into);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                collect(&format!("{label}.{index}"), item, into);
            }
        }
        _ => {}
    }
}

/// The two descriptions of one change set belong together. A second one of the same kind is a separate recording.
fn paired(file: &str, test: &str, answers: Vec<(String, &Value)>) -> Vec<Recording> {
    let mut recordings: Vec<(&Value, Recording)> = Vec::new();
    for (label, answer) in answers {
        let id = &answer["ChangeSetId"];
        let values = has_values(answer);
        let open = recordings.iter_mut().find(|(known, recording)| {
            *known == id && if values { &recording.with_values } else { &recording.without }.is_none()
        });
        let recording = match open {
            Some((_, recording)) => recording,
            None => {
                let (file, test) = (file.to_owned(), test.to_owned());
                recordings.push((id, Recording { file, test, label, with_values: None, without: None }));
                &mut recordings.last_mut().unwrap().1
            }
        };
        let slot = if values { &mut recording.with_values } else { &mut recording.without };
        *slot = Some(answer.clone());
    }
    recordings.into_iter().map(|(_, recording)| recording).collect()
}

/// Whether the values of properties were asked for. An empty change set does not show it.
fn has_values(answer: &Value) -> bool {
    let changes = answer["Changes"].as_array().into_iter().flatten();
    changes.map(|change| &change["ResourceChange"]).any(|change| {
        let mut details = change["Details"].as_array().into_iter().flatten();
        ["BeforeContext", "AfterContext"].iter().any(|context| !change[context].is_null())
            || details.any(|detail| !detail["Target"]["Path"].is_null())
    })
}
