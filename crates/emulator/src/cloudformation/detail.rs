//! How the change of a resource is written in the description of a change set.

use serde_json::{Value, json};

use super::difference::{Difference, text};
use crate::account::state::StackResource;
use crate::template::schema::{self, Recreation};
use crate::template::{Expression, Resource, Template};

/// A detail before it is written.
pub(super) struct Detail<'a> {
    pub(super) difference: &'a Difference,
    pub(super) source: &'static str,
    pub(super) evaluation: &'static str,
    pub(super) causing_entity: Option<String>,
    pub(super) recreation: Recreation,
    pub(super) masked: bool,
}

/// A change that only follows from that of another resource, and may turn out to be none.
pub(super) fn following(resource: &Resource, deployed: &StackResource, follows: &[(String, String)]) -> Value {
    let schema = schema::of(&resource.resource_type);
    let recreation = |name: &str| schema.map_or(Recreation::Never, |schema| schema.recreation(name));
    let replacement =
        if follows.iter().any(|(name, _)| recreation(name) != Recreation::Never) { "Conditional" } else { "False" };
    let mut change = change_of(resource, deployed, replacement);
    change["Scope"] = json!(["Properties"]);
    change["Details"] = follows
        .iter()
        .map(|(name, entity)| {
            json!({
                "ChangeSource": "ResourceAttribute", "Evaluation": "Dynamic", "CausingEntity": entity,
                "Target": {
                    "Attribute": "Properties", "Name": name, "RequiresRecreation": wording(recreation(name)),
                },
            })
        })
        .collect();
    json!({"Type": "Resource", "ResourceChange": change})
}

impl Detail<'_> {
    pub(super) fn write(&self, with_values: bool) -> Value {
        let mut target = json!({
            "Attribute": "Properties", "Name": self.difference.property(),
            "RequiresRecreation": wording(self.recreation),
        });
        if with_values {
            target["Path"] = format!("/Properties/{}", self.difference.path).into();
            target["AttributeChangeType"] = self.difference.kind().into();
            let shown = |value: &Value| if self.masked { "****".to_owned() } else { text(value) };
            if let Some(before) = &self.difference.before {
                target["BeforeValue"] = shown(before).into();
            }
            if let Some(after) = &self.difference.after {
                target["AfterValue"] = shown(after).into();
            }
        }
        let mut detail = json!({"ChangeSource": self.source, "Evaluation": self.evaluation, "Target": target});
        if let Some(entity) = &self.causing_entity {
            detail["CausingEntity"] = entity.clone().into();
        }
        detail
    }
}

/// A change of a resource that stays, without its details.
pub(super) fn change_of(resource: &Resource, deployed: &StackResource, replacement: &str) -> Value {
    let mut change = json!({
        "Action": "Modify", "LogicalResourceId": resource.logical_id, "PhysicalResourceId": deployed.physical_id,
        "ResourceType": resource.resource_type, "Replacement": replacement,
    });
    if replacement == "True" {
        change["PolicyAction"] = match resource.update_replace_policy() {
            "Retain" => "ReplaceAndRetain",
            "Snapshot" => "ReplaceAndSnapshot",
            _ => "ReplaceAndDelete",
        }
        .into();
    }
    change
}

/// Whether these details replace the resource, in CloudFormation's words.
pub(super) fn replacement(details: &[Detail<'_>]) -> &'static str {
    let strongest = details.iter().map(|detail| detail.recreation).max().unwrap_or(Recreation::Never);
    match strongest {
        Recreation::Always => "True",
        Recreation::Conditionally => "Conditional",
        Recreation::Never => "False",
    }
}

fn wording(recreation: Recreation) -> &'static str {
    match recreation {
        Recreation::Never => "Never",
        Recreation::Conditionally => "Conditionally",
        Recreation::Always => "Always",
    }
}

/// Whether a `NoEcho` parameter is in an expression.
pub(super) fn touches_secret(template: &Template, expression: &Expression) -> bool {
    let secret = |name: &str| template.parameter(name).is_some_and(|parameter| parameter.no_echo);
    expression.references().iter().any(|reference| secret(reference.name))
}

/// The properties, with those that come from a `NoEcho` parameter hidden.
pub(super) fn masked(template: &Template, resource: &Resource, mut properties: Value) -> Value {
    for (key, expression) in resource.properties.entries() {
        if touches_secret(template, expression)
            && let Some(value) = properties.get_mut(&key.name)
        {
            *value = "****".into();
        }
    }
    properties
}
