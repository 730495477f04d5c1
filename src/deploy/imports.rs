//! Exports that go or change while a stack of somebody else imports them.

use std::collections::BTreeSet;

use super::progress::Step;
use super::reporter::Reporter;
use super::stacks::Stacks;
use super::target::Target;
use crate::error::Result;
use crate::plan::{Side, Warning, imported_elsewhere, leaving};

/// A warning for each such export. A failed lookup is reported; the plan continues. Without an export
/// that goes or changes nothing is asked.
pub(super) async fn warnings(
    target: &Target,
    stacks: &Stacks,
    reporter: &Reporter,
    sides: &[Side<'_>],
) -> Result<Vec<Warning>> {
    let own: BTreeSet<&str> = stacks.by_name().values().map(|stack| stack.stack_name.as_str()).collect();
    let mut warnings = Vec::new();
    for side in sides {
        for leaving in leaving(side, &target.account_region)? {
            match target.aws.cloudformation.importers(&leaving.export).await {
                Ok(mut users) => {
                    users.retain(|user| !own.contains(user.as_str()));
                    if !users.is_empty() {
                        warnings.push(imported_elsewhere(&leaving, &users));
                    }
                }
                Err(failure) => reporter.emit(Step::Note(format!(
                    "cannot list the stacks that import `{}` of `{}`: {failure}",
                    leaving.export, leaving.stack
                ))),
            }
        }
    }
    Ok(warnings)
}
