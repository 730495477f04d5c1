//! The exit codes: one table, the same for every command.

/// The exit codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done, or nothing to do.
    Success = 0,
    /// The work failed.
    Failure = 1,
    /// There are changes, asked for with `--exit-code`, or there is drift.
    Changes = 2,
    /// The command line is wrong.
    Usage = 64,
    /// The project's files, or the data for a rehearsal, are wrong.
    Project = 65,
    /// Interrupted by Ctrl-C.
    Interrupted = 130,
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
