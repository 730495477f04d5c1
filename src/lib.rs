//! pipectl: one YAML file to an e-commerce warehouse on AWS.
//!
//! The map, in the order in which the rooms depend on each other (arrows go down only):
//!
//! ```text
//! main → cli → command/ (one file a verb) → context, ui
//!   deploy/   carries out a plan; the only code that changes AWS
//!   plan/     (wanted, deployed) → Plan: pure
//!   package/  cargo, zip, elf                         aws/      concrete SDK clients
//!   upload/   files on their way into the raw zone
//!   render    spec + templates → CloudFormation: pure  document  what jobs and Lambdas know: pure
//!   check/    rules over a whole project               sql/      the project's queries, without a database: pure
//!   template/ a CloudFormation document: pure          spec/     what the user wrote: pure
//!   yaml, error, exit
//! feature `rehearse`:
//!   local/    an AWS account on this machine           rehearse/ the pipeline, run on it
//! ```
//!
//! Invariants: *checking a spec never stops at the first error*; *render is a function of files and flags only*;
//! *plan prints the same bytes for the same input*; *nothing mutates AWS outside of `deploy`*; the pure rooms name
//! neither `aws`, `ui`, `clap`, `tokio` nor `std::fs`.

pub mod aws;
pub mod check;
pub mod cli;
pub mod command;
pub mod context;
pub mod deploy;
pub mod digest;
pub mod document;
pub mod error;
pub mod exit;
pub mod export;
pub mod figure;
pub mod graph;
pub mod iam;
pub mod ledger;
#[cfg(feature = "rehearse")]
pub mod local;
pub mod package;
pub mod plan;
pub mod project;
pub mod redrive;
#[cfg(feature = "rehearse")]
pub mod rehearse;
pub mod render;
pub mod replay;
pub mod resource;
pub mod runs;
#[cfg(feature = "rehearse")]
pub mod sample;
pub mod spec;
pub mod sql;
pub mod template;
pub mod ui;
pub mod upload;
pub mod warehouse;
pub mod yaml;
