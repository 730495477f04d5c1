//! The secrets of a run: collected as soon as they are known, and masked in everything that the run prints and writes.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::progress::Step;
use crate::aws::cloudformation::{Event, FailedEvent};
use crate::error::Error;
use crate::plan::secrets::Secrets;
use crate::plan::{Comparison, Plan};
use crate::spec::Map;

/// Masks the secrets of all stacks in what a run prints and writes.
#[derive(Debug, Default)]
pub(super) struct Redactor {
    /// By stack.
    secrets: Mutex<Map<Secrets>>,
}

impl Redactor {
    fn secrets(&self) -> MutexGuard<'_, Map<Secrets>> {
        self.secrets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds the secrets of a stack: those of its templates and those among its parameters.
    pub(super) fn add(&self, comparison: &Comparison<'_>) {
        let secrets = comparison.secrets();
        self.secrets().entry(comparison.desired.name.clone()).or_default().add(secrets);
    }

    /// A text without the secrets of any stack.
    pub(super) fn text(&self, text: &str) -> String {
        self.secrets().values().fold(text.to_owned(), |text, secrets| secrets.text(&text))
    }

    /// What AWS says about a resource of a stack, without secrets.
    fn about(&self, stack: &str, logical_id: &str, text: &str) -> String {
        let own = self.secrets().get(stack).map(|secrets| secrets.about(logical_id, text));
        self.text(own.as_deref().unwrap_or(text))
    }

    pub(super) fn event(&self, stack: &str, mut event: Event) -> Event {
        let hook = event.hook.as_mut().and_then(|hook| hook.reason.as_mut());
        for reason in event.reason.iter_mut().chain(hook) {
            *reason = self.about(stack, &event.logical_id, reason);
        }
        event
    }

    pub(super) fn failures(&self, stack: &str, mut failed: Vec<FailedEvent>) -> Vec<FailedEvent> {
        for event in &mut failed {
            event.reason = event.reason.take().map(|reason| self.about(stack, &event.logical_id, &reason));
        }
        failed
    }

    pub(super) fn error(&self, error: Error) -> Error {
        error.map_text(&|text| self.text(text))
    }

    pub(super) fn step(&self, step: Step) -> Step {
        match step {
            Step::Note(note) => Step::Note(self.text(&note)),
            Step::Stack { stack, what } => Step::Stack { what: self.text(&what), stack },
            other => other,
        }
    }

    pub(super) fn plan(&self, plan: Plan) -> Plan {
        let secrets: Vec<Secrets> = self.secrets().values().cloned().collect();
        plan.without(&secrets)
    }
}
