//! One file a verb: its arguments, its help and what it prints.
//!
//! The work itself is in `deploy` (changes of stacks), `operations` (the deployed pipeline and its data) and `package`.

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

use std::fmt::Display;

use crate::context::Context;
use crate::error::{Error, Result};
use crate::exit::Exit;

/// Asks for confirmation. Fails with `declined` if the answer is no, and with a hint if nobody can be asked to `verb`.
fn confirm(context: &Context, question: impl Display, declined: &str, verb: &str) -> Result<()> {
    match context.ui.confirm(question) {
        Some(true) => Ok(()),
        Some(false) => Err(Error::new(declined)),
        None => Err(Error::new("cannot ask for confirmation here")
            .hint(format!("add `--yes` to {verb} without confirmation"))
            .exit(Exit::Usage)),
    }
}
