//! The time that is left to an invocation.

use std::time::{Duration, SystemTime};

/// The moment by which an invocation has to be done, with a reserve to write down where it stands.
#[derive(Clone, Copy, Debug)]
pub struct Deadline {
    at: SystemTime,
}

impl Deadline {
    /// Takes the moment at which Lambda ends the invocation, and keeps a tenth of the time, at most 10 s, in reserve.
    pub fn new(end: SystemTime) -> Self {
        let total = end.duration_since(SystemTime::now()).unwrap_or_default();
        let reserve = (total / 10).min(Duration::from_secs(10));
        Self { at: end - reserve }
    }

    pub fn remaining(&self) -> Duration {
        self.at.duration_since(SystemTime::now()).unwrap_or_default()
    }

    /// True when a wait of this length still leaves time to act on what it brings.
    pub fn allows(&self, wait: Duration) -> bool {
        wait < self.remaining()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reserve_is_kept() {
        let deadline = Deadline::new(SystemTime::now() + Duration::from_secs(100));
        assert!(deadline.allows(Duration::from_secs(89)) && !deadline.allows(Duration::from_secs(91)));
        let short = Deadline::new(SystemTime::now() + Duration::from_secs(10));
        assert!(short.allows(Duration::from_millis(8500)) && !short.allows(Duration::from_millis(9500)));
        assert!(!Deadline::new(SystemTime::UNIX_EPOCH).allows(Duration::ZERO));
    }
}
