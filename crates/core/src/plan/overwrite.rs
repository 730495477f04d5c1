//! What somebody changed since the last deploy, and the next one would overwrite.

use std::fmt::Write as _;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::change_set::{Change, ChangeSet};
use super::difference;
use super::drift::DriftStatus;
use super::mask::Mask;
use super::resource::{Action, readable, related, value};
use super::stack::StackPlan;
use super::text::{shown, symbol};

/// A resource that is not what was deployed, and that the plan changes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Overwrite {
    pub logical_id: String,
    #[serde(rename = "type")]
    pub resource_type: String,
    /// How it stands to what was deployed: `modified` or `deleted`.
    #[schemars(with = "String")]
    pub status: DriftStatus,
    pub properties: Vec<ThreeWay>,
}

/// A property that somebody changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ThreeWay {
    /// A JSON pointer from the resource, such as `/Properties/Tags/0/Value`.
    pub path: String,
    /// What the last deploy made it; none if there was no such property.
    pub deployed: Option<Value>,
    /// What it is now.
    pub live: Option<Value>,
    /// What this deploy makes it.
    #[serde(rename = "wanted")]
    pub desired: Option<Value>,
}

/// The drift that a plan overwrites, by a drift-aware change set, and the number of other drifted resources.
pub(super) fn of(plan: &StackPlan, change_set: &ChangeSet, mask: &Mask) -> (Vec<Overwrite>, usize) {
    let changes = |id: &str| {
        plan.resources.iter().any(|one| {
            let leaves = matches!(one.action, Action::Add | Action::Import | Action::Remove);
            one.logical_id == id && !leaves
        })
    };
    let (mut overwrites, mut untouched) = (Vec::new(), 0);
    for change in &change_set.changes {
        let status = match change.drift_status.as_deref().map(DriftStatus::from) {
            Some(status) if status.is_drift() => status,
            _ => continue,
        };
        let properties = properties(change, mask);
        if !changes(&change.logical_id) {
            untouched += 1;
        // Where somebody made it what it is to become there is nothing to overwrite.
        } else if status != DriftStatus::Modified || !properties.is_empty() {
            let (logical_id, resource_type) = (change.logical_id.clone(), change.resource_type.clone());
            overwrites.push(Overwrite { logical_id, resource_type, status, properties });
        }
    }
    (overwrites, untouched)
}

/// The properties that somebody changed to something else than what they become.
fn properties(change: &Change, mask: &Mask) -> Vec<ThreeWay> {
    let mut found: Vec<ThreeWay> = Vec::new();
    for detail in &change.details {
        let Some((deployed, live)) = &detail.drift else { continue };
        let read = |text: &Option<String>| text.as_deref().map(value).filter(|value| *value != "null");
        found.push(ThreeWay {
            path: detail.pointer(),
            deployed: read(deployed),
            live: read(live),
            desired: read(&detail.after),
        });
    }
    // The contexts hold the whole resource: they show what no detail contains.
    if let (Some(deployed), Some(live)) = (&change.previous, &change.before) {
        for one in difference::between(deployed, live, "") {
            if !found.iter().any(|known| related(&known.path, &one.path)) {
                let desired = change.after.as_ref().and_then(|after| after.pointer(&one.path)).cloned();
                found.push(ThreeWay { path: one.path, deployed: one.before, live: one.after, desired });
            }
        }
    }
    found.retain(|one| one.live != one.desired);
    found.dedup_by(|one, other| one.path == other.path);
    let fit = |path: &str, value: Option<Value>| {
        value.map(|value| mask.shown(&change.logical_id, &change.resource_type, path, &value))
    };
    let masked = found.into_iter().map(|ThreeWay { path, deployed, live, desired }| ThreeWay {
        deployed: fit(&path, deployed),
        live: fit(&path, live),
        desired: fit(&path, desired),
        path,
    });
    masked.collect()
}

/// The part of a stack's plan that shows drift.
pub(super) fn write(text: &mut String, overwrites: &[Overwrite], colour: bool) {
    if overwrites.is_empty() {
        return;
    }
    text.push_str("    drift that is overwritten (deployed → live → after this deploy)\n");
    for one in overwrites {
        let (mark, remark) = match one.status {
            DriftStatus::Deleted => ("- ", "  # was deleted: the change will fail"),
            _ => ("~ ", ""),
        };
        let _ = writeln!(text, "      {}{}  {}{remark}", symbol(mark, colour), one.logical_id, one.resource_type);
        for ThreeWay { path, deployed, live, desired } in &one.properties {
            let side = |value: &Option<Value>| value.as_ref().map_or_else(|| "(none)".to_owned(), shown);
            let path = readable(path);
            let _ = writeln!(text, "          {path}: {} → {} → {}", side(deployed), side(live), side(desired));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::change_set::Detail;
    use serde_json::json;

    fn change(id: &str, status: &str, action: &str) -> Change {
        Change {
            logical_id: id.into(),
            resource_type: "AWS::Lambda::Function".into(),
            action: action.into(),
            replacement: Some("False".into()),
            drift_status: Some(status.into()),
            ..Change::default()
        }
    }

    fn plan(ids: &[&str]) -> StackPlan {
        let resource = |id: &&str| {
            json!({"action": "change", "logical_id": id, "type": "AWS::Lambda::Function",
            "physical_id": null, "policy": null, "forced_by": [], "properties": []})
        };
        let plan = json!({"name": "x", "stack_name": "x", "action": "update", "parameters": [], "outputs": [],
            "tags": [], "protect": false, "notes": [], "resources": ids.iter().map(resource).collect::<Vec<_>>()});
        serde_json::from_value(plan).unwrap()
    }

    #[test]
    fn overwritten_properties_have_three_values() {
        let function = Change {
            details: vec![Detail {
                attribute: "Properties".into(),
                path: Some("/Properties/Timeout".into()),
                after: Some("90".into()),
                drift: Some((Some("30".into()), Some("60".into()))),
                ..Detail::default()
            }],
            previous: Some(json!({"Properties": {"Timeout": 30, "MemorySize": 128, "Handler": "a",
                "Environment": {"Variables": {"KEY": "old"}}}})),
            before: Some(json!({"Properties": {"Timeout": 60, "MemorySize": 256, "Handler": "b",
                "Environment": {"Variables": {"KEY": "stolen"}}}})),
            after: Some(json!({"Properties": {"Timeout": 90, "MemorySize": 128, "Handler": "b",
                "Environment": {"Variables": {"KEY": "new"}}}})),
            ..change("Load", "MODIFIED", "Modify")
        };
        let set = ChangeSet {
            changes: vec![
                function,
                change("Gone", "DELETED", "Modify"),
                change("Elsewhere", "MODIFIED", "SyncWithActual"),
                change("Same", "IN_SYNC", "Modify"),
                change("Opaque", "UNSUPPORTED", "Modify"),
            ],
            ..ChangeSet::default()
        };
        let (overwrites, untouched) = of(&plan(&["Load", "Gone", "Same", "Opaque"]), &set, &Mask::default());
        assert_eq!(untouched, 1);
        let mut text = String::new();
        write(&mut text, &overwrites, false);
        insta::assert_snapshot!(text, @r#"
            drift that is overwritten (deployed → live → after this deploy)
              ~ Load  AWS::Lambda::Function
                  Timeout: "30" → "60" → "90"
                  MemorySize: 128 → 256 → 128
                  Environment.Variables.KEY: (secret) → (secret) → (secret)
              - Gone  AWS::Lambda::Function  # was deleted: the change will fail
        "#);
    }
}
