//! An AWS account on this machine.
//!
//! [`LocalAccount::open`] reads its state, [`LocalAccount::serve`] answers the wire protocols of CloudFormation, STS, S3
//! SQS and Secrets Manager on one loopback port, so that the same SDK code runs against it and against AWS. Further JSON
//! services are added with [`LocalAccount::register`].
//!
//! What it is not: signatures are not verified (an access key must be there), versions of objects are not kept, and
//! resources without a body on this machine (a Glue job, an alarm) are data only.

mod account;
mod call;
mod calls;
mod catalog;
mod clock;
mod cloudformation;
mod file;
mod json;
mod lock;
mod query;
mod queues;
mod replications;
mod resource;
mod s3;
mod secrets;
mod server;
mod state;
mod sts;
mod waiting;
mod xml;

pub use account::{DeployedResource, DeployedStack, Judge, LocalAccount};
pub use call::{Call, of_function};
pub use json::{JsonCall, JsonError, JsonHandler, JsonResult};
pub use s3::ObjectEvent;
pub use server::Endpoint;
pub use waiting::Waiting;

#[cfg(test)]
mod tests;
