//! Secrets Manager: secrets and their rotation.

use serde_json::Value;

use super::schedule_expression::{self, Dialect};
use super::{Findings, Rule, Subject, in_range};

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "secret-name",
        types: &["AWS::SecretsManager::Secret"],
        property: "Name",
        accepts: "up to 512 letters, digits and `/_+=.@-`",
        source: "https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_CreateSecret.html",
        bad: "Name: \"shop token\"",
        good: "Name: shop/token",
        check: |subject, found| {
            if let Some(name) = subject
                .text("Name")
                .filter(|name| name.is_empty() || name.len() > 512 || !super::events::is_name(name, "/_+=.@-"))
            {
                found.refuse("Name", format!("has the name `{name}`"), "write up to 512 letters, digits and `/_+=.@-`", "Invalid name. Must be a valid name containing alphanumeric characters, or any of the following: -/_+=.@!");
            }
        },
    },
    Rule {
        id: "secret-value",
        types: &["AWS::SecretsManager::Secret"],
        property: "GenerateSecretString",
        accepts: "one of `SecretString` and `GenerateSecretString`; a template that is a JSON object together with a key; a length of 1 to 4,096; 65,536 bytes in all",
        source: "https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-secretsmanager-secret-generatesecretstring.html",
        bad: "GenerateSecretString: {SecretStringTemplate: '{\"username\": \"a\"}'}",
        good: "GenerateSecretString: {SecretStringTemplate: '{\"username\": \"a\"}', GenerateStringKey: password}",
        check: value,
    },
    Rule {
        id: "secret-rotation",
        types: &["AWS::SecretsManager::RotationSchedule"],
        property: "RotationRules",
        accepts: "one of 1 to 1,000 days and a schedule from 4 hours to 999 days; a duration of hours; a function that rotates",
        source: "https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_schedule.html",
        bad: "{SecretId: !Ref Secret, RotationLambdaARN: !GetAtt Function.Arn, RotationRules: {ScheduleExpression: rate(1 hour)}}",
        good: "{SecretId: !Ref Secret, RotationLambdaARN: !GetAtt Function.Arn, RotationRules: {ScheduleExpression: rate(30 days)}}",
        check: rotation,
    },
];

fn value(subject: &Subject<'_>, found: &mut Findings) {
    if subject.has("SecretString") && subject.has("GenerateSecretString") {
        found.refuse(
            "GenerateSecretString",
            "has a value and generates one",
            "keep one of `SecretString` and `GenerateSecretString`",
            "You can't specify both SecretString and GenerateSecretString.",
        );
    }
    if let Some(text) = subject.text("SecretString").filter(|text| text.len() > 65_536) {
        found.add("SecretString", format!("has a value of {} bytes", text.len()), "write at most 65,536");
    }
    in_range(subject, found, "GenerateSecretString/PasswordLength", 1.0, 4_096.0);
    let (template, key) = (
        subject.has("GenerateSecretString/SecretStringTemplate"),
        subject.has("GenerateSecretString/GenerateStringKey"),
    );
    if template != key {
        found.refuse(
            "GenerateSecretString",
            "needs `SecretStringTemplate` and `GenerateStringKey` together",
            "add the other one",
            "SecretStringTemplate and GenerateStringKey must be specified together.",
        );
    }
    if let Some(text) = subject.text("GenerateSecretString/SecretStringTemplate")
        && !serde_json::from_str::<Value>(text).is_ok_and(|value| value.is_object())
    {
        found.refuse(
            "GenerateSecretString/SecretStringTemplate",
            "has a template that is not a JSON object",
            "write `{\"username\": \"name\"}`",
            "SecretStringTemplate must be a valid JSON object.",
        );
    }
    let excluded = ["ExcludeLowercase", "ExcludeUppercase", "ExcludeNumbers", "ExcludePunctuation"];
    if excluded.iter().all(|key| subject.is_true(&format!("GenerateSecretString/{key}"))) {
        found.refuse(
            "GenerateSecretString",
            "excludes every character",
            "allow one kind",
            "The password can't be generated: all character types are excluded.",
        );
    }
}

fn rotation(subject: &Subject<'_>, found: &mut Findings) {
    let (days, schedule) =
        (subject.has("RotationRules/AutomaticallyAfterDays"), subject.has("RotationRules/ScheduleExpression"));
    if days && schedule {
        found.refuse(
            "RotationRules",
            "rotates by days and by a schedule",
            "keep one of them",
            "You can't specify both AutomaticallyAfterDays and ScheduleExpression.",
        );
    }
    in_range(subject, found, "RotationRules/AutomaticallyAfterDays", 1.0, 1_000.0);
    if let Some(text) = subject.text("RotationRules/ScheduleExpression")
        && let Err(mistake) = schedule_expression::check(text, Dialect::Rotation)
    {
        found.refuse(
            "RotationRules/ScheduleExpression",
            format!("has a wrong schedule: {}", mistake.message),
            mistake.hint,
            "The schedule expression is not valid.",
        );
    }
    if let Some(text) = subject.text("RotationRules/Duration")
        && !text.strip_suffix('h').is_some_and(|hours| hours.parse::<u32>().is_ok_and(|hours| hours > 0))
    {
        found.add("RotationRules/Duration", format!("has the duration `{text}`"), "write hours: `3h`");
    }
    if subject.has("RotationRules")
        && !subject.has("RotationLambdaARN")
        && !subject.has("HostedRotationLambda")
        && !subject.has("ExternalSecretRotationRoleArn")
    {
        found.refuse(
            "RotationRules",
            "rotates without a function",
            "add `RotationLambdaARN` or `HostedRotationLambda`",
            "No Lambda rotation function ARN is associated with this secret.",
        );
    }
}
