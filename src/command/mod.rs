//! One file a verb: its flags, its help, and one function that reads like the README.

pub mod init;
pub mod schema;
