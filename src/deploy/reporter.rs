//! Sends the steps of a run to the progress output.

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::progress::Step;
use super::redactor::Redactor;
use crate::aws::Aws;

/// Reports the progress of a run, without secrets.
#[derive(Debug)]
pub(super) struct Reporter {
    steps: UnboundedSender<Step>,
    /// Masks secrets, also in the errors, plans and records of the run.
    pub(super) redactor: Redactor,
}

impl Reporter {
    /// A reporter with the receiver of its steps. Waits of the AWS clients are reported too.
    pub(super) fn new(aws: &Aws) -> (Self, UnboundedReceiver<Step>) {
        let (steps, receiver) = unbounded_channel();
        let slowed = steps.clone();
        aws.slow_down.listen(move |wait| {
            let _ = slowed.send(Step::Slowed { wait });
        });
        (Self { steps, redactor: Redactor::default() }, receiver)
    }

    pub(super) fn emit(&self, step: Step) {
        // The receiver is dropped only when the run is over.
        let _ = self.steps.send(self.redactor.step(step));
    }
}
