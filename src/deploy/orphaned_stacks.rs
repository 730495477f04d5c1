//! Orphaned stacks: of the environment, but not in the project.

use std::collections::BTreeSet;

use super::progress::{Progress, Step};
use super::{BOOTSTRAP, Session};
use crate::aws::Failure;
use crate::plan::deployed::Stack;
use crate::plan::{Warning, orphaned_stack, strangers};

impl Session {
    /// A warning for each stack that pipectl created for this environment and that is not in the project. A failed
    /// lookup is reported; the plan continues.
    pub(super) async fn orphaned_stacks(&self, progress: &mut dyn Progress) -> Vec<Warning> {
        match self.find_orphaned_stacks().await {
            Ok(found) => found.iter().map(|(name, stack)| orphaned_stack(stack, name, &self.environment)).collect(),
            Err(failure) => {
                progress.step(&Step::Note(format!("cannot list orphaned stacks: {failure}")));
                Vec::new()
            }
        }
    }

    async fn find_orphaned_stacks(&self) -> Result<Vec<(String, Stack)>, Failure> {
        let Some(prefix) = self.stack_prefix() else { return Ok(Vec::new()) };
        let own: BTreeSet<&str> = self.names.iter().map(String::as_str).chain([BOOTSTRAP]).collect();
        let names = self.aws.cloudformation.stack_names(&prefix).await?;
        let mut found = Vec::new();
        for (name, short) in strangers(&names, &prefix, &own) {
            // The prefix may be that of another pipeline, whose name is longer.
            if let Some(stack) = self.aws.cloudformation.stack(name).await?
                && self.tagged(&stack)
            {
                found.push((short.to_owned(), stack));
            }
        }
        Ok(found)
    }

    /// What the names of the stacks begin with.
    fn stack_prefix(&self) -> Option<String> {
        let (name, stack) = self.stacks.iter().next()?;
        stack.stack_name.strip_suffix(name.as_str()).map(str::to_owned)
    }

    /// Whether a stack has the tags by which pipectl knows those of the environment.
    fn tagged(&self, stack: &Stack) -> bool {
        let ours = self.stacks.values().flat_map(|stack| &stack.tags).filter(|(name, _)| name.starts_with("pipectl:"));
        let mut ours = ours.peekable();
        ours.peek().is_some() && ours.all(|(name, value)| stack.tags.get(name) == Some(value))
    }
}
