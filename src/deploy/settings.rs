//! The settings of a run.

use super::PARALLEL;
use crate::error::{Error, Result};
use crate::exit::Exit;

/// The settings of a run.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The run that made the saved plan: exactly that plan is executed, or nothing.
    pub saved_run: Option<String>,
    /// How many stacks are deployed at once.
    pub parallel: usize,
    pub recovery: Recovery,
}

impl Default for Settings {
    fn default() -> Self {
        Self { saved_run: None, parallel: PARALLEL, recovery: Recovery::default() }
    }
}

/// What is done with stacks whose rollback failed.
#[derive(Debug, Clone, Default)]
pub struct Recovery {
    /// Whether their rollback is continued.
    pub continue_rollback: bool,
    /// The resources that the rollback skips, each as `stack/LogicalId`.
    pub skip: Vec<String>,
}

impl Recovery {
    /// The logical ids to skip in a stack.
    pub(super) fn skipped(&self, stack: &str) -> Vec<String> {
        let split = self.skip.iter().filter_map(|address| address.split_once('/'));
        split.filter(|(name, _)| *name == stack).map(|(_, id)| id.to_owned()).collect()
    }

    /// Fails if a resource to skip belongs to no stack of the run.
    pub(super) fn check(&self, stacks: &[String]) -> Result<()> {
        let wrong = self.skip.iter().filter(|address| {
            !address.split_once('/').is_some_and(|(stack, id)| !id.is_empty() && stacks.iter().any(|one| one == stack))
        });
        Error::all(wrong.map(|address| {
            Error::new(format!("`--skip {address}` names no resource of a stack"))
                .hint(format!("write STACK/LOGICAL-ID, with one of these stacks: {}", stacks.join(", ")))
                .exit(Exit::Usage)
        }))
    }
}
