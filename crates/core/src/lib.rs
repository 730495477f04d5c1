//! The pure half of pipectl: parses and checks a project, and computes everything that follows from it.
//!
//! Its functions take texts and values, and return texts, values and errors. It never reads a file, opens a connection,
//! starts a process, reads the clock or prints. Its `Cargo.toml` names no crate that could; `tests/layers.rs` of the
//! package `pipectl` checks that.
//!
//! ```text
//! spec/             the pipeline file and the environments, with the location of every value
//! sql/              the project's queries: names, types, grouping
//! check/            rules over a whole project
//! render/           pipeline file + templates → CloudFormation
//! document/         the pipeline document, which the jobs and Lambdas read
//! warehouse/        Redshift's SQL
//! desired_state     a project's stacks and document, for check, plan, deploy and rehearse alike
//! plan/             (desired state, deployed state) → Plan
//! template/         a CloudFormation template, parsed
//! iam/              IAM's evaluation of policies
//! service_rules/    what AWS services refuse beyond their schemas
//! resource_types    the ARN, the name and the data of each type of AWS resource
//! diagnostics/      errors with a location and a hint; exit codes
//! yaml, graph, digest, quantity, text_table, log_pattern, dead_letters: small helpers
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
