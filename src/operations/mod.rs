//! What is done with a deployed pipeline and its data: the work behind the verbs of these names.
//!
//! ```text
//! upload   files on their way into the raw zone         replay   what has arrived, once more
//! export   a mart's rows to a file                      runs     what became of what arrived
//! gc       artifacts and change sets without a use      ledger   the ledgers and reports of runs, read from S3
//! ```
//!
//! It reads from AWS and writes objects; the stacks are changed by `deploy` alone. A verb's arguments and what it prints are
//! in `command`.

pub mod export;
pub mod gc;
pub mod ledger;
pub mod replay;
pub mod runs;
pub mod upload;
