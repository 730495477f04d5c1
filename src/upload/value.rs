//! Whether a text is a value of a column's type, by the rules of the job `clean` (`pipectl_glue/cells.py`).

use time::{Date, Month};

use crate::spec::{ColumnType, Csv};

/// The longest piece of a value that a reason shows.
const SHORT: usize = 40;

/// Takes off the space around a text that is not part of a value.
pub(super) fn trimmed(text: &str) -> &str {
    text.trim_matches([' ', '\t', '\r', '\n', '\u{b}', '\u{c}', '\u{a0}'])
}

/// Why a text is no value of the type; `None` if it is one.
pub(super) fn fault(column: &str, kind: &ColumnType, text: &str) -> Option<String> {
    if let ColumnType::Varchar(most) = kind {
        let most = usize::try_from(*most).unwrap_or(usize::MAX);
        return if text.contains('\0') {
            Some(format!("`{column}` holds a NUL character"))
        } else if text.len() > most {
            Some(format!("`{column}`: {} bytes do not fit {kind}: {}", text.len(), quoted(text)))
        } else {
            None
        };
    }
    if is(kind, text) {
        return None;
    }
    let article = if *kind == ColumnType::Integer { "an" } else { "a" };
    Some(format!("`{column}`: {} is not {article} {kind}", quoted(text)))
}

/// The same for a text that is written as people write it, where the source says so.
pub(super) fn fault_in(column: &str, kind: &ColumnType, text: &str, style: &Csv) -> Option<String> {
    let iso = text.get(..10).is_some_and(date);
    match kind {
        // The job knows the pattern; here a day that is written otherwise is let pass.
        ColumnType::Date | ColumnType::Timestamp if style.date_format.is_some() && !iso => None,
        ColumnType::Varchar(_) | ColumnType::Super | ColumnType::Boolean | ColumnType::Date | ColumnType::Timestamp => {
            fault(column, kind, text)
        }
        _ => {
            let bare = match &style.thousands {
                Some(mark) => text.replace(mark.as_str(), ""),
                None => text.to_owned(),
            };
            if style.decimal == "." {
                return fault(column, kind, &bare).and_then(|_| fault(column, kind, text));
            }
            let point = bare.replace(style.decimal.as_str(), ".");
            let unclear = bare.contains('.');
            if unclear || fault(column, kind, &point).is_some() {
                let article = if *kind == ColumnType::Integer { "an" } else { "a" };
                return Some(format!("`{column}`: {} is not {article} {kind} (decimal comma)", quoted(text)));
            }
            None
        }
    }
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
    whole: &'a str,
    fraction: &'a str,
    exponent: bool,
}

fn number(text: &str) -> Option<Number<'_>> {
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let bare = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = match bare.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent.strip_prefix(['+', '-']).unwrap_or(exponent))),
        None => (bare, None),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let sound = digits(whole)
        && digits(fraction)
        && !(whole.is_empty() && fraction.is_empty())
        && exponent.is_none_or(|exponent| (1..=3).contains(&exponent.len()) && digits(exponent));
    sound.then_some(Number { whole, fraction, exponent: exponent.is_some() })
}

fn integer(text: &str, least: i128, most: i128) -> bool {
    let Some(number) = number(text).filter(|number| !number.whole.is_empty()) else { return false };
    if number.exponent {
        // JSON writers print 12000000.0 as 1.2E7.
        return text.parse::<f64>().is_ok_and(|value| value.fract() == 0.0 && value.abs() < 1e19);
    }
    let negative = text.starts_with('-');
    let value = number.whole.parse::<i128>().map(|value| if negative { -value } else { value });
    number.fraction.bytes().all(|byte| byte == b'0') && value.is_ok_and(|value| (least..=most).contains(&value))
}

fn decimal(text: &str, precision: u8, scale: u8) -> bool {
    let Some(number) = number(text) else { return false };
    let room = usize::from(precision - scale);
    if number.exponent {
        let most = 10_f64.powi(i32::try_from(room).unwrap_or(38));
        return text.parse::<f64>().is_ok_and(|value| value.abs() < most);
    }
    let behind = number.fraction.get(usize::from(scale)..).unwrap_or_default();
    number.whole.trim_start_matches('0').len() <= room && behind.bytes().all(|byte| byte == b'0')
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

fn time_zone(text: &str) -> bool {
    let Some(offset) = text.strip_prefix(['+', '-']) else { return ["", "Z", "UTC"].contains(&text) };
    match offset.split_once(':') {
        Some((hours, minutes)) => two(hours, 19) && two(minutes, 60),
        None => two(offset, 19) || offset.split_at_checked(2).is_some_and(|(h, m)| two(h, 19) && two(m, 60)),
    }
}
