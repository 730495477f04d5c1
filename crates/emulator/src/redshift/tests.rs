//! On a real PostgreSQL: skipped, with a message, where none is installed.

mod copies;
mod faults;
mod semantics;
mod service;
mod support;
