//! What a deploy would change: all stacks in one plan. Pure: it prints the same bytes for the same input.

mod access;
pub mod change_set;
pub mod deployed;
mod difference;
pub mod drift;
mod in_use;
mod json;
mod local;
pub mod loss;
mod markdown;
pub mod mask;
mod migration;
mod moved_resources;
mod outputs;
mod overwrite;
mod resource;
pub mod saved;
pub mod secrets;
pub mod stack;
pub mod stack_parameters;
mod text;
mod warning;

#[cfg(test)]
mod tests;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use access::{AccessChange, Rule};
pub use in_use::{Leaving, imported_elsewhere, leaving};
pub use local::AccountRegion;
pub use loss::Loss;
pub use migration::TableMigration;
pub use overwrite::Overwrite;
pub use resource::{Action, PropertyChange, ResourcePlan};
pub use stack::{Comparison, Known, StackAction, StackPlan, ValueChange};
pub use warning::{Side, Warning, WarningKind, between, orphaned_stack, strangers};

/// What a deploy would change.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Plan {
    pub environment: String,
    pub account: String,
    pub region: String,
    /// In the order in which they deploy.
    pub stacks: Vec<StackPlan>,
    /// What goes wrong between the stacks, and stacks that the project does not have any more.
    #[serde(default)]
    pub warnings: Vec<Warning>,
    /// What the warehouse changes of its tables, at the first load after the deploy.
    #[serde(default)]
    pub migrations: Vec<TableMigration>,
}

/// How much a plan changes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Summary {
    pub add: usize,
    pub change: usize,
    /// Replacements, and those that may turn out to be one.
    pub replace: usize,
    pub remove: usize,
    /// Stacks that change.
    pub changed_stacks: usize,
    pub stacks: usize,
}

impl Plan {
    /// Whether a deploy would change anything.
    pub fn has_changes(&self) -> bool {
        self.stacks.iter().any(StackPlan::changes)
    }

    pub fn summary(&self) -> Summary {
        let mut summary = Summary { stacks: self.stacks.len(), ..Summary::default() };
        for stack in &self.stacks {
            summary.changed_stacks += usize::from(stack.changes());
            for resource in &stack.resources {
                match resource.action {
                    Action::Add | Action::Import => summary.add += 1,
                    Action::Replace | Action::MayReplace => summary.replace += 1,
                    Action::Remove => summary.remove += 1,
                    Action::Change | Action::MayChange | Action::Other(_) => summary.change += 1,
                }
            }
        }
        summary
    }

    /// The data that a deploy would destroy, in the order of the plan.
    pub fn losses(&self) -> Vec<Loss> {
        self.stacks.iter().flat_map(StackPlan::losses).collect()
    }

    /// The plan for people, in colour if asked for.
    pub fn text(&self, colour: bool) -> String {
        text::write(self, colour)
    }

    /// The plan for machines. The fields are documented on the types; their order is stable.
    pub fn json(&self) -> String {
        json::write(self)
    }

    /// The JSON schema of [`Self::json`].
    pub fn schema() -> serde_json::Value {
        json::schema()
    }

    /// The plan for a comment on a pull request: always short enough for GitHub.
    pub fn markdown(&self) -> String {
        markdown::write(self)
    }
}

impl std::fmt::Display for Summary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { add, change, replace, remove, changed_stacks, stacks } = self;
        if *changed_stacks == 0 {
            let stacks = if *stacks == 1 { "1 stack is".to_owned() } else { format!("{stacks} stacks are") };
            return write!(f, "No changes. {stacks} up to date.");
        }
        write!(
            f,
            "Plan: {add} to add, {change} to change, {replace} to replace, {remove} to remove in {changed_stacks} of {stacks} stack{}.",
            if *stacks == 1 { "" } else { "s" }
        )
    }
}
