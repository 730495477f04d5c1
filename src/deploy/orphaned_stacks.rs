//! Orphaned stacks: of the environment, but not in the project.

use std::collections::BTreeSet;

use super::BOOTSTRAP;
use super::progress::{Progress, Step};
use super::stacks::Stacks;
use super::target::Target;
use crate::aws::Failure;
use crate::plan::deployed::Stack;
use crate::plan::{Warning, orphaned_stack, strangers};

/// A warning for each stack that pipectl created for this environment and that is not in the project. A failed
/// lookup is reported; the plan continues.
pub(super) async fn warnings(target: &Target, stacks: &Stacks, progress: &mut dyn Progress) -> Vec<Warning> {
    match find(target, stacks).await {
        Ok(found) => found.iter().map(|(name, stack)| orphaned_stack(stack, name, &target.environment)).collect(),
        Err(failure) => {
            progress.step(&Step::Note(format!("cannot list orphaned stacks: {failure}")));
            Vec::new()
        }
    }
}

async fn find(target: &Target, stacks: &Stacks) -> Result<Vec<(String, Stack)>, Failure> {
    let Some(prefix) = stacks.name_prefix() else { return Ok(Vec::new()) };
    let own: BTreeSet<&str> = stacks.names().iter().map(String::as_str).chain([BOOTSTRAP]).collect();
    let names = target.aws.cloudformation.stack_names(&prefix).await?;
    let mut found = Vec::new();
    for (name, short) in strangers(&names, &prefix, &own) {
        // The prefix may be that of another pipeline, whose name is longer.
        if let Some(stack) = target.aws.cloudformation.stack(name).await?
            && stacks.share_tags_with(&stack)
        {
            found.push((short.to_owned(), stack));
        }
    }
    Ok(found)
}
