//! The tests of the whole program: one binary, a module a verb.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a test says where it cannot go on, and what it skips")]

mod check;
mod cli;
mod deploy;
mod destroy;
mod plan;
mod rooms;
mod support;
