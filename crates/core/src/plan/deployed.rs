//! What is deployed: a stack as the account describes it.

use crate::spec::Map;

/// A deployed stack.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Stack {
    pub name: String,
    /// The stack's ARN: a stack that is created again under the same name has another.
    pub id: String,
    pub status: Status,
    pub status_reason: Option<String>,
    /// All parameters with the values in force, defaults included; `****` for those with `NoEcho`.
    pub parameters: Map<String>,
    pub tags: Map<String>,
    pub outputs: Map<String>,
    pub termination_protection: bool,
    /// RFC 3339, UTC.
    pub created: Option<String>,
    /// RFC 3339, UTC; none if the stack was never updated.
    pub updated: Option<String>,
}

/// The status of a stack, as CloudFormation names it. Unknown names are kept as they are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Status(pub String);

/// The state of a stack for the next operation, from its status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StackState {
    /// No stack: it will be created.
    Absent,
    /// A failed creation: it must be deleted before it can be created.
    Shell,
    /// An operation is under way.
    Busy,
    /// The stack can be updated.
    Settled,
    /// The stack can be neither updated nor created until someone fixes it.
    Broken,
}

impl Status {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The state of the stack for the next operation.
    pub fn state(&self) -> StackState {
        match self.as_str() {
            "REVIEW_IN_PROGRESS" | "DELETE_COMPLETE" => StackState::Absent,
            "CREATE_FAILED" | "ROLLBACK_COMPLETE" | "ROLLBACK_FAILED" => StackState::Shell,
            "DELETE_FAILED" | "UPDATE_FAILED" | "UPDATE_ROLLBACK_FAILED" | "IMPORT_ROLLBACK_FAILED" => {
                StackState::Broken
            }
            status if status.ends_with("_IN_PROGRESS") => StackState::Busy,
            _ => StackState::Settled,
        }
    }

    /// Whether an operation that ended in this status did what it was asked to do.
    pub fn succeeded(&self) -> bool {
        matches!(self.as_str(), "CREATE_COMPLETE" | "UPDATE_COMPLETE" | "IMPORT_COMPLETE" | "DELETE_COMPLETE")
    }

    /// Whether no operation is under way.
    pub fn settled(&self) -> bool {
        !self.0.ends_with("_IN_PROGRESS")
    }
}

impl std::fmt::Display for Status {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_has_a_state() {
        for (status, state) in [
            ("REVIEW_IN_PROGRESS", StackState::Absent),
            ("ROLLBACK_COMPLETE", StackState::Shell),
            ("ROLLBACK_FAILED", StackState::Shell),
            ("CREATE_FAILED", StackState::Shell),
            ("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", StackState::Busy),
            ("DELETE_IN_PROGRESS", StackState::Busy),
            ("UPDATE_ROLLBACK_COMPLETE", StackState::Settled),
            ("IMPORT_COMPLETE", StackState::Settled),
            ("UPDATE_ROLLBACK_FAILED", StackState::Broken),
            ("A_STATUS_OF_TOMORROW", StackState::Settled),
        ] {
            assert_eq!(Status(status.into()).state(), state, "{status}");
        }
    }
}
