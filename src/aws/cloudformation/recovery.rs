//! What brings a stack out of a state in which it cannot be updated, and what keeps its data where it is.

use super::{CloudFormation, text, time};
use crate::aws::error::Failure;

/// A change set as a list names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedChangeSet {
    pub id: String,
    pub name: String,
    /// RFC 3339, UTC.
    pub created: String,
}

impl CloudFormation {
    /// The change sets of a stack that were not executed.
    pub async fn change_sets(&self, stack: &str) -> Result<Vec<ListedChangeSet>, Failure> {
        let mut found = Vec::new();
        let mut token = None;
        loop {
            let page = self.0.list_change_sets().stack_name(stack).set_next_token(token).send().await;
            let page = page.map_err(|error| Failure::new("ListChangeSets", &error))?;
            found.extend(page.summaries().iter().map(|one| ListedChangeSet {
                id: text(one.change_set_id()),
                name: text(one.change_set_name()),
                created: one.creation_time().and_then(time).unwrap_or_default(),
            }));
            match page.next_token {
                Some(next) if !next.is_empty() => token = Some(next),
                _ => return Ok(found),
            }
        }
    }

    /// Goes on with a rollback that failed, without the resources to skip (logical ids).
    pub async fn continue_rollback(
        &self,
        stack: &str,
        skip: &[String],
        token: &str,
        role: Option<&str>,
    ) -> Result<(), Failure> {
        let request = self.0.continue_update_rollback().stack_name(stack).client_request_token(token);
        let request = request.set_resources_to_skip((!skip.is_empty()).then(|| skip.to_vec()));
        let begun = request.set_role_arn(role.map(str::to_owned)).send().await;
        begun.map(drop).map_err(|error| Failure::new("ContinueUpdateRollback", &error))
    }

    /// Cancels an update that is under way: the stack is rolled back to what it was.
    pub async fn cancel_update(&self, stack: &str) -> Result<(), Failure> {
        let cancelled = self.0.cancel_update_stack().stack_name(stack).send().await;
        cancelled.map(drop).map_err(|error| Failure::new("CancelUpdateStack", &error))
    }

    /// Sets the stack policy: JSON that says which updates of which resources are refused.
    pub async fn set_policy(&self, stack: &str, policy: &str) -> Result<(), Failure> {
        let set = self.0.set_stack_policy().stack_name(stack).stack_policy_body(policy).send().await;
        set.map(drop).map_err(|error| Failure::new("SetStackPolicy", &error))
    }
}
