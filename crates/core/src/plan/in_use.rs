//! What one stack drops while another deployed stack still uses it.

use crate::error::Result;
use crate::render::declared;
use crate::template::{Expression, Intrinsic, ParameterType, Template};

use super::AccountRegion;
use super::local::Evaluation;
use super::resource::{Action, ResourcePlan};
use super::stack::Known;
use super::warning::{Side, Warning, WarningKind};

pub(super) fn find(sides: &[Side<'_>], account_region: &AccountRegion) -> Result<Vec<Warning>> {
    let mut warnings = Vec::new();
    for owner in sides {
        let Some(Known { template: Some(old), .. }) = owner.known else { continue };
        let others = || sides.iter().filter(|side| side.desired.name != owner.desired.name);
        warnings.extend(others().flat_map(|user| through_parameters(owner, old, user)));
        for Leaving { export, how, .. } in leaving(owner, account_region)? {
            warnings.extend(others().filter_map(|user| through_import(owner, user, &export, how)));
        }
        let parameters = removed(owner).filter(|resource| resource.resource_type == "AWS::SSM::Parameter");
        for resource in parameters {
            let Some(name) = &resource.physical_id else { continue };
            warnings.extend(others().filter_map(|user| through_lookup(owner, user, resource, name)));
        }
    }
    Ok(warnings)
}

/// An export that a deploy takes away or changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaving {
    /// The short name of the stack that exports it.
    pub stack: String,
    pub export: String,
    how: &'static str,
}

/// The exports of a stack that a deploy takes away or changes.
pub fn leaving(owner: &Side<'_>, account_region: &AccountRegion) -> Result<Vec<Leaving>> {
    let Some(Known { template: Some(old), stack, .. }) = owner.known else { return Ok(Vec::new()) };
    let given = owner.given();
    let of = |template| Evaluation::new(template, &given, account_region, &stack.name, Some(&stack.id)).exports();
    let (exports, kept) = (of(old)?, of(&owner.desired.template)?);
    let mut leaving = Vec::new();
    for (export, output) in exports {
        let how = match kept.contains_key(&export) {
            true if owner.plan.outputs.iter().any(|change| change.name == output) => "would change",
            true => continue,
            false => "goes",
        };
        leaving.push(Leaving { stack: owner.desired.name.clone(), export, how });
    }
    Ok(leaving)
}

/// The warning about an export that stacks import which are none of the project's.
pub fn imported_elsewhere(leaving: &Leaving, users: &[String]) -> Warning {
    let Leaving { stack, export, how } = leaving;
    let users = users.join("`, `");
    Warning {
        kind: WarningKind::InUse,
        stack: stack.clone(),
        name: Some(export.clone()),
        message: format!(
            "the export `{export}` of `{stack}` {how} while `{users}` imports it, which is not a stack of this project: CloudFormation refuses that"
        ),
        steps: vec![
            format!("leave `{stack}` as it is deployed for now, and have the import removed from `{users}`"),
            format!("then change `{stack}` and deploy again"),
        ],
    }
}

fn removed<'a>(side: &Side<'a>) -> impl Iterator<Item = &'a ResourcePlan> + use<'a> {
    side.plan.resources.iter().filter(|resource| resource.action == Action::Remove)
}

/// A resource goes that the deployed form of another stack was given through an output and a parameter. The owner is
/// deployed first, so the resource would be deleted while it is used.
fn through_parameters(owner: &Side<'_>, old: &Template, user: &Side<'_>) -> Vec<Warning> {
    let Some(Known { template: Some(deployed), .. }) = user.known else { return Vec::new() };
    let (name, used_by) = (&owner.desired.name, &user.desired.name);
    let mut warnings = Vec::new();
    for (parameter, output) in declared(deployed, name) {
        let Some(value) = old.output(&output).map(|output| &output.value) else { continue };
        let goes = removed(owner)
            .find(|resource| value.references().iter().any(|reference| reference.name == resource.logical_id));
        let Some(resource) = goes else { continue };
        // What is kept can still be used.
        if matches!(resource.policy.as_deref(), Some("Retain" | "RetainExceptOnCreate")) {
            continue;
        }
        let ResourcePlan { logical_id, resource_type, .. } = resource;
        warnings.push(Warning {
            kind: WarningKind::InUse,
            stack: name.clone(),
            name: Some(logical_id.clone()),
            message: format!(
                "`{name}` drops `{logical_id}` ({resource_type}), which the deployed `{used_by}` still has as its parameter `{parameter}`"
            ),
            steps: vec![
                format!("keep `{logical_id}` and the output `{output}` in `{name}` for now and deploy: `{used_by}` stops using it"),
                "then remove them and deploy again".to_owned(),
            ],
        });
    }
    warnings
}

/// CloudFormation refuses to change or remove an export that a stack imports.
fn through_import(owner: &Side<'_>, user: &Side<'_>, export: &str, goes: &str) -> Option<Warning> {
    let Some(Known { template: Some(deployed), .. }) = user.known else { return None };
    if !imports(deployed, export) {
        return None;
    }
    let (name, used_by) = (&owner.desired.name, &user.desired.name);
    let first = if imports(&user.desired.template, export) {
        format!("remove the import of `{export}` from `{used_by}`, leave `{name}` as it is deployed, and deploy")
    } else {
        format!("leave `{name}` as it is deployed for now, and deploy: `{used_by}` drops the import")
    };
    Some(Warning {
        kind: WarningKind::InUse,
        stack: name.clone(),
        name: Some(export.to_owned()),
        message: format!(
            "the export `{export}` of `{name}` {goes} while the deployed `{used_by}` imports it: CloudFormation refuses that"
        ),
        steps: vec![first, format!("then change `{name}` and deploy again")],
    })
}

fn imports(template: &Template, export: &str) -> bool {
    let mut found = false;
    let mut visit = |expression: &Expression| {
        if let Some(Intrinsic::ImportValue(name)) = expression.intrinsic() {
            found |= name.as_str() == Some(export);
        }
    };
    for resource in &template.resources {
        resource.properties.walk(&mut |one| visit(one));
    }
    for output in &template.outputs {
        output.value.walk(&mut |one| visit(one));
    }
    found
}

/// A parameter of the Systems Manager goes that another stack looks up at each of its deploys.
fn through_lookup(owner: &Side<'_>, user: &Side<'_>, resource: &ResourcePlan, parameter: &str) -> Option<Warning> {
    let Known { template, text, stack } = user.known?;
    let looked_up = template.iter().flat_map(|template| &template.parameters).any(|one| {
        matches!(one.parameter_type, ParameterType::Ssm { .. })
            && stack.parameters.get(&one.name).is_some_and(|value| value == parameter)
    });
    let resolved = ["ssm", "ssm-secure"]
        .iter()
        .any(|service| [":", "}"].iter().any(|end| text.contains(&format!("{{{{resolve:{service}:{parameter}{end}"))));
    if !looked_up && !resolved {
        return None;
    }
    let (name, used_by) = (&owner.desired.name, &user.desired.name);
    Some(Warning {
        kind: WarningKind::InUse,
        stack: name.clone(),
        name: Some(resource.logical_id.clone()),
        message: format!("`{name}` drops the parameter `{parameter}`, which the deployed `{used_by}` looks up"),
        steps: vec![
            format!("keep `{}` in `{name}` for now and deploy: `{used_by}` stops using it", resource.logical_id),
            "then remove it and deploy again".to_owned(),
        ],
    })
}
