//! pipectl: one YAML file to an e-commerce warehouse on AWS.
//!
//! ```text
//! main → cli → command/ (one file a verb: arguments and output) → context, ui
//!   deploy/      applies a plan; the only code that changes stacks
//!   operations/  status, history, upload, export, replay, backfill, redrive, runs, gc
//!   package/     cargo, zip, elf          aws/      concrete SDK clients
//!   project      reads the project's files
//! pipectl-core (crates/core): checks a project and computes what follows from it; no input or output
//! pipectl-process (crates/process): child processes, private files
//! feature `rehearse`:
//!   pipectl-emulator (crates/emulator): an AWS account on this machine
//!   pipectl-rehearse (crates/rehearse): runs the pipeline on it
//! ```
//!
//! `docs/architecture.md` has the data flow and the invariants, each with the test that holds it.

mod account;
pub mod aws;
pub mod cli;
pub mod command;
pub mod context;
pub mod deploy;
pub mod files;
pub mod operations;
pub mod output_format;
pub mod package;
mod progress_output;
pub mod project;
mod release;
mod schema_migration;
pub mod ui;

pub use pipectl_core::{
    check, dead_letters, digest, document, error, exit, graph, iam, limits, log_pattern, plan, quantity, render,
    resource, spec, sql, template, text_table, warehouse, yaml,
};
#[cfg(feature = "rehearse")]
pub use pipectl_emulator::account as local;
#[cfg(feature = "rehearse")]
pub use pipectl_rehearse::{self as rehearse, sample};
