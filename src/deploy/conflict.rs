//! Concurrent deploys of one environment: a change set is invalid once another deploy has changed the stack. That is
//! not a failure: the later deploy waits, plans again and continues with the remaining changes.

use crate::aws::{Failure, Kind};
use crate::error::Error;

/// How often a stack is planned again because somebody else has changed it.
pub(super) const TRIES: usize = 10;

/// Why an attempt on a stack ended early.
#[derive(Debug)]
pub(super) enum Halt {
    /// Somebody else has started or ended an operation on the stack: wait, plan again, continue.
    Conflict(String),
    Failed(Error),
}

/// The result of an attempt on a stack.
pub(super) type Attempt<T> = std::result::Result<T, Halt>;

impl From<Error> for Halt {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl From<Failure> for Halt {
    fn from(failure: Failure) -> Self {
        if is_conflict(&failure) { Self::Conflict(failure.message) } else { Self::Failed(failure.into()) }
    }
}

/// Whether an error only says that the stack changed: busy, created, deleted, or updated since.
pub(super) fn is_conflict(failure: &Failure) -> bool {
    matches!(
        failure.kind,
        Kind::WrongState
            | Kind::InvalidChangeSetStatus
            | Kind::ChangeSetNotFound
            | Kind::NoSuchStack
            | Kind::AlreadyExists
    )
}

/// The error of a stack with too many conflicts.
pub(super) fn too_many_conflicts(stack_name: &str, why: &str) -> Error {
    Error::new(format!("`{stack_name}` was changed concurrently {TRIES} times during this deploy"))
        .note(why.to_owned())
        .hint("find out who deploys this environment, then run the command again")
}
