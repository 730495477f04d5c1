//! A forecast of the deployed resources before any stack is deployed: names and ARNs follow from the
//! templates, ids that a service makes up do not.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::{InputSource, RenderedStack};
use crate::resource::Resource;
use crate::resource_types::{self, Reference};
use crate::template::{self, Evaluated, Lookup, PseudoParameters, Scope, Template, shape};

/// Stands for what is known only after a deployment.
pub const UNKNOWN: &str = "?";

/// What stands for the name of a resource to which the template gives none.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Unnamed {
    /// Its logical id.
    LogicalId,
    /// [`shape::UNKNOWN`], the stack and the logical id, such as `\0storage/Queue`: a value that no rule takes for known.
    Marked,
}

/// The resources of all stacks, which come each after those that it needs.
pub fn forecast(stacks: &[RenderedStack], account: &str, region: &str) -> Vec<Resource> {
    evaluate(stacks, account, region, Unnamed::LogicalId)
}

/// The same; values that are known only after a deployment are marked by [`shape::UNKNOWN`].
pub fn declared_resources(stacks: &[RenderedStack], account: &str, region: &str) -> Vec<Resource> {
    evaluate(stacks, account, region, Unnamed::Marked)
}

fn evaluate(stacks: &[RenderedStack], account: &str, region: &str, unnamed: Unnamed) -> Vec<Resource> {
    let mut outputs: BTreeMap<(String, String), Evaluated> = BTreeMap::new();
    let mut all = Vec::new();
    for stack in stacks {
        let template = &stack.template;
        let given = |name: &str| {
            let input = stack.inputs.iter().find(|input| input.parameter == name)?;
            Some(match &input.from {
                InputSource::Output { stack, output } => outputs.get(&(stack.clone(), output.clone()))?.clone(),
                InputSource::Artifact { name } => Evaluated::String(format!("artifact/{name}")),
                InputSource::Document => Evaluated::String("config/pipeline.json".into()),
            })
        };
        let parameters: BTreeMap<String, Evaluated> = template
            .parameters
            .iter()
            .map(|one| {
                let default = || one.default.as_ref().map(|text| one.value(text));
                // What a rule says of a secret must not show it.
                let is_secret = one.no_echo && unnamed == Unnamed::Marked;
                let value = if is_secret { None } else { given(&one.name).or_else(default) };
                (one.name.clone(), value.unwrap_or_else(|| Evaluated::Unknown(one.name.clone())))
            })
            .collect();
        let pseudo = PseudoParameters {
            account: account.to_owned(),
            region: region.to_owned(),
            stack_name: stack.stack_name.clone(),
            ..PseudoParameters::default()
        };
        let forecast = Forecast {
            account,
            region,
            stack: &stack.name,
            unnamed,
            names: names(template, &parameters, &pseudo, unnamed),
        };
        let lookup = |lookup: Lookup<'_>| forecast.answer(template, lookup);
        let scope = Scope { template, parameters: &parameters, pseudo: &pseudo, lookup: &lookup };
        for resource in &template.resources {
            if !matches!(scope.includes(resource), Ok(Some(true))) {
                continue;
            }
            let Ok(properties) = scope.properties(resource) else { continue };
            all.push(Resource {
                stack: stack.name.clone(),
                id: resource.logical_id.clone(),
                kind: resource.resource_type.clone(),
                name: forecast.physical_id(resource),
                properties: properties.to_json(&mut |waits_for| match unnamed {
                    Unnamed::LogicalId => Value::String(UNKNOWN.into()),
                    Unnamed::Marked => Value::String(format!("{}{waits_for}", shape::UNKNOWN)),
                }),
                node: Some(Arc::clone(&resource.node)),
            });
        }
        for output in &template.outputs {
            if let Ok(Some(value)) = scope.evaluate(&output.value) {
                outputs.insert((stack.name.clone(), output.name.clone()), value);
            }
        }
    }
    all
}

/// The names of a template's resources by their logical ids.
fn names(
    template: &Template,
    parameters: &BTreeMap<String, Evaluated>,
    pseudo: &PseudoParameters,
    unnamed: Unnamed,
) -> BTreeMap<String, String> {
    let nothing = |_: Lookup<'_>| Evaluated::Unknown(String::new());
    let scope = Scope { template, parameters, pseudo, lookup: &nothing };
    let name = |resource: &template::Resource| {
        // AWS's schemas name some types by an id that the service makes up.
        [resource_types::name_property(&resource.resource_type), Some("Name")].into_iter().flatten().find_map(|path| {
            let mut steps = path.split('/');
            let first = resource.property(steps.next()?)?;
            let expression = steps.try_fold(first, |expression, step| expression.get(step))?;
            scope.evaluate(expression).ok()??.as_text()
        })
    };
    let all = template.resources.iter();
    let default = |one: &template::Resource| (unnamed == Unnamed::LogicalId).then(|| one.logical_id.clone());
    all.filter_map(|one| Some((one.logical_id.clone(), name(one).or_else(|| default(one))?))).collect()
}

struct Forecast<'a> {
    account: &'a str,
    region: &'a str,
    stack: &'a str,
    unnamed: Unnamed,
    names: BTreeMap<String, String>,
}

impl Forecast<'_> {
    fn name(&self, resource: &template::Resource) -> &str {
        self.names.get(&resource.logical_id).map_or("", String::as_str)
    }

    /// What `Ref` gives, or what stands for it.
    fn physical_id(&self, resource: &template::Resource) -> String {
        if self.is_marked(resource) { self.mark(&resource.logical_id, None) } else { self.reference(resource) }
    }

    /// Whether `Ref` gives something that does not follow from the template.
    fn is_marked(&self, resource: &template::Resource) -> bool {
        const BY_ID: [&str; 4] = [
            "AWS::Athena::NamedQuery",
            "AWS::Lambda::LayerVersion",
            "AWS::StepFunctions::StateMachine",
            "AWS::KMS::Key",
        ];
        let kind = resource.resource_type.as_str();
        self.unnamed == Unnamed::Marked
            && (self.name(resource).is_empty() || BY_ID.contains(&kind) || kind.starts_with("AWS::DMS::"))
    }

    fn mark(&self, logical_id: &str, attribute: Option<&str>) -> String {
        let dot = if attribute.is_some() { "." } else { "" };
        format!("{}{}/{logical_id}{dot}{}", shape::UNKNOWN, self.stack, attribute.unwrap_or_default())
    }

    /// What `Ref` gives, made from the name.
    fn reference(&self, resource: &template::Resource) -> String {
        let name = self.name(resource);
        match resource_types::reference(&resource.resource_type) {
            Reference::QueueUrl => format!("https://sqs.{}.amazonaws.com/{}/{name}", self.region, self.account),
            Reference::Arn => self.attribute(resource, "Arn").unwrap_or_default(),
            Reference::Name => name.to_owned(),
        }
    }

    /// What `Fn::GetAtt` gives, where it follows from the name.
    fn attribute(&self, resource: &template::Resource, attribute: &str) -> Option<String> {
        let name = self.name(resource);
        match (resource.resource_type.as_str(), attribute) {
            (kind, "Arn") | (kind @ "AWS::SNS::Topic", "TopicArn") | (kind @ "AWS::SecretsManager::Secret", "Id") => {
                resource_types::arn(kind, self.account, self.region, name)
            }
            ("AWS::SQS::Queue", "QueueName") | ("AWS::SNS::Topic", "TopicName") => Some(name.to_owned()),
            _ => None,
        }
    }

    fn answer(&self, template: &Template, lookup: Lookup<'_>) -> Evaluated {
        let (id, attribute) = match lookup {
            Lookup::Resource { logical_id } => (logical_id, None),
            Lookup::Attribute { logical_id, attribute } => (logical_id, Some(attribute)),
            Lookup::Import { name } => return Evaluated::Unknown(name.to_owned()),
        };
        let found = template.resource(id).and_then(|resource| match attribute {
            None => Some(self.physical_id(resource)),
            Some(attribute) => {
                let known = if self.is_marked(resource) { None } else { self.attribute(resource, attribute) };
                known.or_else(|| (self.unnamed == Unnamed::Marked).then(|| self.mark(id, Some(attribute))))
            }
        });
        found.map_or_else(|| Evaluated::Unknown(id.to_owned()), Evaluated::String)
    }
}
