//! Servers on loopback for tests: HTTP with faults on the wire, and an S3 in memory.
//!
//! The code under test keeps its real clients, retries and parsers; only the other end is false.

mod http;
mod lambda;
mod s3;

pub use http::{Reply, Request, Server};
pub use lambda::{Invocation, Lambda};
pub use s3::S3;
