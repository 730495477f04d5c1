//! Parse, run, print, exit.

use std::process::ExitCode;

fn main() -> ExitCode {
    pipectl::cli::main().into()
}
