//! Moments in time as the APIs write them.

use std::time::SystemTime;

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;

use crate::{Error, Result};

/// Reads an RFC 3339 moment.
pub fn parse(text: &str) -> Result<DateTime> {
    DateTime::from_str(text, Format::DateTimeWithOffset)
        .map_err(|error| Error::new(format!("`{text}` is not an RFC 3339 time")).cause(error))
}

/// Writes a moment in UTC, as `2026-10-01T12:00:00Z`.
pub fn format(moment: &DateTime) -> String {
    // Formatting fails only outside of the years 1-9999, where no answer of an API is.
    moment.fmt(Format::DateTime).unwrap_or_default()
}

/// Writes a moment as it stands in object names: `20261001T120000Z`.
pub fn stamp(moment: &DateTime) -> String {
    format(&DateTime::from_secs(moment.secs())).replace(['-', ':'], "")
}

pub fn now() -> DateTime {
    DateTime::from_secs(DateTime::from(SystemTime::now()).secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_normalised_to_utc() {
        for (text, formatted, stamped) in [
            ("2026-10-01T12:00:00Z", "2026-10-01T12:00:00Z", "20261001T120000Z"),
            ("2026-10-01T14:00:00+02:00", "2026-10-01T12:00:00Z", "20261001T120000Z"),
            ("2026-10-01T12:00:00.250Z", "2026-10-01T12:00:00.25Z", "20261001T120000Z"),
        ] {
            let moment = parse(text).unwrap();
            assert_eq!((format(&moment).as_str(), stamp(&moment).as_str()), (formatted, stamped));
        }
        assert!(parse("yesterday").is_err());
    }
}
