//! What goes on, for whoever watches.

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
    /// Nothing new is started; these stacks go on.
    Stopping { running: Vec<String> },
    /// Something that people should know.
    Note(String),
}

/// Someone who watches.
pub trait Progress {
    fn step(&mut self, step: &Step);
}

/// Nobody watches.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {
    fn step(&mut self, _step: &Step) {}
}
