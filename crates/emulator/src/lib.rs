//! An emulated AWS account on this machine, for rehearsals and tests: one module a service.
//!
//! [`account::LocalAccount`] holds the state in one folder and answers the protocols of the services on one loopback
//! port, so the same SDK code runs against it and against AWS.
//!
//! ```text
//! account/         state, HTTP server, access keys, the lock that keeps two rehearsals apart
//! cloudformation/  change sets, stacks, events, drift        resource/   names, attributes and errors of resources
//! s3/, sqs, sts, secretsmanager                              authorizer/ IAM: the deployed policies decide each call
//! events/          trails, rules, schedules, workflows: what starts what
//! alarms/          CloudWatch alarms, SNS topics, dead-letter queues
//! lambda/          packaged binaries behind a Runtime API    glue/       the catalog, and jobs on a local Spark
//! redshift/        a PostgreSQL that answers as Redshift     postgres/   its server process
//! dms/             replication from the log of a real database
//! toolchain        finds Python with Spark, Java and PostgreSQL on this machine
//! ```
//!
//! It never calls AWS, and never reads a pipeline file: it knows only the templates that are deployed to it. It does not
//! verify signatures or keep versions of objects.
//!
//! From the core it takes the parser of templates, the evaluation of policies and the service rules. All else,
//! such as limits, responses and errors, is written separately from the code that calls it, so that a mistake there fails
//! a test.

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
