//! The plan for machines.

use serde::Serialize;

use super::{Loss, Plan, Summary};

/// The document: the version of its form, the summary, then the plan.
#[derive(Serialize)]
struct Document<'a> {
    /// Goes up when a field changes its meaning or goes away; new fields may come at any time.
    version: u32,
    has_changes: bool,
    summary: Summary,
    /// What would be destroyed; a deploy refuses it unless each is allowed by name.
    losses: Vec<Loss>,
    #[serde(flatten)]
    plan: &'a Plan,
}

pub(super) fn write(plan: &Plan) -> String {
    let document =
        Document { version: 1, has_changes: plan.has_changes(), summary: plan.summary(), losses: plan.losses(), plan };
    let mut text = serde_json::to_string_pretty(&document).unwrap_or_else(|error| {
        // Every key is a string and every number is finite, so this cannot be reached; if it were, it would be seen.
        format!("{{\"error\": \"{error}\"}}")
    });
    text.push('\n');
    text
}
