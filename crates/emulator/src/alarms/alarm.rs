//! CloudWatch alarms: when they change their state, and what they mail.

use super::{Mail, Point};
use pipectl_core::resource::{Resource, Resources};

/// An alarm that changed its state.
#[derive(Debug)]
pub(super) struct Change<'a> {
    pub(super) alarm: &'a Resource,
    /// Whether it is in alarm now.
    alarmed: bool,
    reason: String,
}

impl Change<'_> {
    /// The topics that hear of it.
    pub(super) fn actions(&self) -> impl Iterator<Item = &str> {
        let list = if self.alarmed { "/AlarmActions" } else { "/OKActions" };
        self.alarm.list(list).iter().filter_map(|action| action.as_str())
    }

    /// The mail, as CloudWatch words it.
    pub(super) fn mail(&self, resources: &Resources, to: Vec<String>) -> Mail {
        let (name, region) = (&self.alarm.name, &resources.region);
        let state = if self.alarmed { "ALARM" } else { "OK" };
        let text = format!(
            "Your Amazon CloudWatch Alarm \"{name}\" in the {region} region has entered the {state} state, because \
             \"{}\".\nView this alarm in the AWS Management Console:\n\
             https://{region}.console.aws.amazon.com/cloudwatch/deeplink.js?region={region}#alarmsV2:alarm/{name}\n\
             Description: {}",
            self.reason,
            self.alarm.text("/AlarmDescription").unwrap_or_default(),
        );
        Mail { to, subject: format!("{state}: \"{name}\" in {region}"), text }
    }
}

/// How an alarm takes a period without data.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Missing {
    Breaching,
    NotBreaching,
    Ignore,
}

/// Every change of an alarm's state from the start, where it was well, until `now`.
pub(super) fn changes<'a>(alarm: &'a Resource, points: &[Point], now: u64) -> Vec<Change<'a>> {
    let number = |name: &str| alarm.number(name);
    let period = number("/Period").unwrap_or(300).max(1);
    let periods = number("/EvaluationPeriods").unwrap_or(1).max(1);
    let enough = number("/DatapointsToAlarm").unwrap_or(periods);
    let threshold = alarm.get("/Threshold").and_then(|value| value.as_f64().or_else(|| value.as_str()?.parse().ok()));
    let threshold = threshold.unwrap_or_default();
    let (sign, words) = match alarm.text("/ComparisonOperator").unwrap_or_default() {
        "GreaterThanThreshold" => (Sign::More, "greater than"),
        "GreaterThanOrEqualToThreshold" => (Sign::AtLeast, "greater than or equal to"),
        "LessThanThreshold" => (Sign::Less, "less than"),
        _ => (Sign::AtMost, "less than or equal to"),
    };
    let missing = match alarm.text("/TreatMissingData") {
        Some("breaching") => Missing::Breaching,
        Some("notBreaching") => Missing::NotBreaching,
        _ => Missing::Ignore,
    };
    let measured: Vec<&Point> = points.iter().filter(|point| is_of(alarm, point)).collect();
    let value = |index: u64| {
        let within = measured.iter().filter(|point| point.at / period == index).map(|point| point.value);
        statistic(alarm.text("/Statistic").unwrap_or("Sum"), &within.collect::<Vec<_>>())
    };
    let (mut alarmed, mut changes) = (false, Vec::new());
    // What was before the start is not known, so the first look is when as many periods have passed as it looks back.
    for last in periods - 1..=now / period {
        let values: Vec<Option<f64>> = (last + 1 - periods..=last).map(value).collect();
        if missing == Missing::Ignore && values.iter().any(Option::is_none) {
            continue;
        }
        let breaching = |value: &&Option<f64>| match value {
            Some(value) => sign.holds(*value, threshold),
            None => missing == Missing::Breaching,
        };
        let count = values.iter().filter(breaching).count() as u64;
        let is = count >= enough;
        if is != alarmed {
            let known: Vec<String> = values.iter().flatten().map(|value| format!("{value:.1}")).collect();
            let not = if is { "" } else { "not " };
            let reason = if known.is_empty() {
                format!(
                    "Threshold Crossed: no datapoints were received for {periods} periods, and missing data is treated as breaching"
                )
            } else {
                format!(
                    "Threshold Crossed: {count} out of the last {periods} datapoints [{}] was {not}{words} the threshold ({threshold:.1})",
                    known.join(", ")
                )
            };
            changes.push(Change { alarm, alarmed: is, reason });
        }
        alarmed = is;
    }
    changes
}

/// Whether an alarm looks at what was measured here.
fn is_of(alarm: &Resource, point: &Point) -> bool {
    let dimensions = alarm.list("/Dimensions");
    let same = match (&point.dimension, dimensions) {
        (None, []) => true,
        (Some((name, value)), [one]) => one["Name"] == name.as_str() && one["Value"] == value.as_str(),
        _ => false,
    };
    same && alarm.text("/Namespace") == Some(&point.namespace) && alarm.text("/MetricName") == Some(&point.metric)
}

#[expect(clippy::cast_precision_loss, reason = "counts")]
fn statistic(name: &str, values: &[f64]) -> Option<f64> {
    if values.is_empty() {
        return None;
    }
    let sum: f64 = values.iter().sum();
    Some(match name {
        "Average" => sum / values.len() as f64,
        "Maximum" => values.iter().copied().fold(f64::MIN, f64::max),
        "Minimum" => values.iter().copied().fold(f64::MAX, f64::min),
        "SampleCount" => values.len() as f64,
        _ => sum,
    })
}

#[derive(Clone, Copy)]
enum Sign {
    More,
    AtLeast,
    Less,
    AtMost,
}

impl Sign {
    fn holds(self, value: f64, threshold: f64) -> bool {
        match self {
            Self::More => value > threshold,
            Self::AtLeast => value >= threshold,
            Self::Less => value < threshold,
            Self::AtMost => value <= threshold,
        }
    }
}
