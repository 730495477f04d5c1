//! When things happened in the sample shop: a function of the order's number, never of the clock.

use std::fmt;

use serde::{Serialize, Serializer};
use time::{Date, Duration, OffsetDateTime};

/// A moment, written as Shopify writes it: `2024-02-29T13:04:05Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Moment(OffsetDateTime);

impl Moment {
    /// The start of the day on which the shop opened.
    pub(super) fn opening(since: Date) -> Self {
        Self(since.midnight().assume_utc())
    }

    pub(super) fn after(self, seconds: u64) -> Self {
        let seconds = Duration::seconds(i64::try_from(seconds).unwrap_or(i64::MAX));
        Self(self.0.checked_add(seconds).unwrap_or(self.0))
    }

    pub(super) fn date(self) -> Date {
        self.0.date()
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (date, time) = (self.0.date(), self.0.time());
        write!(f, "{date}T{:02}:{:02}:{:02}Z", time.hour(), time.minute(), time.second())
    }
}

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Seconds from the opening to an order, for a shop that grows: 40 days × the fourth root of the order's number.
///
/// So 1,000 orders take 7 months, 70,000 take 21, and 2.3 million take four years. In integers, as floating-point roots
/// differ between machines.
pub(super) fn seconds_to_order(order: u64) -> u64 {
    const SCALE: u128 = 40 * 86_400;
    let root = u128::from(order).saturating_mul(SCALE.pow(4)).isqrt().isqrt();
    u64::try_from(root).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shop_grows() {
        let opening = Moment::opening(time::macros::date!(2022 - 01 - 01));
        let dates: Vec<String> =
            [0, 1, 1_000, 70_000, 2_300_000].map(|order| opening.after(seconds_to_order(order)).to_string()).into();
        assert_eq!(
            dates,
            [
                "2022-01-01T00:00:00Z",
                "2022-02-10T00:00:00Z",
                "2022-08-13T22:28:36Z",
                "2023-10-13T15:08:05Z",
                "2026-04-07T17:29:59Z"
            ]
        );
    }
}
