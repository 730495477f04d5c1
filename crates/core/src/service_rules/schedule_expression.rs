//! Schedule expressions: `rate(…)`, `cron(…)` and `at(…)`, as EventBridge, its Scheduler, Glue and Secrets Manager read them.

use crate::error::closest;

/// What a service takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// A rule of EventBridge: `rate` and `cron`.
    Rule,
    /// A schedule of EventBridge Scheduler: `rate`, `cron` and `at`.
    Schedule,
    /// A trigger or crawler of Glue: `cron`, five minutes apart at least.
    Glue,
    /// A rotation of Secrets Manager: `rate` in hours or days, and `cron` on the hour.
    Rotation,
}

/// What is wrong with an expression, and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    pub message: String,
    pub hint: String,
}

fn mistake(message: impl Into<String>, hint: impl Into<String>) -> Mistake {
    Mistake { message: message.into(), hint: hint.into() }
}

/// Checks an expression.
pub fn check(text: &str, dialect: Dialect) -> Result<(), Mistake> {
    let form = text.split_once('(').and_then(|(name, rest)| Some((name, rest.strip_suffix(')')?)));
    match form {
        Some(("rate", inner)) if dialect != Dialect::Glue => rate(inner, dialect),
        Some(("cron", inner)) => cron(inner, dialect),
        Some(("at", inner)) if dialect == Dialect::Schedule => at(inner),
        _ => Err(mistake(
            format!("`{text}` is not a schedule expression"),
            match dialect {
                Dialect::Glue => "write `cron(0 6 * * ? *)`: Glue takes no `rate(…)`",
                Dialect::Schedule => "write `rate(1 hour)`, `cron(0 6 * * ? *)` or `at(2030-01-31T06:00:00)`",
                Dialect::Rule | Dialect::Rotation => "write `rate(1 day)` or `cron(0 6 * * ? *)`",
            },
        )),
    }
}

fn rate(inner: &str, dialect: Dialect) -> Result<(), Mistake> {
    let parts: Vec<&str> = inner.split(' ').filter(|part| !part.is_empty()).collect();
    let [value, unit] = parts.as_slice() else {
        return Err(mistake(format!("`rate({inner})` is not a number and a unit"), "write `rate(1 hour)`"));
    };
    let Some(count) =
        value.parse::<u32>().ok().filter(|count| *count > 0 && value.starts_with(|c: char| c.is_ascii_digit()))
    else {
        return Err(mistake(
            format!("`{value}` in `rate({inner})` is not a positive whole number"),
            "write `rate(1 hour)`",
        ));
    };
    let (one, many): (&[&str], &[&str]) = match dialect {
        Dialect::Rotation => (&["hour", "day"], &["hours", "days"]),
        _ => (&["minute", "hour", "day"], &["minutes", "hours", "days"]),
    };
    if dialect == Dialect::Rotation {
        // Secrets Manager takes both numbers of the words.
        let hours = if unit.starts_with("hour") { count } else { count.saturating_mul(24) };
        if !one.contains(unit) && !many.contains(unit) {
            return Err(mistake(
                format!("`{unit}` is not a unit of a rotation"),
                "write `rate(4 hours)` or `rate(30 days)`",
            ));
        }
        if !(4..=999 * 24).contains(&hours) {
            return Err(mistake(format!("`rate({inner})` is out of range"), "write a rate from 4 hours to 999 days"));
        }
        return Ok(());
    }
    // The Scheduler takes `rate(1 minutes)` as well; a rule does not.
    let (wanted, other) = if count == 1 { (one, many) } else { (many, one) };
    if wanted.contains(unit) || (dialect == Dialect::Schedule && other.contains(unit)) {
        return Ok(());
    }
    let hint = match other.iter().position(|name| name == unit) {
        Some(index) => format!("write `rate({value} {})`", wanted[index]),
        None => format!("write one of {}", wanted.join(", ")),
    };
    Err(mistake(format!("`{unit}` does not fit `{value}` in `rate({inner})`"), hint))
}

/// A field of a cron expression.
struct Field {
    name: &'static str,
    least: u32,
    most: u32,
    /// Names for the numbers from `least` on.
    names: &'static [&'static str],
}

const FIELDS: [Field; 6] = [
    Field { name: "minutes", least: 0, most: 59, names: &[] },
    Field { name: "hours", least: 0, most: 23, names: &[] },
    Field { name: "day of the month", least: 1, most: 31, names: &[] },
    Field {
        name: "month",
        least: 1,
        most: 12,
        names: &["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"],
    },
    Field { name: "day of the week", least: 1, most: 7, names: &["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"] },
    Field { name: "year", least: 1970, most: 2199, names: &[] },
];

fn cron(inner: &str, dialect: Dialect) -> Result<(), Mistake> {
    let parts: Vec<&str> = inner.split(' ').filter(|part| !part.is_empty()).collect();
    if parts.len() != 6 {
        return Err(mistake(
            format!("`cron({inner})` has {} fields", parts.len()),
            "write six: minutes, hours, day of the month, month, day of the week, year, such as `cron(0 6 * * ? *)`",
        ));
    }
    for (text, field) in parts.iter().zip(&FIELDS) {
        cron_field(text, field)?;
    }
    let (day, weekday) = (parts[2], parts[4]);
    match (day, weekday) {
        ("?", "?") => {
            return Err(mistake(
                format!("`cron({inner})` has `?` for both days"),
                "write `*` for one of them, as in `cron(0 6 * * ? *)`",
            ));
        }
        (day, weekday) if day != "?" && weekday != "?" => {
            return Err(mistake(
                format!("`cron({inner})` sets the day of the month and the day of the week"),
                "write `?` for one of them, as in `cron(0 6 * * ? *)`",
            ));
        }
        _ => {}
    }
    match dialect {
        Dialect::Glue => five_minutes_apart(parts[0]),
        Dialect::Rotation if parts[0] != "0" => Err(mistake(
            format!("a rotation starts on the hour, not at minute `{}`", parts[0]),
            "write `0` for the minutes",
        )),
        _ => Ok(()),
    }
}

fn cron_field(text: &str, field: &Field) -> Result<(), Mistake> {
    let name = field.name;
    let is_day = name == "day of the month";
    let is_weekday = name == "day of the week";
    let wrong = |part: &str| {
        let range = format!("write numbers from {} to {}", field.least, field.most);
        let names: Vec<&str> = field.names.to_vec();
        let hint = match closest(part, names.iter().copied()) {
            Some(name) => format!("did you mean `{name}`?"),
            None if names.is_empty() => format!("{range}, `*`, or ranges and steps of them"),
            None => format!("{range}, or {} to {}", names[0], names[names.len() - 1]),
        };
        Err(mistake(format!("`{part}` does not fit the field `{name}`"), hint))
    };
    if text == "?" {
        return if is_day || is_weekday { Ok(()) } else { wrong(text) };
    }
    let value = |part: &str| -> Option<u32> {
        let number = part.parse::<u32>().ok().filter(|_| part.starts_with(|c: char| c.is_ascii_digit()));
        let named = || {
            let upper = part.to_ascii_uppercase();
            let index = field.names.iter().position(|name| *name == upper)?;
            Some(field.least + u32::try_from(index).ok()?)
        };
        number.or_else(named).filter(|number| (field.least..=field.most).contains(number))
    };
    for part in text.split(',') {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, Some(step)),
            None => (part, None),
        };
        if let Some(step) = step
            && step.parse::<u32>().ok().is_none_or(|step| step == 0 || step > field.most)
        {
            return wrong(part);
        }
        let fits = match range {
            "*" => true,
            "" => false,
            "L" | "LW" if is_day && step.is_none() => true,
            "L" if is_weekday && step.is_none() => true,
            range if is_day && range.ends_with('W') => value(range.trim_end_matches('W')).is_some(),
            range if is_day && range.starts_with("L-") => range[2..].parse::<u32>().is_ok_and(|back| back < 31),
            range if is_weekday && range.len() > 1 && range.ends_with('L') => {
                value(range.trim_end_matches('L')).is_some()
            }
            range if is_weekday && range.contains('#') => range.split_once('#').is_some_and(|(day, week)| {
                value(day).is_some() && week.parse::<u32>().is_ok_and(|week| (1..=5).contains(&week))
            }),
            range => match range.split_once('-') {
                Some((from, to)) => value(from).is_some() && value(to).is_some(),
                None => value(range).is_some(),
            },
        };
        if !fits {
            return wrong(part);
        }
    }
    Ok(())
}

/// Glue runs nothing more often than every five minutes.
fn five_minutes_apart(minutes: &str) -> Result<(), Mistake> {
    let too_often = || {
        Err(mistake(
            format!("`{minutes}` runs more often than every 5 minutes"),
            "write minutes that are 5 apart at least, such as `0/5`",
        ))
    };
    if minutes == "*" {
        return too_often();
    }
    if let Some((_, step)) = minutes.split_once('/') {
        return if step.parse::<u32>().is_ok_and(|step| step < 5) { too_often() } else { Ok(()) };
    }
    if minutes.contains('-') {
        return too_often();
    }
    let mut all: Vec<u32> = minutes.split(',').filter_map(|part| part.parse().ok()).collect();
    all.sort_unstable();
    if all.windows(2).any(|pair| pair[1] - pair[0] < 5) { too_often() } else { Ok(()) }
}

fn at(inner: &str) -> Result<(), Mistake> {
    let format = time::macros::format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]");
    match time::PrimitiveDateTime::parse(inner, &format) {
        Ok(_) => Ok(()),
        Err(_) => Err(mistake(
            format!("`at({inner})` is not a date and a time"),
            "write `at(2030-01-31T06:00:00)`, in the time zone of the schedule",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_that_services_take() {
        for (text, dialect) in [
            ("rate(1 hour)", Dialect::Rule),
            ("rate(5 minutes)", Dialect::Rule),
            ("rate(1 minutes)", Dialect::Schedule),
            ("cron(0 6 * * ? *)", Dialect::Rule),
            ("cron(0/15 8-17 ? * MON-FRI *)", Dialect::Rule),
            ("cron(0 18 L * ? 2030-2040)", Dialect::Rule),
            ("cron(0 9 ? * 6#3 *)", Dialect::Rule),
            ("cron(0 9 ? * FRIL *)", Dialect::Rule),
            ("cron(0 9 3W JAN,JUL ? *)", Dialect::Rule),
            ("at(2030-01-31T06:00:00)", Dialect::Schedule),
            ("cron(5,20,35,50 * * * ? *)", Dialect::Glue),
            ("cron(0 8 1 * ? *)", Dialect::Rotation),
            ("rate(30 days)", Dialect::Rotation),
        ] {
            assert_eq!(check(text, dialect), Ok(()), "{text}");
        }
    }

    #[test]
    fn expressions_that_services_refuse() {
        let found = |text: &str, dialect| {
            let mistake = check(text, dialect).expect_err(text);
            format!("{}: {}", mistake.message, mistake.hint)
        };
        let all: Vec<String> = [
            ("every hour", Dialect::Schedule),
            ("rate(1 hours)", Dialect::Rule),
            ("rate(5 minute)", Dialect::Rule),
            ("rate(0 hours)", Dialect::Rule),
            ("rate(-1 hours)", Dialect::Rule),
            ("rate(1.5 hours)", Dialect::Rule),
            ("rate(2 weeks)", Dialect::Rule),
            ("rate(hour)", Dialect::Rule),
            ("at(2030-01-31T06:00:00)", Dialect::Rule),
            ("at(2030-02-31T06:00:00)", Dialect::Schedule),
            ("cron(0 6 * * *)", Dialect::Rule),
            ("cron(0 6 * * * *)", Dialect::Rule),
            ("cron(0 6 ? * ? *)", Dialect::Rule),
            ("cron(60 6 * * ? *)", Dialect::Rule),
            ("cron(0 24 * * ? *)", Dialect::Rule),
            ("cron(0 6 32 * ? *)", Dialect::Rule),
            ("cron(0 6 ? * MONDAY *)", Dialect::Rule),
            ("cron(0 6 ? * 0 *)", Dialect::Rule),
            ("cron(0 6 * JAM ? *)", Dialect::Rule),
            ("cron(0 6 * * ? 1900)", Dialect::Rule),
            ("cron(*/0 6 * * ? *)", Dialect::Rule),
            ("rate(1 hour)", Dialect::Glue),
            ("cron(0/2 * * * ? *)", Dialect::Glue),
            ("cron(* * * * ? *)", Dialect::Glue),
            ("cron(0,3 * * * ? *)", Dialect::Glue),
            ("rate(1 hour)", Dialect::Rotation),
            ("cron(15 8 1 * ? *)", Dialect::Rotation),
        ]
        .into_iter()
        .map(|(text, dialect)| found(text, dialect))
        .collect();
        insta::assert_snapshot!(all.join("\n"), @"
        `every hour` is not a schedule expression: write `rate(1 hour)`, `cron(0 6 * * ? *)` or `at(2030-01-31T06:00:00)`
        `hours` does not fit `1` in `rate(1 hours)`: write `rate(1 hour)`
        `minute` does not fit `5` in `rate(5 minute)`: write `rate(5 minutes)`
        `0` in `rate(0 hours)` is not a positive whole number: write `rate(1 hour)`
        `-1` in `rate(-1 hours)` is not a positive whole number: write `rate(1 hour)`
        `1.5` in `rate(1.5 hours)` is not a positive whole number: write `rate(1 hour)`
        `weeks` does not fit `2` in `rate(2 weeks)`: write one of minutes, hours, days
        `rate(hour)` is not a number and a unit: write `rate(1 hour)`
        `at(2030-01-31T06:00:00)` is not a schedule expression: write `rate(1 day)` or `cron(0 6 * * ? *)`
        `at(2030-02-31T06:00:00)` is not a date and a time: write `at(2030-01-31T06:00:00)`, in the time zone of the schedule
        `cron(0 6 * * *)` has 5 fields: write six: minutes, hours, day of the month, month, day of the week, year, such as `cron(0 6 * * ? *)`
        `cron(0 6 * * * *)` sets the day of the month and the day of the week: write `?` for one of them, as in `cron(0 6 * * ? *)`
        `cron(0 6 ? * ? *)` has `?` for both days: write `*` for one of them, as in `cron(0 6 * * ? *)`
        `60` does not fit the field `minutes`: write numbers from 0 to 59, `*`, or ranges and steps of them
        `24` does not fit the field `hours`: write numbers from 0 to 23, `*`, or ranges and steps of them
        `32` does not fit the field `day of the month`: write numbers from 1 to 31, `*`, or ranges and steps of them
        `MONDAY` does not fit the field `day of the week`: write numbers from 1 to 7, or SUN to SAT
        `0` does not fit the field `day of the week`: write numbers from 1 to 7, or SUN to SAT
        `JAM` does not fit the field `month`: did you mean `JAN`?
        `1900` does not fit the field `year`: write numbers from 1970 to 2199, `*`, or ranges and steps of them
        `*/0` does not fit the field `minutes`: write numbers from 0 to 59, `*`, or ranges and steps of them
        `rate(1 hour)` is not a schedule expression: write `cron(0 6 * * ? *)`: Glue takes no `rate(…)`
        `0/2` runs more often than every 5 minutes: write minutes that are 5 apart at least, such as `0/5`
        `*` runs more often than every 5 minutes: write minutes that are 5 apart at least, such as `0/5`
        `0,3` runs more often than every 5 minutes: write minutes that are 5 apart at least, such as `0/5`
        `rate(1 hour)` is out of range: write a rate from 4 hours to 999 days
        a rotation starts on the hour, not at minute `15`: write `0` for the minutes
        ");
    }
}
