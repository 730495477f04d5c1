//! What happens to one resource.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use super::change_set::{Change, Detail};
use super::difference::{self, Difference};
use super::mask::Mask;
use crate::template::Resource;
use crate::template::schema::{self, Recreation};

/// What happens to one resource.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ResourcePlan {
    /// `add`, `change`, `may-change`, `replace`, `may-replace`, `remove`, `import`; another word is an action that
    /// CloudFormation has learnt since.
    #[schemars(with = "String")]
    pub action: Action,
    pub logical_id: String,
    #[serde(rename = "type")]
    pub resource_type: String,
    /// None for a resource that does not exist yet.
    pub physical_id: Option<String>,
    /// What becomes of a resource that leaves the stack: `Delete`, `Retain`, `ReplaceAndDelete`, …
    pub policy: Option<String>,
    /// The properties that make a replacement necessary, with what brings their change about.
    pub forced_by: Vec<String>,
    pub properties: Vec<PropertyChange>,
}

/// What happens to a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    Add,
    Change,
    /// It changes only if a value changes that is known after the deploy.
    MayChange,
    Replace,
    /// CloudFormation decides during the deploy.
    MayReplace,
    Remove,
    Import,
    /// An action that CloudFormation has learnt since; shown as it is.
    Other(String),
}

/// How one property changes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PropertyChange {
    /// A JSON pointer from the resource, such as `/Properties/Tags/0/Value`.
    pub path: String,
    /// None if it did not exist, or if CloudFormation does not report it.
    pub before: Option<Value>,
    pub after: Option<Value>,
    /// Whether the change replaces the resource: `Never`, `Conditionally` or `Always`.
    pub requires_recreation: Option<String>,
    /// What brings the change about, such as `Topic.TopicName` or the name of a parameter.
    pub cause: Option<String>,
}

impl Action {
    pub fn as_str(&self) -> &str {
        match self {
            Self::Add => "add",
            Self::Change => "change",
            Self::MayChange => "may-change",
            Self::Replace => "replace",
            Self::MayReplace => "may-replace",
            Self::Remove => "remove",
            Self::Import => "import",
            Self::Other(name) => name,
        }
    }

    fn of(change: &Change) -> Self {
        match (change.action.as_str(), change.replacement.as_deref()) {
            ("Add", _) => Self::Add,
            ("Remove", _) => Self::Remove,
            ("Import", _) => Self::Import,
            ("Modify" | "SyncWithActual", Some("True")) => Self::Replace,
            ("Modify" | "SyncWithActual", Some("False")) => Self::Change,
            ("Modify" | "SyncWithActual", _) => Self::MayReplace,
            ("Dynamic", _) => Self::MayChange,
            (other, _) => Self::Other(other.to_owned()),
        }
    }
}

impl<'de> Deserialize<'de> for Action {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let known =
            [Self::Add, Self::Change, Self::MayChange, Self::Replace, Self::MayReplace, Self::Remove, Self::Import];
        Ok(known.into_iter().find(|action| action.as_str() == text).unwrap_or(Self::Other(text)))
    }
}

impl Serialize for Action {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl ResourcePlan {
    /// A resource that is made. `properties` is what the template says, as far as it is known.
    pub(super) fn added(logical_id: &str, resource_type: &str, properties: &Value, mask: &Mask) -> Self {
        Self {
            action: Action::Add,
            logical_id: logical_id.to_owned(),
            resource_type: resource_type.to_owned(),
            physical_id: None,
            policy: None,
            forced_by: Vec::new(),
            properties: added(logical_id, resource_type, properties, mask),
        }
    }

    /// A resource whose templates differ, or may differ. Which properties need a new resource is documented by
    /// AWS's schemas; whether it comes to that, by the deploy.
    pub(super) fn may_change(resource: &Resource, mut properties: Vec<PropertyChange>, mask: &Mask) -> Self {
        let (id, resource_type) = (&resource.logical_id, &resource.resource_type);
        let mut forced_by = Vec::new();
        for change in &mut properties {
            let path = change.path.strip_prefix("/Properties/").unwrap_or_default();
            let recreation = match schema::of(resource_type).map(|schema| schema.recreation(path)) {
                Some(Recreation::Always) => "Always",
                Some(Recreation::Conditionally) => "Conditionally",
                _ => continue,
            };
            change.requires_recreation = Some(recreation.to_owned());
            forced_by.push(readable(&change.path));
        }
        let replace = !forced_by.is_empty();
        Self {
            action: if replace { Action::MayReplace } else { Action::MayChange },
            policy: replace.then(|| format!("ReplaceAnd{}", resource.update_replace_policy())),
            forced_by,
            properties,
            ..Self::added(id, resource_type, &Value::Null, mask)
        }
    }

    /// A resource as a change set describes it.
    pub(super) fn changed(change: &Change, mask: &Mask) -> Self {
        let action = Action::of(change);
        let properties = match action {
            Action::Add | Action::Import => {
                let properties = change.after.as_ref().and_then(|after| after.get("Properties"));
                properties.map_or_else(Vec::new, |properties| {
                    added(&change.logical_id, &change.resource_type, properties, mask)
                })
            }
            Action::Remove => Vec::new(),
            _ => changed(change, mask),
        };
        let forced_by = match action {
            Action::Replace | Action::MayReplace => forced_by(change),
            _ => Vec::new(),
        };
        Self {
            action,
            logical_id: change.logical_id.clone(),
            resource_type: change.resource_type.clone(),
            physical_id: change.physical_id.clone().filter(|id| !id.is_empty()),
            policy: change.policy_action.clone(),
            forced_by,
            properties,
        }
    }
}

fn added(logical_id: &str, resource_type: &str, properties: &Value, mask: &Mask) -> Vec<PropertyChange> {
    let entries = properties.as_object().into_iter().flatten();
    entries
        .map(|(name, value)| {
            let path = difference::step("/Properties", name);
            let after = Some(mask.shown(logical_id, resource_type, &path, value));
            PropertyChange { path, after, ..PropertyChange::default() }
        })
        .collect()
}

/// The values come from the contexts, which hold the whole resource; the reasons come from the details. A detail
/// about a path at which the contexts do not differ stays: CloudFormation did not know the value.
fn changed(change: &Change, mask: &Mask) -> Vec<PropertyChange> {
    let mut differences = match (&change.before, &change.after) {
        (Some(before), Some(after)) => difference::between(before, after, ""),
        _ => Vec::new(),
    };
    for detail in &change.details {
        let path = detail.pointer();
        let known = differences.iter_mut().find(|known| related(&known.path, &path));
        match known {
            // A detail has whole values: it can complete only a difference at its own path.
            Some(known) if known.path == path => {
                known.before = known.before.take().or_else(|| detail.before.as_deref().map(value));
                known.after = known.after.take().or_else(|| detail.after.as_deref().map(value));
            }
            Some(_) => {}
            None => {
                // If one side of the resource is missing, the other can still be present.
                let alone = |side: &Option<Value>, other: &Option<Value>| {
                    side.as_ref().filter(|_| other.is_none()).and_then(|side| side.pointer(&path)).cloned()
                };
                let detail_value = |text: &Option<String>| text.as_deref().map(value);
                let before = detail_value(&detail.before).or_else(|| alone(&change.before, &change.after));
                let after = detail_value(&detail.after).or_else(|| alone(&change.after, &change.before));
                differences.push(Difference { path, before, after });
            }
        }
    }
    let shown = |path: &str, value: Option<Value>| {
        value.map(|value| mask.shown(&change.logical_id, &change.resource_type, path, &value))
    };
    differences
        .into_iter()
        .map(|Difference { path, before, after }| {
            let details: Vec<&Detail> =
                change.details.iter().filter(|detail| related(&detail.pointer(), &path)).collect();
            PropertyChange {
                before: shown(&path, before),
                after: shown(&path, after),
                requires_recreation: strongest(&details),
                cause: details.iter().find_map(|detail| detail.cause.clone()),
                path,
            }
        })
        .collect()
}

/// Whether one pointer is the other or leads into it.
pub(super) fn related(one: &str, other: &str) -> bool {
    let inside = |outer: &str, inner: &str| {
        inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    inside(one, other) || inside(other, one)
}

fn strongest(details: &[&Detail]) -> Option<String> {
    let found = |word: &str| details.iter().any(|detail| detail.requires_recreation.as_deref() == Some(word));
    ["Always", "Conditionally", "Never"]
        .into_iter()
        .find(|word| found(word))
        .map(str::to_owned)
        .or_else(|| details.iter().find_map(|detail| detail.requires_recreation.clone()))
}

fn forced_by(change: &Change) -> Vec<String> {
    let mut reasons: Vec<String> = Vec::new();
    for detail in &change.details {
        if matches!(detail.requires_recreation.as_deref(), None | Some("Never")) {
            continue;
        }
        let path = readable(&detail.pointer());
        let reason = match &detail.cause {
            Some(cause) => format!("{path} (through {cause})"),
            None => path.clone(),
        };
        // The same place is often named twice: as a direct change, and with what brings it about.
        match reasons.iter_mut().find(|known| **known == path || known.starts_with(&format!("{path} ("))) {
            Some(known) if detail.cause.is_some() => *known = reason,
            Some(_) => {}
            None => reasons.push(reason),
        }
    }
    reasons
}

/// A pointer in the words of a template: `/Properties/Tags/0/Value` is `Tags.0.Value`.
pub(super) fn readable(path: &str) -> String {
    let path = path.strip_prefix("/Properties").filter(|rest| rest.starts_with('/')).unwrap_or(path);
    path.trim_start_matches('/').replace('/', ".").replace("~1", "/").replace("~0", "~")
}

/// A value of a detail: CloudFormation writes lists and objects as JSON text.
pub(super) fn value(text: &str) -> Value {
    match serde_json::from_str(text) {
        Ok(value @ (Value::Array(_) | Value::Object(_))) => value,
        _ => text.into(),
    }
}

impl Detail {
    /// The place of the change, as a JSON pointer from the resource.
    pub(super) fn pointer(&self) -> String {
        match (&self.path, &self.name) {
            (Some(path), _) if !path.is_empty() => path.clone(),
            (_, Some(name)) => difference::step(&format!("/{}", self.attribute), name),
            _ => format!("/{}", self.attribute),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditional_and_missing_recreation_mean_possible_replacement() {
        for (action, replacement, expected) in [
            ("Add", Some("True"), Action::Add),
            ("Modify", Some("True"), Action::Replace),
            ("Modify", Some("False"), Action::Change),
            ("Modify", Some("Conditional"), Action::MayReplace),
            ("Modify", None, Action::MayReplace),
            ("Dynamic", None, Action::MayChange),
            ("Import", None, Action::Import),
            ("Teleport", None, Action::Other("Teleport".into())),
        ] {
            let change =
                Change { action: action.into(), replacement: replacement.map(Into::into), ..Change::default() };
            assert_eq!(Action::of(&change), expected, "{action} {replacement:?}");
        }
    }

    #[test]
    fn one_context_is_enough_for_its_side() {
        let detail = |name: &str, before: Option<&str>| Detail {
            attribute: "Properties".into(),
            name: Some(name.into()),
            before: before.map(Into::into),
            ..Detail::default()
        };
        let change = Change {
            action: "Modify".into(),
            after: Some(serde_json::json!({"Properties": {"A": {"b": 1}, "C": "new"}})),
            details: vec![detail("A", None), detail("C", Some("old")), detail("Gone", Some("x"))],
            ..Change::default()
        };
        let shown = changed(&change, &Mask::default());
        let shown: Vec<_> = shown.into_iter().map(|one| (one.path, one.before, one.after)).collect();
        let text = |text: &str| Some(Value::from(text));
        assert_eq!(
            shown,
            [
                ("/Properties/A".to_owned(), None, Some(serde_json::json!({"b": 1}))),
                ("/Properties/C".to_owned(), text("old"), text("new")),
                ("/Properties/Gone".to_owned(), text("x"), None),
            ]
        );
    }

    #[test]
    fn pointers_are_printed_as_template_paths() {
        for (path, expected) in [
            ("/Properties/Tags/0/Value", "Tags.0.Value"),
            ("/Properties/A~1B", "A/B"),
            ("/Metadata", "Metadata"),
            ("/Properties", "Properties"),
        ] {
            assert_eq!(readable(path), expected);
        }
    }
}
