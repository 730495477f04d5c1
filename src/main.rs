//! Parse, run, print, exit.

use std::process::ExitCode;

fn main() -> ExitCode {
    if pipectl_process::watchdog::serve() {
        return ExitCode::SUCCESS;
    }
    pipectl::cli::main().into()
}
