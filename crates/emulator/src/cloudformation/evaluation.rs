//! Evaluating a template against what is deployed.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::account::local_account::{Account, exists};
use crate::account::query::Fault;
use crate::account::state::{Deployment, Stack, StackOutput, StackResource, Stacks};
use crate::resource;
use crate::template::{Evaluated, Lookup, PseudoParameters, Resource, Scope, Template};

/// A template with the values of a deployment.
pub(super) struct Evaluation<'a> {
    pub(super) template: &'a Template,
    parameters: BTreeMap<String, Evaluated>,
    pseudo: PseudoParameters,
    exports: BTreeMap<String, String>,
}

impl<'a> Evaluation<'a> {
    pub(super) fn new(
        account: &Account,
        stacks: &Stacks,
        stack: &Stack,
        template: &'a Template,
        deployment: &Deployment,
    ) -> Self {
        let mut parameters = template.parameter_values(&deployment.parameters);
        for parameter in &template.parameters {
            if let crate::template::ParameterType::Ssm { list, .. } = &parameter.parameter_type
                && let Some(name) = deployment.parameters.get(&parameter.name)
            {
                let value = ssm_value(stacks, name);
                let value = value.map_or_else(
                    || Evaluated::Unknown(name.clone()),
                    |text| {
                        if *list {
                            Evaluated::List(text.split(',').map(|item| Evaluated::String(item.to_owned())).collect())
                        } else {
                            Evaluated::String(text)
                        }
                    },
                );
                parameters.insert(parameter.name.clone(), value);
            }
        }
        Self {
            template,
            parameters,
            pseudo: PseudoParameters {
                account: account.id.clone(),
                region: account.region.clone(),
                stack_name: stack.name.clone(),
                stack_id: Some(stack.id.clone()),
                notification_arns: Vec::new(),
            },
            exports: exports(stacks),
        }
    }

    /// The logical ids of the resources whose conditions hold.
    pub(super) fn included(&self) -> Result<BTreeSet<&'a str>, Fault> {
        let scope = self.scope(&|_| Evaluated::Unknown(String::new()));
        let mut included = BTreeSet::new();
        for resource in &self.template.resources {
            if scope.includes(resource).map_err(|error| refused(&error))? != Some(false) {
                included.insert(resource.logical_id.as_str());
            }
        }
        Ok(included)
    }

    /// The properties of a resource, with `known` telling what other resources are.
    pub(super) fn properties(
        &self,
        resource: &Resource,
        known: &dyn Fn(Lookup<'_>) -> Evaluated,
    ) -> Result<Evaluated, Fault> {
        self.scope(&|lookup| self.look_up(lookup, known)).properties(resource).map_err(|error| refused(&error))
    }

    /// The outputs, as far as their conditions hold.
    pub(super) fn outputs(&self, known: &dyn Fn(Lookup<'_>) -> Evaluated) -> Result<Vec<(StackOutput, bool)>, Fault> {
        let look_up = |lookup: Lookup<'_>| self.look_up(lookup, known);
        let scope = self.scope(&look_up);
        let mut outputs = Vec::new();
        for output in &self.template.outputs {
            if let Some((name, span)) = &output.condition
                && scope.condition(name, span).map_err(|error| refused(&error))? == Some(false)
            {
                continue;
            }
            let value = scope.evaluate(&output.value).map_err(|error| refused(&error))?;
            let value = value.unwrap_or(Evaluated::Null);
            let export = match &output.export {
                Some(export) => scope.evaluate(export).map_err(|error| refused(&error))?.and_then(|e| e.as_text()),
                None => None,
            };
            let is_known = value.is_known();
            outputs.push((
                StackOutput {
                    key: output.name.clone(),
                    value: output_text(&value),
                    description: output.description.clone(),
                    export,
                },
                is_known,
            ));
        }
        Ok(outputs)
    }

    /// Whether a condition holds, where that can be known.
    pub(super) fn parameter(&self, name: &str) -> Option<&Evaluated> {
        self.parameters.get(name)
    }

    fn look_up(&self, lookup: Lookup<'_>, known: &dyn Fn(Lookup<'_>) -> Evaluated) -> Evaluated {
        match lookup {
            Lookup::Import { name } => self
                .exports
                .get(name)
                .map_or_else(|| Evaluated::Unknown(name.to_owned()), |value| Evaluated::String(value.clone())),
            lookup => known(lookup),
        }
    }

    fn scope<'s>(&'s self, lookup: &'s dyn Fn(Lookup<'_>) -> Evaluated) -> Scope<'s> {
        Scope { template: self.template, parameters: &self.parameters, pseudo: &self.pseudo, lookup }
    }
}

/// What a resource that is deployed answers to `Ref` and `Fn::GetAtt`.
pub(super) fn answer(resource: &StackResource, lookup: Lookup<'_>) -> Evaluated {
    match lookup {
        Lookup::Attribute { logical_id, attribute } => {
            match resource::attribute(&resource.attributes, &resource.properties, attribute) {
                Some(value) => Evaluated::from(value),
                None => Evaluated::Unknown(format!("{logical_id}.{attribute}")),
            }
        }
        // The id of these types names its parts; `Ref` answers with the last.
        _ if resource.resource_type.starts_with("AWS::QuickSight::") => {
            let id = resource.physical_id.rsplit('|').next().unwrap_or_default();
            Evaluated::String(id.to_owned())
        }
        _ => Evaluated::String(resource.physical_id.clone()),
    }
}

/// What the deployed stack answers, resources that are gone or not yet made excepted.
pub(super) fn answer_of(stack: &Stack, lookup: Lookup<'_>) -> Evaluated {
    let (Lookup::Resource { logical_id } | Lookup::Attribute { logical_id, .. }) = lookup else {
        return Evaluated::Unknown(String::new());
    };
    match stack.resource(logical_id).filter(|resource| exists(resource)) {
        Some(resource) => answer(resource, lookup),
        None => Evaluated::Unknown(logical_id.to_owned()),
    }
}

/// The exports of all stacks, by name.
pub(super) fn exports(stacks: &Stacks) -> BTreeMap<String, String> {
    stacks
        .live
        .values()
        .flat_map(|stack| &stack.outputs)
        .filter_map(|output| output.export.clone().map(|name| (name, output.value.clone())))
        .collect()
}

/// The value of an SSM parameter that some stack has made.
pub(super) fn ssm_value(stacks: &Stacks, name: &str) -> Option<String> {
    let mut all = stacks.live.values().flat_map(|stack| &stack.resources);
    let found = all.find(|one| one.resource_type == "AWS::SSM::Parameter" && one.physical_id == name && exists(one))?;
    found.properties.get("Value").and_then(Value::as_str).map(str::to_owned)
}

fn output_text(value: &Evaluated) -> String {
    match value {
        Evaluated::List(items) => items.iter().map(output_text).collect::<Vec<_>>().join(","),
        Evaluated::Unknown(_) => super::KNOWN_AFTER_APPLY.to_owned(),
        value => value.as_text().unwrap_or_else(|| value.to_json(&mut |_| Value::Null).to_string()),
    }
}

fn refused(error: &crate::error::Error) -> Fault {
    Fault::validation(format!("Template error: {}", error.message()))
}
