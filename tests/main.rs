//! The tests of the whole program: one binary, a module a verb.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a test says where it cannot go on, and what it skips")]

#[cfg(feature = "rehearse")]
mod alerts;
#[cfg(feature = "rehearse")]
mod broken_templates;
#[cfg(feature = "rehearse")]
mod catalog;
mod check;
mod cli;
#[cfg(feature = "rehearse")]
mod concurrent_deploys;
#[cfg(feature = "rehearse")]
mod database;
#[cfg(feature = "rehearse")]
mod database_outage;
#[cfg(feature = "rehearse")]
mod deploy;
#[cfg(feature = "rehearse")]
mod destroy;
#[cfg(feature = "rehearse")]
mod drift;
#[cfg(feature = "rehearse")]
mod faults;
mod fidelity;
#[cfg(feature = "rehearse")]
mod gc;
mod help;
#[cfg(feature = "rehearse")]
mod history;
mod hostile;
#[cfg(feature = "rehearse")]
mod iceberg;
#[cfg(feature = "rehearse")]
mod kills;
#[cfg(feature = "rehearse")]
mod lake;
mod layers;
#[cfg(feature = "rehearse")]
mod own_source;
#[cfg(feature = "rehearse")]
mod plan;
#[cfg(feature = "rehearse")]
mod process_cleanup;
mod readme;
#[cfg(feature = "rehearse")]
mod recovery;
mod reference;
#[cfg(feature = "rehearse")]
mod rehearse;
mod render;
#[cfg(feature = "rehearse")]
mod saved;
#[cfg(feature = "rehearse")]
mod secrets;
#[cfg(feature = "rehearse")]
mod shopify;
mod support;
#[cfg(feature = "rehearse")]
mod terminal;
#[cfg(feature = "rehearse")]
mod waiting;
mod workflows;
