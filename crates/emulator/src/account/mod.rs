//! An AWS account on this machine.
//!
//! [`LocalAccount::open`] reads its state, [`LocalAccount::serve`] answers the wire protocols of CloudFormation, STS, S3
//! SQS and Secrets Manager on one loopback port, so that the same SDK code runs against it and against AWS. Further JSON
//! services are added with [`LocalAccount::register`].
//!
//! What it is not: signatures are not verified (an access key of the run must be there), versions of objects are not kept, and
//! resources without a body on this machine (a Glue job, an alarm) are data only.

mod access;
pub(crate) mod call;
pub(crate) mod clock;
pub(crate) mod file;
pub(crate) mod json;
pub(crate) mod local_account;
mod lock;
mod offline_calls;
pub(crate) mod query;
mod queued_calls;
mod server;
pub(crate) mod state;
mod xml;

pub use call::{Call, of_function};
pub use json::{JsonCall, JsonError, JsonHandler, JsonResult};
pub use local_account::{CallAuthorizer, DeployedResource, DeployedStack, LocalAccount};
pub use queued_calls::Waiting;
pub use server::Endpoint;

pub use crate::s3::ObjectEvent;

#[cfg(test)]
mod tests;
