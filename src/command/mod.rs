//! One file a verb: its flags, its help, and one function that reads like the README.

pub mod check;
pub mod init;
pub mod package;
#[cfg(feature = "rehearse")]
pub mod rehearse;
pub mod render;
#[cfg(feature = "rehearse")]
pub mod sample;
pub mod schema;
