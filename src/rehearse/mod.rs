//! The pipeline, run end to end on this machine.
pub mod warehouse;
