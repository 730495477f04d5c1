//! Answers of this account beside those that AWS gave to the same requests.
//!
//! The recordings hold answers only, so the templates are put together again from the contexts of the change sets:
//! concrete values as they stand, references from the `CausingEntity` of the details.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::{ACCOUNT, LocalAccount, REGION};
use crate::account::local_account::Account;
use crate::account::query::Query;
use crate::cloudformation::{self, KNOWN_AFTER_APPLY};
use crate::template::schema;

fn recordings() -> Option<Vec<(String, Value)>> {
    let mut recordings = Vec::new();
    for entry in std::fs::read_dir(pipectl_core::testing::recorded()?).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "json") {
            let tests: Map<String, Value> = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
            recordings.extend(tests.into_iter().map(|(name, test)| (name, test["recorded-content"].clone())));
        }
    }
    Some(recordings)
}

fn say(text: &str) {
    eprintln!("{text}");
}

fn call(account: &Arc<Account>, action: &str, fields: &[(&str, &str)]) -> Result<Value, String> {
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.extend_pairs(fields);
    let answer = cloudformation::answer(account, action, &Query::parse(form.finish().as_bytes()));
    answer.map(|answer| without_nulls(&answer)).map_err(|fault| format!("{}: {}", fault.code, fault.message))
}

/// What a client sees: absent members are not there.
fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(entries) => Value::Object(
            entries
                .iter()
                .filter(|(_, value)| !value.is_null())
                .map(|(key, value)| (key.clone(), without_nulls(value)))
                .collect(),
        ),
        Value::Array(items) => items.iter().map(without_nulls).collect(),
        value => value.clone(),
    }
}

fn changes(answer: &Value) -> Vec<&Value> {
    answer["Changes"].as_array().into_iter().flatten().map(|change| &change["ResourceChange"]).collect()
}

/// The templates before and after, or why they cannot be put together.
fn templates(content: &Value) -> Result<(Value, Value), String> {
    let first = &content["describe-change-set-1-prop-values"];
    let second = &content["describe-change-set-2-prop-values"];
    if first.is_null() || second.is_null() {
        return Err("no two change sets".to_owned());
    }
    let mut causes: BTreeMap<(String, String), Value> = BTreeMap::new();
    let mut parameters = BTreeSet::new();
    let mut mappings = Map::new();
    for answer in [second, &content["describe-change-set-2"]] {
        for change in changes(answer) {
            for detail in change["Details"].as_array().into_iter().flatten() {
                let Some(entity) = detail["CausingEntity"].as_str() else { continue };
                let target = (text(&change["LogicalResourceId"]), text(&detail["Target"]["Name"]));
                let cause = match entity.split_once('.') {
                    Some((resource, attribute)) => json!({"Fn::GetAtt": [resource, attribute]}),
                    None => json!({"Ref": entity}),
                };
                let mut cause = cause;
                if detail["ChangeSource"] == "ParameterReference" {
                    parameters.insert(entity.to_owned());
                    // A value that is not the parameter's own was looked up with it.
                    let values = [(first, "BeforeValue"), (second, "AfterValue")]
                        .map(|(answer, value)| (parameter_in(answer, entity), text(&detail["Target"][value])));
                    let looked_up = values.iter().any(|(given, shown)| !shown.is_empty() && given != shown);
                    if looked_up {
                        let keys = values.map(|(given, shown)| (given, json!({"value": shown})));
                        mappings.insert(entity.to_owned(), Value::Object(keys.into_iter().collect()));
                    }
                    if mappings.contains_key(entity) {
                        cause = json!({"Fn::FindInMap": [entity, {"Ref": entity}, "value"]});
                    }
                }
                causes.insert(target, cause);
            }
        }
    }
    let resource = |change: &Value, context: &str| -> Result<Value, String> {
        let id = text(&change["LogicalResourceId"]);
        let resource_type = text(&change["ResourceType"]);
        if schema::of(&resource_type).is_none() {
            return Err(format!("{resource_type} is no type of this account"));
        }
        let mut properties = change[context]["Properties"].as_object().cloned().unwrap_or_default();
        for (name, value) in &mut properties {
            if let Some(cause) = causes.get(&(id.clone(), name.clone())) {
                *value = cause.clone();
            } else if value.to_string().contains(KNOWN_AFTER_APPLY) {
                return Err(format!("{id}.{name} is not told"));
            } else if value.to_string().contains('<') {
                return Err(format!("{id}.{name} is a token"));
            }
        }
        Ok(json!({"Type": resource_type, "Properties": properties}))
    };
    let mut before = Map::new();
    for change in changes(first) {
        before.insert(text(&change["LogicalResourceId"]), resource(change, "AfterContext")?);
    }
    let mut after = before.clone();
    for change in changes(second) {
        let id = text(&change["LogicalResourceId"]);
        match change["Action"].as_str() {
            Some("Remove") => {
                after.remove(&id);
            }
            _ => {
                after.insert(id, resource(change, "AfterContext")?);
            }
        }
    }
    let declared: Map<String, Value> =
        parameters.iter().map(|name| (name.clone(), json!({"Type": "String", "Default": "none"}))).collect();
    let template = |resources: Map<String, Value>| {
        let mut template = json!({"Resources": resources});
        if !declared.is_empty() {
            template["Parameters"] = declared.clone().into();
        }
        if !mappings.is_empty() {
            template["Mappings"] = mappings.clone().into();
        }
        template
    };
    Ok((template(before), template(after)))
}

fn parameter_in(answer: &Value, name: &str) -> String {
    let mut parameters = answer["Parameters"].as_array().into_iter().flatten();
    parameters.find(|one| one["ParameterKey"] == name).map(|one| text(&one["ParameterValue"])).unwrap_or_default()
}

/// A recorded text with the tokens of this account in place of those that stand for the recorder's.
fn untokened(text: &str) -> String {
    text.replace("<partition>", "aws").replace("<region>", REGION).replace("111111111111", ACCOUNT)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// A change without what differs by nature: physical ids, and the order of the details.
fn comparable(change: &Value) -> Value {
    let mut change = change.clone();
    if let Some(id) = change.get_mut("PhysicalResourceId") {
        *id = "id".into();
    }
    // The recordings hold a replacement for some additions, which AWS's own reference does not know.
    if change["Action"] == "Add"
        && let Some(entries) = change.as_object_mut()
    {
        entries.remove("Replacement");
    }
    for context in ["BeforeContext", "AfterContext"] {
        if let Some(Value::String(text)) = change.get(context) {
            change[context] = serde_json::from_str(text).unwrap();
        }
    }
    if let Some(Value::Array(details)) = change.get_mut("Details") {
        details.sort_by_key(Value::to_string);
        for detail in details {
            *detail = sorted(detail);
        }
    }
    sorted(&change)
}

fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(entries) => {
            let entries: BTreeMap<String, Value> =
                entries.iter().map(|(key, value)| (key.clone(), sorted(value))).collect();
            Value::Object(entries.into_iter().collect())
        }
        Value::Array(items) => {
            let mut items: Vec<Value> = items.iter().map(sorted).collect();
            if items.iter().all(|item| item.get("Target").is_some()) {
                items.sort_by_key(Value::to_string);
            }
            Value::Array(items)
        }
        value => value.clone(),
    }
}

/// The members of an answer and the kinds of their values, volatile ones left out.
fn shape(answer: &Value, except: &[&str]) -> BTreeMap<String, &'static str> {
    let kind = |value: &Value| match value {
        Value::Null => "nothing",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "text",
        Value::Array(_) => "list",
        Value::Object(_) => "structure",
    };
    answer
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(name, _)| !except.contains(&name.as_str()))
        .map(|(name, value)| (name.clone(), kind(value)))
        .collect()
}

struct Replay {
    account: LocalAccount,
    _directory: tempfile::TempDir,
}

impl Replay {
    fn open() -> Self {
        let directory = tempfile::tempdir().unwrap();
        Self { account: LocalAccount::open(directory.path(), ACCOUNT, REGION).unwrap(), _directory: directory }
    }

    /// Makes a change set as the recording did.
    fn change_set(&self, content: &Value, number: u8, template: &Value) -> Result<String, String> {
        let described = &content[format!("describe-change-set-{number}")];
        let body = template.to_string();
        let mut fields = vec![
            ("StackName".to_owned(), "recorded".to_owned()),
            ("ChangeSetName".to_owned(), format!("cs-{number}")),
            ("ChangeSetType".to_owned(), if number == 1 { "CREATE" } else { "UPDATE" }.to_owned()),
            ("TemplateBody".to_owned(), body),
        ];
        let declared = template["Parameters"].as_object().cloned().unwrap_or_default();
        let given = described["Parameters"].as_array().into_iter().flatten();
        for (index, parameter) in given.filter(|one| declared.contains_key(&text(&one["ParameterKey"]))).enumerate() {
            let index = index + 1;
            for name in ["ParameterKey", "ParameterValue"] {
                fields.push((format!("Parameters.member.{index}.{name}"), text(&parameter[name])));
            }
        }
        let fields: Vec<(&str, &str)> = fields.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        let answer = call(&self.account.0, "CreateChangeSet", &fields)?;
        Ok(text(&answer["Id"]))
    }

    fn describe(&self, id: &str, with_values: bool) -> Value {
        let fields = [("ChangeSetName", id), ("IncludePropertyValues", if with_values { "true" } else { "false" })];
        call(&self.account.0, "DescribeChangeSet", &fields).unwrap()
    }

    async fn execute(&self, id: &str) {
        call(&self.account.0, "ExecuteChangeSet", &[("ChangeSetName", id)]).unwrap();
        self.account.0.idle().await;
    }

    fn stack(&self) -> Value {
        call(&self.account.0, "DescribeStacks", &[("StackName", "recorded")]).unwrap()["Stacks"][0].clone()
    }

    fn events(&self) -> Vec<Value> {
        let answer = call(&self.account.0, "DescribeStackEvents", &[("StackName", "recorded")]).unwrap();
        answer["StackEvents"].as_array().unwrap().clone()
    }
}

/// The statuses of a resource, oldest first, with the reasons that AWS words.
fn history(events: &[Value]) -> Vec<String> {
    let mut lines: Vec<String> = events
        .iter()
        .map(|event| {
            let reason = event["ResourceStatusReason"].as_str().map(|reason| format!(": {reason}"));
            format!("{}{}", text(&event["ResourceStatus"]), reason.unwrap_or_default())
        })
        .collect();
    lines.reverse();
    lines
}

#[tokio::test]
async fn responses_equal_those_of_aws() {
    let Some(recordings) = recordings() else { return };
    let mut compared = 0;
    let mut differing = Vec::new();
    for (name, content) in &recordings {
        let Ok((before, after)) = templates(content) else { continue };
        let test = name.rsplit("::").next().unwrap_or(name);
        let replay = Replay::open();
        let first = replay.change_set(content, 1, &before).unwrap();
        let mut check = |what: &str, ours: String, theirs: String| {
            let theirs = untokened(&theirs);
            if ours != theirs {
                differing.push(format!("{test}: {what}\n  ours:   {ours}\n  theirs: {theirs}"));
            }
        };
        let volatile = ["ResponseMetadata", "Capabilities", "Parameters"];
        let described = replay.describe(&first, true);
        let recorded = &content["describe-change-set-1-prop-values"];
        check(
            "members of a change set",
            format!("{:?}", shape(&described, &volatile)),
            format!("{:?}", shape(recorded, &volatile)),
        );
        replay.execute(&first).await;
        let volatile = ["Outputs", "Parameters", "Capabilities"];
        let stack = replay.stack();
        let recorded = &content["post-create-1-describe"];
        check(
            "members of a stack",
            format!("{:?}", shape(&stack, &volatile)),
            format!("{:?}", shape(recorded, &volatile)),
        );
        let second = replay.change_set(content, 2, &after).unwrap();
        for (label, with_values) in [("describe-change-set-2-prop-values", true), ("describe-change-set-2", false)] {
            let ours = replay.describe(&second, with_values);
            let list = |answer: &Value| {
                changes(answer).into_iter().map(comparable).map(|change| change.to_string()).collect::<Vec<_>>()
            };
            check(label, list(&ours).join("\n          "), list(&content[label]).join("\n          "));
        }
        replay.execute(&second).await;
        check("status", text(&replay.stack()["StackStatus"]), text(&content["post-create-2-describe"]["StackStatus"]));
        let events = replay.events();
        for (id, recorded) in content["per-resource-events"].as_object().into_iter().flatten() {
            let recorded = recorded.as_array().cloned().unwrap_or_default();
            // A deletion follows in some recordings, which is another test's matter.
            let of = |event: &&Value| event["LogicalResourceId"] == id.as_str();
            let ours: Vec<Value> = events.iter().filter(of).cloned().collect();
            // Some recordings keep one event a status only, without their ids.
            let whole = recorded.first().is_some_and(|event| event.get("EventId").is_some());
            if id.starts_with('<') || !whole {
                continue;
            }
            check(&format!("events of {id}"), format!("{:?}", history(&ours)), format!("{:?}", history(&recorded)));
            let volatile = ["ResourceStatusReason", "ResourceProperties"];
            check(
                "members of an event",
                format!("{:?}", ours.first().map(|event| shape(event, &volatile))),
                format!("{:?}", recorded.first().map(|event| shape(event, &volatile))),
            );
        }
        compared += 1;
    }
    say(&format!("compared {compared} of {} recordings", recordings.len()));
    assert!(differing.is_empty(), "{} differ:\n{}", differing.len(), differing.join("\n"));
    assert!(compared >= 15, "only {compared} recordings could be compared");
}
