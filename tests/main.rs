//! The tests of the whole program: one binary, a module a verb.

#![expect(clippy::unwrap_used, reason = "a test says where it cannot go on")]

mod check;
mod cli;
mod help;
mod readme;
mod reference;
#[cfg(feature = "rehearse")]
mod rehearse;
mod render;
mod rooms;
mod support;
