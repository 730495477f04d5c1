//! Starts the child processes of pipectl, and creates files that only its user may read.
//!
//! All crates of the workspace start processes through [`command`] or [`query`]; `tests/layers.rs` of the package
//! `pipectl` checks that. So no child inherits a secret, and none outlives pipectl. This crate never decides what to
//! run, and knows nothing about pipelines or AWS.
//!
//! ```text
//! environment   the variables that a child process inherits: an allow-list
//! watchdog      ends the children and removes the temporary folders of a pipectl that was killed
//! orphans       finds the children of a run, for the watchdog and for the next run
//! peer          the user at the other end of a connection on this machine
//! private       folders of mode 0700, files of mode 0600
//! temporary     a folder for one run, removed however the run ends
//! ```

pub mod environment;
#[cfg(unix)]
mod orphans;
#[cfg(not(unix))]
#[path = "no_orphans.rs"]
mod orphans;
#[cfg(unix)]
pub mod peer;
pub mod private;
#[cfg(unix)]
mod temporary;
pub mod watchdog;

use std::ffi::OsStr;
use std::process::Command;

pub use environment::Purpose;
#[cfg(unix)]
pub use temporary::TemporaryFolder;

/// Builds a command that answers at once, such as `git rev-parse` or `java -version`, with a clean environment.
pub fn query(program: impl AsRef<OsStr>, purpose: Purpose) -> Command {
    let mut command = Command::new(program);
    command.env_clear().envs(environment::inherited(purpose));
    command
}

/// Builds a command with a clean environment, whose process ends when pipectl is killed.
///
/// Every process that pipectl starts begins here or in [`query`], so that none inherits a secret of the user's shell.
pub fn command(program: impl AsRef<OsStr>, purpose: Purpose) -> Command {
    let mut command = query(program, purpose);
    command.envs(watchdog::marker());
    command
}

/// Returns `bytes` random bytes of the system in hexadecimal: for a password, an access key or a name.
pub fn random_hex(bytes: usize) -> std::io::Result<String> {
    let mut random = vec![0; bytes];
    getrandom::fill(&mut random).map_err(|error| std::io::Error::other(error.to_string()))?;
    Ok(random.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_texts_have_their_length_and_differ() {
        let (one, other) = (random_hex(16).unwrap(), random_hex(16).unwrap());
        assert_eq!((one.len(), other.len()), (32, 32));
        assert_ne!(one, other);
    }
}
