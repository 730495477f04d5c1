//! What the stacks come to, as far as that can be told before any of them is deployed: names and ARNs follow from the
//! templates, ids that a service makes up do not.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{InputSource, RenderedStack};
use crate::resource::Resource;
use crate::resource_types::{self, Reference};
use crate::template::{self, Evaluated, Lookup, PseudoParameters, Scope, Template};
use crate::yaml::{self, Source};

/// Stands for what only a deployment can tell.
pub const UNKNOWN: &str = "?";

/// The resources of all stacks, which come each after those that it needs.
pub fn forecast(stacks: &[RenderedStack], account: &str, region: &str) -> Vec<Resource> {
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
                let value = given(&one.name).or_else(default);
                (one.name.clone(), value.unwrap_or_else(|| Evaluated::Unknown(one.name.clone())))
            })
            .collect();
        let pseudo = PseudoParameters {
            account: account.to_owned(),
            region: region.to_owned(),
            stack_name: stack.stack_name.clone(),
            ..PseudoParameters::default()
        };
        let place = Place { account, region, names: names(template, &parameters, &pseudo) };
        let lookup = |lookup: Lookup<'_>| place.answer(template, lookup);
        let scope = Scope { template, parameters: &parameters, pseudo: &pseudo, lookup: &lookup };
        let source = Source::new(format!("{}.yaml", stack.name), stack.text.clone());
        let document = yaml::parse(&source).ok();
        for resource in &template.resources {
            if !matches!(scope.includes(resource), Ok(Some(true))) {
                continue;
            }
            let Ok(properties) = scope.properties(resource) else { continue };
            let node = document.as_ref().and_then(|document| document.get("Resources")?.get(&resource.logical_id));
            all.push(Resource {
                stack: stack.name.clone(),
                id: resource.logical_id.clone(),
                kind: resource.resource_type.clone(),
                name: place.reference(resource),
                properties: properties.to_json(&mut |_| Value::String(UNKNOWN.into())),
                node: node.cloned(),
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
    all.map(|one| (one.logical_id.clone(), name(one).unwrap_or_else(|| one.logical_id.clone()))).collect()
}

struct Place<'a> {
    account: &'a str,
    region: &'a str,
    names: BTreeMap<String, String>,
}

impl Place<'_> {
    fn name(&self, resource: &template::Resource) -> &str {
        self.names.get(&resource.logical_id).map_or("", String::as_str)
    }

    /// What `Ref` gives.
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
            None => Some(self.reference(resource)),
            Some(attribute) => self.attribute(resource, attribute),
        });
        found.map_or_else(|| Evaluated::Unknown(id.to_owned()), Evaluated::String)
    }
}
