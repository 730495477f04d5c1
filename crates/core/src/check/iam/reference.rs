//! Grants that AWS's service authorization reference says are about nothing: an action that no resource of its statement
//! can be of, a resource that no action of its statement applies to.

use super::at;
use crate::error::Error;
use crate::iam::{Kind, Pattern, Statement, actions};
use crate::render::UNKNOWN;

/// Finds the actions and resources of a statement that grant nothing. `owner` is whose statement it is, in words.
///
/// A service that the reference does not hold may do with its actions as it likes.
pub(super) fn without_effect(owner: &str, statement: &Statement) -> Vec<Error> {
    let Some(resources) = statement.resources.as_ref().filter(|names| !names.not) else { return Vec::new() };
    if statement.actions.not {
        return Vec::new();
    }
    let needs_tag = statement.conditions.iter().any(|condition| {
        condition.key.to_lowercase().starts_with("aws:resourcetag/") && !condition.operator.ends_with("IfExists")
    });
    let mut errors = Vec::new();
    let mut covered = vec![false; resources.patterns.len()];
    let mut complete = true;
    let mut idle = 0;
    for (index, pattern) in statement.actions.patterns.iter().enumerate() {
        // What is not known may be newer than the reference.
        let Some(known) = actions::matching(pattern).filter(|known| !known.is_empty()) else {
            complete = false;
            continue;
        };
        let mut works = false;
        for action in &known {
            let kinds: Vec<&Kind> = action.kinds.iter().copied().filter(|kind| kind.tags || !needs_tag).collect();
            for (covered, resource) in covered.iter_mut().zip(&resources.patterns) {
                if grants(&kinds, action.kinds.is_empty() && !needs_tag, resource) {
                    (works, *covered) = (true, true);
                }
            }
        }
        if !works {
            idle += 1;
            let kinds: Vec<&Kind> = known.iter().flat_map(|action| action.kinds.iter().copied()).collect();
            let message = format!("{} of {owner} grants {pattern} on nothing", statement.name());
            let error = Error::project(message).note(note(pattern, &kinds, needs_tag));
            let span = statement.span_of(&["Action", &index.to_string()]).or_else(|| statement.span_of(&["Action"]));
            errors.push(at(error, span).hint(hint(&kinds, needs_tag)));
        }
    }
    // Where nothing fits, the resources are wrong and not each of the actions.
    if idle > 1 && idle == statement.actions.patterns.len() {
        errors.clear();
    }
    let idle = covered.iter().zip(&resources.patterns).enumerate().filter(|(_, (covered, _))| complete && !**covered);
    for (index, (_, resource)) in idle {
        if errors.is_empty() {
            let message = format!("no action of {} of {owner} applies to {resource}", statement.name());
            let span =
                statement.span_of(&["Resource", &index.to_string()]).or_else(|| statement.span_of(&["Resource"]));
            errors.push(at(Error::project(message), span).hint("remove it, or add the action that needs it"));
        }
    }
    errors
}

/// Whether an action on these kinds is granted by a resource of its statement.
fn grants(kinds: &[&Kind], knows_none: bool, resource: &Pattern) -> bool {
    // An ARN with an id that the service makes up is not known before the deploy.
    if resource.is_everything() || resource.text() == UNKNOWN {
        return knows_none || !kinds.is_empty();
    }
    kinds.iter().any(|kind| kind.arns.iter().any(|arn| arn.overlaps_arn(resource)))
}

fn note(pattern: &Pattern, kinds: &[&Kind], needs_tag: bool) -> String {
    let mut names: Vec<&str> = kinds.iter().map(|kind| kind.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    match names.as_slice() {
        [] if needs_tag => format!("{pattern} knows no resource, so no condition on a tag of one holds"),
        [] => format!("{pattern} knows no resource"),
        _ if needs_tag && kinds.iter().all(|kind| !kind.tags) => {
            format!("{pattern} does not know the tags of its resources ({})", names.join(", "))
        }
        _ => format!("{pattern} applies to other kinds of resources: {}", names.join(", ")),
    }
}

fn hint(kinds: &[&Kind], needs_tag: bool) -> &'static str {
    if kinds.is_empty() {
        return "grant it in a separate statement, with `Resource: \"*\"`";
    }
    if needs_tag && kinds.iter().all(|kind| !kind.tags) {
        return "grant it without the condition on `aws:ResourceTag`, on the names of its resources";
    }
    "name a resource of that kind, or remove the action"
}
