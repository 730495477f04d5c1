//! What is done with a deployed pipeline and its data: the work behind the verbs of these names.
//!
//! ```text
//! upload   checks files and stores them in the raw zone     status   stacks, replications and queues as they are now
//! export   writes a mart's rows to a file                   history  the records of deploys
//! replay   takes what has arrived through the jobs again    runs     what became of what arrived
//! backfill asks a source for its data again                 gc       deletes unused artifacts and change sets
//! redrive  sends dead letters to where they belong          ledger   reads the ledgers and reports of runs from S3
//! waiting  tables and marts whose load failed
//! ```
//!
//! The modules read from AWS, write objects and send messages; `deploy` alone changes stacks. The arguments of a verb and
//! what it prints are in `command`.

pub mod backfill;
pub mod export;
pub mod gc;
pub mod history;
pub mod ledger;
pub mod redrive;
pub mod replay;
pub mod runs;
pub mod status;
pub mod upload;
pub mod waiting;

use crate::aws::{Failure, Kind};
use crate::error::Error;
use crate::spec::Spec;

/// The error of a call that needs a deployed pipeline. `missing` is the failure that AWS returns if there is none.
pub fn not_deployed(failure: Failure, missing: Kind, spec: &Spec) -> Error {
    let is_missing = failure.kind == missing;
    let error = Error::from(failure);
    if is_missing {
        error.hint(format!("deploy the pipeline first: pipectl deploy --env {}", spec.environment_name))
    } else {
        error
    }
}
