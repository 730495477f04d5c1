//! Stale change sets of killed runs: recognized by their names, and kept until no run can need them.

use std::time::{Duration, SystemTime};

use super::Purpose;
use super::run::starts_with_id;
use crate::aws::CloudFormation;
use crate::aws::cloudformation::WaitingChangeSet;
use crate::plan::saved::RUN_LENGTH;

/// How old a change set must be for another run to delete it: no run waits that long for confirmation.
const PASSING: Duration = Duration::from_hours(6);
/// How old one must be for `gc`.
const COLLECTED: Duration = Duration::from_hours(24);
/// How long a saved plan may be executed before `gc` deletes it: as long as its templates are kept.
const SAVED: Duration = Duration::from_hours(7 * 24);

/// The purpose of a change set, by its name; none if no run of pipectl created it.
pub(super) fn purpose(name: &str) -> Option<Purpose> {
    [Purpose::Saved, Purpose::Drift, Purpose::Plan, Purpose::Deploy]
        .into_iter()
        .find(|purpose| name.strip_prefix(&purpose.change_set("")).is_some_and(is_numbered_run))
}

/// Whether a text is the name of a run, with a number from the second change set on that it makes at a stack.
fn is_numbered_run(text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    starts_with_id(text) && (text.len() == RUN_LENGTH || text[RUN_LENGTH..].strip_prefix('-').is_some_and(digits))
}

/// The age of something. A clock behind AWS's gives zero.
pub(crate) fn age(created: SystemTime) -> Duration {
    SystemTime::now().duration_since(created).unwrap_or_default()
}

/// Whether a change set is stale.
pub(crate) fn is_garbage(change_set: &WaitingChangeSet) -> bool {
    let kept = match purpose(&change_set.name) {
        Some(Purpose::Plan | Purpose::Drift | Purpose::Deploy) => COLLECTED,
        Some(Purpose::Saved) => SAVED,
        None => return false,
    };
    age(change_set.created) > kept
}

/// Whether a stack without resources and change sets is old enough to be deleted.
pub(crate) fn is_old_shell(created: SystemTime) -> bool {
    age(created) > COLLECTED
}

/// Deletes stale change sets of killed runs of this kind. A plan may delete plans only: the role of pull requests
/// has no other permission. Errors are ignored.
pub(super) async fn clear(aws: &CloudFormation, stack: &str, by: Purpose) {
    let Ok(waiting) = aws.waiting_change_sets(stack).await else { return };
    for change_set in waiting {
        let own = match purpose(&change_set.name) {
            Some(Purpose::Plan | Purpose::Drift) => true,
            Some(Purpose::Deploy) => by == Purpose::Deploy,
            Some(Purpose::Saved) | None => false,
        };
        if own && age(change_set.created) > PASSING {
            let _ = aws.delete_change_set(stack, &change_set.id).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_generated_names_are_recognized() {
        let run = "20261121T150405Z-0123456789abcdef";
        for (name, expected) in [
            (format!("plan-{run}"), Some(Purpose::Plan)),
            (format!("saved-{run}"), Some(Purpose::Saved)),
            (format!("plan-drift-{run}"), Some(Purpose::Drift)),
            (format!("deploy-{run}"), Some(Purpose::Deploy)),
            (format!("deploy-{run}-2"), Some(Purpose::Deploy)),
            (run.to_owned(), None),
            (format!("plan-of-mine-{run}"), None),
            ("plan-b".to_owned(), None),
            (format!("deploy-{run}0"), None),
            ("deploy-2026-11-21".to_owned(), None),
            ("deploy-20261121T150405-0123456789abcdef".to_owned(), None),
        ] {
            assert_eq!(purpose(&name), expected, "{name}");
        }
        assert_eq!(purpose(&Purpose::Deploy.change_set(&super::super::run::new_id())), Some(Purpose::Deploy));
    }

    #[test]
    fn each_kind_has_its_age() {
        let hours = |name: &str, hours: u64| {
            let created = SystemTime::now() - Duration::from_hours(hours);
            is_garbage(&WaitingChangeSet { name: name.into(), id: String::new(), stack_name: String::new(), created })
        };
        let run = "20261121T150405Z-0123456789abcdef";
        for (name, young, old) in [("plan-", 23, 25), ("deploy-", 23, 25), ("saved-", 167, 169)] {
            let name = format!("{name}{run}");
            assert!(!hours(&name, young) && hours(&name, old), "{name}");
        }
        assert!(!hours("release-candidate", 10_000));
    }
}
