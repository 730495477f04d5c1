//! One file a verb: its flags, its help, and one function that reads like the README.

pub mod backfill;
pub mod bootstrap;
pub mod check;
pub mod deploy;
pub mod destroy;
pub mod drift;
pub mod export;
pub mod gc;
pub mod history;
pub mod init;
pub mod outputs;
pub mod package;
pub mod plan;
pub mod redrive;
#[cfg(feature = "rehearse")]
pub mod rehearse;
pub mod render;
pub mod replay;
pub mod retry;
pub mod runs;
#[cfg(feature = "rehearse")]
pub mod sample;
pub mod schema;
pub mod skip;
pub mod status;
pub mod upload;
mod waiting;
