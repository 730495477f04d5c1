//! Stacks of the environment that the project does not have any more.

use std::collections::BTreeSet;

use super::progress::{Progress, Step};
use super::{BOOTSTRAP, Session};
use crate::aws::Failure;
use crate::plan::deployed::Stack;
use crate::plan::{Warning, orphan, strangers};

impl Session {
    /// A warning for each stack that pipectl once made for this environment, and that is no part of the project. That
    /// they cannot be looked for is told, and stops no plan.
    pub(super) async fn orphans(&self, progress: &mut dyn Progress) -> Vec<Warning> {
        match self.find_orphans().await {
            Ok(found) => found.iter().map(|(name, stack)| orphan(stack, name, &self.environment)).collect(),
            Err(failure) => {
                progress.step(&Step::Note(format!(
                    "stacks that the project does not have any more were not looked for: {failure}"
                )));
                Vec::new()
            }
        }
    }

    async fn find_orphans(&self) -> Result<Vec<(String, Stack)>, Failure> {
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
