//! The progress of a run, for observers.

use std::pin::Pin;

use tokio::sync::mpsc::UnboundedReceiver;

use super::stop::Stop;

/// What somebody answers.
pub type Answer<'a> = Pin<Box<dyn Future<Output = bool> + Send + 'a>>;

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// An artifact was uploaded.
    Uploaded { key: String, bytes: usize },
    /// Work on a stack began or went on; `what` says how, such as `is being created`.
    Stack { stack: String, what: String },
    /// A resource came into another status.
    Resource { stack: String, logical_id: String, resource_type: String, status: String, reason: Option<String> },
    /// Work on a stack is over.
    Done { stack: String, what: String },
    /// Nothing new is started; these stacks go on, and can be followed like this.
    Stopping { running: Vec<String>, follow: Option<String> },
    /// AWS asked to slow down: the next call is made after this time.
    Slowed { wait: std::time::Duration },
    /// Something that people should know.
    Note(String),
}

/// Someone who watches.
pub trait Progress {
    fn step(&mut self, step: &Step);

    /// Asks whether to cancel the updates of these stacks; no if nobody can be asked, or if somebody asks to stop
    /// a third time.
    fn cancel<'a>(&'a mut self, stacks: &'a [String], stop: Stop) -> Answer<'a> {
        let _ = (stacks, stop);
        Box::pin(std::future::ready(false))
    }
}

/// Forwards all pending steps.
pub(super) fn catch_up(steps: &mut UnboundedReceiver<Step>, progress: &mut dyn Progress) {
    while let Ok(step) = steps.try_recv() {
        progress.step(&step);
    }
}

/// Nobody watches.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {
    fn step(&mut self, _step: &Step) {}
}
