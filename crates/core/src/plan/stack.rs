//! What happens to one stack.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::Result;
use crate::render::RenderedStack;
use crate::spec::Map;
use crate::template::Template;
use crate::yaml::Source;

use super::access::{self, AccessChange};
use super::change_set::ChangeSet;
use super::deployed::{Stack, StackState};
use super::difference;
use super::local::{AccountRegion, Evaluation, is_dynamic};
use super::loss::{self, Loss};
use super::mask::{AFTER_DEPLOY, Mask, SECRET};
use super::outputs;
use super::overwrite::{self, Overwrite};
use super::resource::{Action, PropertyChange, ResourcePlan};
use super::stack_parameters::ParameterValue;

/// What happens to one stack.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StackPlan {
    pub name: String,
    pub stack_name: String,
    pub action: StackAction,
    /// In the order of the change set; for a stack that does not exist yet, of the template.
    pub resources: Vec<ResourcePlan>,
    /// Whether the change set can be created only during the deploy, when a missing value is known.
    #[serde(default)]
    pub undecided: bool,
    /// Who may do more or less than before.
    #[serde(default)]
    pub access: Vec<AccessChange>,
    pub parameters: Vec<ValueChange>,
    pub outputs: Vec<ValueChange>,
    pub tags: Vec<ValueChange>,
    /// The stack is going to be protected against termination.
    pub protect: bool,
    /// What else a reader must know.
    pub notes: Vec<String>,
    /// What somebody changed since the last deploy and this one overwrites; looked for only if asked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub overwrites: Vec<Overwrite>,
}

/// What happens to a stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum StackAction {
    Create,
    Update,
    None,
}

/// How a value with a name changes. Nothing before: it is new; nothing after: it goes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ValueChange {
    pub name: String,
    pub before: Option<Value>,
    pub after: Option<Value>,
}

/// A deployed stack with its template.
#[derive(Debug, Clone)]
pub struct Known {
    pub stack: Stack,
    pub text: String,
    /// None if pipectl cannot read the template, which someone else may have written.
    pub template: Option<Template>,
}

impl Known {
    pub fn new(stack: Stack, text: String) -> Self {
        let template = Template::parse(&Source::new(format!("{} (deployed)", stack.name), text.clone())).ok();
        Self { stack, text, template }
    }
}

/// One stack with all that its plan depends on.
pub struct Comparison<'a> {
    pub desired: &'a RenderedStack,
    /// None for a stack that does not exist yet.
    pub known: Option<&'a Known>,
    pub parameters: &'a Map<ParameterValue>,
    pub account_region: &'a AccountRegion,
}

impl Comparison<'_> {
    /// Whether the stack is as wanted, so that no change set is needed to know that nothing changes.
    pub fn unchanged(&self) -> bool {
        self.known.is_some_and(|known| {
            same_text(&known.text, &self.desired.text)
                && !self.desired.text.contains("{{resolve:")
                && !self.desired.template.parameters.iter().any(is_dynamic)
                && self.parameter_changes().is_empty()
                && self.tag_changes().is_empty()
        })
    }

    /// Whether every parameter has a value that is known before the deploy.
    pub fn decided(&self) -> bool {
        self.parameters.values().all(|value| value.known().is_some())
    }

    /// The plan for a stack that is as wanted.
    pub fn nothing(&self) -> StackPlan {
        StackPlan { action: StackAction::None, parameters: Vec::new(), tags: Vec::new(), ..self.plan(Vec::new()) }
    }

    /// The plan that a change set describes.
    pub fn with_change_set(&self, change_set: &ChangeSet) -> Result<StackPlan> {
        let mask = self.mask()?;
        let resources = change_set.changes.iter().map(|change| ResourcePlan::changed(change, &mask)).collect();
        let access = change_set.changes.iter().filter_map(|change| {
            // A condition may hold a secret, such as an external id.
            let properties = |side: &Option<Value>| {
                let properties = side.as_ref().and_then(|side| side.get("Properties"))?;
                Some(mask.shown(&change.logical_id, &change.resource_type, "/Properties", properties))
            };
            let (before, after) = (properties(&change.before), properties(&change.after));
            // A side that CloudFormation does not report is not a side without statements.
            if change.action == "Modify" && (before.is_none() || after.is_none()) {
                return None;
            }
            access::between(
                &self.account_region.account,
                &change.logical_id,
                &change.resource_type,
                before.as_ref(),
                after.as_ref(),
            )
        });
        let mut plan = StackPlan { access: access.collect(), ..self.plan(resources) };
        plan.notes.extend(
            change_set.others.iter().map(|kind| {
                format!("CloudFormation lists a change of the type `{kind}`, which this pipectl cannot show")
            }),
        );
        Ok(StackPlan { outputs: self.output_changes(&plan, &mask)?, ..plan })
    }

    /// The plan that follows from the templates: for a stack that does not exist yet, or one with a parameter that
    /// is known only after the deploy of another stack.
    pub fn from_templates(&self) -> Result<StackPlan> {
        let mask = self.mask()?;
        let desired = self.evaluation().resources()?;
        let old = match self.known {
            Some(Known { template: Some(template), stack, .. }) => {
                let given = stack.parameters.iter().map(|(name, value)| (name.clone(), known(value))).collect();
                Evaluation::new(template, &given, self.account_region, &stack.name, Some(&stack.id)).resources()?
            }
            _ => Vec::new(),
        };
        let mut resources = Vec::new();
        let mut access = Vec::new();
        for (resource, properties) in &desired {
            let before =
                old.iter().find(|(known, _)| known.logical_id == resource.logical_id).map(|(_, before)| before);
            access.extend(access::between(
                &self.account_region.account,
                &resource.logical_id,
                &resource.resource_type,
                before,
                Some(properties),
            ));
        }
        for (resource, properties) in &desired {
            let (id, resource_type) = (&resource.logical_id, &resource.resource_type);
            let Some((_, before)) = old.iter().find(|(known, _)| known.logical_id == *id) else {
                resources.push(ResourcePlan::added(id, resource_type, properties, &mask));
                continue;
            };
            let properties: Vec<_> = difference::between(before, properties, "/Properties")
                .into_iter()
                .map(|change| PropertyChange {
                    before: change.before.map(|value| mask.shown(id, resource_type, &change.path, &value)),
                    after: change.after.map(|value| mask.shown(id, resource_type, &change.path, &value)),
                    path: change.path,
                    ..PropertyChange::default()
                })
                .collect();
            if !properties.is_empty() {
                resources.push(ResourcePlan::may_change(resource, properties, &mask));
            }
        }
        for (resource, _) in
            old.iter().filter(|(old, _)| !desired.iter().any(|(new, _)| new.logical_id == old.logical_id))
        {
            let properties =
                old.iter().find(|(old, _)| old.logical_id == resource.logical_id).map(|(_, before)| before);
            access.extend(access::between(
                &self.account_region.account,
                &resource.logical_id,
                &resource.resource_type,
                properties,
                None,
            ));
            resources.push(ResourcePlan {
                action: Action::Remove,
                policy: Some(resource.deletion_policy().to_owned()),
                ..ResourcePlan::added(&resource.logical_id, &resource.resource_type, &Value::Null, &mask)
            });
        }
        let undecided = self.known.is_some();
        let plan = StackPlan { undecided, access, ..self.plan(resources) };
        Ok(StackPlan { outputs: self.output_changes(&plan, &mask)?, ..plan })
    }

    /// The outputs as they will be, each known or not.
    pub fn outputs_after(&self, plan: &StackPlan) -> Result<Map<Option<String>>> {
        match self.known {
            Some(known) if plan.action == StackAction::None => {
                Ok(known.stack.outputs.iter().map(|(name, value)| (name.clone(), Some(value.clone()))).collect())
            }
            _ => outputs::after(self, &plan.resources, &plan.parameters, &self.evaluation()),
        }
    }

    fn plan(&self, resources: Vec<ResourcePlan>) -> StackPlan {
        let protected = self.known.is_some_and(|known| known.stack.termination_protection);
        let mut notes = Vec::new();
        match self.known {
            Some(Known { stack, .. }) if stack.status.state() == StackState::Busy => {
                notes.push(format!("the stack is in {}: deploy waits until the operation has ended", stack.status));
            }
            Some(_) if protected && !self.desired.termination_protection => {
                notes.push(
                    "the stack is protected against termination; pipectl never removes the protection".to_owned(),
                );
            }
            _ => {}
        }
        StackPlan {
            name: self.desired.name.clone(),
            stack_name: self.desired.stack_name.clone(),
            action: if self.known.is_some() { StackAction::Update } else { StackAction::Create },
            resources,
            undecided: false,
            access: Vec::new(),
            parameters: self.parameter_changes(),
            outputs: Vec::new(),
            tags: self.tag_changes(),
            protect: self.desired.termination_protection && !protected,
            notes,
            overwrites: Vec::new(),
        }
    }

    /// What a drift-aware change set knows of drift: what this plan overwrites, and a word on what it leaves alone.
    pub fn with_drift(&self, mut plan: StackPlan, change_set: &ChangeSet) -> Result<StackPlan> {
        let mask = self.mask()?;
        let (overwrites, untouched) = overwrite::of(&plan, change_set, &mask);
        plan.overwrites = overwrites;
        if untouched > 0 {
            let (are, them) = if untouched == 1 { ("1 resource has", "it") } else { ("resources have", "them") };
            let count = if untouched == 1 { String::new() } else { format!("{untouched} ") };
            plan.notes
                .push(format!("{count}{are} drifted, and this deploy does not touch {them}: see `pipectl drift`"));
        }
        Ok(plan)
    }

    pub(super) fn evaluation(&self) -> Evaluation<'_> {
        let id = self.known.map(|known| known.stack.id.as_str());
        let Self { desired, parameters, account_region, .. } = self;
        Evaluation::new(&desired.template, parameters, account_region, &desired.stack_name, id)
    }

    /// What must not be shown: the values of `NoEcho` parameters, and the places to which they flow.
    fn mask(&self) -> Result<Mask> {
        let mut mask = Mask::default();
        for parameter in self.desired.template.parameters.iter().filter(|parameter| parameter.no_echo) {
            let given = self.parameters.get(&parameter.name).and_then(ParameterValue::known);
            for value in given.into_iter().chain(parameter.default.as_deref()) {
                mask.hide_value(value);
            }
        }
        for (resource, properties) in self.evaluation().resources()? {
            mask.hide_paths(&resource.logical_id, &properties, "/Properties");
        }
        Ok(mask)
    }

    fn parameter_changes(&self) -> Vec<ValueChange> {
        let template = &self.desired.template;
        let after = template.parameters.iter().filter_map(|parameter| {
            let given = self.parameters.get(&parameter.name);
            let value = match (given, &parameter.default) {
                (Some(ParameterValue::Known(value)), _) | (None, Some(value)) => value.clone(),
                (Some(ParameterValue::AfterDeploy(_)), _) => AFTER_DEPLOY.to_owned(),
                (None, None) => return None,
            };
            // CloudFormation does not report the value of such a parameter, so an unchanged default cannot be compared.
            let value =
                if parameter.no_echo && given.is_none() && self.known.is_some() { HIDDEN.to_owned() } else { value };
            Some((parameter.name.clone(), value))
        });
        let before = self.known.map(|known| &known.stack.parameters);
        let secret = |name: &str| template.parameter(name).is_some_and(|parameter| parameter.no_echo);
        let mut changes = value_changes(before, &after.collect());
        for change in &mut changes {
            for value in [&mut change.before, &mut change.after].into_iter().flatten() {
                if secret(&change.name) || *value == HIDDEN {
                    *value = SECRET.into();
                }
            }
        }
        changes
    }

    fn tag_changes(&self) -> Vec<ValueChange> {
        value_changes(self.known.map(|known| &known.stack.tags), &self.desired.tags)
    }

    fn output_changes(&self, plan: &StackPlan, mask: &Mask) -> Result<Vec<ValueChange>> {
        let after = outputs::after(self, &plan.resources, &plan.parameters, &self.evaluation())?;
        let after = after.into_iter().map(|(name, value)| (name, value.unwrap_or_else(|| AFTER_DEPLOY.to_owned())));
        let mut changes = value_changes(self.known.map(|known| &known.stack.outputs), &after.collect());
        let secret = self.secret_outputs()?;
        for change in &mut changes {
            for value in [&mut change.before, &mut change.after].into_iter().flatten() {
                match value {
                    Value::String(text) if text == AFTER_DEPLOY => {}
                    _ if secret.contains(&change.name) => *value = SECRET.into(),
                    Value::String(text) => *text = mask.text(text),
                    _ => {}
                }
            }
        }
        Ok(changes)
    }

    /// The outputs that give a secret away, as they are deployed or as they are wanted: CloudFormation shows what a
    /// `NoEcho` parameter has brought into an output.
    pub fn secret_outputs(&self) -> Result<BTreeSet<String>> {
        let of = |template| {
            Evaluation::new(template, self.parameters, self.account_region, &self.desired.stack_name, None).outputs()
        };
        let desired = of(&self.desired.template)?;
        // What somebody else has deployed may be more than can be evaluated here.
        let deployed = self.known.and_then(|known| known.template.as_ref()).and_then(|template| of(template).ok());
        let outputs = desired.into_iter().chain(deployed.into_iter().flatten());
        Ok(outputs.filter(|(_, value)| value.to_string().contains(SECRET)).map(|(name, _)| name).collect())
    }
}

impl StackPlan {
    /// The data that a deploy would destroy. What may be lost by a change that is not decided yet is none: the deploy
    /// looks again once its change set is there.
    pub fn losses(&self) -> Vec<Loss> {
        let losses = self.resources.iter().filter_map(|resource| loss::of(&self.name, resource));
        losses.filter(|loss| loss.certain || !self.undecided).collect()
    }

    /// Whether a deploy would touch the stack.
    pub fn changes(&self) -> bool {
        self.action != StackAction::None || self.protect
    }
}

/// What CloudFormation shows of a parameter with `NoEcho`.
const HIDDEN: &str = "****";

fn known(value: &str) -> ParameterValue {
    ParameterValue::Known(value.to_owned())
}

fn value_changes(before: Option<&Map<String>>, after: &Map<String>) -> Vec<ValueChange> {
    let empty = Map::new();
    let before = before.unwrap_or(&empty);
    let gone = before.keys().filter(|name| !after.contains_key(*name));
    let value = |map: &Map<String>, name: &str| map.get(name).map(|value| Value::String(value.clone()));
    after
        .keys()
        .filter(|name| before.get(*name) != after.get(*name))
        .chain(gone)
        .map(|name| ValueChange { name: name.clone(), before: value(before, name), after: value(after, name) })
        .collect()
}

/// Whether two template texts are the same. Line ends and the last newline do not survive the way through the API.
fn same_text(one: &str, other: &str) -> bool {
    one.trim_end().lines().eq(other.trim_end().lines())
}
