//! What every Lambda of a pipeline shares.
//!
//! A Lambda is a library with one function from an event to a result, and a `main` that hands it to [`lambda::run`].

pub mod aws;
pub mod deadline;
pub mod digest;
pub mod document;
pub mod error;
pub mod instant;
pub mod lambda;
pub mod logging;
pub mod s3;

pub use deadline::Deadline;
pub use error::{Error, Result};
