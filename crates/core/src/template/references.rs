//! Who refers to whom: the order of creation, and the cycles that forbid one.

use std::collections::{BTreeMap, BTreeSet};

use super::expression::{Expression, Intrinsic, SubPart};
use super::{Resource, Template};
use crate::yaml::Span;

/// A reference from one place of a template to a resource or parameter.
#[derive(Debug, Clone)]
pub struct Reference<'a> {
    pub name: &'a str,
    /// The attribute of a `Fn::GetAtt`; none for a `Ref` or a `DependsOn`.
    pub attribute: Option<String>,
    pub span: &'a Span,
}

impl Expression {
    /// Every reference in the expression, in the order of the text.
    pub fn references(&self) -> Vec<Reference<'_>> {
        let mut references = Vec::new();
        self.walk(&mut |expression| match expression.intrinsic() {
            Some(Intrinsic::Ref(name)) => {
                references.push(Reference { name, attribute: None, span: &expression.span });
            }
            Some(Intrinsic::GetAtt { resource, attribute }) => references.push(Reference {
                name: resource,
                attribute: Some(attribute.as_str().unwrap_or_default().to_owned()),
                span: &expression.span,
            }),
            Some(Intrinsic::Sub { parts, variables }) => {
                for part in parts {
                    match part {
                        SubPart::Text(_) => {}
                        SubPart::Name(name) if variables.iter().any(|(key, _)| key.name == *name) => {}
                        SubPart::Name(name) => {
                            references.push(Reference { name, attribute: None, span: &expression.span });
                        }
                        SubPart::Attribute { resource, attribute } => {
                            // A variable of the function's map may have a dot in its name.
                            let dotted = format!("{resource}.{attribute}");
                            if !variables.iter().any(|(key, _)| key.name == dotted) {
                                references.push(Reference {
                                    name: resource,
                                    attribute: Some(attribute.clone()),
                                    span: &expression.span,
                                });
                            }
                        }
                    }
                }
            }
            _ => {}
        });
        references
    }
}

impl Resource {
    /// Every reference of the resource to resources and parameters, `DependsOn` included.
    pub fn references(&self) -> Vec<Reference<'_>> {
        let mut references = self.properties.references();
        references.extend(self.depends_on.iter().map(|(name, span)| Reference { name, attribute: None, span }));
        references
    }
}

impl Template {
    /// The resources that each resource needs before it, by logical id.
    pub fn dependencies(&self) -> BTreeMap<&str, BTreeSet<&str>> {
        self.resources
            .iter()
            .map(|resource| {
                let needs = resource
                    .references()
                    .into_iter()
                    .filter(|reference| self.resource(reference.name).is_some())
                    .map(|reference| reference.name)
                    .collect();
                (resource.logical_id.as_str(), needs)
            })
            .collect()
    }

    /// The resources in an order in which each follows all it needs. Resources that are free come in the order of the
    /// text, so that the order is the same every time.
    pub fn creation_order(&self) -> Vec<&Resource> {
        let dependencies = self.dependencies();
        let mut done: BTreeSet<&str> = BTreeSet::new();
        let mut order: Vec<&Resource> = Vec::new();
        while order.len() < self.resources.len() {
            let ready = self.resources.iter().filter(|resource| !done.contains(resource.logical_id.as_str())).find(
                |resource| dependencies.get(resource.logical_id.as_str()).is_none_or(|needs| needs.is_subset(&done)),
            );
            // A template with a cycle is never built, so something is always ready; should that break, end truthfully.
            let Some(ready) = ready else { break };
            done.insert(&ready.logical_id);
            order.push(ready);
        }
        order
    }

    /// A cycle among the resources, as the path that leads back to its start.
    pub(super) fn cycle(&self) -> Option<Vec<&str>> {
        let dependencies = self.dependencies();
        let mut done = BTreeSet::new();
        for start in self.resources.iter().map(|resource| resource.logical_id.as_str()) {
            let mut path = Vec::new();
            if let Some(cycle) = descend(start, &dependencies, &mut path, &mut done) {
                return Some(cycle);
            }
        }
        None
    }
}

fn descend<'a>(
    at: &'a str,
    dependencies: &BTreeMap<&'a str, BTreeSet<&'a str>>,
    path: &mut Vec<&'a str>,
    done: &mut BTreeSet<&'a str>,
) -> Option<Vec<&'a str>> {
    if let Some(start) = path.iter().position(|step| *step == at) {
        let mut cycle = path[start..].to_vec();
        cycle.push(at);
        return Some(cycle);
    }
    if done.contains(at) {
        return None;
    }
    path.push(at);
    for next in dependencies.get(at).into_iter().flatten() {
        if let Some(cycle) = descend(next, dependencies, path, done) {
            return Some(cycle);
        }
    }
    path.pop();
    done.insert(at);
    None
}
