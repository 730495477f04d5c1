//! The stack policy: CloudFormation itself refuses to replace or remove what holds data, in every update but one that
//! was shown and agreed to. It is the second protection: the first is that a plan with losses is not executed at all.
//!
//! A change set takes no policy for the time of its update, so the policy is changed before it and set back after it.

use serde_json::json;

use super::Session;
use super::progress::Step;
use crate::plan::{Action, StackPlan, loss};
use crate::render::RenderedStack;

/// The longest policy that CloudFormation takes, in bytes.
const LONGEST: usize = 16_384;

/// The policy of a stack; none if nothing in it holds data. What is in `open` may be replaced and removed.
fn policy(desired: &RenderedStack, open: &[String]) -> Option<String> {
    let holders = desired.template.resources.iter().filter(|one| loss::holds(&one.resource_type).is_some());
    let mut holders = holders.map(|one| one.logical_id.as_str()).peekable();
    holders.peek()?;
    let kept: Vec<String> =
        holders.filter(|id| !open.iter().any(|one| one == id)).map(|id| format!("LogicalResourceId/{id}")).collect();
    let allow = json!({"Effect": "Allow", "Action": "Update:*", "Principal": "*", "Resource": "*"});
    if kept.is_empty() {
        return Some(json!({"Statement": [allow]}).to_string());
    }
    let refused = ["Update:Replace", "Update:Delete"];
    let deny = json!({"Effect": "Deny", "Action": refused, "Principal": "*", "Resource": kept});
    Some(json!({"Statement": [deny, allow]}).to_string()).filter(|text| text.len() <= LONGEST)
}

/// The resources with data that a plan replaces or removes.
fn opened(plan: &StackPlan) -> Vec<String> {
    let leaving = plan.resources.iter().filter(|one| {
        matches!(one.action, Action::Remove | Action::Replace | Action::MayReplace)
            && loss::holds(&one.resource_type).is_some()
    });
    leaving.map(|one| one.logical_id.clone()).collect()
}

impl Session {
    /// Opens the policy for what a plan, which was agreed to, does with data. Returns whether it did.
    pub(super) async fn open_policy(&self, desired: &RenderedStack, plan: &StackPlan) -> bool {
        let open = opened(plan);
        if open.is_empty() {
            return false;
        }
        // Also if the new template has nothing with data any more: the old policy is still in force.
        let text = policy(desired, &open).unwrap_or_else(|| {
            json!({"Statement": [{"Effect": "Allow", "Action": "Update:*", "Principal": "*", "Resource": "*"}]})
                .to_string()
        });
        self.set_policy(desired, &text).await;
        true
    }

    /// Sets the policy of a stack whose deployment is over.
    pub(super) async fn close_policy(&self, desired: &RenderedStack) {
        if let Some(text) = policy(desired, &[]) {
            self.set_policy(desired, &text).await;
        }
    }

    /// Without the policy there is still the plan: not to be allowed to set it fails no deploy.
    async fn set_policy(&self, desired: &RenderedStack, text: &str) {
        if let Err(failure) = self.target.aws.cloudformation.set_policy(&desired.stack_name, text).await {
            let next = if failure.is_transient() {
                self.journal.policy_unset(&desired.name);
                "the next deploy sets it"
            } else {
                "`pipectl bootstrap` gives the deploy role the right to"
            };
            self.reporter.emit(Step::Note(format!(
                "the stack policy of `{}` was not set ({failure}); {next}",
                desired.stack_name
            )));
        }
    }
}
