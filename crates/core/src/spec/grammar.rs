//! Values that end up in somebody else's grammar: mail addresses, tags, branches, schedules, paths.
//!
//! Each is checked by the grammar of the service that takes it, so that a value is refused here and not half-way through a
//! deploy, and so that none says more than it seems to: a branch `*` in a trust policy is every branch.

use std::ops::RangeInclusive;

/// Whether Amazon SNS takes a text as a mail address: RFC 5321 without quotes, comments and address literals.
pub fn is_email(text: &str) -> bool {
    let Some((name, host)) = text.rsplit_once('@') else { return false };
    let atom = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+/=?^_`{|}~-".contains(c);
    let name_fits =
        (1..=64).contains(&name.len()) && name.split('.').all(|part| !part.is_empty() && part.chars().all(atom));
    name_fits && text.len() <= 254 && host.contains('.') && is_host(host)
}

/// Whether a text is a name of DNS.
fn is_host(text: &str) -> bool {
    text.len() <= 253
        && text.split('.').all(|label| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
                && !label.starts_with('-')
                && !label.ends_with('-')
        })
}

/// The longest key of a tag, in characters (AWS Tagging, "Tag naming limits").
pub const TAG_KEY: usize = 128;
/// The longest value of a tag, in characters.
pub const TAG_VALUE: usize = 256;
/// The most tags that a spec may have: resources have 50 at most, and pipectl adds some.
pub const TAGS: usize = 40;

/// Whether AWS takes every character of a tag: letters, digits, spaces and `_ . : / = + - @`.
pub fn is_tag_text(text: &str) -> bool {
    let space = |c: char| c.is_whitespace() && !c.is_control();
    text.chars().all(|c| c.is_alphanumeric() || space(c) || "_.:/=+-@".contains(c))
}

/// Whether git takes a text as the name of a branch (git-check-ref-format).
pub fn is_branch(text: &str) -> bool {
    // git compares `.lock` as it is written.
    let part = |part: &str| !part.is_empty() && !part.starts_with('.') && part.strip_suffix(".lock").is_none();
    (1..=244).contains(&text.len())
        && text.split('/').all(part)
        && !text.starts_with('-')
        && !text.ends_with('.')
        && !text.contains("..")
        && !text.contains("@{")
        && text != "@"
        && text.chars().all(|c| !c.is_control() && !c.is_whitespace() && !"~^:?*[\\".contains(c))
}

/// Why a text is no path within the project, if it is none.
pub fn not_in_project(path: &str) -> Option<&'static str> {
    if path.is_empty() {
        return Some("it is empty");
    }
    if path.chars().any(|c| c.is_control() || c == '\\') {
        return Some("parts of a path are separated by `/`");
    }
    let drive = path.as_bytes().get(1) == Some(&b':') && path.as_bytes()[0].is_ascii_alphabetic();
    if path.starts_with('/') || path.starts_with('~') || drive {
        return Some("it is an absolute path");
    }
    if path.split('/').any(|part| part == "..") {
        return Some("`..` leads out of a folder");
    }
    None
}

/// Why EventBridge Scheduler does not take a text as a schedule, if it does not: `rate(1 hour)`, `cron(0 6 * * ? *)`.
pub fn wrong_schedule(text: &str) -> Option<String> {
    let inside = |start: &str| text.strip_prefix(start)?.strip_suffix(')');
    if let Some(rate) = inside("rate(") {
        return wrong_rate(rate).map(str::to_owned);
    }
    match inside("cron(") {
        Some(cron) => wrong_cron(cron),
        None => Some("it is neither `rate(…)` nor `cron(…)`".to_owned()),
    }
}

fn wrong_rate(text: &str) -> Option<&'static str> {
    let Some((value, unit)) = text.split_once(' ') else { return Some("`rate` takes a number and a unit") };
    if !value.bytes().all(|byte| byte.is_ascii_digit()) || value.parse::<u32>().is_ok_and(|value| value == 0) {
        return Some("the number must be 1 or more");
    }
    if value.parse::<u32>().is_err() {
        return Some("the number is too large");
    }
    let known = ["minute", "minutes", "hour", "hours", "day", "days"].contains(&unit);
    (!known).then_some("the unit must be minutes, hours or days")
}

/// A field of a cron expression.
struct Field {
    name: &'static str,
    range: RangeInclusive<u32>,
    names: &'static [&'static str],
    /// What else may stand there: `?`, `L`, `W`, `#`.
    more: &'static str,
}

const MONTHS: [&str; 12] = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const DAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

const FIELDS: [Field; 6] = [
    Field { name: "minute", range: 0..=59, names: &[], more: "" },
    Field { name: "hour", range: 0..=23, names: &[], more: "" },
    Field { name: "day of the month", range: 1..=31, names: &[], more: "?LW" },
    Field { name: "month", range: 1..=12, names: &MONTHS, more: "" },
    Field { name: "day of the week", range: 1..=7, names: &DAYS, more: "?L#" },
    Field { name: "year", range: 1970..=2199, names: &[], more: "" },
];

fn wrong_cron(text: &str) -> Option<String> {
    let fields: Vec<&str> = text.split(' ').collect();
    if fields.len() != FIELDS.len() {
        let count = fields.iter().filter(|field| !field.is_empty()).count();
        return Some(format!("`cron` takes six fields, separated by one blank each, and this has {count}"));
    }
    for (field, text) in FIELDS.iter().zip(&fields) {
        if !text.split(',').all(|item| field.takes(item)) || (text.contains(',') && text.contains('?')) {
            return Some(format!("the {} cannot be `{text}`", field.name));
        }
    }
    if (fields[2] == "?") == (fields[4] == "?") {
        return Some("either the day of the month or the day of the week must be `?`".to_owned());
    }
    None
}

impl Field {
    fn takes(&self, item: &str) -> bool {
        let has = |more: char| self.more.contains(more);
        let (span, step) = item.split_once('/').map_or((item, None), |(span, step)| (span, Some(step)));
        if step.is_some_and(|step| !self.is_step(step)) {
            return false;
        }
        match span {
            "*" => true,
            "?" | "L" => step.is_none() && has(span.chars().next().unwrap_or_default()),
            "LW" => step.is_none() && has('W'),
            _ => match span.split_once('-') {
                Some((first, last)) => {
                    self.value(first).zip(self.value(last)).is_some_and(|(first, last)| first <= last)
                }
                None if step.is_some() => self.value(span).is_some(),
                None => self.single(span),
            },
        }
    }

    /// A value alone: `5`, `5W`, `5L`, `5#2`.
    fn single(&self, text: &str) -> bool {
        let has = |more: char| self.more.contains(more);
        if let Some(day) = text.strip_suffix('W') {
            return has('W') && self.value(day).is_some();
        }
        if let Some(day) = text.strip_suffix('L') {
            return has('#') && self.value(day).is_some();
        }
        if let Some((day, week)) = text.split_once('#') {
            return has('#') && self.value(day).is_some() && ["1", "2", "3", "4", "5"].contains(&week);
        }
        self.value(text).is_some()
    }

    fn is_step(&self, text: &str) -> bool {
        digits(text).is_some_and(|step| step > 0 && step <= *self.range.end())
    }

    fn value(&self, text: &str) -> Option<u32> {
        let named = self.names.iter().position(|name| name.eq_ignore_ascii_case(text));
        let value = named.and_then(|at| u32::try_from(at).ok()).map_or_else(|| digits(text), |at| Some(at + 1))?;
        self.range.contains(&value).then_some(value)
    }
}

fn digits(text: &str) -> Option<u32> {
    let plain = (1..=4).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    if plain { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mail_addresses() {
        for text in ["data@example.com", "a.b+c@mail.example.co.uk", "o'neil_%x@example-shop.io", "1@a.b"] {
            assert!(is_email(text), "{text}");
        }
        let long = format!("{}@example.com", "a".repeat(65));
        for text in [
            "",
            "a",
            "@b.c",
            "a@b",
            "a@b.",
            "a@.b",
            "a b@example.com",
            "a@exa mple.com",
            "a@b@c.d",
            ".a@b.c",
            "a.@b.c",
            "a..b@c.d",
            "a@-b.c",
            "a@b_c.d",
            "a@b.c\n",
            "<a@b.c>",
            "a@b.c, d@e.f",
            "\"a\"@b.c",
            "a@[127.0.0.1]",
            "é@b.c",
            &long,
            "a@b.c\u{0}",
            "data@example.com'; drop",
        ] {
            assert!(!is_email(text), "{text}");
        }
    }

    #[test]
    fn texts_of_tags() {
        for text in ["", "team", "cost center: 12/3", "größe=+-@._", "数据"] {
            assert!(is_tag_text(text), "{text}");
        }
        for text in ["a\nb", "a\tb", "<b>", "a;b", "a\"b", "${x}", "a\u{0}", "a*"] {
            assert!(!is_tag_text(text), "{text}");
        }
    }

    #[test]
    fn branches() {
        for text in ["main", "release/2026-11", "feature/a.b_c", "v1.2"] {
            assert!(is_branch(text), "{text}");
        }
        for text in [
            "", "*", "a*", "a?", "a b", "a..b", "/a", "a/", "a//b", "-a", "a.lock", "a:b", "a\\b", "@{", "@", "a.",
            "a\n",
        ] {
            assert!(!is_branch(text), "{text}");
        }
    }

    #[test]
    fn paths_of_the_project() {
        for path in ["sql/marts/a.sql", "./sql/a.sql", "a", "sql/..a.sql", "sql/a..b"] {
            assert_eq!(not_in_project(path), None, "{path}");
        }
        for path in [
            "",
            "/etc/passwd",
            "../a.sql",
            "sql/../../a",
            "sql/..",
            "..",
            "~/a",
            "C:\\a",
            "c:/a",
            "sql\\a",
            "a\0b",
            "a\nb",
        ] {
            assert!(not_in_project(path).is_some(), "{path}");
        }
    }

    #[test]
    fn schedules() {
        for text in [
            "rate(1 hour)",
            "rate(5 minutes)",
            "rate(30 days)",
            "cron(0 6 * * ? *)",
            "cron(0/15 * * * ? *)",
            "cron(0 8-18 ? * MON-FRI *)",
            "cron(0 0 1,15 JAN,jul ? 2026-2030)",
            "cron(5 4 L * ? *)",
            "cron(0 9 3W * ? *)",
            "cron(0 9 ? * 6L *)",
            "cron(0 9 ? * 2#1 *)",
            "cron(*/5 8-18/2 * * ? *)",
        ] {
            assert_eq!(wrong_schedule(text), None, "{text}");
        }
        for text in [
            "",
            "hourly",
            "rate(1)",
            "rate(0 hours)",
            "rate(1 week)",
            "rate(-1 hours)",
            "rate(1  hour)",
            "rate(1 hour))",
            "rate(99999999999 days)",
            "cron(0 6 * * *)",
            "cron(0 6 * * * *)",
            "cron(0 6 ? * ? *)",
            "cron(60 6 * * ? *)",
            "cron(0 24 * * ? *)",
            "cron(0 6 0 * ? *)",
            "cron(0 6 32 * ? *)",
            "cron(0 6 * 13 ? *)",
            "cron(0 6 ? * 8 *)",
            "cron(0 6 * * ? 1969)",
            "cron(0/0 6 * * ? *)",
            "cron(0 6 * FOO ? *)",
            "cron(0 6 ? * 2#6 *)",
            "cron(5-1 6 * * ? *)",
            "cron(0 6 * * ?,1 *)",
            "cron(0  6 * * ? *)",
            "cron(0 6 * * ? *) ",
            "cron(, 6 * * ? *)",
            "cron(0 6 * * ? *\n)",
            "cron(١ 6 * * ? *)",
        ] {
            assert!(wrong_schedule(text).is_some(), "{text}");
        }
    }
}
