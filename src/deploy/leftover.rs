//! Change sets that a killed run has left behind: known by their names, and left alone until no run can need them.

use std::time::{Duration, SystemTime};

use super::{Purpose, RUN_LENGTH, Session, begins_with_run};
use crate::aws::cloudformation::WaitingChangeSet;

/// How old a change set must be for a run that comes by to remove it: no run waits that long for an answer.
const PASSING: Duration = Duration::from_hours(6);
/// How old one must be for `gc`.
const COLLECTED: Duration = Duration::from_hours(24);
/// How long a saved plan may be carried out before `gc` takes it: as long as its templates are kept.
const SAVED: Duration = Duration::from_hours(7 * 24);

/// What a change set was made for, by its name; none if no run of pipectl made it.
pub(super) fn purpose(name: &str) -> Option<Purpose> {
    [Purpose::Saved, Purpose::Drift, Purpose::Plan, Purpose::Deploy]
        .into_iter()
        .find(|purpose| name.strip_prefix(&purpose.change_set("")).is_some_and(is_numbered_run))
}

/// Whether a text is the name of a run, with a number from the second change set on that it makes at a stack.
fn is_numbered_run(text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    begins_with_run(text) && (text.len() == RUN_LENGTH || text[RUN_LENGTH..].strip_prefix('-').is_some_and(digits))
}

/// How old something is. A clock that goes before AWS's makes it no older.
pub(crate) fn age(created: SystemTime) -> Duration {
    SystemTime::now().duration_since(created).unwrap_or_default()
}

/// Whether nobody can need a change set any more.
pub(crate) fn is_garbage(change_set: &WaitingChangeSet) -> bool {
    let kept = match purpose(&change_set.name) {
        Some(Purpose::Plan | Purpose::Drift | Purpose::Deploy) => COLLECTED,
        Some(Purpose::Saved) => SAVED,
        None => return false,
    };
    age(change_set.created) > kept
}

/// Whether a shell without resources and change sets is old enough to go.
pub(crate) fn is_old_shell(created: SystemTime) -> bool {
    age(created) > COLLECTED
}

impl Session {
    /// Removes what killed runs of this kind have left at a stack. A plan may remove plans only: the role of pull
    /// requests has no right to more. Whatever goes wrong, the run goes on.
    pub(super) async fn clear_leftovers(&self, stack: &str, by: Purpose) {
        let Ok(waiting) = self.aws.cloudformation.waiting_change_sets(stack).await else { return };
        for change_set in waiting {
            let own = match purpose(&change_set.name) {
                Some(Purpose::Plan | Purpose::Drift) => true,
                Some(Purpose::Deploy) => by == Purpose::Deploy,
                Some(Purpose::Saved) | None => false,
            };
            if own && age(change_set.created) > PASSING {
                let _ = self.aws.cloudformation.delete_change_set(stack, &change_set.id).await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_a_run_makes_are_known() {
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
        assert_eq!(purpose(&Purpose::Deploy.change_set(&super::super::run_name())), Some(Purpose::Deploy));
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
