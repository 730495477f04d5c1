//! The tests of the whole program: one binary, a module a verb.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a test says where it cannot go on, and what it skips")]

#[cfg(feature = "rehearse")]
mod abandoned;
#[cfg(feature = "rehearse")]
mod alerts;
#[cfg(feature = "rehearse")]
mod away;
#[cfg(feature = "rehearse")]
mod catalog;
mod check;
mod cli;
#[cfg(feature = "rehearse")]
mod database;
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
mod together;
#[cfg(feature = "rehearse")]
mod waiting;
#[cfg(feature = "rehearse")]
mod wires;
