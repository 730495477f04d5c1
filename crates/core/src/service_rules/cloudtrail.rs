//! CloudTrail: trails and their selectors.

use serde_json::Value;

use super::{Findings, Rule, Subject, arn_parts, list, reference, text};
use crate::error::did_you_mean;

const TRAIL: &[&str] = &["AWS::CloudTrail::Trail"];

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "trail-name",
        types: TRAIL,
        property: "TrailName",
        accepts: "3 to 128 letters, digits and `._-`, that begin and end with a letter or digit, without two signs in a row; not an IP address",
        source: "https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-trail-naming-requirements.html",
        bad: "{TrailName: shop--trail, IsLogging: true, S3BucketName: !Ref Other}",
        good: "{TrailName: shop-trail, IsLogging: true, S3BucketName: !Ref Other}",
        check: name,
    },
    Rule {
        id: "trail-settings",
        types: TRAIL,
        property: "CloudWatchLogsLogGroupArn",
        accepts: "the ARN of a log group together with a role; events of global services in trails of all regions; a prefix of up to 200 characters",
        source: "https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_CreateTrail.html",
        bad: "{IsLogging: true, S3BucketName: !Ref Other, CloudWatchLogsLogGroupArn: \"arn:aws:logs:us-east-1:111111111111:log-group:trail:*\"}",
        good: "{IsLogging: true, S3BucketName: !Ref Other, CloudWatchLogsRoleArn: !GetAtt Role.Arn, CloudWatchLogsLogGroupArn: \"arn:aws:logs:us-east-1:111111111111:log-group:trail:*\"}",
        check: settings,
    },
    Rule {
        id: "trail-selectors",
        types: TRAIL,
        property: "EventSelectors",
        accepts: "event selectors or advanced ones; up to 5 event selectors, of S3 objects, functions and tables, with ARNs that fit; 250 data resources in all",
        source: "https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_DataResource.html",
        bad: "{IsLogging: true, S3BucketName: !Ref Other, EventSelectors: [{DataResources: [{Type: \"AWS::S3::Bucket\", Values: [\"arn:aws:s3:::x/\"]}]}]}",
        good: "{IsLogging: true, S3BucketName: !Ref Other, EventSelectors: [{DataResources: [{Type: \"AWS::S3::Object\", Values: [!Sub \"${Other.Arn}/\"]}]}]}",
        check: selectors,
    },
    Rule {
        id: "trail-advanced-selectors",
        types: TRAIL,
        property: "AdvancedEventSelectors",
        accepts: "field selectors with an `eventCategory` that is `Equals` to one category; `resources.type` with `Equals` and one value for data events; known fields, each once; an operator and a value each",
        source: "https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_AdvancedFieldSelector.html",
        bad: "{IsLogging: true, S3BucketName: !Ref Other, AdvancedEventSelectors: [{FieldSelectors: [{Field: eventCategory, Equals: [Data]}]}]}",
        good: "{IsLogging: true, S3BucketName: !Ref Other, AdvancedEventSelectors: [{FieldSelectors: [{Field: eventCategory, Equals: [Data]}, {Field: resources.type, Equals: [\"AWS::S3::Object\"]}]}]}",
        check: advanced,
    },
    Rule {
        id: "trail-bucket-policy",
        types: TRAIL,
        property: "S3BucketName",
        accepts: "a bucket whose policy lets `cloudtrail.amazonaws.com` write",
        source: "https://docs.aws.amazon.com/awscloudtrail/latest/userguide/create-s3-bucket-policy-for-cloudtrail.html",
        bad: "",
        good: "",
        check: bucket_policy,
    },
];

fn name(subject: &Subject<'_>, found: &mut Findings) {
    let Some(name) = subject.text("TrailName") else { return };
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    let signs = |c: char| "._-".contains(c);
    let doubled = name.as_bytes().windows(2).any(|pair| pair.iter().all(|byte| signs(char::from(*byte))));
    let fits = (3..=128).contains(&name.len())
        && super::events::is_name(name, "._-")
        && edge(name.chars().next())
        && edge(name.chars().last())
        && !doubled
        && name.parse::<std::net::Ipv4Addr>().is_err();
    if !fits {
        found.refuse(
            "TrailName",
            format!("has the name `{name}`"),
            "write 3 to 128 letters, digits and single `._-` between them",
            "Trail name or ARN is not valid",
        );
    }
}

fn settings(subject: &Subject<'_>, found: &mut Findings) {
    let (group, role) = (subject.has("CloudWatchLogsLogGroupArn"), subject.has("CloudWatchLogsRoleArn"));
    if group != role {
        found.refuse(
            "CloudWatchLogsLogGroupArn",
            "needs a log group and a role together",
            "add the other one",
            "You must specify both CloudWatchLogsLogGroupArn and CloudWatchLogsRoleArn.",
        );
    }
    if let Some(text) = subject
        .text("CloudWatchLogsLogGroupArn")
        .filter(|text| !matches!(arn_parts(text), Some([_, "logs", _, _, rest]) if rest.starts_with("log-group:")))
    {
        found.refuse(
            "CloudWatchLogsLogGroupArn",
            format!("writes to `{text}`"),
            "write the ARN of a log group: `!GetAtt Logs.Arn`",
            "The specified log group ARN is not valid.",
        );
    }
    if subject.is_true("IsMultiRegionTrail")
        && matches!(subject.get("IncludeGlobalServiceEvents"), Some(value) if value == &Value::Bool(false) || value.as_str() == Some("false"))
    {
        found.refuse(
            "IncludeGlobalServiceEvents",
            "is a trail of all regions without events of global services",
            "write `IncludeGlobalServiceEvents: true`",
            "Multi-Region trail must include global service events.",
        );
    }
    if let Some(prefix) = subject.text("S3KeyPrefix").filter(|text| text.chars().count() > 200) {
        found.add("S3KeyPrefix", format!("has a prefix of {} characters", prefix.chars().count()), "write at most 200");
    }
}

fn selectors(subject: &Subject<'_>, found: &mut Findings) {
    let all = subject.list("EventSelectors");
    if !all.is_empty() && !subject.list("AdvancedEventSelectors").is_empty() {
        found.refuse(
            "AdvancedEventSelectors",
            "has event selectors and advanced ones",
            "keep one of them",
            "You cannot specify both EventSelectors and AdvancedEventSelectors.",
        );
    }
    if all.len() > 5 {
        found.refuse(
            "EventSelectors",
            format!("has {} event selectors; CloudTrail accepts 5", all.len()),
            "join selectors",
            "The maximum number of event selectors is 5.",
        );
    }
    let mut count = 0;
    for (index, one) in all.iter().enumerate() {
        for (at, resource) in list(one, "DataResources").iter().enumerate() {
            let base = format!("EventSelectors/{index}/DataResources/{at}");
            let kind = text(resource, "Type");
            const KINDS: [&str; 3] = ["AWS::S3::Object", "AWS::Lambda::Function", "AWS::DynamoDB::Table"];
            if let Some(kind) = kind.filter(|kind| !KINDS.contains(kind)) {
                found.refuse(
                    &format!("{base}/Type"),
                    format!("selects events of `{kind}`"),
                    did_you_mean(kind, KINDS),
                    format!("The resource type {kind} is not valid for an event selector."),
                );
                continue;
            }
            let values = list(resource, "Values");
            count += values.len();
            for (number, value) in values.iter().enumerate() {
                let Some(value) = value.as_str().filter(|text| !text.contains(super::UNKNOWN)) else { continue };
                let service = match kind {
                    Some("AWS::S3::Object") => "s3",
                    Some("AWS::Lambda::Function") => "lambda",
                    Some("AWS::DynamoDB::Table") => "dynamodb",
                    _ => continue,
                };
                let path = format!("{base}/Values/{number}");
                let fits = value == format!("arn:aws:{service}")
                    || matches!(arn_parts(value), Some(parts) if parts[1] == service);
                if !fits {
                    found.refuse(
                        &path,
                        format!("selects `{value}`"),
                        format!("write an ARN of {service}"),
                        format!("Value {value} for DataResources.Values is invalid."),
                    );
                } else if service == "s3"
                    && matches!(arn_parts(value), Some([_, _, _, _, rest]) if !rest.is_empty() && !rest.contains('/'))
                {
                    found.refuse(
                        &path,
                        format!("selects the bucket `{value}` and not its objects"),
                        format!("write `{value}/`"),
                        format!("Value {value} for DataResources.Values is invalid."),
                    );
                }
            }
        }
    }
    if count > 250 {
        found.refuse(
            "EventSelectors",
            format!("selects {count} data resources; CloudTrail accepts 250"),
            "use advanced event selectors",
            "The total number of data resources cannot exceed 250.",
        );
    }
}

fn advanced(subject: &Subject<'_>, found: &mut Findings) {
    const FIELDS: [&str; 13] = [
        "eventCategory",
        "eventName",
        "eventSource",
        "eventType",
        "readOnly",
        "resources.ARN",
        "resources.type",
        "sessionCredentialFromConsole",
        "userIdentity.arn",
        "errorCode",
        "vpcEndpointId",
        "eventTypes",
        "userIdentity.type",
    ];
    const CATEGORIES: [&str; 4] = ["Management", "Data", "NetworkActivity", "Insight"];
    const OPERATORS: [&str; 6] = ["Equals", "NotEquals", "StartsWith", "NotStartsWith", "EndsWith", "NotEndsWith"];
    for (index, one) in subject.list("AdvancedEventSelectors").iter().enumerate() {
        let fields = list(one, "FieldSelectors");
        let base = format!("AdvancedEventSelectors/{index}/FieldSelectors");
        let of = |name: &str| fields.iter().find(|field| text(field, "Field") == Some(name));
        let single = |field: Option<&Value>| {
            field.and_then(|field| match list(field, "Equals") {
                [one] => one.as_str().map(str::to_owned),
                _ => None,
            })
        };
        if fields.iter().any(super::has_unknown) {
            continue;
        }
        let category = single(of("eventCategory"));
        match category.as_deref() {
            None => found.refuse(
                &base,
                "has an advanced selector without one `eventCategory`",
                "add `{Field: eventCategory, Equals: [Data]}`",
                "The eventCategory field selector is required with the Equals operator.",
            ),
            Some(category) if !CATEGORIES.contains(&category) => found.refuse(
                &base,
                format!("selects the category `{category}`"),
                did_you_mean(category, CATEGORIES),
                "The value of eventCategory is not valid.",
            ),
            Some("Data") if single(of("resources.type")).is_none() => found.refuse(
                &base,
                "selects data events without one `resources.type`",
                "add `{Field: resources.type, Equals: [\"AWS::S3::Object\"]}`",
                "The resources.type field selector is required for data events with the Equals operator.",
            ),
            _ => {}
        }
        let mut seen: Vec<&str> = Vec::new();
        for (at, field) in fields.iter().enumerate() {
            let path = format!("{base}/{at}");
            if let Some(name) = text(field, "Field") {
                if !FIELDS.contains(&name) {
                    found.refuse(
                        &format!("{path}/Field"),
                        format!("selects by `{name}`"),
                        did_you_mean(name, FIELDS),
                        format!("Invalid field {name}."),
                    );
                }
                if seen.contains(&name) {
                    found.refuse(
                        &path,
                        format!("selects by `{name}` twice"),
                        "join the two",
                        format!("Duplicate field {name}."),
                    );
                }
                if name == "readOnly"
                    && single(Some(field)).is_none_or(|value| !["true", "false"].contains(&value.as_str()))
                {
                    found.refuse(
                        &path,
                        "selects by `readOnly` without one of true and false",
                        "write `Equals: [\"true\"]`",
                        "readOnly must be true or false.",
                    );
                }
                seen.push(name);
            }
            let values: usize = OPERATORS.iter().map(|operator| list(field, operator).len()).sum();
            if values == 0 {
                found.refuse(
                    &path,
                    "has a field selector without a value",
                    "add `Equals: […]`",
                    "At least one operator is required.",
                );
            }
        }
    }
}

fn bucket_policy(subject: &Subject<'_>, found: &mut Findings) {
    let Some(bucket) =
        reference(subject.properties(), "S3BucketName").and_then(|name| subject.world.find("AWS::S3::Bucket", name))
    else {
        return;
    };
    let policy = subject.world.of_type("AWS::S3::BucketPolicy").find(|policy| {
        reference(policy.properties, "Bucket")
            .is_some_and(|name| name == bucket.physical_id || bucket.name() == Some(name))
    });
    // What an account has beside the templates may let CloudTrail write.
    if let Some(policy) = policy
        && !super::has_unknown(policy.properties)
        && !policy.properties.to_string().contains("cloudtrail.amazonaws.com")
    {
        found.refuse(
            "S3BucketName",
            format!("writes to `{}`, whose policy does not let CloudTrail write", bucket.logical_id),
            format!(
                "allow `s3:GetBucketAcl` and `s3:PutObject` to `cloudtrail.amazonaws.com` in `{}`",
                policy.logical_id
            ),
            "Incorrect S3 bucket policy is detected for bucket",
        );
    }
}
