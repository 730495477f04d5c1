//! Polls AWS until an operation has ended, and tolerates failures that pass.

use std::time::{Duration, Instant};

use crate::aws::{Failure, Pace};
use crate::error::Result;

/// How long failed polls are tolerated. AWS continues what was started meanwhile, so giving up early would report a
/// failure that is none.
const PATIENCE: Duration = Duration::from_mins(5);

/// Waits between polls, and tolerates failures for a while.
pub(super) struct Patience {
    waits: Box<dyn Iterator<Item = Duration> + Send>,
    failing_since: Option<Instant>,
}

impl Patience {
    pub(super) fn new(pace: Pace) -> Self {
        Self { waits: Box::new(pace.waits()), failing_since: None }
    }

    /// Waits until the next poll is due.
    pub(super) async fn pause(&mut self) {
        if let Some(wait) = self.waits.next() {
            tokio::time::sleep(wait).await;
        }
    }

    /// Passes an answer on; `None` for a failure that may pass.
    pub(super) fn tolerate<T>(&mut self, answer: Result<T, Failure>) -> Result<Option<T>, Failure> {
        match answer {
            Ok(answer) => {
                self.failing_since = None;
                Ok(Some(answer))
            }
            Err(failure) if failure.is_transient() => {
                let since = *self.failing_since.get_or_insert_with(Instant::now);
                if since.elapsed() > PATIENCE { Err(failure) } else { Ok(None) }
            }
            Err(failure) => Err(failure),
        }
    }
}
