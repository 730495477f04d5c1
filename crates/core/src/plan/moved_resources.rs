//! Resources that go from one stack to another. CloudFormation knows of no such thing: it would delete the one and make
//! the other, in any order.

use serde_json::Value;

use crate::error::Result;

use super::AccountRegion;
use super::local::Evaluation;
use super::mask::{AFTER_DEPLOY, SECRET};
use super::resource::{Action, ResourcePlan};
use super::stack::Known;
use super::warning::{Side, Warning, WarningKind};

/// How it is known that a resource that goes is one that comes.
enum Match {
    /// By its name in the account.
    Name(String),
    /// Only by its type and its logical id.
    LogicalId,
}

pub(super) fn find(sides: &[Side<'_>], account_region: &AccountRegion) -> Result<Vec<Warning>> {
    let mut warnings = Vec::new();
    for from in sides {
        let gone = from.plan.resources.iter().filter(|resource| resource.action == Action::Remove);
        for gone in gone {
            let properties = properties(from, &gone.logical_id, account_region)?;
            let comes = sides.iter().filter(|to| to.desired.name != from.desired.name).find_map(|to| {
                to.plan.resources.iter().find_map(|added| Some((to, added, same(gone, &properties, added)?)))
            });
            if let Some((to, added, by)) = comes {
                warnings.push(warning(from, gone, to, added, &by));
            }
        }
    }
    Ok(warnings)
}

/// The properties of a resource in the deployed template.
fn properties(side: &Side<'_>, logical_id: &str, account_region: &AccountRegion) -> Result<Value> {
    let Some(Known { template: Some(template), stack, .. }) = side.known else { return Ok(Value::Null) };
    let given = side.given();
    let resources = Evaluation::new(template, &given, account_region, &stack.name, Some(&stack.id)).resources()?;
    let found = resources.into_iter().find(|(resource, _)| resource.logical_id == logical_id);
    Ok(found.map(|(_, properties)| properties).unwrap_or_default())
}

fn same(gone: &ResourcePlan, before: &Value, added: &ResourcePlan) -> Option<Match> {
    if !matches!(added.action, Action::Add | Action::Import) || added.resource_type != gone.resource_type {
        return None;
    }
    let mut named = false;
    for property in &added.properties {
        let Some(name) = property.path.strip_prefix("/Properties/").filter(|name| is_name(name)) else { continue };
        let Some(Value::String(after)) = &property.after else { continue };
        if after.contains(AFTER_DEPLOY) || after.contains(SECRET) {
            continue;
        }
        named = true;
        // The physical id of some types is an ARN that ends with the name.
        let by_id = gone
            .physical_id
            .as_ref()
            .is_some_and(|id| id == after || id.rsplit([':', '/']).next() == Some(after.as_str()));
        if by_id || before.get(name).and_then(Value::as_str) == Some(after) {
            return Some(Match::Name(after.clone()));
        }
    }
    // A resource with another name is another one.
    (!named && added.logical_id == gone.logical_id).then_some(Match::LogicalId)
}

/// Whether a property is the name of a resource: `Name`, `BucketName`, `DBInstanceIdentifier`.
fn is_name(property: &str) -> bool {
    !property.contains('/') && (property.ends_with("Name") || property.ends_with("Identifier"))
}

fn warning(from: &Side<'_>, gone: &ResourcePlan, to: &Side<'_>, added: &ResourcePlan, by: &Match) -> Warning {
    let (source, target) = (&from.desired.name, &to.desired.name);
    let ResourcePlan { logical_id, resource_type, .. } = gone;
    let kept = matches!(gone.policy.as_deref(), Some("Retain" | "RetainExceptOnCreate"));
    let what = match by {
        Match::Name(name) => format!("`{logical_id}` ({resource_type}, `{name}`) moves"),
        Match::LogicalId => format!("`{logical_id}` ({resource_type}) seems to move"),
    };
    let fate = match (kept, by) {
        (true, _) => "both stacks would contain it for a while, which CloudFormation rejects",
        (false, Match::Name(_)) => "it would be deleted there, with its data, and its name may still be taken here",
        (false, Match::LogicalId) => "it would be deleted there, with its data, and created again here",
    };
    let mut steps = Vec::new();
    if !kept {
        steps.push(format!(
            "give `{logical_id}` in `{source}` the line `DeletionPolicy: Retain`, and deploy that alone"
        ));
    }
    steps.push(format!(
        "remove it from `{source}`, without adding it to `{target}` yet, and deploy: it leaves the stack and is retained"
    ));
    steps.push(match by {
        Match::Name(_) => format!(
            "add `{}` to `{target}` with `DeletionPolicy: Retain`, and deploy: it exists already and is imported",
            added.logical_id
        ),
        Match::LogicalId => format!(
            "give `{}` in `{target}` the name that it has in the account and `DeletionPolicy: Retain`, and deploy: it is imported",
            added.logical_id
        ),
    });
    Warning {
        kind: WarningKind::Moved,
        stack: source.clone(),
        name: Some(logical_id.clone()),
        message: format!("{what} from `{source}` to `{target}`: {fate}"),
        steps,
    }
}
