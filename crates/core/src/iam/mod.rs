//! Who may do what: IAM's evaluation of policies, for the roles and policies of deployed templates.
//!
//! ```text
//! Policies::gather (resources with their locations) → Policies
//! Policies::decide (Request) → Decision: allowed by which statements, or a Denial that names the line to change
//! ```
//!
//! It is pure: no AWS, no files, no clock but the one in the request. It evaluates calls within one account: identity
//! policies, permissions boundaries, policies of resources, trust. Not modelled: organizations (SCPs, RCPs), session
//! policies, VPC endpoint policies, S3's ACLs and access points.
//!
//! Written here rather than taken from the crate `iam-rs` (0.8): a rehearsal must name the statement and the line that
//! deny a call, and the statement that came closest to allowing it. In that crate a policy has no locations, and a
//! decision is allow or deny without a reason. The evaluation of policies is also a core purpose of pipectl.

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
