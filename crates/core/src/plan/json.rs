//! The plan for machines.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::Serialize;

use super::{Loss, Plan, Summary};

/// The version of the document's form.
const FORMAT: u32 = 1;

/// What a deploy would change.
#[derive(Serialize, JsonSchema)]
#[schemars(title = "pipectl plan")]
struct Document<'a> {
    /// Goes up when a field changes its meaning or goes away; new fields may come at any time.
    format_version: u32,
    /// Whether a deploy would change anything.
    has_changes: bool,
    summary: Summary,
    /// What would be destroyed; a deploy refuses it unless each is allowed by name.
    losses: Vec<Loss>,
    #[serde(flatten)]
    plan: &'a Plan,
}

pub(super) fn write(plan: &Plan) -> String {
    let (summary, losses) = (plan.summary(), plan.losses());
    let document = Document { format_version: FORMAT, has_changes: plan.has_changes(), summary, losses, plan };
    let mut text = serde_json::to_string_pretty(&document).unwrap_or_else(|error| {
        // Every key is a string and every number is finite, so this cannot be reached; if it were, it would be seen.
        format!("{{\"error\": \"{error}\"}}")
    });
    text.push('\n');
    text
}

/// The schema of what is written: every field is there, also those that a file may lack.
pub(super) fn schema() -> serde_json::Value {
    SchemaSettings::default().for_serialize().into_generator().into_root_schema_for::<Document<'static>>().to_value()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::drift::DriftStatus;
    use super::super::overwrite::{Overwrite, ThreeWay};
    use super::super::resource::{Action, PropertyChange, ResourcePlan};
    use super::super::{AccessChange, Rule, StackAction, StackPlan, TableMigration, ValueChange, Warning, WarningKind};
    use super::*;

    /// What in a value is not as a schema says: entries that it does not name, and required ones that are not there.
    fn strange(schema: &Value, root: &Value, value: &Value, path: &str, found: &mut Vec<String>) {
        if let Some(name) = schema["$ref"].as_str() {
            return strange(root.pointer(name.trim_start_matches('#')).unwrap(), root, value, path, found);
        }
        if let Some(any) = schema["anyOf"].as_array() {
            let some = any.iter().find(|one| (one["type"] == "null") == value.is_null());
            return strange(some.unwrap(), root, value, path, found);
        }
        match value {
            Value::Object(entries) => {
                for (name, value) in entries {
                    match &schema["properties"][name] {
                        Value::Null => found.push(format!("{path}/{name} is not in the schema")),
                        property => strange(property, root, value, &format!("{path}/{name}"), found),
                    }
                }
                let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
                found.extend(
                    required
                        .filter(|name| !entries.contains_key(*name))
                        .map(|name| format!("{path}/{name} is missing")),
                );
            }
            Value::Array(items) => {
                for item in items {
                    strange(&schema["items"], root, item, &format!("{path}/*"), found);
                }
            }
            _ => {}
        }
    }

    #[test]
    fn the_json_matches_the_schema() {
        let rule = || Rule { text: "allow".into(), broadens: true, foreign: false };
        let change = || ValueChange { name: "x".into(), before: None, after: Some("1".into()) };
        let resource = ResourcePlan {
            action: Action::Remove,
            logical_id: "Raw".into(),
            resource_type: "AWS::S3::Bucket".into(),
            physical_id: None,
            policy: None,
            forced_by: vec!["A".into()],
            properties: vec![PropertyChange { path: "/Properties/A".into(), ..PropertyChange::default() }],
        };
        let overwrite = Overwrite {
            logical_id: "Raw".into(),
            resource_type: "AWS::S3::Bucket".into(),
            status: DriftStatus::Modified,
            properties: vec![ThreeWay {
                path: "/Properties/A".into(),
                deployed: None,
                live: Some("1".into()),
                desired: Some("2".into()),
            }],
        };
        let stack = StackPlan {
            name: "storage".into(),
            stack_name: "shop-dev-storage".into(),
            action: StackAction::Update,
            resources: vec![resource],
            undecided: false,
            access: vec![AccessChange {
                logical_id: "P".into(),
                resource_type: "AWS::IAM::Policy".into(),
                added: vec![rule()],
                removed: vec![rule()],
            }],
            parameters: vec![change()],
            outputs: vec![change()],
            tags: vec![change()],
            protect: true,
            notes: vec!["n".into()],
            overwrites: vec![overwrite],
        };
        let warning = Warning {
            kind: WarningKind::InUse,
            stack: "s".into(),
            name: None,
            message: "m".into(),
            steps: vec!["do".into()],
        };
        let migration = TableMigration { table: "t".into(), changes: vec!["c".into()], statements: vec!["s".into()] };
        let plan =
            Plan { stacks: vec![stack], warnings: vec![warning], migrations: vec![migration], ..Plan::default() };
        let (schema, written) = (schema(), serde_json::from_str::<Value>(&write(&plan)).unwrap());
        let mut found = Vec::new();
        strange(&schema, &schema, &written, "", &mut found);
        assert_eq!(found, Vec::<String>::new());
        // The check itself sees what is wrong.
        let mut wrong = written;
        wrong["stacks"][0]["resources"][0] = json!({"colour": "red"});
        strange(&schema, &schema, &wrong, "", &mut found);
        assert!(found.contains(&"/stacks/*/resources/*/colour is not in the schema".to_owned()), "{found:?}");
        assert!(found.contains(&"/stacks/*/resources/*/action is missing".to_owned()), "{found:?}");
    }
}
