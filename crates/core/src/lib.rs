//! The pure half of pipectl: what a project says, and what follows from it.
//!
//! It takes texts and values and returns texts, values and errors. It never reads a file, opens a connection, asks for
//! the time or prints: its `Cargo.toml` names no crate that could (`tests/layers.rs` of the package `pipectl` looks).
//!
//! ```text
//! check/      rules over a whole project            plan/       (desired, deployed) → Plan
//! desired_state   a project's stacks and document, for check, plan, deploy and rehearse alike
//! render/     pipeline file + templates → CloudFormation
//! document/   what jobs and Lambdas are given       warehouse/  Redshift's SQL
//! service_rules/  what AWS services refuse
//! sql/        the project's queries                 iam/        policies, evaluated
//! template/   a CloudFormation document             spec/       what the user wrote
//! resource_types   what is known of each type of AWS resource
//! yaml, graph, digest, quantity, text_table         diagnostics/
//! ```

pub mod check;
pub mod dead_letters;
pub mod desired_state;
pub mod diagnostics;
pub mod digest;
pub mod document;
pub mod graph;
pub mod iam;
pub mod limits;
pub mod log_pattern;
pub mod plan;
pub mod quantity;
pub mod render;
pub mod resource_types;
pub mod service_rules;
pub mod spec;
pub mod sql;
pub mod template;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod text_table;
pub mod warehouse;
pub mod yaml;

pub use diagnostics::{error, exit};
pub use template::evaluated_resource as resource;
