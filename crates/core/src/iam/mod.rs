//! Who may do what: IAM's evaluation of policies, for the roles and policies of deployed templates.
//!
//! ```text
//! Policies::gather (resources with their places) → Policies
//! Policies::decide (Request) → Decision: allowed by which statements, or a Denial that names the line to change
//! ```
//!
//! It is pure: no AWS, no files, no clock but the one in the request. It judges calls within one account: identity
//! policies, permissions boundaries, policies of resources, trust. Not modelled: organizations (SCPs, RCPs), session
//! policies, VPC endpoint policies, S3's ACLs and access points.
//!
//! Written here rather than taken from the crate `iam-rs` (0.8): a rehearsal must name the statement and the line that
//! stop a call, and what came nearest to letting it through; there a policy is data without places, and a decision a
//! bare effect. To judge is also what pipectl is for.

pub mod actions;
mod closest_statement;
mod condition;
mod decide;
mod denial;
mod document;
mod gather;
mod pattern;
mod request;
mod values;

pub use actions::Kind;
pub use decide::Decision;
pub use denial::{Denial, Layer};
pub use document::{Effect, Names, Statement};
pub use gather::{Boundary, Policies, Role};
pub use pattern::Pattern;
pub use request::{Context, Principal, Request};
pub use values::texts;

#[cfg(test)]
mod tests;
