//! Whether a text is a value of a column's type, by the rules of the job `clean` (`pipectl_glue/cells.py`).

use time::{Date, Month};

use crate::spec::{ColumnType, Csv};
use pipectl_contract::limits::VARCHAR_BYTES;

/// The longest piece of a value that a reason shows.
const SHORT: usize = 40;
/// Takes off the space around a text that is not part of a value.
pub(super) fn trimmed(text: &str) -> &str {
    text.trim_matches([' ', '\t', '\r', '\n', '\u{b}', '\u{c}', '\u{a0}'])
}

/// The part of a text that is read as a value: a text and a JSON value keep the space around them.
pub(super) fn cell<'a>(kind: &ColumnType, text: &'a str) -> &'a str {
    if matches!(kind, ColumnType::Varchar(_) | ColumnType::Super) { text } else { trimmed(text) }
}

/// Why a text is no value of the type; `None` if it is one.
pub(super) fn fault(column: &str, kind: &ColumnType, text: &str) -> Option<String> {
    if let Some(reason) = unstorable(column, kind, text) {
        return Some(reason);
    }
    (!is(kind, text)).then(|| refused(column, kind, text))
}

/// Why the warehouse refuses a text, or a JSON value, for its characters or its length.
fn unstorable(column: &str, kind: &ColumnType, text: &str) -> Option<String> {
    let most = match kind {
        ColumnType::Varchar(most) => usize::try_from(*most).unwrap_or(usize::MAX),
        ColumnType::Super => VARCHAR_BYTES as usize,
        _ => return None,
    };
    if text.contains('\0') || (*kind == ColumnType::Super && has_escaped_nul(text)) {
        Some(format!("`{column}` holds a NUL character"))
    } else if text.chars().any(is_noncharacter) {
        Some(format!("`{column}` holds a character that is none (U+FDD0 to U+FDEF, U+FFFE, U+FFFF)"))
    } else if text.len() > most {
        let what = if *kind == ColumnType::Super { format!("a super column ({most})") } else { kind.to_string() };
        Some(format!("`{column}`: {} bytes do not fit {what}: {}", text.len(), quoted(text)))
    } else {
        None
    }
}

/// Whether a JSON text has `\u0000` with a backslash that is not itself escaped.
fn has_escaped_nul(json: &str) -> bool {
    json.match_indices("\\u0000").any(|(at, _)| {
        let before = json.as_bytes().get(..at).unwrap_or_default();
        before.iter().rev().take_while(|byte| **byte == b'\\').count() % 2 == 0
    })
}

/// Whether Unicode reserves a code point for programs' own use; Redshift refuses texts with one.
fn is_noncharacter(c: char) -> bool {
    let code = u32::from(c);
    (0xFDD0..=0xFDEF).contains(&code) || code & 0xFFFE == 0xFFFE
}

fn refused(column: &str, kind: &ColumnType, text: &str) -> String {
    let article = if *kind == ColumnType::Integer { "an" } else { "a" };
    format!("`{column}`: {} is not {article} {kind}", quoted(text))
}

/// The same for a text as a CSV file writes it: with the source's decimal mark, thousands and dates.
pub(super) fn fault_in(column: &str, kind: &ColumnType, text: &str, style: &Csv) -> Option<String> {
    match kind {
        ColumnType::Varchar(_) | ColumnType::Super | ColumnType::Boolean => fault(column, kind, text),
        ColumnType::Date | ColumnType::Timestamp => {
            let plain = plain_date(text, style);
            let good = is(kind, plain.as_deref().unwrap_or(text));
            (!good).then(|| refused(column, kind, text))
        }
        _ => {
            let good = plain_number(text, style).is_ok_and(|plain| is(kind, plain.as_deref().unwrap_or(text)));
            let comma = if style.decimal == "." { "" } else { " (decimal comma)" };
            (!good).then(|| refused(column, kind, text) + comma)
        }
    }
}

/// A number with a point where the source writes decimals with another mark: it could be meant either way.
struct Unclear;

/// The number with a point before its decimals and nothing between its thousands; `None` if it is written so.
fn plain_number(text: &str, style: &Csv) -> Result<Option<String>, Unclear> {
    let grouped = style.thousands.as_deref().and_then(|mark| ungrouped(text, mark, &style.decimal));
    if style.decimal == "." {
        return Ok(grouped);
    }
    let bare = grouped.as_deref().unwrap_or(text);
    if bare.contains('.') { Err(Unclear) } else { Ok(Some(bare.replace(style.decimal.as_str(), "."))) }
}

/// A number without its marks between thousands; `None` if it has none, or they do not divide groups of three digits.
fn ungrouped(text: &str, mark: &str, decimal: &str) -> Option<String> {
    let bare = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (whole, fraction) = bare.split_once(decimal).unwrap_or((bare, ""));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let groups: Vec<&str> = whole.split(mark).collect();
    let (first, rest) = groups.split_first()?;
    let sound = digits(first)
        && first.len() <= 3
        && !rest.is_empty()
        && rest.iter().all(|group| group.len() == 3 && digits(group))
        && fraction.bytes().all(|byte| byte.is_ascii_digit());
    sound.then(|| text.replace(mark, ""))
}

/// The date as `2026-12-31`, maybe with a time, where the source writes it by a pattern; `None` if it is written so, or
/// not by the pattern either.
fn plain_date(text: &str, style: &Csv) -> Option<String> {
    let pattern = style.date_format.as_deref()?;
    if text.get(..10).is_some_and(is_iso) {
        return None;
    }
    let (date, clock) = match date_by(text, pattern)? {
        (date, "") => (date, "00:00:00".to_owned()),
        (date, rest) => {
            let clock = rest.strip_prefix(' ')?;
            (date, clock_by_hand(clock)?)
        }
    };
    Some(format!("{date} {clock}"))
}

/// A time as people write it (`8:26`, `14:05:09`, `1:05:09 PM`) as `13:05:09`.
fn clock_by_hand(text: &str) -> Option<String> {
    let half = text.len().checked_sub(2).and_then(|at| text.split_at_checked(at));
    let half = half.filter(|(_, mark)| mark.eq_ignore_ascii_case("am") || mark.eq_ignore_ascii_case("pm"));
    let clock = half.map_or(text, |(clock, _)| clock.strip_suffix(' ').unwrap_or(clock));
    let parts: Vec<&str> = clock.split(':').collect();
    let (hour, minute, second) = match parts.as_slice() {
        [hour, minute] => (hour, minute, "00"),
        [hour, minute, second] => (hour, minute, *second),
        _ => return None,
    };
    if !(1..=2).contains(&hour.len()) || !hour.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let hour: u8 = hour.parse().ok()?;
    let hour = match half {
        None => (hour < 24).then_some(hour)?,
        Some(_) if !(1..=12).contains(&hour) => return None,
        Some((_, mark)) => hour % 12 + if mark.eq_ignore_ascii_case("pm") { 12 } else { 0 },
    };
    (two(minute, 60) && two(second, 60)).then(|| format!("{hour:02}:{minute}:{second}"))
}

/// Whether ten characters look like `2026-12-31`.
fn is_iso(text: &str) -> bool {
    text.char_indices().all(|(at, c)| if matches!(at, 4 | 7) { c == '-' } else { c.is_ascii_digit() })
}

/// Reads a date by a pattern of `d`, `M`, `y` and marks, as Spark does: a single letter takes one digit or more, two
/// letters take two digits, and `yy` is a year from 2000. Returns the date and the rest of the text.
fn date_by<'a>(text: &'a str, pattern: &str) -> Option<(Date, &'a str)> {
    let (mut year, mut month, mut day) = (1970_i32, 1_u8, 1_u8);
    let (mut rest, mut pattern) = (text, pattern);
    while let Some(letter) = pattern.chars().next() {
        if !matches!(letter, 'd' | 'M' | 'y') {
            rest = rest.strip_prefix(letter)?;
            pattern = &pattern[letter.len_utf8()..];
            continue;
        }
        let count = pattern.chars().take_while(|other| *other == letter).count();
        pattern = &pattern[count..];
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (least, most) = match (letter, count) {
            ('y' | 'd' | 'M', 2) => (2, 2),
            ('y', 1) => (1, 7),
            ('y', _) => (count, count),
            ('d' | 'M', 1) => (1, 2),
            _ => return None,
        };
        // A letter takes what it can.
        let taken = digits.min(most);
        if taken < least {
            return None;
        }
        let (number, after) = rest.split_at(taken);
        rest = after;
        match letter {
            'y' if count == 2 => year = 2000 + number.parse::<i32>().ok()?,
            'y' => year = number.parse().ok()?,
            'M' => month = number.parse().ok()?,
            _ => day = number.parse().ok()?,
        }
    }
    Some((Date::from_calendar_date(year, Month::try_from(month).ok()?, day).ok()?, rest))
}

fn is(kind: &ColumnType, text: &str) -> bool {
    match kind {
        ColumnType::Smallint => integer(text, i128::from(i16::MIN), i128::from(i16::MAX)),
        ColumnType::Integer => integer(text, i128::from(i32::MIN), i128::from(i32::MAX)),
        ColumnType::Bigint => integer(shopify_id(text), i128::from(i64::MIN), i128::from(i64::MAX)),
        ColumnType::Double => number(text).is_some() && text.parse::<f64>().is_ok_and(f64::is_finite),
        ColumnType::Decimal(precision, scale) => decimal(text, *precision, *scale),
        ColumnType::Boolean => ["true", "t", "yes", "y", "1", "false", "f", "no", "n", "0"]
            .iter()
            .any(|word| word.eq_ignore_ascii_case(text)),
        ColumnType::Date | ColumnType::Timestamp => timestamp(text),
        ColumnType::Super => serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok(),
        ColumnType::Varchar(_) => true,
    }
}

fn quoted(text: &str) -> String {
    let short: String = text.chars().take(SHORT).collect();
    if short.len() < text.len() { format!("\"{short}…\"") } else { format!("\"{short}\"") }
}

/// `gid://shopify/Order/123` is 123.
fn shopify_id(text: &str) -> &str {
    let Some((_, id)) = text.strip_prefix("gid://shopify/").and_then(|rest| rest.split_once('/')) else { return text };
    id.split('?').next().unwrap_or(id)
}

/// The parts of a number: `-12.50e3`.
struct Number<'a> {
    negative: bool,
    whole: &'a str,
    fraction: &'a str,
    exponent: Option<i32>,
}

fn number(text: &str) -> Option<Number<'_>> {
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let bare = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = match bare.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => {
            let plain = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
            if !(1..=3).contains(&plain.len()) || !digits(plain) {
                return None;
            }
            (mantissa, Some(exponent.parse().ok()?))
        }
        None => (bare, None),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let sound = digits(whole) && digits(fraction) && !(whole.is_empty() && fraction.is_empty());
    sound.then_some(Number { negative: text.starts_with('-'), whole, fraction, exponent })
}

impl Number<'_> {
    /// The digits before and behind the point when the exponent is written out, without zeros at either end.
    fn written_out(&self) -> (String, String) {
        let digits = format!("{}{}", self.whole, self.fraction);
        // An exponent has three digits, so that the zeros are few.
        let exponent = self.exponent.unwrap_or_default();
        let point = i64::try_from(self.whole.len()).unwrap_or(i64::MAX).saturating_add(exponent.into());
        let (whole, fraction) = match usize::try_from(point) {
            Ok(point) if point >= digits.len() => {
                (format!("{digits}{}", "0".repeat(point - digits.len())), String::new())
            }
            Ok(point) => (digits[..point].to_owned(), digits[point..].to_owned()),
            Err(_) => (
                String::new(),
                format!("{}{digits}", "0".repeat(usize::try_from(point.unsigned_abs()).unwrap_or_default())),
            ),
        };
        (whole.trim_start_matches('0').to_owned(), fraction.trim_end_matches('0').to_owned())
    }
}

fn integer(text: &str, least: i128, most: i128) -> bool {
    let Some(number) = number(text) else { return false };
    // Without an exponent the digits begin before the point, and are as many as the job reads.
    if number.exponent.is_none() && !(1..=40).contains(&number.whole.len()) {
        return false;
    }
    let (whole, fraction) = number.written_out();
    if !fraction.is_empty() || whole.len() > 38 {
        return false;
    }
    let value: i128 = if whole.is_empty() { 0 } else { whole.parse().unwrap_or(i128::MAX) };
    (least..=most).contains(&if number.negative { -value } else { value })
}

fn decimal(text: &str, precision: u8, scale: u8) -> bool {
    let Some((whole, fraction)) = number(text).map(|number| number.written_out()) else { return false };
    whole.len() <= usize::from(precision - scale) && fraction.len() <= usize::from(scale)
}

/// A date, or a date with a time and maybe a zone.
fn timestamp(text: &str) -> bool {
    let Some((day, rest)) = text.split_at_checked(10) else { return false };
    date(day) && (rest.is_empty() || time_of_day(rest))
}

fn two(text: &str, limit: u8) -> bool {
    text.len() == 2
        && text.bytes().all(|byte| byte.is_ascii_digit())
        && text.parse::<u8>().is_ok_and(|value| value < limit)
}

fn date(text: &str) -> bool {
    let mut parts = text.split('-');
    let (Some(year), Some(month), Some(day), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
        return false;
    };
    let digits = [year, month, day].concat();
    if year.len() != 4 || month.len() != 2 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return false;
    }
    let month = month.parse::<u8>().ok().and_then(|month| Month::try_from(month).ok());
    let (Ok(year), Some(month), Ok(day)) = (year.parse(), month, day.parse()) else { return false };
    Date::from_calendar_date(year, month, day).is_ok()
}

/// `T12:30:00.123 +02:00`, of which only hours and minutes must be there.
fn time_of_day(text: &str) -> bool {
    let Some(rest) = text.strip_prefix(['T', ' ']) else { return false };
    let end = rest.find(|c: char| !c.is_ascii_digit() && c != ':' && c != '.').unwrap_or(rest.len());
    let (clock, zone) = rest.split_at(end);
    let (clock, fraction) = match clock.split_once('.') {
        Some((clock, fraction)) => (clock, Some(fraction)),
        None => (clock, None),
    };
    let parts: Vec<&str> = clock.split(':').collect();
    let sound = match parts.as_slice() {
        [hour, minute] => two(hour, 24) && two(minute, 60) && fraction.is_none(),
        [hour, minute, second] => two(hour, 24) && two(minute, 60) && two(second, 60),
        _ => false,
    };
    let fraction =
        fraction.is_none_or(|text| (1..=9).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit()));
    sound && fraction && time_zone(zone.strip_prefix(' ').unwrap_or(zone))
}

/// At most 18 hours, as Java takes it.
fn time_zone(text: &str) -> bool {
    let Some(offset) = text.strip_prefix(['+', '-']) else { return ["", "Z", "UTC"].contains(&text) };
    let (hours, minutes) = match offset.split_once(':') {
        Some(parts) => parts,
        None if offset.len() == 2 => (offset, "00"),
        None => offset.split_at_checked(2).unwrap_or_default(),
    };
    two(hours, 19) && two(minutes, 60) && (hours != "18" || minutes == "00")
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    /// The job `clean` is held to the same cases (`glue-src/tests/test_cells.py`).
    #[test]
    fn every_cell_is_accepted_or_rejected_as_by_the_job() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/lambda-src/contract/cases/cells.json");
        let cells: Vec<Value> = serde_json::from_slice(&fs_err::read(path).unwrap()).unwrap();
        let mut wrong = Vec::new();
        for cell in &cells {
            let kind: ColumnType = cell["type"].as_str().unwrap().parse().unwrap();
            let style: Csv =
                serde_json::from_value(cell.get("csv").cloned().unwrap_or_else(|| serde_json::json!({}))).unwrap();
            let text = cell["text"].as_str().unwrap();
            let text = super::cell(&kind, text);
            if fault_in("c", &kind, text, &style).is_none() != cell["accepted"].as_bool().unwrap() {
                wrong.push(cell.to_string());
            }
        }
        assert!(wrong.is_empty(), "decided otherwise:\n{}", wrong.join("\n"));
    }
}
