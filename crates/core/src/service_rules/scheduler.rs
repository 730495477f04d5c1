//! EventBridge Scheduler: schedules and their groups.

use serde_json::Value;

use super::events::{is_name, schedule};
use super::schedule_expression::Dialect;
use super::{Findings, Rule, Subject, arn_parts, in_range, shown};
use crate::error::did_you_mean;

const SCHEDULE: &[&str] = &["AWS::Scheduler::Schedule"];
const CREATE: &str = "https://docs.aws.amazon.com/scheduler/latest/APIReference/API_CreateSchedule.html";

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "scheduler-expression",
        types: SCHEDULE,
        property: "ScheduleExpression",
        accepts: "`rate(<number> <unit>)`, `cron(…)` of six fields with `?` for one of the days, or `at(<date>T<time>)`",
        source: "https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html",
        bad: "{ScheduleExpression: every hour, FlexibleTimeWindow: {Mode: \"OFF\"}, Target: {Arn: !GetAtt Function.Arn, RoleArn: !GetAtt Role.Arn}}",
        good: "{ScheduleExpression: rate(1 hour), FlexibleTimeWindow: {Mode: \"OFF\"}, Target: {Arn: !GetAtt Function.Arn, RoleArn: !GetAtt Role.Arn}}",
        check: |subject, found| {
            let text = subject.text("ScheduleExpression").unwrap_or_default();
            schedule(
                subject,
                found,
                "ScheduleExpression",
                Dialect::Schedule,
                &format!("Invalid Schedule Expression {text}."),
            );
        },
    },
    Rule {
        id: "scheduler-time-zone",
        types: SCHEDULE,
        property: "ScheduleExpressionTimezone",
        accepts: "a time zone of the IANA database, such as `Europe/Berlin`",
        source: "https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html#time-zones",
        bad: "{ScheduleExpressionTimezone: Europe/Berlim, ScheduleExpression: rate(1 hour), FlexibleTimeWindow: {Mode: \"OFF\"}, Target: {Arn: !GetAtt Function.Arn, RoleArn: !GetAtt Role.Arn}}",
        good: "{ScheduleExpressionTimezone: Europe/Berlin, ScheduleExpression: rate(1 hour), FlexibleTimeWindow: {Mode: \"OFF\"}, Target: {Arn: !GetAtt Function.Arn, RoleArn: !GetAtt Role.Arn}}",
        check: time_zone,
    },
    Rule {
        id: "scheduler-window",
        types: SCHEDULE,
        property: "FlexibleTimeWindow",
        accepts: "`Mode: OFF` without a window, or `Mode: FLEXIBLE` with 1 to 1,440 minutes",
        source: "https://docs.aws.amazon.com/scheduler/latest/APIReference/API_FlexibleTimeWindow.html",
        bad: "{FlexibleTimeWindow: {Mode: FLEXIBLE}, ScheduleExpression: rate(1 hour), Target: {Arn: !GetAtt Function.Arn, RoleArn: !GetAtt Role.Arn}}",
        good: "{FlexibleTimeWindow: {Mode: FLEXIBLE, MaximumWindowInMinutes: 15}, ScheduleExpression: rate(1 hour), Target: {Arn: !GetAtt Function.Arn, RoleArn: !GetAtt Role.Arn}}",
        check: |subject, found| {
            let path = "FlexibleTimeWindow/MaximumWindowInMinutes";
            match subject.text("FlexibleTimeWindow/Mode") {
                Some("OFF") if subject.has(path) => found.refuse(
                    path,
                    "has a window with `Mode: OFF`",
                    "write `Mode: FLEXIBLE`, or remove the window",
                    "MaximumWindowInMinutes can only be specified with FLEXIBLE mode.",
                ),
                Some("FLEXIBLE") if !subject.has(path) => found.refuse(
                    "FlexibleTimeWindow",
                    "lacks the window of `Mode: FLEXIBLE`",
                    "add `MaximumWindowInMinutes: 15`",
                    "MaximumWindowInMinutes must be specified with FLEXIBLE mode.",
                ),
                _ => in_range(subject, found, path, 1.0, 1_440.0),
            }
        },
    },
    Rule {
        id: "scheduler-target",
        types: SCHEDULE,
        property: "Target",
        accepts: "an ARN and the role that calls it; 0 to 185 retries within 60 to 86,400 seconds; an input that is JSON for targets that take JSON",
        source: "https://docs.aws.amazon.com/scheduler/latest/APIReference/API_Target.html",
        bad: "{ScheduleExpression: rate(1 hour), FlexibleTimeWindow: {Mode: \"OFF\"}, Target: {Arn: load, RoleArn: !GetAtt Role.Arn}}",
        good: "{ScheduleExpression: rate(1 hour), FlexibleTimeWindow: {Mode: \"OFF\"}, Target: {Arn: !GetAtt Function.Arn, RoleArn: !GetAtt Role.Arn}}",
        check: target,
    },
    Rule {
        id: "scheduler-dates",
        types: SCHEDULE,
        property: "StartDate",
        accepts: "a start before the end, both of them dates and times in UTC",
        source: CREATE,
        bad: "{StartDate: \"2031-01-01T00:00:00Z\", EndDate: \"2030-01-01T00:00:00Z\", ScheduleExpression: rate(1 hour), FlexibleTimeWindow: {Mode: \"OFF\"}, Target: {Arn: !GetAtt Function.Arn, RoleArn: !GetAtt Role.Arn}}",
        good: "{StartDate: \"2030-01-01T00:00:00Z\", EndDate: \"2031-01-01T00:00:00Z\", ScheduleExpression: rate(1 hour), FlexibleTimeWindow: {Mode: \"OFF\"}, Target: {Arn: !GetAtt Function.Arn, RoleArn: !GetAtt Role.Arn}}",
        check: |subject, found| {
            for path in ["StartDate", "EndDate"] {
                if let Some(date) = subject.text(path).filter(|date| !super::s3::is_date(date)) {
                    found.refuse(
                        path,
                        format!("has `{path}: {date}`"),
                        "write a date and a time: `2030-01-31T00:00:00Z`",
                        format!("{path} is not valid."),
                    );
                }
            }
            if let (Some(start), Some(end)) = (subject.text("StartDate"), subject.text("EndDate"))
                && start >= end
            {
                found.refuse(
                    "EndDate",
                    format!("ends at {end}, before it starts"),
                    "write a later `EndDate`",
                    "The EndDate must be after the StartDate.",
                );
            }
        },
    },
    Rule {
        id: "scheduler-name",
        types: &["AWS::Scheduler::Schedule", "AWS::Scheduler::ScheduleGroup"],
        property: "Name",
        accepts: "up to 64 letters, digits and `._-`",
        source: CREATE,
        bad: "{Name: \"every hour\", ScheduleExpression: rate(1 hour), FlexibleTimeWindow: {Mode: \"OFF\"}, Target: {Arn: !GetAtt Function.Arn, RoleArn: !GetAtt Role.Arn}}",
        good: "{Name: every-hour, ScheduleExpression: rate(1 hour), FlexibleTimeWindow: {Mode: \"OFF\"}, Target: {Arn: !GetAtt Function.Arn, RoleArn: !GetAtt Role.Arn}}",
        check: |subject, found| {
            if let Some(name) =
                subject.text("Name").filter(|name| name.is_empty() || name.len() > 64 || !is_name(name, "._-"))
            {
                found.refuse("Name", format!("has the name `{name}`"), "write up to 64 letters, digits and `._-`", format!("Value '{name}' at 'name' failed to satisfy constraint: Member must satisfy regular expression pattern: ^[0-9a-zA-Z-_.]+$"));
            }
        },
    },
];

fn time_zone(subject: &Subject<'_>, found: &mut Findings) {
    let path = "ScheduleExpressionTimezone";
    let Some(zone) = subject.text(path) else { return };
    if !is_time_zone(zone) {
        let hint = did_you_mean(zone, zones());
        let hint = if hint.starts_with("known here") {
            "write a name of the IANA database, such as `Europe/Berlin` or `UTC`".to_owned()
        } else {
            hint
        };
        found.refuse(
            path,
            format!("has the time zone `{zone}`"),
            hint,
            format!("The value {zone} provided for ScheduleExpressionTimezone is not valid."),
        );
    }
}

/// The names of the IANA database.
pub(crate) fn zones() -> impl Iterator<Item = &'static str> + Clone {
    include_str!("time_zones.txt").lines().filter(|line| !line.starts_with('#'))
}

/// Whether the IANA database has a time zone.
fn is_time_zone(zone: &str) -> bool {
    zones().any(|known| known == zone)
}

fn target(subject: &Subject<'_>, found: &mut Findings) {
    if let Some(arn) = subject.text("Target/Arn")
        && arn_parts(arn).is_none()
    {
        found.refuse(
            "Target/Arn",
            format!("has the target `{arn}`"),
            "write an ARN: `!GetAtt Function.Arn`",
            format!("Provided Arn is not in correct format: {arn}"),
        );
    }
    if let Some(role) = subject.text("Target/RoleArn")
        && !matches!(arn_parts(role), Some([_, "iam", "", _, rest]) if rest.starts_with("role/"))
    {
        found.refuse(
            "Target/RoleArn",
            format!("has the role `{role}`"),
            "write the ARN of a role: `!GetAtt Role.Arn`",
            "RoleArn is not valid.",
        );
    }
    for (path, least, most) in [
        ("Target/RetryPolicy/MaximumRetryAttempts", 0.0, 185.0),
        ("Target/RetryPolicy/MaximumEventAgeInSeconds", 60.0, 86_400.0),
    ] {
        if let Some(value) = subject.number(path).filter(|value| !(least..=most).contains(value)) {
            found.add(
                path,
                format!("has `{path}: {}`", shown(value)),
                format!("write {} to {}", shown(least), shown(most)),
            );
        }
    }
    let arn = subject.text("Target/Arn").unwrap_or_default();
    let takes_json =
        arn.contains(":lambda:") || arn.contains(":states:") || arn.starts_with("arn:aws:scheduler:::aws-sdk:");
    if takes_json
        && let Some(input) = subject.text("Target/Input")
        && serde_json::from_str::<Value>(input).is_err()
    {
        found.refuse(
            "Target/Input",
            "has an input that is not JSON",
            "write a JSON text",
            "Invalid Input: not valid JSON.",
        );
    }
}
