//! The change sets that a run created and has not executed. All of them are deleted in the end.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::task::JoinSet;

use crate::aws::{CloudFormation, Failure};
use crate::error::Result;

/// The change sets of a run that are not executed.
#[derive(Debug, Default)]
pub(super) struct OpenChangeSets {
    /// How many change sets the run has named, by the full name of the stack.
    named: Mutex<BTreeMap<String, u32>>,
    open: Mutex<Vec<OpenChangeSet>>,
}

#[derive(Debug, Clone)]
struct OpenChangeSet {
    stack_name: String,
    name: String,
    /// Whether its stack was created with it.
    creates: bool,
}

impl OpenChangeSets {
    fn open(&self) -> MutexGuard<'_, Vec<OpenChangeSet>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The name of the next change set of a stack: `name`, with a number from the second on. The first may
    /// belong to a stack or to values that have changed since.
    pub(super) fn next_name(&self, stack_name: &str, name: String) -> String {
        let mut named = self.named.lock().unwrap_or_else(PoisonError::into_inner);
        let count = named.entry(stack_name.to_owned()).or_default();
        *count += 1;
        if *count == 1 { name } else { format!("{name}-{count}") }
    }

    /// Adds a change set. Call it before the change set is created: it may exist even if the answer is lost.
    pub(super) fn add(&self, stack_name: &str, name: &str, creates: bool) {
        self.open().push(OpenChangeSet { stack_name: stack_name.to_owned(), name: name.to_owned(), creates });
    }

    /// A change set of the stack was executed, which deletes all of them.
    pub(super) fn executed(&self, stack_name: &str) {
        self.open().retain(|one| one.stack_name != stack_name);
    }

    /// Keeps all change sets: a saved plan names them.
    pub(super) fn keep(&self) {
        self.open().clear();
    }

    /// Deletes the change sets of a stack whose names begin like this.
    pub(super) async fn delete(&self, aws: &CloudFormation, stack_name: &str, prefix: &str) -> Result<()> {
        let matches = |one: &OpenChangeSet| one.stack_name == stack_name && one.name.starts_with(prefix);
        let names: Vec<String> = self.open().iter().filter(|one| matches(one)).map(|one| one.name.clone()).collect();
        for name in &names {
            aws.delete_change_set(stack_name, name).await?;
        }
        self.open().retain(|one| !matches(one));
        Ok(())
    }

    /// Deletes all change sets, and the empty stacks that were created with them.
    pub(super) async fn delete_all(&self, aws: &CloudFormation) -> Result<()> {
        let open = std::mem::take(&mut *self.open());
        let mut tasks = JoinSet::new();
        for one in open {
            let aws = aws.clone();
            tasks.spawn(async move { delete(&aws, &one).await });
        }
        let mut result = Ok(());
        while let Some(done) = tasks.join_next().await {
            if let Ok(Err(failure)) = done {
                result = Err(failure.into());
            }
        }
        result
    }
}

async fn delete(aws: &CloudFormation, one: &OpenChangeSet) -> Result<(), Failure> {
    aws.delete_change_set(&one.stack_name, &one.name).await?;
    if one.creates
        && let Some(found) = aws.stack(&one.stack_name).await?
        && found.status.as_str() == "REVIEW_IN_PROGRESS"
        // Another deploy may be about to create the stack.
        && aws.change_sets(&found.id).await?.is_empty()
    {
        aws.delete_stack(&found.id, &one.name, None).await?;
    }
    Ok(())
}
