//! How long to wait before a request is sent again: pure arithmetic.

use std::time::Duration;

use serde::Deserialize;

/// What Shopify says of a query's cost, in `extensions.cost`.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Cost {
    pub requested_query_cost: Option<f64>,
    pub throttle_status: ThrottleStatus,
}

/// A leaky bucket: it holds `maximum_available` points and gains `restore_rate` of them a second.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct ThrottleStatus {
    pub maximum_available: f64,
    pub currently_available: f64,
    pub restore_rate: f64,
}

/// The shortest wait; Shopify's figures are those of the moment it answered.
const SHORTEST: Duration = Duration::from_millis(100);

impl Cost {
    /// True when no wait is long enough: the bucket never holds what the query costs.
    pub fn is_too_much(&self) -> bool {
        self.wait().is_none()
    }

    /// Returns the time until the bucket holds this much, seen so long after Shopify said how much it holds.
    pub fn wait_for(&self, points: f64, later: Duration) -> Duration {
        let status = &self.throttle_status;
        let held = status.currently_available + later.as_secs_f64() * status.restore_rate;
        let missing = points.min(status.maximum_available) - held;
        if missing <= 0.0 || status.restore_rate <= 0.0 {
            return Duration::ZERO;
        }
        Duration::try_from_secs_f64(missing / status.restore_rate).unwrap_or_default()
    }

    /// Returns the time until the bucket holds what the query costs, or `None` when it never will.
    pub fn wait(&self) -> Option<Duration> {
        let status = &self.throttle_status;
        let cost = self.requested_query_cost.unwrap_or(status.maximum_available);
        if cost > status.maximum_available || status.restore_rate <= 0.0 {
            return None;
        }
        let seconds = (cost - status.currently_available).max(0.0) / status.restore_rate;
        Duration::try_from_secs_f64(seconds).ok().map(|wait| wait.max(SHORTEST))
    }
}

/// Returns the wait before the given retry (from 0): 0.25 s, doubled each time, at most 20 s.
pub fn backoff(retry: u32) -> Duration {
    Duration::from_millis(250 << retry.min(10)).min(Duration::from_secs(20))
}

/// Returns the pause before the given poll (from 0) of a running operation: from 0.2 s to 10 s, half as long again each time.
pub fn pause(poll: u32) -> Duration {
    let growth = 1.5_f64.powi(i32::try_from(poll.min(20)).unwrap_or(20));
    Duration::from_millis(200).mul_f64(growth).min(Duration::from_secs(10))
}

/// Reads a `Retry-After` header, whole seconds or a fraction; 2 s when it is missing or unreadable.
pub fn retry_after(header: Option<&str>) -> Duration {
    header
        .and_then(|text| text.trim().parse().ok())
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .unwrap_or(Duration::from_secs(2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_until_the_bucket_holds_the_cost() {
        for (cost, available, expected) in [
            (Some(500.0), 100.0, Some(4000)),
            (Some(500.0), 500.0, Some(100)),
            (Some(500.0), 900.0, Some(100)),
            (None, 0.0, Some(10_000)),
            (Some(1001.0), 1000.0, None),
        ] {
            let throttle_status =
                ThrottleStatus { maximum_available: 1000.0, currently_available: available, restore_rate: 100.0 };
            let cost = Cost { requested_query_cost: cost, throttle_status };
            assert_eq!(cost.wait(), expected.map(Duration::from_millis), "{cost:?}");
        }
    }

    #[test]
    fn the_next_query_waits_for_its_points_and_no_longer() {
        let throttle_status =
            ThrottleStatus { maximum_available: 1000.0, currently_available: 100.0, restore_rate: 100.0 };
        let cost = Cost { requested_query_cost: None, throttle_status };
        for (points, later, expected) in [(50.0, 0, 0), (300.0, 0, 2000), (300.0, 1500, 500), (5000.0, 0, 9000)] {
            assert_eq!(
                cost.wait_for(points, Duration::from_millis(later)),
                Duration::from_millis(expected),
                "{points}"
            );
        }
    }

    #[test]
    fn a_bucket_that_never_fills_has_no_wait() {
        let text = r#"{"requestedQueryCost":10,"throttleStatus":{"maximumAvailable":100,"currentlyAvailable":0,"restoreRate":0}}"#;
        assert_eq!(serde_json::from_str::<Cost>(text).unwrap().wait(), None);
    }

    #[test]
    fn pauses_grow_to_a_bound() {
        assert_eq!([0, 1, 3, 7, 99].map(backoff), [250, 500, 2000, 20_000, 20_000].map(Duration::from_millis));
        assert_eq!([0, 1, 2, 99].map(pause), [200, 300, 450, 10_000].map(Duration::from_millis));
        let headers = [Some("0"), Some("1.5"), Some("-1"), Some("soon"), None];
        assert_eq!(headers.map(retry_after), [0, 1500, 2000, 2000, 2000].map(Duration::from_millis));
    }
}
