//! The values in the rendered templates: what AWS's schemas and services refuse.

use crate::error::Error;
use crate::render::{RenderedStack, declared_resources};
use crate::resource::Resource;
use crate::resource_types;
use crate::service_rules::{self, Declared, Finding, World};
use crate::spec::Spec;
use crate::template::shape;
use crate::yaml::{Node, Span, Value};

/// The rules that stand for the schemas: they have no file in [`service_rules`].
pub const SCHEMA: &str = "schema";
pub const RESOURCE_TYPE: &str = "resource-type";

/// Finds the values of all stacks that AWS would refuse.
pub fn check(spec: &Spec, stacks: &[RenderedStack]) -> Vec<Error> {
    let (account, region) = (spec.environment.account.as_str(), spec.environment.region.as_str());
    let resources = declared_resources(stacks, account, region);
    let world = World {
        account,
        region,
        resources: resources.iter().map(|resource| of_template(resource, account, region)).collect(),
        is_complete: true,
    };
    let mut errors = Vec::new();
    for (resource, one) in resources.iter().zip(&world.resources) {
        let suppressions = Suppressions::of(resource);
        let mut used = Vec::new();
        let mut seen: Vec<Vec<String>> = Vec::new();
        for finding in findings(one, &world) {
            if suppressions.has(finding.rule) {
                used.push(finding.rule);
                continue;
            }
            // A value that its schema refuses is not reported again by a rule that knows the same limit.
            let repeated = seen.contains(&finding.path);
            seen.push(finding.path.clone());
            if !repeated {
                errors.push(error(spec, resource, &finding));
            }
        }
        errors.extend(suppressions.mistakes(resource, &used));
    }
    errors
}

/// What the schema and the rules say of a resource.
fn findings(resource: &Declared<'_>, world: &World<'_>) -> Vec<Finding> {
    let source =
        "https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-template-resource-type-ref.html";
    if !shape::is_published(resource.resource_type) {
        return vec![Finding {
            rule: RESOURCE_TYPE,
            source,
            path: Vec::new(),
            message: format!("has the type `{}`, which AWS does not have", resource.resource_type),
            hint: shape::type_hint(resource.resource_type),
            answer: String::new(),
        }];
    }
    let mismatches = shape::mismatches(resource.resource_type, resource.properties);
    let by_schema = mismatches.into_iter().map(|mismatch| {
        let at = mismatch.path.join("/");
        let at =
            if at.is_empty() || mismatch.message.starts_with("no such") { String::new() } else { format!("`{at}` ") };
        let message = if at.is_empty() && mismatch.message.starts_with("no such") {
            format!("has {}", mismatch.message.replacen("no such property:", "the unknown property", 1))
        } else if at.is_empty() {
            mismatch.message
        } else if is_secret(resource.resource_type, &mismatch.path.join("/")) {
            format!("has a wrong value: {at}is not what the schema of its type allows")
        } else {
            format!("has a wrong value: {at}{}", mismatch.message)
        };
        Finding { rule: SCHEMA, source, path: mismatch.path, message, hint: mismatch.hint, answer: mismatch.wording }
    });
    by_schema.chain(service_rules::findings(resource, world)).collect()
}

/// Whether a property is secret, so that its value must not be shown.
fn is_secret(resource_type: &str, path: &str) -> bool {
    let known = resource_types::find(resource_type).is_some_and(|one| {
        one.secret_properties.iter().any(|secret| path == *secret || path.starts_with(&format!("{secret}/")))
    });
    known || path.ends_with("Password")
}

pub(crate) fn of_template<'a>(resource: &'a Resource, account: &str, region: &str) -> Declared<'a> {
    let name = resource.name.as_str();
    let arn = match resource.kind.as_str() {
        _ if name.starts_with(shape::UNKNOWN) => Some(format!("{name}.Arn")),
        _ if name.starts_with("arn:") => Some(name.to_owned()),
        // `Ref` of a queue is its URL.
        kind @ "AWS::SQS::Queue" => resource_types::arn(kind, account, region, name.rsplit('/').next().unwrap_or(name)),
        kind => resource_types::arn(kind, account, region, name),
    };
    Declared {
        stack: &resource.stack,
        logical_id: &resource.id,
        resource_type: &resource.kind,
        physical_id: resource.name.clone(),
        arn,
        properties: &resource.properties,
    }
}

fn error(spec: &Spec, resource: &Resource, finding: &Finding) -> Error {
    let path: Vec<&str> = finding.path.iter().map(String::as_str).collect();
    let message = format!("`{}` ({}) {}", resource.id, resource.kind, finding.message);
    let mut error = Error::project(message);
    let span = if finding.rule == RESOURCE_TYPE {
        resource.node.as_ref().map(|node| node.span_of(["Type"]))
    } else {
        resource.span_of(&path)
    };
    if let Some(span) = span {
        let file = span.file().trim_end_matches(".yaml").to_owned();
        error = error.at(&span, "").note(format!("`{}` is made from `templates/{file}.yaml.hbs`", span.file()));
    }
    if let Some(span) = in_spec(spec, resource, &finding.path) {
        error = error.note(format!("the same value is in {}:{}:{}", span.file(), span.line(), span.column()));
    }
    error.rule(finding.rule, finding.source).hint(&finding.hint)
}

/// The value of the spec that a value of a template may come from: the only one that is the same, if it is not short.
fn in_spec(spec: &Spec, resource: &Resource, path: &[String]) -> Option<Span> {
    let pointer: String = path.iter().map(|step| format!("/{}", step.replace('~', "~0").replace('/', "~1"))).collect();
    let text = match resource.properties.pointer(&pointer)? {
        serde_json::Value::String(text) => text.clone(),
        serde_json::Value::Number(number) => number.to_string(),
        _ => return None,
    };
    let mut places = Vec::new();
    same(&spec.tree, &text, &mut places);
    match places.as_slice() {
        [span] if text.len() > 3 || span.text().len() > 1 && text.parse::<f64>().is_ok() => Some(span.clone()),
        _ => None,
    }
}

fn same(node: &Node, text: &str, places: &mut Vec<Span>) {
    match &node.value {
        Value::String(value) if value == text => places.push(node.span.clone()),
        Value::Number(value) if value.to_string() == text => places.push(node.span.clone()),
        Value::Mapping(entries) => entries.iter().for_each(|(_, value)| same(value, text, places)),
        Value::Sequence(items) => items.iter().for_each(|item| same(item, text, places)),
        _ => {}
    }
}

/// Rules that a template switches off for one resource, each with its reason:
/// `Metadata: {pipectl: {ignore: {reference: the queue belongs to another team}}}`.
struct Suppressions<'a> {
    entries: Vec<(&'a str, &'a Node, Span)>,
}

impl<'a> Suppressions<'a> {
    fn of(resource: &'a Resource) -> Self {
        let block = resource
            .node
            .as_ref()
            .and_then(|node| node.get("Metadata"))
            .and_then(|node| node.get("pipectl"))
            .and_then(|node| node.get("ignore"));
        let entries = block.map(Node::entries).unwrap_or_default();
        Self { entries: entries.iter().map(|(key, reason)| (key.name.as_str(), reason, key.span.clone())).collect() }
    }

    fn has(&self, rule: &str) -> bool {
        self.entries.iter().any(|(name, ..)| *name == rule)
    }

    /// Suppressions of rules that do not exist or that find nothing, and those without a reason.
    fn mistakes(&self, resource: &Resource, used: &[&str]) -> Vec<Error> {
        let known = || service_rules::rules().map(|rule| rule.id).chain([SCHEMA, RESOURCE_TYPE]);
        self.entries
            .iter()
            .filter_map(|(rule, reason, span)| {
                let (message, hint) = if !known().any(|id| id == *rule) {
                    let ids: Vec<&str> = known().collect();
                    let hint = crate::error::closest(rule, ids).map_or_else(
                        || "`docs/rules.md` lists the rules".to_owned(),
                        |id| format!("did you mean `{id}`?"),
                    );
                    (format!("`{}` ignores the unknown rule `{rule}`", resource.id), hint)
                } else if reason.as_str().is_none_or(|text| text.trim().is_empty()) {
                    (
                        format!("`{}` ignores the rule `{rule}` without a reason", resource.id),
                        format!("write `{rule}: <why>`"),
                    )
                } else if !used.contains(rule) {
                    (
                        format!("`{}` ignores the rule `{rule}`, which finds nothing here", resource.id),
                        "remove the line".to_owned(),
                    )
                } else {
                    return None;
                };
                Some(Error::project(message).at(span, "").hint(hint))
            })
            .collect()
    }
}

#[cfg(test)]
mod tests;
