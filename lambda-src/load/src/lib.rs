//! The warehouse loader: batches of the transformed zone into Redshift, one transaction a table.
//!
//! It is stateless. What is to be done follows from the ledgers in S3: each invocation reads them, records the
//! statement that its event says is finished, and submits the next one; the end of that one is the next event. The client
//! token of a statement is a function of what it does, so an event that comes twice submits nothing twice.
//!
//! ```text
//! main → handler → run → statement (Redshift Data API), ledger (S3)
//!                  run → plan (what is next: pure), event (pure)
//! ```

pub mod event;
pub mod handler;
pub mod inspect;
pub mod ledger;
pub mod plan;
pub mod run;
pub mod statement;
pub mod user;
