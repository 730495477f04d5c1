//! Two deploys of one environment at once: what one of them has prepared is worth nothing once the other has changed
//! the stack. That is no failure: the later one waits, looks again and goes on with what is left to do.

use crate::aws::{Failure, Kind};
use crate::error::Error;

/// How often a stack is looked at again because somebody else has changed it.
pub(super) const TRIES: usize = 10;

/// Why an attempt on a stack ended early.
#[derive(Debug)]
pub(super) enum Halt {
    /// Somebody else has begun or ended an operation on the stack: wait, look again, go on.
    Overtaken(String),
    Failed(Error),
}

/// What came of an attempt on a stack.
pub(super) type Attempt<T> = std::result::Result<T, Halt>;

impl From<Error> for Halt {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl From<Failure> for Halt {
    fn from(failure: Failure) -> Self {
        if is_overtaken(&failure) { Self::Overtaken(failure.message) } else { Self::Failed(failure.into()) }
    }
}

/// Whether a refusal only says that the stack is not as it was: busy, there, gone, or changed since.
pub(super) fn is_overtaken(failure: &Failure) -> bool {
    matches!(
        failure.kind,
        Kind::WrongState
            | Kind::InvalidChangeSetStatus
            | Kind::ChangeSetNotFound
            | Kind::NoSuchStack
            | Kind::AlreadyExists
    )
}

/// The error of a stack that never came to rest.
pub(super) fn restless(stack_name: &str, why: &str) -> Error {
    Error::new(format!("`{stack_name}` was changed by others {TRIES} times while this deploy was at work"))
        .note(why.to_owned())
        .hint("find out who deploys this environment, then run the command again")
}
