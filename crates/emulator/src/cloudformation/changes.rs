//! What a change set would change: resource by resource, property by property, and why.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::detail::{Detail, change_of, following, masked, replacement, touches_secret};
use super::difference::{Difference, differences};
use super::evaluation::{Evaluation, answer_of};
use super::{KNOWN_AFTER_APPLY, adoption};
use crate::account::local_account::{Account, exists};
use crate::account::query::Fault;
use crate::account::state::{Deployment, Stack, StackResource, Stacks};
use crate::template::schema::{self, Recreation};
use crate::template::{Evaluated, Expression, Intrinsic, Lookup, Resource, Template};

/// The changes of a change set.
#[derive(Debug, Default)]
pub(super) struct Changes {
    /// As `DescribeChangeSet` shows them with `IncludePropertyValues`.
    pub(super) with_values: Vec<Value>,
    /// As it shows them without: knock-on changes that may turn out to be none are listed too.
    pub(super) plain: Vec<Value>,
    /// Whether executing would change anything, outputs and tags included.
    pub(super) any: bool,
}

/// What a comparison knows.
struct Comparison<'a> {
    stack: &'a Stack,
    new: Evaluation<'a>,
    old: Option<Evaluation<'a>>,
    replaced: BTreeSet<&'a str>,
    modified: BTreeSet<&'a str>,
    added: BTreeSet<&'a str>,
    /// The physical ids of what exists already, by logical id.
    imported: BTreeMap<&'a str, String>,
}

/// Compares what is deployed with what is wanted.
pub(super) fn compare(
    account: &Account,
    stacks: &Stacks,
    stack: &Stack,
    desired: &Deployment,
    template: &Template,
    old_template: Option<&Template>,
    import: bool,
) -> Result<Changes, Fault> {
    let new = Evaluation::new(account, stacks, stack, template, desired);
    let old = old_template.map(|old| Evaluation::new(account, stacks, stack, old, &stack.deployment));
    let mut comparison = Comparison {
        stack,
        new,
        old,
        replaced: BTreeSet::new(),
        modified: BTreeSet::new(),
        added: BTreeSet::new(),
        imported: BTreeMap::new(),
    };
    let included = comparison.new.included()?;
    comparison.added = included.iter().copied().filter(|id| !stack.resource(id).is_some_and(exists)).collect();
    // By logical id, as CloudFormation lists them.
    let mut with_values: BTreeMap<String, Value> = BTreeMap::new();
    let mut plain: BTreeMap<String, Value> = BTreeMap::new();
    for resource in template.creation_order() {
        let id = resource.logical_id.as_str();
        if !included.contains(id) {
            continue;
        }
        if comparison.added.contains(id) {
            if import && let Some(orphan) = adoption::orphan(account, stacks, &stack.name, resource) {
                comparison.imported.insert(id, orphan.physical_id);
            }
            with_values.insert(id.to_owned(), comparison.addition(resource, true)?);
            plain.insert(id.to_owned(), comparison.addition(resource, false)?);
        } else if let Some(deployed) = stack.resource(id) {
            if deployed.resource_type != resource.resource_type {
                return Err(Fault::validation(format!(
                    "Update of resource type is not permitted. The new template modifies resource type of the following \
                     resources: [{id}]"
                )));
            }
            let (values, without) = comparison.modification(resource, deployed, desired)?;
            with_values.extend(values.map(|value| (id.to_owned(), value)));
            plain.extend(without.map(|value| (id.to_owned(), value)));
        }
    }
    for deployed in stack.resources.iter().filter(|one| exists(one)) {
        if !included.contains(deployed.logical_id.as_str()) {
            with_values.insert(deployed.logical_id.clone(), comparison.removal(deployed, true)?);
            plain.insert(deployed.logical_id.clone(), comparison.removal(deployed, false)?);
        }
    }
    let any = !with_values.is_empty() || stack.deployment.tags != desired.tags || comparison.outputs_change()?;
    // A dependent change alone is no change.
    let plain = if with_values.is_empty() { BTreeMap::new() } else { plain };
    Ok(Changes { with_values: with_values.into_values().collect(), plain: plain.into_values().collect(), any })
}

impl<'a> Comparison<'a> {
    /// What is known of a resource while planning: nothing about those that will be created again.
    fn known(&self, lookup: Lookup<'_>) -> Evaluated {
        match lookup {
            Lookup::Resource { logical_id } | Lookup::Attribute { logical_id, .. }
                if self.added.contains(logical_id) || self.replaced.contains(logical_id) =>
            {
                Evaluated::Unknown(logical_id.to_owned())
            }
            lookup => answer_of(self.stack, lookup),
        }
    }

    fn outputs_change(&self) -> Result<bool, Fault> {
        let outputs = self.new.outputs(&|lookup| self.known(lookup))?;
        let known: Vec<_> = outputs.iter().map(|(output, _)| output).collect();
        Ok(known != self.stack.outputs.iter().collect::<Vec<_>>())
    }

    fn addition(&self, resource: &Resource, with_values: bool) -> Result<Value, Fault> {
        let mut change = json!({
            "Action": "Add", "LogicalResourceId": resource.logical_id, "ResourceType": resource.resource_type,
            "Scope": [], "Details": [],
        });
        if let Some(physical_id) = self.imported.get(resource.logical_id.as_str()) {
            change["Action"] = "Import".into();
            change["PhysicalResourceId"] = physical_id.clone().into();
        }
        if with_values {
            let properties = self.new.properties(resource, &|lookup| self.known(lookup))?;
            let properties = masked(self.new.template, resource, to_json(&properties));
            change["AfterContext"] = json!({"Properties": properties}).to_string().into();
        }
        Ok(json!({"Type": "Resource", "ResourceChange": change}))
    }

    fn removal(&self, deployed: &StackResource, with_values: bool) -> Result<Value, Fault> {
        let action = match deployed.deletion_policy.as_str() {
            "Retain" | "RetainExceptOnCreate" => "Retain",
            "Snapshot" => "Snapshot",
            _ => "Delete",
        };
        let mut change = json!({
            "PolicyAction": action, "Action": "Remove", "LogicalResourceId": deployed.logical_id,
            "PhysicalResourceId": deployed.physical_id, "ResourceType": deployed.resource_type, "Scope": [],
            "Details": [],
        });
        if with_values {
            change["BeforeContext"] = json!({"Properties": self.before(deployed)?}).to_string().into();
        }
        Ok(json!({"Type": "Resource", "ResourceChange": change}))
    }

    /// The properties as the deployed template has them, references left open as CloudFormation leaves them.
    fn before(&self, deployed: &StackResource) -> Result<Value, Fault> {
        let Some(old) = &self.old else { return Ok(deployed.properties.clone()) };
        let Some(resource) = old.template.resource(&deployed.logical_id) else {
            return Ok(deployed.properties.clone());
        };
        let properties = old.properties(resource, &|_| Evaluated::Unknown(String::new()))?;
        Ok(masked(old.template, resource, to_json(&properties)))
    }

    /// The change of a resource that stays, with values and without.
    fn modification(
        &mut self,
        resource: &'a Resource,
        deployed: &'a StackResource,
        desired: &Deployment,
    ) -> Result<(Option<Value>, Option<Value>), Fault> {
        let after = self.new.properties(resource, &|lookup| self.known(lookup))?;
        let after = to_json(&after);
        let found = differences(&deployed.properties, &after);
        let old_resource = self.old.as_ref().and_then(|old| old.template.resource(&resource.logical_id));
        let mut valued: Vec<Detail<'_>> = Vec::new();
        let mut bare: Vec<Detail<'_>> = Vec::new();
        for difference in &found {
            self.explain(resource, old_resource, difference, &mut valued, &mut bare);
        }
        let mut attributes: Vec<&str> = Vec::new();
        let stack_tags = self.stack.deployment.tags != desired.tags;
        if stack_tags
            && schema::of(&resource.resource_type).is_some_and(|schema| schema.properties.contains_key("Tags"))
        {
            attributes.push("Tags");
        }
        if resource.deletion_policy() != deployed.deletion_policy {
            attributes.push("DeletionPolicy");
        }
        if resource.update_replace_policy() != deployed.update_replace_policy {
            attributes.push("UpdateReplacePolicy");
        }
        let own = !valued.is_empty() || !attributes.is_empty();
        let follows = self.may_follow(resource);
        if !own {
            let change = (!follows.is_empty()).then(|| {
                self.modified.insert(&resource.logical_id);
                following(resource, deployed, &follows)
            });
            return Ok((None, change));
        }
        let replacement = replacement(&valued);
        if replacement == "True" {
            self.replaced.insert(&resource.logical_id);
        } else {
            self.modified.insert(&resource.logical_id);
        }
        let mut change = change_of(resource, deployed, replacement);
        let mut scope: Vec<&str> = attributes.clone();
        if !valued.is_empty() {
            scope.insert(0, "Properties");
        }
        change["Scope"] = json!(scope);
        let of_attributes = |values: bool| {
            attributes
                .iter()
                .map(|attribute| {
                    let mut target = json!({"Attribute": attribute, "RequiresRecreation": "Never"});
                    if values {
                        target["Path"] = format!("/{attribute}").into();
                        target["AttributeChangeType"] = "Modify".into();
                    }
                    json!({"ChangeSource": "DirectModification", "Evaluation": "Static", "Target": target})
                })
                .collect::<Vec<_>>()
        };
        let mut plain = change.clone();
        plain["Details"] = bare.iter().map(|detail| detail.write(false)).chain(of_attributes(false)).collect();
        change["Details"] = valued.iter().map(|detail| detail.write(true)).chain(of_attributes(true)).collect();
        let template = self.new.template;
        let before = masked(template, resource, deployed.properties.clone());
        change["BeforeContext"] = json!({"Properties": before}).to_string().into();
        change["AfterContext"] = json!({"Properties": masked(template, resource, after)}).to_string().into();
        let wrap = |change: Value| json!({"Type": "Resource", "ResourceChange": change});
        Ok((Some(wrap(change)), Some(wrap(plain))))
    }

    /// Says where a difference comes from.
    fn explain<'d>(
        &self,
        resource: &Resource,
        old: Option<&Resource>,
        difference: &'d Difference,
        valued: &mut Vec<Detail<'d>>,
        bare: &mut Vec<Detail<'d>>,
    ) {
        let recreation =
            schema::of(&resource.resource_type).map_or(Recreation::Never, |schema| schema.recreation(&difference.path));
        let expression = resource.property(difference.property()).map(|property| innermost(property, difference));
        let references_secret = expression.is_some_and(|expression| touches_secret(self.new.template, expression))
            || old.and_then(|old| old.property(difference.property())).is_some_and(|expression| {
                self.old.as_ref().is_some_and(|old| touches_secret(old.template, expression))
            });
        let detail = |source, evaluation, causing_entity| Detail {
            difference,
            source,
            evaluation,
            causing_entity,
            recreation,
            masked: references_secret,
        };
        let mut caused = false;
        for (source, entity) in expression.map(|expression| self.causes(expression)).unwrap_or_default() {
            caused = true;
            valued.push(detail(source, "Static", Some(entity.clone())));
            bare.push(detail(source, "Static", Some(entity)));
            if source == "ParameterReference" {
                bare.push(detail("DirectModification", "Dynamic", None));
            }
        }
        if caused {
            valued.push(detail("DirectModification", "Dynamic", None));
        } else {
            valued.push(detail("DirectModification", "Static", None));
            bare.push(detail("DirectModification", "Static", None));
        }
    }

    /// The parameters and resources in an expression whose values change.
    fn causes(&self, expression: &Expression) -> Vec<(&'static str, String)> {
        let mut causes = Vec::new();
        let mut conditions = BTreeSet::new();
        expression.walk(&mut |inner| {
            if let Some(Intrinsic::If { condition, .. }) = inner.intrinsic() {
                conditions.insert(condition.clone());
            }
        });
        let of_conditions = conditions.iter().filter_map(|name| self.new.template.condition(name));
        for reference in expression.references().into_iter().chain(of_conditions.flat_map(Expression::references)) {
            let cause = match &reference.attribute {
                Some(attribute) if self.replaced.contains(reference.name) => {
                    Some(("ResourceAttribute", format!("{}.{attribute}", reference.name)))
                }
                None if self.replaced.contains(reference.name) => {
                    Some(("ResourceReference", reference.name.to_owned()))
                }
                None if self.parameter_changes(reference.name) => {
                    Some(("ParameterReference", reference.name.to_owned()))
                }
                _ => None,
            };
            if let Some(cause) = cause
                && !causes.contains(&cause)
            {
                causes.push(cause);
            }
        }
        causes
    }

    fn parameter_changes(&self, name: &str) -> bool {
        let before = self.old.as_ref().and_then(|old| old.parameter(name));
        let given = |deployment: &Deployment| deployment.parameters.get(name).cloned();
        match (before, self.new.parameter(name)) {
            (Some(before), Some(after)) => {
                before != after && {
                    // The value behind the name of an SSM parameter counts as the template's own change.
                    let is_ssm = self.new.template.parameter(name).is_some_and(|parameter| {
                        matches!(parameter.parameter_type, crate::template::ParameterType::Ssm { .. })
                    });
                    !is_ssm || given(&self.stack.deployment).is_none()
                }
            }
            _ => false,
        }
    }

    /// The attributes of changed resources that this one reads: they may change too.
    fn may_follow(&self, resource: &Resource) -> Vec<(String, String)> {
        let mut follows = Vec::new();
        for (key, expression) in resource.properties.entries() {
            for reference in expression.references() {
                if let Some(attribute) = &reference.attribute
                    && self.modified.contains(reference.name)
                {
                    follows.push((key.name.clone(), format!("{}.{attribute}", reference.name)));
                }
            }
        }
        follows.dedup();
        follows
    }
}

/// The expression at the place of a difference, as far as the template spells that place out.
fn innermost<'a>(property: &'a Expression, difference: &Difference) -> &'a Expression {
    difference.path.split('/').skip(1).fold(property, |expression, step| {
        let item = || step.parse::<usize>().ok().and_then(|index| expression.items().get(index));
        expression.get(step).or_else(item).unwrap_or(expression)
    })
}

fn to_json(properties: &Evaluated) -> Value {
    properties.to_json(&mut |_| KNOWN_AFTER_APPLY.into())
}
