//! Glue: the catalog, and the jobs on a local Spark.

pub mod catalog;
pub mod spark;
