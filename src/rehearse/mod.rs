//! The pipeline, run end to end on this machine.

pub mod runtime;
pub mod warehouse;
