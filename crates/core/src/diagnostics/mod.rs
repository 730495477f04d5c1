//! What is wrong, where, and how to fix it: the error type, positions in source files, exit codes.

pub mod error;
pub mod exit;
pub mod source;
