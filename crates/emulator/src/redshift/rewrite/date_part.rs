//! The names of date parts: Redshift knows many for each, PostgreSQL's functions get one.

use super::token::Node;
use crate::redshift::error::{SqlError, SqlResult};

/// The canonical name of the date part that a function's first argument gives, as a word or as a literal.
pub(super) fn read(argument: &[Node], function: &str) -> SqlResult<&'static str> {
    let text = match argument {
        [Node::Text { text, .. }] => text.to_lowercase(),
        [node] => node.name().unwrap_or_else(|| node.shown()),
        _ => return Err(SqlError::new(format!("{function} needs a date part first"))),
    };
    canonical(&text).ok_or_else(|| SqlError::new(format!("invalid datetime part \"{text}\" for function {function}")))
}

fn canonical(part: &str) -> Option<&'static str> {
    Some(match part {
        "millennium" | "millennia" | "mil" | "mils" => "millennium",
        "century" | "centuries" | "c" | "cent" | "cents" => "century",
        "decade" | "decades" | "dec" | "decs" => "decade",
        "year" | "years" | "y" | "yr" | "yrs" => "year",
        "quarter" | "quarters" | "qtr" | "qtrs" => "quarter",
        "month" | "months" | "mon" | "mons" => "month",
        "week" | "weeks" | "w" => "week",
        "day" | "days" | "d" => "day",
        "dayofweek" | "dow" | "dw" | "weekday" => "dow",
        "dayofyear" | "doy" | "dy" | "yearday" => "doy",
        "hour" | "hours" | "h" | "hr" | "hrs" => "hour",
        "minute" | "minutes" | "m" | "min" | "mins" => "minute",
        "second" | "seconds" | "s" | "sec" | "secs" => "second",
        "millisecond" | "milliseconds" | "ms" | "msec" | "msecs" | "msecond" | "mseconds" | "millisec"
        | "millisecs" | "millisecon" => "millisecond",
        "microsecond" | "microseconds" | "us" | "usec" | "usecs" | "usecond" | "useconds" | "microsec"
        | "microsecs" | "microsecon" => "microsecond",
        "epoch" => "epoch",
        "timezone" => "timezone",
        "timezone_hour" => "timezone_hour",
        "timezone_minute" => "timezone_minute",
        _ => return None,
    })
}
