//! The warehouse loader: batches of the transformed zone into Redshift, one transaction a table.
//!
//! It is stateless. What is to be done follows from the ledgers in S3 and the statements that run: each
//! invocation reads them, records the statement that its event says has ended, and submits all that can run now; the end
//! of each is the next event. The client token of a load is made of its batch, table and attempt, so an event that comes
//! twice submits nothing twice.
//!
//! ```text
//! main → handler → run → statement (Redshift Data API), ledger (S3)
//!                  run → plan (what can run: pure), failure, event (pure)
//! ```

pub mod event;
pub mod failure;
pub mod handler;
pub mod inspect;
pub mod ledger;
pub mod plan;
pub mod run;
pub mod statement;
pub mod user;
