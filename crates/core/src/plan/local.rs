//! What follows from a template alone: the resources of a stack that does not exist yet, and what may follow when
//! a value that is known only after the deploy changes.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::error::Result;
use crate::spec::Map;
use crate::template::{Evaluated, Lookup, PseudoParameters, Resource, Scope, Template};

use super::mask::{AFTER_DEPLOY, SECRET};
use super::stack_parameters::ParameterValue;

/// The account and region of stacks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AccountRegion {
    pub account: String,
    pub region: String,
}

/// A template together with the values of its parameters.
pub(super) struct Evaluation<'a> {
    template: &'a Template,
    parameters: BTreeMap<String, Evaluated>,
    pseudo: PseudoParameters,
}

impl<'a> Evaluation<'a> {
    /// Parameters without a given value keep their default; those with `NoEcho` read as a secret.
    pub(super) fn new(
        template: &'a Template,
        given: &Map<ParameterValue>,
        place: &AccountRegion,
        stack_name: &str,
        stack_id: Option<&str>,
    ) -> Self {
        let value = |parameter: &crate::template::Parameter| {
            if parameter.no_echo {
                return Evaluated::String(SECRET.to_owned());
            }
            if is_dynamic(parameter) {
                return Evaluated::Unknown(parameter.name.clone());
            }
            match (given.get(&parameter.name), &parameter.default) {
                (Some(ParameterValue::Known(text)), _) | (None, Some(text)) => parameter.value(text),
                (Some(ParameterValue::AfterDeploy(place)), _) => Evaluated::Unknown(place.clone()),
                (None, None) => Evaluated::Unknown(parameter.name.clone()),
            }
        };
        Self {
            template,
            parameters: template.parameters.iter().map(|one| (one.name.clone(), value(one))).collect(),
            pseudo: PseudoParameters {
                account: place.account.clone(),
                region: place.region.clone(),
                stack_name: stack_name.to_owned(),
                stack_id: stack_id.map(str::to_owned),
                ..PseudoParameters::default()
            },
        }
    }

    fn scope<T>(&self, work: impl FnOnce(&Scope<'_>) -> T) -> T {
        let lookup = |lookup: Lookup<'_>| {
            Evaluated::Unknown(match lookup {
                Lookup::Resource { logical_id } => logical_id.to_owned(),
                Lookup::Attribute { logical_id, attribute } => format!("{logical_id}.{attribute}"),
                Lookup::Import { name } => name.to_owned(),
            })
        };
        work(&Scope { template: self.template, parameters: &self.parameters, pseudo: &self.pseudo, lookup: &lookup })
    }

    /// The resources that are part of the stack, each with its properties. A resource whose condition is not known
    /// yet is among them.
    pub(super) fn resources(&self) -> Result<Vec<(&'a Resource, Value)>> {
        self.scope(|scope| {
            let mut resources = Vec::new();
            for resource in &self.template.resources {
                if scope.includes(resource)? != Some(false) {
                    resources.push((resource, to_json(&scope.properties(resource)?)));
                }
            }
            Ok(resources)
        })
    }

    /// The names of the exports, each with its output. A name that is known only after the deploy is none.
    pub(super) fn exports(&self) -> Result<Map<String>> {
        self.scope(|scope| {
            let mut exports = Map::new();
            for output in &self.template.outputs {
                let Some(name) = &output.export else { continue };
                if let Some(Evaluated::String(name)) = scope.evaluate(name)? {
                    exports.insert(name, output.name.clone());
                }
            }
            Ok(exports)
        })
    }

    /// The outputs that are part of the stack, each with its value.
    pub(super) fn outputs(&self) -> Result<Map<Value>> {
        self.scope(|scope| {
            let mut outputs = Map::new();
            for output in &self.template.outputs {
                let absent = match &output.condition {
                    Some((name, span)) => scope.condition(name, span)? == Some(false),
                    None => false,
                };
                if absent {
                    continue;
                }
                if let Some(value) = scope.evaluate(&output.value)? {
                    outputs.insert(output.name.clone(), to_json(&value));
                }
            }
            Ok(outputs)
        })
    }
}

/// Whether the value of a parameter is looked up at each deploy.
pub(super) fn is_dynamic(parameter: &crate::template::Parameter) -> bool {
    matches!(parameter.parameter_type, crate::template::ParameterType::Ssm { .. })
}

fn to_json(value: &Evaluated) -> Value {
    value.to_json(&mut |_| AFTER_DEPLOY.into())
}
