//! What came nearest to letting a call through: there the template is to be changed.

use super::condition::Condition;
use super::document::{Effect, Statement};
use super::request::{Context, Request};

/// What keeps the nearest statement from allowing a call.
#[derive(Debug, Clone, Copy)]
pub(super) enum Miss<'a> {
    Condition(&'a Statement, &'a Condition),
    /// It speaks of the resource, not of the action.
    Action(&'a Statement),
    /// It speaks of the action, not of the resource.
    Resource(&'a Statement),
    /// It speaks of both, to somebody else.
    Principal(&'a Statement),
    Nothing,
}

/// The nearest of some statements; `addressed` says whether one speaks to the caller.
pub(super) fn nearest<'a>(
    statements: &'a [Statement],
    request: &Request,
    context: &Context,
    addressed: impl Fn(&Statement) -> bool,
) -> Miss<'a> {
    let allows = || statements.iter().filter(|statement| statement.effect == Effect::Allow && !statement.actions.not);
    let action = |statement: &Statement| statement.action(&request.action, context).is_some();
    let resource = |statement: &Statement| statement.takes_resource(&request.resource, context);
    let both = || allows().filter(|statement| action(statement) && resource(statement));
    if let Some(found) = both()
        .filter(|statement| addressed(statement))
        .find_map(|statement| Some(Miss::Condition(statement, statement.failing(context)?)))
    {
        return found;
    }
    if let Some(statement) = both().find(|statement| !addressed(statement)) {
        return Miss::Principal(statement);
    }
    let service = request.action.split(':').next().unwrap_or_default().to_lowercase();
    let same_service = |statement: &Statement| {
        statement.actions.patterns.iter().any(|pattern| pattern.text().starts_with(&format!("{service}:")))
    };
    let named = |statement: &Statement| {
        let names = statement.resources.as_ref();
        names.is_none_or(|names| !names.not && !names.patterns.iter().any(super::Pattern::is_everything))
    };
    let by_resource = allows()
        .filter(|statement| addressed(statement) && same_service(statement))
        .filter(|statement| resource(statement) && named(statement) && statement.failing(context).is_none());
    let common = |statement: &Statement| {
        let names = statement.resources.iter().flat_map(|names| &names.patterns);
        names.map(|pattern| pattern.common(&request.resource)).max().unwrap_or_default()
    };
    let by_action = allows().filter(|statement| addressed(statement) && action(statement));
    let (by_resource, by_action) = (by_resource.max_by_key(|one| common(one)), by_action.max_by_key(|one| common(one)));
    match (by_resource, by_action) {
        (Some(statement), None) => Miss::Action(statement),
        // The statement whose resources are closer to the call's was meant.
        (Some(statement), Some(other)) if common(statement) > common(other) => Miss::Action(statement),
        (_, Some(statement)) => Miss::Resource(statement),
        (None, None) => Miss::Nothing,
    }
}
