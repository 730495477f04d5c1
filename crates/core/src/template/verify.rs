//! What a template's parts say about each other: names that nothing carries, attributes that no type has, cycles.

use std::collections::BTreeMap;

use super::expression::{Expression, Form, Intrinsic};
use super::problem::Problem;
use super::references::Reference;
use super::{Template, schema};
use crate::error::did_you_mean;
use crate::limits::{CONDITION_DEPTH, CONDITION_STEPS};
use crate::yaml::Span;

/// The pseudo parameters that every template has.
pub(super) const PSEUDO: [&str; 8] = [
    "AWS::AccountId",
    "AWS::NoValue",
    "AWS::NotificationARNs",
    "AWS::Partition",
    "AWS::Region",
    "AWS::StackId",
    "AWS::StackName",
    "AWS::URLSuffix",
];

/// Everything that is wrong between the parts of a template.
pub(super) fn problems(template: &Template) -> Vec<Problem> {
    let mut problems = Vec::new();
    for resource in &template.resources {
        for reference in resource.properties.references() {
            check_reference(template, &reference, "Resources", &mut problems);
        }
        for (name, span) in &resource.depends_on {
            if template.resource(name).is_none() {
                problems.push(
                    Problem::unresolved(span, name, "Resources")
                        .hint(did_you_mean(name, template.resources.iter().map(|other| other.logical_id.as_str()))),
                );
            }
        }
        check_conditions(template, &resource.properties, &mut problems);
        check_maps(template, &resource.properties, &mut problems);
        if let Some((name, span)) = &resource.condition {
            check_condition(template, name, span, &mut problems);
        }
    }
    for output in &template.outputs {
        for expression in [Some(&output.value), output.export.as_ref()].into_iter().flatten() {
            for reference in expression.references() {
                check_reference(template, &reference, "Outputs", &mut problems);
            }
            check_conditions(template, expression, &mut problems);
            check_maps(template, expression, &mut problems);
        }
        if let Some((name, span)) = &output.condition {
            check_condition(template, name, span, &mut problems);
        }
    }
    for (key, expression) in &template.conditions {
        for reference in expression.references() {
            let known = reference.attribute.is_none()
                && (template.parameter(reference.name).is_some() || PSEUDO.contains(&reference.name));
            if !known {
                problems.push(
                    Problem::new(
                        reference.span,
                        format!(
                            "the condition `{}` refers to `{}`, which is not a parameter",
                            key.name, reference.name
                        ),
                        format!(
                            "Template format error: Unresolved dependencies [{}]. Cannot reference resources in the \
                             Conditions block of the template",
                            reference.name
                        ),
                    )
                    .hint(did_you_mean(
                        reference.name,
                        template.parameters.iter().map(|parameter| parameter.name.as_str()),
                    )),
                );
            }
        }
        check_conditions(template, expression, &mut problems);
        check_maps(template, expression, &mut problems);
    }
    check_cycles(template, &mut problems);
    problems
}

fn check_cycles(template: &Template, problems: &mut Vec<Problem>) {
    if let Some(cycle) = template.cycle() {
        let span = template.resource(cycle[0]).map_or_else(|| Span::new(&template.source, 0, 0), |r| r.span.clone());
        let mut names: Vec<&str> = cycle[1..].to_vec();
        names.sort_unstable();
        problems.push(
            Problem::new(
                &span,
                format!("resources depend on each other in a cycle: {}", cycle.join(" → ")),
                format!("Circular dependency between resources: [{}]", names.join(", ")),
            )
            .label("the cycle starts here")
            .hint("remove one reference from the cycle: write the name as a text, or move the policy into its own resource"),
        );
    }
    let mut known = BTreeMap::new();
    for (key, _) in &template.conditions {
        let mut path = vec![key.name.as_str()];
        let (message, wording) = match condition_steps(template, &mut path, &mut known) {
            Ok(_) => continue,
            Err(ConditionError::Cycle) => (
                format!("conditions depend on each other in a cycle: {}", path.join(" → ")),
                format!("Template format error: Circular dependencies detected in conditions [{}]", path.join(", ")),
            ),
            Err(ConditionError::TooDeep) => (
                format!("the condition `{}` depends on {CONDITION_DEPTH} others in a row", key.name),
                "Template format error: conditions are nested too deep".to_owned(),
            ),
            Err(ConditionError::TooMuch) => (
                format!("the condition `{}` takes more than {CONDITION_STEPS} others to evaluate", key.name),
                "Template format error: conditions are too complex".to_owned(),
            ),
        };
        problems.push(Problem::new(&key.span, message, wording));
        break;
    }
}

/// Why conditions cannot be evaluated.
enum ConditionError {
    Cycle,
    TooDeep,
    TooMuch,
}

/// How many conditions are evaluated for the last one of the path.
fn condition_steps<'a>(
    template: &'a Template,
    path: &mut Vec<&'a str>,
    known: &mut BTreeMap<&'a str, usize>,
) -> Result<usize, ConditionError> {
    let Some((name, expression)) = path.last().and_then(|name| Some((*name, template.condition(name)?))) else {
        return Ok(1);
    };
    if let Some(steps) = known.get(name) {
        return Ok(*steps);
    }
    if path.len() > CONDITION_DEPTH {
        return Err(ConditionError::TooDeep);
    }
    let mut next = Vec::new();
    expression.walk(&mut |inner| {
        if let Some(Intrinsic::Condition(name) | Intrinsic::If { condition: name, .. }) = inner.intrinsic() {
            next.push(name.as_str());
        }
    });
    let mut steps = 1_usize;
    for needed in next {
        let again = path.contains(&needed);
        path.push(needed);
        if again {
            return Err(ConditionError::Cycle);
        }
        steps = steps.saturating_add(condition_steps(template, path, known)?);
        path.pop();
        if steps > CONDITION_STEPS {
            return Err(ConditionError::TooMuch);
        }
    }
    known.insert(name, steps);
    Ok(steps)
}

fn check_reference(template: &Template, reference: &Reference<'_>, block: &'static str, problems: &mut Vec<Problem>) {
    let name = reference.name;
    let Some(attribute) = &reference.attribute else {
        let known = PSEUDO.contains(&name) || template.parameter(name).is_some() || template.resource(name).is_some();
        if !known {
            let names = template
                .resources
                .iter()
                .map(|resource| resource.logical_id.as_str())
                .chain(template.parameters.iter().map(|parameter| parameter.name.as_str()))
                .chain(PSEUDO);
            problems.push(Problem::unresolved(reference.span, name, block).hint(did_you_mean(name, names)));
        }
        return;
    };
    let Some(resource) = template.resource(name) else {
        problems.push(
            Problem::new(
                reference.span,
                format!("`{name}.{attribute}` refers to a resource that this template does not have"),
                format!("Template error: instance of Fn::GetAtt references undefined resource {name}"),
            )
            .label("unknown resource")
            .hint(did_you_mean(name, template.resources.iter().map(|resource| resource.logical_id.as_str()))),
        );
        return;
    };
    // An attribute that is itself computed is only known when evaluated.
    if attribute.is_empty() {
        return;
    }
    if let Some(schema) = schema::of(&resource.resource_type)
        && !schema.has_attribute(attribute)
    {
        problems.push(
            Problem::new(
                reference.span,
                format!("`{}` has no attribute `{attribute}`", resource.resource_type),
                format!("Template error: resource {name} does not support attribute type {attribute} in Fn::GetAtt"),
            )
            .hint(did_you_mean(attribute, schema.attributes.iter().map(String::as_str))),
        );
    }
}

fn check_conditions(template: &Template, expression: &Expression, problems: &mut Vec<Problem>) {
    expression.walk(&mut |inner| {
        if let Some(Intrinsic::If { condition, .. } | Intrinsic::Condition(condition)) = inner.intrinsic() {
            check_condition(template, condition, &inner.span, problems);
        }
    });
}

fn check_condition(template: &Template, name: &str, span: &Span, problems: &mut Vec<Problem>) {
    if template.condition(name).is_none() {
        problems.push(
            Problem::new(
                span,
                format!("unknown condition `{name}`"),
                format!("Template format error: Unresolved condition dependency {name} in the Resources block of the template"),
            )
            .hint(did_you_mean(name, template.conditions.iter().map(|(key, _)| key.name.as_str()))),
        );
    }
}

fn check_maps(template: &Template, expression: &Expression, problems: &mut Vec<Problem>) {
    expression.walk(&mut |inner| {
        if let Some(Intrinsic::FindInMap { map, default: None, .. }) = inner.intrinsic()
            && let Form::String(name) = &map.form
            && !template.mappings.iter().any(|(key, _)| key.name == *name)
        {
            problems.push(
                Problem::new(
                    &map.span,
                    format!("unknown mapping `{name}`"),
                    format!(
                        "Template error: Mapping named '{name}' is not present in the 'Mappings' section of template."
                    ),
                )
                .hint(did_you_mean(name, template.mappings.iter().map(|(key, _)| key.name.as_str()))),
            );
        }
    });
}
