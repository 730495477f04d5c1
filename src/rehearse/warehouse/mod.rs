//! A PostgreSQL server that answers as Redshift does.

mod error;
mod rewrite;

pub use error::SqlError;
