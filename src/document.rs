//! The pipeline document: what the jobs and Lambdas know of the spec.
