//! An AWS account on this machine, for rehearsals and tests: a module a service.
//!
//! [`account::LocalAccount`] holds the state and answers the wire protocols of the services on one loopback port. What
//! runs in a rehearsal is here too: Lambdas from their packages, Glue jobs on a local Spark, Redshift on a PostgreSQL,
//! DMS on a real database's log. [`authorizer`] evaluates the deployed policies for each call.
//!
//! It shares no limit or rule with `pipectl` itself: an emulator that did could not show its mistakes.

pub mod account;
pub mod alarms;
pub mod authorizer;
mod cloudformation;
pub mod dms;
pub mod events;
pub mod glue;
pub mod lambda;
pub mod postgres;
pub mod redshift;
mod resource;
pub mod s3;
mod secretsmanager;
mod sqs;
mod sts;
pub mod toolchain;

use pipectl_core::{digest, error, iam, log_pattern, service_rules, template, yaml};
#[cfg(test)]
use pipectl_core::{render, spec};
