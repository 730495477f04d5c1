//! From a YAML tree to a template.

use std::sync::Arc;

use super::expression::{Expression, Form, Position};
use super::parameter::Parameter;
use super::problem::Problem;
use super::{Output, Resource, Template};
use crate::error::did_you_mean;
use crate::limits::STACK_RESOURCES;
use crate::yaml::{Key, Node, Source, Span, Value};

const SECTIONS: [&str; 10] = [
    "AWSTemplateFormatVersion",
    "Description",
    "Metadata",
    "Parameters",
    "Rules",
    "Mappings",
    "Conditions",
    "Transform",
    "Resources",
    "Outputs",
];

const RESOURCE_KEYS: [&str; 9] = [
    "Type",
    "Properties",
    "DependsOn",
    "Condition",
    "DeletionPolicy",
    "UpdateReplacePolicy",
    "Metadata",
    "CreationPolicy",
    "UpdatePolicy",
];

/// Reads what can be read and reports the rest.
pub(super) fn template(source: &Arc<Source>, node: &Node, problems: &mut Vec<Problem>) -> Template {
    if !matches!(node.value, Value::Mapping(_)) {
        problems.push(
            Problem::new(
                &node.span,
                format!("`{}` is not a CloudFormation template", source.name),
                "Template format error: unsupported structure.",
            )
            .label(format!("this is {}", node.kind()))
            .hint("a template is a mapping with a `Resources` section"),
        );
    }
    for (key, value) in node.entries() {
        if !SECTIONS.contains(&key.name.as_str()) {
            problems.push(
                Problem::new(
                    &key.span,
                    format!("unknown section `{}`", key.name),
                    format!("Invalid template property or properties [{}]", key.name),
                )
                .hint(did_you_mean(&key.name, SECTIONS)),
            );
        } else if matches!(key.name.as_str(), "Transform" | "Rules") {
            problems.push(
                Problem::new(
                    &key.span,
                    format!("`{}` is not supported", key.name),
                    format!("Template format error: {} is not supported by this account", key.name),
                )
                .hint(format!("write the resources without `{}`", key.name)),
            );
        }
        let _ = value;
    }
    let section = |name: &str| node.get(name).map(Node::entries).unwrap_or_default();
    let parameters =
        section("Parameters").iter().filter_map(|(key, node)| Parameter::read(key, node, problems)).collect();
    let mappings = named_expressions(section("Mappings"), Position::Value, problems);
    let conditions = named_expressions(section("Conditions"), Position::Condition, problems);
    let resources = section("Resources").iter().filter_map(|(key, node)| resource(key, node, problems)).collect();
    if section("Resources").is_empty() && matches!(node.value, Value::Mapping(_)) {
        problems.push(
            Problem::new(
                &node.get("Resources").map_or_else(|| node.span.clone(), |node| node.span.clone()),
                format!("`{}` defines no resource", source.name),
                "Template format error: At least one Resources member must be defined.",
            )
            .hint("add a `Resources` section with at least one resource"),
        );
    }
    if let Some((key, _)) = section("Resources").get(STACK_RESOURCES) {
        let count = section("Resources").len();
        problems.push(
            Problem::new(
                &key.span,
                format!("`{}` defines {count} resources; a stack has at most {STACK_RESOURCES}", source.name),
                format!(
                    "Template format error: Number of resources, {count}, is greater than maximum allowed, {STACK_RESOURCES}"
                ),
            )
            .label("the first that is too many")
            .hint("divide them among stacks"),
        );
    }
    let outputs = section("Outputs").iter().filter_map(|(key, node)| output(key, node, problems)).collect();
    Template {
        source: Arc::clone(source),
        description: node.get("Description").and_then(Node::as_str).map(str::to_owned),
        parameters,
        mappings,
        conditions,
        resources,
        outputs,
        metadata: node.get("Metadata").cloned(),
    }
}

fn named_expressions(
    entries: &[(Key, Node)],
    position: Position,
    problems: &mut Vec<Problem>,
) -> Vec<(Key, Expression)> {
    entries.iter().map(|(key, node)| (key.clone(), Expression::read(node, position, problems))).collect()
}

/// CloudFormation's logical names are letters and digits only.
pub(super) fn check_name(key: &Key, kind: &str, problems: &mut Vec<Problem>) {
    if key.name.is_empty() || !key.name.chars().all(|c| c.is_ascii_alphanumeric()) {
        problems.push(
            Problem::new(
                &key.span,
                format!("the {} name `{}` has characters other than letters and digits", kind.to_lowercase(), key.name),
                format!("Template format error: {kind} name {} is non alphanumeric.", key.name),
            )
            .hint("rename it: letters and digits only"),
        );
    }
}

fn resource(key: &Key, node: &Node, problems: &mut Vec<Problem>) -> Option<Resource> {
    check_name(key, "Resource", problems);
    if !matches!(node.value, Value::Mapping(_)) {
        problems.push(
            Problem::new(
                &node.span,
                format!("the resource `{}` is {}", key.name, node.kind()),
                "Template format error: Any Resources member must be an object.",
            )
            .hint("a resource is a mapping with `Type` and `Properties`"),
        );
        return None;
    }
    for (name, _) in node.entries() {
        if !RESOURCE_KEYS.contains(&name.name.as_str()) {
            problems.push(
                Problem::new(
                    &name.span,
                    format!("unknown key `{}` in the resource `{}`", name.name, key.name),
                    format!("Invalid template resource property '{}'", name.name),
                )
                .hint(did_you_mean(&name.name, RESOURCE_KEYS)),
            );
        }
    }
    let Some((resource_type, type_span)) =
        node.get("Type").and_then(|node| node.as_str().map(|text| (text.to_owned(), node.span.clone())))
    else {
        problems.push(
            Problem::new(
                &key.span,
                format!("the resource `{}` has no type", key.name),
                format!(
                    "Template format error: [/Resources/{}] Every Resources object must contain a Type member.",
                    key.name
                ),
            )
            .hint("add `Type: AWS::Service::Thing`"),
        );
        return None;
    };
    let properties = match node.get("Properties") {
        Some(properties) => {
            check_nulls(properties, &format!("/Resources/{}/Properties", key.name), problems);
            Expression::read(properties, Position::Value, problems)
        }
        None => Expression { form: Form::Object(Vec::new()), span: key.span.clone() },
    };
    if !matches!(properties.form, Form::Object(_)) {
        problems.push(Problem::new(
            &properties.span,
            format!("the properties of `{}` are not a mapping", key.name),
            "Template format error: Properties must be an object.",
        ));
    }
    Some(Resource {
        logical_id: key.name.clone(),
        resource_type,
        type_span,
        properties,
        depends_on: names(node.get("DependsOn")),
        condition: name(node.get("Condition")),
        deletion_policy: policy(node.get("DeletionPolicy"), "DeletionPolicy", problems),
        update_replace_policy: policy(node.get("UpdateReplacePolicy"), "UpdateReplacePolicy", problems),
        span: key.span.clone(),
        node: Arc::new(node.clone()),
    })
}

fn policy(node: Option<&Node>, name: &str, problems: &mut Vec<Problem>) -> Option<String> {
    let node = node?;
    let known: &[&str] = if name == "DeletionPolicy" {
        &["Delete", "Retain", "RetainExceptOnCreate", "Snapshot"]
    } else {
        &["Delete", "Retain", "Snapshot"]
    };
    match node.as_str() {
        Some(value) if known.contains(&value) => Some(value.to_owned()),
        value => {
            let value = value.unwrap_or(node.kind());
            problems.push(
                Problem::new(
                    &node.span,
                    format!("`{value}` is no {name}"),
                    format!("Template format error: Unrecognized {name} {value}"),
                )
                .hint(did_you_mean(value, known.iter().copied())),
            );
            None
        }
    }
}

fn output(key: &Key, node: &Node, problems: &mut Vec<Problem>) -> Option<Output> {
    check_name(key, "Output", problems);
    let Some(value) = node.get("Value") else {
        problems.push(
            Problem::new(
                &key.span,
                format!("the output `{}` has no value", key.name),
                "Template format error: Every Outputs member must contain a Value object",
            )
            .hint("add `Value:`"),
        );
        return None;
    };
    check_nulls(value, &format!("/Outputs/{}/Value", key.name), problems);
    Some(Output {
        name: key.name.clone(),
        description: node.get("Description").and_then(Node::as_str).map(str::to_owned),
        value: Expression::read(value, Position::Value, problems),
        export: node
            .get("Export")
            .and_then(|node| node.get("Name"))
            .map(|node| Expression::read(node, Position::Value, problems)),
        condition: name(node.get("Condition")),
        span: key.span.clone(),
    })
}

/// Reports `null`s, which CloudFormation allows nowhere (an empty `Fn::GetAZs` argument aside).
fn check_nulls(node: &Node, path: &str, problems: &mut Vec<Problem>) {
    match &node.value {
        Value::Null if node.tag.is_none() => problems.push(
            Problem::new(
                &node.span,
                "a value is missing here",
                format!("[{path}] 'null' values are not allowed in templates"),
            )
            .hint("write the value, or remove its key"),
        ),
        Value::Mapping(entries) => {
            for (key, node) in entries {
                check_nulls(node, &format!("{path}/{}", key.name), problems);
            }
        }
        Value::Sequence(items) => {
            for (index, node) in items.iter().enumerate() {
                check_nulls(node, &format!("{path}/{index}"), problems);
            }
        }
        _ => {}
    }
}

fn name(node: Option<&Node>) -> Option<(String, Span)> {
    node.and_then(|node| node.as_str().map(|text| (text.to_owned(), node.span.clone())))
}

fn names(node: Option<&Node>) -> Vec<(String, Span)> {
    let Some(node) = node else { return Vec::new() };
    match node.as_str() {
        Some(text) => vec![(text.to_owned(), node.span.clone())],
        None => node.items().iter().filter_map(|item| name(Some(item))).collect(),
    }
}
