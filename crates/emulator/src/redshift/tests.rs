//! On a real PostgreSQL: skipped, with a message, where none is installed.

mod copies;
mod document_statements;
mod faults;
mod intruders;
mod loads;
mod semantics;
mod service;
mod support;
