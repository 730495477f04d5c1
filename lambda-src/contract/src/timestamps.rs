//! Times as messages and names write them, all in UTC and in whole seconds since 1970.

/// Writes a time as `2026-11-01T08:00:00Z`. Outside of the years 0-9999 there is no such text, and it is empty.
pub fn rfc3339(seconds: i64) -> String {
    write(seconds, |[year, month, day, hour, minute, second]| {
        format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
    })
}

/// Writes a time as names begin with it: `20261101T080000Z`. Sorted as text, such names are sorted by time.
pub fn stamp(seconds: i64) -> String {
    write(seconds, |[year, month, day, hour, minute, second]| {
        format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z")
    })
}

/// Reads the time at which a batch began from its name, `20261101T080000Z-71477f854035`.
pub fn begun(batch: &str) -> Option<i64> {
    let stamp = batch.split('-').next()?;
    let digits = |range: std::ops::Range<usize>| -> Option<i64> {
        let part = stamp.get(range)?;
        part.bytes().all(|byte| byte.is_ascii_digit()).then(|| part.parse().ok())?
    };
    let separators = stamp.len() == 16 && stamp.get(8..9) == Some("T") && stamp.get(15..) == Some("Z");
    let (year, month, day) = (digits(0..4)?, digits(4..6)?, digits(6..8)?);
    let (hour, minute, second) = (digits(9..11)?, digits(11..13)?, digits(13..15)?);
    let seconds = days(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second;
    // A 30th of February comes back as a day of March.
    (separators && self::stamp(seconds) == stamp).then_some(seconds)
}

fn write(seconds: i64, text: impl Fn([i64; 6]) -> String) -> String {
    let (days, rest) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (year, month, day) = date(days);
    if !(0..=9999).contains(&year) {
        return String::new();
    }
    text([year, month, day, rest / 3_600, rest / 60 % 60, rest % 60])
}

/// The days from 1970-01-01 to a date of the Gregorian calendar. Years are counted from March, so that a leap day is the
/// last day of its year; 400 years have 146,097 days.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// The inverse of [`days`]: year, month and day.
fn date(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (era * 400 + year + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_and_read() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (-1, "1969-12-31T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (4_107_542_399, "2100-02-28T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
            (1_793_520_000, "2026-11-01T08:00:00Z"),
            (253_402_300_799, "9999-12-31T23:59:59Z"),
        ] {
            assert_eq!(rfc3339(seconds), text);
            assert_eq!(stamp(seconds), text.replace(['-', ':'], ""));
            assert_eq!(begun(&format!("{}-71477f854035", stamp(seconds))), Some(seconds));
        }
        assert_eq!(rfc3339(253_402_300_800), "");
    }

    #[test]
    fn every_day_is_read_as_it_is_written() {
        for day in (-700_000_i64..2_900_000).step_by(13) {
            let seconds = day * 86_400 + day.rem_euclid(86_400);
            assert_eq!(begun(&stamp(seconds)), Some(seconds), "{}", rfc3339(seconds));
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "x",
            "20260230T000000Z-1",
            "20261101T240000Z",
            "20261101T080000",
            "20261101 080000Z",
            "2026110T0080000Z",
            "20261101T08000éZ",
        ] {
            assert_eq!(begun(text), None, "{text}");
        }
    }
}
