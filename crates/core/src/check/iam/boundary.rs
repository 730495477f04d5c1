//! Rights that the boundary of their role takes away again: the call would be denied, and only on the day it is made.

use super::at;
use crate::error::Error;
use crate::iam::{Boundary, Context, Effect, Names, Pattern, Role, Statement};
use crate::render::UNKNOWN;

/// A right of a role that is not within its boundary. A boundary that the templates do not define is not known.
///
/// A pattern is within another if that one matches its text, stars included: `s3:Get*` is within `s3:*`, and not within
/// `s3:GetObject`. Conditions and denials of the boundary are not weighed.
pub(super) fn beyond(role: &Role, statement: &Statement) -> Option<Error> {
    let boundary = role.boundary.as_ref().filter(|boundary| !boundary.statements.is_empty())?;
    let resources = statement.resources.as_ref()?;
    if statement.actions.not || resources.not {
        return None;
    }
    let pairs =
        statement.actions.patterns.iter().flat_map(|action| resources.patterns.iter().map(move |to| (action, to)));
    // An ARN with an id that the service makes up is not known before the deploy.
    let mut known = pairs.into_iter().filter(|(_, resource)| resource.text() != UNKNOWN);
    let (action, resource) = known.find(|(action, resource)| !allows(boundary, action, resource))?;
    let message = format!(
        "{} of the role `{}` allows {action} on {resource}, and its boundary `{}` does not",
        statement.name(),
        role.name,
        boundary.name
    );
    let hint = "take it out of the role, or add it to the boundary in `templates/bootstrap.yaml.hbs`";
    Some(at(Error::project(message), statement.span_of(&["Action"])).hint(hint))
}

fn allows(boundary: &Boundary, action: &Pattern, resource: &Pattern) -> bool {
    boundary
        .statements
        .iter()
        .filter(|statement| statement.effect == Effect::Allow)
        .any(|statement| holds(Some(&statement.actions), action) && holds(statement.resources.as_ref(), resource))
}

/// Whether one of the names covers all that a pattern stands for.
fn holds(names: Option<&Names>, pattern: &Pattern) -> bool {
    let none = Context::default();
    names.is_some_and(|names| !names.not && names.patterns.iter().any(|known| known.matches(pattern.text(), &none)))
}
