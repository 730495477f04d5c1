//! Which outputs of a stack keep their value, and which are known only after the deploy.

use serde_json::Value;

use crate::error::Result;
use crate::spec::Map;
use crate::template::{Expression, Template};

use super::local::Evaluation;
use super::mask::AFTER_DEPLOY;
use super::resource::{Action, ResourcePlan, readable};
use super::stack::{Comparison, ValueChange};

/// The outputs as they will be; none for a value that is known only after the deploy.
pub(super) fn after(
    comparison: &Comparison<'_>,
    resources: &[ResourcePlan],
    parameters: &[ValueChange],
    evaluation: &Evaluation<'_>,
) -> Result<Map<Option<String>>> {
    let evaluated = evaluation.outputs()?;
    let desired = &comparison.desired.template;
    let deployed =
        comparison.known.and_then(|known| known.template.as_ref().map(|template| (template, &known.stack.outputs)));
    let stable = |name: &str| {
        let (template, outputs) = deployed?;
        let value = outputs.get(name)?;
        let (old, new) = (template.output(name)?, desired.output(name)?);
        let same = old.value == new.value
            && same_surroundings(template, desired)
            && !depends_on_change(&new.value, resources, parameters);
        same.then(|| value.clone())
    };
    Ok(evaluated
        .into_iter()
        .map(|(name, value)| {
            let value = match value {
                Value::String(text) if !text.contains(AFTER_DEPLOY) => Some(text),
                Value::Bool(value) => Some(value.to_string()),
                Value::Number(number) => Some(number.to_string()),
                _ => stable(&name),
            };
            (name, value)
        })
        .collect())
}

/// Whether the parts to which an expression may refer indirectly are the same.
fn same_surroundings(one: &Template, other: &Template) -> bool {
    one.conditions == other.conditions && one.mappings == other.mappings
}

fn depends_on_change(expression: &Expression, resources: &[ResourcePlan], parameters: &[ValueChange]) -> bool {
    expression.references().iter().any(|reference| {
        if parameters.iter().any(|change| change.name == reference.name) {
            return true;
        }
        let Some(resource) = resources.iter().find(|resource| resource.logical_id == reference.name) else {
            return false;
        };
        match (&resource.action, reference.attribute.as_deref()) {
            // A resource that stays keeps its name and ARN; an attribute of the name of a property changes with it.
            (Action::Change, None) => false,
            (Action::Change, Some(attribute)) => {
                let first = attribute.split('.').next().unwrap_or(attribute);
                resource.properties.iter().any(|change| readable(&change.path).split('.').next() == Some(first))
            }
            _ => true,
        }
    })
}
