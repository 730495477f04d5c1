//! One file a verb: its flags, its help, and one function that reads like the README.

pub mod check;
pub mod init;
pub mod package;
pub mod render;
pub mod schema;
