//! On a real PostgreSQL: skipped, with a message, where none is installed.

mod copies;
mod faults;
mod intruders;
mod semantics;
mod service;
mod support;
