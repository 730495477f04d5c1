//! The secrets of a run: collected as soon as they are known, and masked in everything that the run prints and writes.

use std::sync::{MutexGuard, PoisonError};

use super::Session;
use super::progress::Step;
use crate::aws::cloudformation::{Event, FailedEvent};
use crate::error::Error;
use crate::plan::secrets::Secrets;
use crate::plan::stack_parameters::ParameterValue;
use crate::plan::{Comparison, Known, Plan};
use crate::render::RenderedStack;
use crate::spec::Map;

impl Session {
    fn secrets(&self) -> MutexGuard<'_, Map<Secrets>> {
        self.secrets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Learns the secrets of a stack that is given these parameters.
    pub(super) fn learn_secrets(
        &self,
        desired: &RenderedStack,
        known: Option<&Known>,
        parameters: &Map<ParameterValue>,
    ) {
        let secrets = Comparison { desired, known, parameters, account_region: &self.account_region }.secrets();
        self.secrets().entry(desired.name.clone()).or_default().add(secrets);
    }

    /// A text without the secrets of any stack.
    pub(super) fn hide(&self, text: &str) -> String {
        self.secrets().values().fold(text.to_owned(), |text, secrets| secrets.text(&text))
    }

    /// What AWS says of a resource of a stack, without secrets.
    fn hide_about(&self, stack: &str, logical_id: &str, text: &str) -> String {
        let own = self.secrets().get(stack).map(|secrets| secrets.about(logical_id, text));
        self.hide(own.as_deref().unwrap_or(text))
    }

    pub(super) fn hide_in_event(&self, stack: &str, mut event: Event) -> Event {
        let hook = event.hook.as_mut().and_then(|hook| hook.reason.as_mut());
        for reason in event.reason.iter_mut().chain(hook) {
            *reason = self.hide_about(stack, &event.logical_id, reason);
        }
        event
    }

    pub(super) fn hide_in_failures(&self, stack: &str, mut failed: Vec<FailedEvent>) -> Vec<FailedEvent> {
        for event in &mut failed {
            event.reason = event.reason.take().map(|reason| self.hide_about(stack, &event.logical_id, &reason));
        }
        failed
    }

    pub(super) fn hide_in_error(&self, error: Error) -> Error {
        error.map_text(&|text| self.hide(text))
    }

    pub(super) fn hide_in_step(&self, step: Step) -> Step {
        match step {
            Step::Note(note) => Step::Note(self.hide(&note)),
            Step::Stack { stack, what } => Step::Stack { what: self.hide(&what), stack },
            other => other,
        }
    }

    pub(super) fn hide_in_plan(&self, plan: Plan) -> Plan {
        let secrets: Vec<Secrets> = self.secrets().values().cloned().collect();
        plan.without(&secrets)
    }
}
