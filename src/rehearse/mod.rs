//! The pipeline, run end to end on this machine.

pub mod glue;
pub mod resource;
pub mod runtime;
pub mod shopify;
pub mod warehouse;
pub mod wiring;
