//! The results of a run so far, from which its record is written.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::record::End;
use crate::error::Error;

/// What became of each stack so far.
#[derive(Debug, Default)]
pub(super) struct Journal {
    entries: Mutex<BTreeMap<String, (End, Option<String>)>>,
    unset_policies: Mutex<BTreeSet<String>>,
}

impl Journal {
    pub(super) fn started(&self, stack: &str) {
        self.write(stack, End::Unfinished, None);
    }

    pub(super) fn ended(&self, stack: &str, end: End) {
        self.write(stack, end, None);
    }

    pub(super) fn failed(&self, stack: &str, error: &Error) {
        self.write(stack, End::Failed, Some(error.message().to_owned()));
    }

    /// The policy of a stack could not be set, for a reason that may pass.
    pub(super) fn policy_unset(&self, stack: &str) {
        self.policies().insert(stack.to_owned());
    }

    /// The stacks whose policy could not be set, for a reason that may pass.
    pub(super) fn unset_policies(&self) -> Vec<String> {
        self.policies().iter().cloned().collect()
    }

    /// What became of a stack, with the message of its error; `Skipped` if it was not started.
    pub(super) fn of(&self, stack: &str) -> (End, Option<String>) {
        self.entries().get(stack).cloned().unwrap_or((End::Skipped, None))
    }

    fn write(&self, stack: &str, end: End, error: Option<String>) {
        self.entries().insert(stack.to_owned(), (end, error));
    }

    fn entries(&self) -> MutexGuard<'_, BTreeMap<String, (End, Option<String>)>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn policies(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.unset_policies.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
