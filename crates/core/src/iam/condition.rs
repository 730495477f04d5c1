//! Conditions: operators, quantifiers, and what a missing key means.

use std::net::IpAddr;

use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::pattern::Pattern;
use super::request::Context;
use super::values::texts;

/// One key under one operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// As it is written, such as `ForAnyValue:StringLikeIfExists`.
    pub operator: String,
    /// As it is written.
    pub key: String,
    pub values: Vec<String>,
    patterns: Vec<Pattern>,
    quantifier: Option<Quantifier>,
    if_exists: bool,
    negated: bool,
    test: Test,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Quantifier {
    ForAllValues,
    ForAnyValue,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Test {
    Equals,
    EqualsIgnoreCase,
    Like,
    Arn,
    Bool,
    Ip,
    Numeric(Order),
    Date(Order),
    Null,
    /// An operator that IAM does not have.
    Unknown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Order {
    fn holds(self, ordering: Option<std::cmp::Ordering>) -> bool {
        use std::cmp::Ordering;
        match (self, ordering) {
            (_, None) => false,
            (Self::Equal, Some(found)) => found == Ordering::Equal,
            (Self::Less, Some(found)) => found == Ordering::Less,
            (Self::LessOrEqual, Some(found)) => found != Ordering::Greater,
            (Self::Greater, Some(found)) => found == Ordering::Greater,
            (Self::GreaterOrEqual, Some(found)) => found != Ordering::Less,
        }
    }
}

impl Condition {
    /// The conditions of a `Condition` block.
    pub(super) fn all(block: Option<&Value>, variables: bool) -> Vec<Self> {
        let operators = block.and_then(Value::as_object).into_iter().flatten();
        operators
            .flat_map(|(operator, keys)| {
                let keys = keys.as_object().into_iter().flatten();
                keys.map(|(key, values)| Self::new(operator, key, texts(Some(values)).collect(), variables))
            })
            .collect()
    }

    fn new(operator: &str, key: &str, values: Vec<String>, variables: bool) -> Self {
        let (quantifier, rest) = match operator.split_once(':') {
            Some(("ForAllValues", rest)) => (Some(Quantifier::ForAllValues), rest),
            Some(("ForAnyValue", rest)) => (Some(Quantifier::ForAnyValue), rest),
            _ => (None, operator),
        };
        let (rest, if_exists) = rest.strip_suffix("IfExists").map_or((rest, false), |rest| (rest, true));
        let (test, negated) = test_of(rest);
        let patterns = values.iter().map(|value| Pattern::new(value, variables)).collect();
        Self {
            operator: operator.to_owned(),
            key: key.to_owned(),
            values,
            patterns,
            quantifier,
            if_exists,
            negated,
            test,
        }
    }

    /// Whether the operator is one of IAM's.
    pub(super) fn is_known(&self) -> bool {
        self.test != Test::Unknown
    }

    /// Whether it holds in these circumstances.
    pub(super) fn holds(&self, context: &Context) -> bool {
        let found = context.get(&self.key.to_lowercase()).filter(|values| !values.is_empty());
        if self.test == Test::Null {
            return self.values.iter().any(|expected| expected.eq_ignore_ascii_case("true") == found.is_none());
        }
        let Some(found) = found else {
            return self.if_exists
                || match self.quantifier {
                    Some(Quantifier::ForAllValues) => true,
                    Some(Quantifier::ForAnyValue) => false,
                    None => self.negated,
                };
        };
        let fits =
            |value: &String| self.patterns.iter().any(|expected| self.fits(expected, value, context)) != self.negated;
        match self.quantifier {
            Some(Quantifier::ForAllValues) => found.iter().all(fits),
            // A negated operator holds if no value fits, the others if one does.
            None if self.negated => found.iter().all(fits),
            Some(Quantifier::ForAnyValue) | None => found.iter().any(fits),
        }
    }

    fn fits(&self, expected: &Pattern, found: &str, context: &Context) -> bool {
        match self.test {
            Test::Like => expected.matches(found, context),
            Test::Arn => expected.matches_arn(found, context),
            // A wildcard is an ordinary character here, a variable is not.
            Test::Equals => expected.equals(found, context),
            Test::EqualsIgnoreCase => {
                expected.text().to_lowercase() == found.to_lowercase() || expected.equals(found, context)
            }
            Test::Bool => expected.text().eq_ignore_ascii_case(found),
            Test::Ip => within(expected.text(), found),
            Test::Numeric(order) => {
                let numbers = (found.trim().parse::<f64>(), expected.text().trim().parse::<f64>());
                let (Ok(found), Ok(expected)) = numbers else { return false };
                order.holds(found.partial_cmp(&expected))
            }
            Test::Date(order) => match (moment(found), moment(expected.text())) {
                (Some(found), Some(expected)) => order.holds(found.partial_cmp(&expected)),
                _ => false,
            },
            Test::Null | Test::Unknown => false,
        }
    }
}

fn test_of(operator: &str) -> (Test, bool) {
    let order = |rest: &str| {
        Some(match rest {
            "Equals" => (Order::Equal, false),
            "NotEquals" => (Order::Equal, true),
            "LessThan" => (Order::Less, false),
            "LessThanEquals" => (Order::LessOrEqual, false),
            "GreaterThan" => (Order::Greater, false),
            "GreaterThanEquals" => (Order::GreaterOrEqual, false),
            _ => return None,
        })
    };
    if let Some((order, negated)) = operator.strip_prefix("Numeric").and_then(order) {
        return (Test::Numeric(order), negated);
    }
    if let Some((order, negated)) = operator.strip_prefix("Date").and_then(order) {
        return (Test::Date(order), negated);
    }
    match operator {
        "StringEquals" | "BinaryEquals" => (Test::Equals, false),
        "StringNotEquals" => (Test::Equals, true),
        "StringEqualsIgnoreCase" => (Test::EqualsIgnoreCase, false),
        "StringNotEqualsIgnoreCase" => (Test::EqualsIgnoreCase, true),
        "StringLike" => (Test::Like, false),
        "StringNotLike" => (Test::Like, true),
        "ArnEquals" | "ArnLike" => (Test::Arn, false),
        "ArnNotEquals" | "ArnNotLike" => (Test::Arn, true),
        "Bool" => (Test::Bool, false),
        "IpAddress" => (Test::Ip, false),
        "NotIpAddress" => (Test::Ip, true),
        "Null" => (Test::Null, false),
        _ => (Test::Unknown, false),
    }
}

/// Whether an address lies in a block such as `203.0.113.0/24`.
fn within(block: &str, address: &str) -> bool {
    let (base, bits) = block.split_once('/').map_or((block, None), |(base, bits)| (base, Some(bits)));
    let (Ok(base), Ok(address)) = (base.parse::<IpAddr>(), address.parse::<IpAddr>()) else { return false };
    let as_number = |address: IpAddr| match address {
        IpAddr::V4(address) => (u128::from(address.to_bits()) << 96, 32),
        IpAddr::V6(address) => (address.to_bits(), 128),
    };
    let ((base, width), (address, other)) = (as_number(base), as_number(address));
    let Ok(bits) = bits.map_or(Ok(width), str::parse::<u32>) else { return false };
    let mask = if bits == 0 { 0 } else { u128::MAX << (128 - bits.min(width)) };
    width == other && base & mask == address & mask
}

/// A point in time: `2026-11-20T00:00:00Z`, a date, or seconds since 1970.
fn moment(text: &str) -> Option<OffsetDateTime> {
    if let Ok(seconds) = text.parse::<i64>() {
        return OffsetDateTime::from_unix_timestamp(seconds).ok();
    }
    let whole = if text.len() == 10 { format!("{text}T00:00:00Z") } else { text.to_owned() };
    OffsetDateTime::parse(&whole, &Rfc3339).ok()
}
