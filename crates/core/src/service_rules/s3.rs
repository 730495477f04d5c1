//! S3: names, lifecycles, replication, encryption, notifications and policies of buckets.

use serde_json::Value;

use super::policy_document::documents;
use super::{Findings, Rule, Subject, is_true, list, number, reference, shown, text};

const BUCKET: &[&str] = &["AWS::S3::Bucket"];
const LIFECYCLE: &str =
    "https://docs.aws.amazon.com/AmazonS3/latest/userguide/lifecycle-transition-general-considerations.html";

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "s3-bucket-name",
        types: BUCKET,
        property: "BucketName",
        accepts: "3 to 63 lowercase letters, digits, dots and hyphens, that begin and end with a letter or digit; no IP address, no reserved prefix or suffix",
        source: "https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html",
        bad: "BucketName: Shop_Raw",
        good: "BucketName: shop-raw",
        check: bucket_name,
    },
    Rule {
        id: "s3-transition-days",
        types: BUCKET,
        property: "LifecycleConfiguration/Rules/Transitions",
        accepts: "30 days before STANDARD_IA and ONEZONE_IA, 30 days between them and the next class, each class later and colder than the one before, and the expiration last",
        source: LIFECYCLE,
        bad: "LifecycleConfiguration: {Rules: [{Id: cool, Status: Enabled, Transitions: [{StorageClass: STANDARD_IA, TransitionInDays: 5}]}]}",
        good: "LifecycleConfiguration: {Rules: [{Id: cool, Status: Enabled, Transitions: [{StorageClass: STANDARD_IA, TransitionInDays: 30}]}]}",
        check: transitions,
    },
    Rule {
        id: "s3-lifecycle-rule",
        types: BUCKET,
        property: "LifecycleConfiguration/Rules",
        accepts: "up to 1,000 rules with different ids, each with an action, with days of at least 1 and dates at midnight UTC",
        source: "https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketLifecycleConfiguration.html",
        bad: "LifecycleConfiguration: {Rules: [{Id: tidy, Status: Enabled, ExpirationInDays: 0}]}",
        good: "LifecycleConfiguration: {Rules: [{Id: tidy, Status: Enabled, ExpirationInDays: 1}]}",
        check: lifecycle,
    },
    Rule {
        id: "s3-replication",
        types: BUCKET,
        property: "ReplicationConfiguration",
        accepts: "rules of a versioned bucket, with different ids and priorities; `Priority` and `DeleteMarkerReplication` in each rule with a `Filter`",
        source: "https://docs.aws.amazon.com/AmazonS3/latest/userguide/replication.html",
        bad: "ReplicationConfiguration: {Role: \"arn:aws:iam::111111111111:role/r\", Rules: [{Status: Enabled, Destination: {Bucket: \"arn:aws:s3:::shop-b\"}}]}",
        good: "{VersioningConfiguration: {Status: Enabled}, ReplicationConfiguration: {Role: !GetAtt Role.Arn, Rules: [{Status: Enabled, Destination: {Bucket: !GetAtt Other.Arn}}]}}",
        check: replication,
    },
    Rule {
        id: "s3-encryption",
        types: BUCKET,
        property: "BucketEncryption",
        accepts: "a KMS key only with `aws:kms` or `aws:kms:dsse`, and one rule",
        source: "https://docs.aws.amazon.com/AmazonS3/latest/API/API_ServerSideEncryptionByDefault.html",
        bad: "BucketEncryption: {ServerSideEncryptionConfiguration: [{ServerSideEncryptionByDefault: {SSEAlgorithm: AES256, KMSMasterKeyID: alias/shop}}]}",
        good: "BucketEncryption: {ServerSideEncryptionConfiguration: [{ServerSideEncryptionByDefault: {SSEAlgorithm: \"aws:kms\", KMSMasterKeyID: alias/aws/s3}}]}",
        check: encryption,
    },
    Rule {
        id: "s3-notification",
        types: BUCKET,
        property: "NotificationConfiguration",
        accepts: "known events, filters by `prefix` and `suffix`, and no two configurations for the same event with overlapping filters",
        source: "https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-how-to-event-types-and-destinations.html",
        bad: "NotificationConfiguration: {QueueConfigurations: [{Event: \"s3:ObjectMade:*\", Queue: \"arn:aws:sqs:us-east-1:111111111111:q\"}]}",
        good: "NotificationConfiguration: {QueueConfigurations: [{Event: \"s3:ObjectCreated:*\", Queue: !GetAtt Queue.Arn}]}",
        check: notification,
    },
    Rule {
        id: "s3-acl",
        types: BUCKET,
        property: "AccessControl",
        accepts: "no ACL where the owner of the bucket owns its objects, and no public ACL where public access is blocked",
        source: "https://docs.aws.amazon.com/AmazonS3/latest/userguide/about-object-ownership.html",
        bad: "{AccessControl: PublicRead, OwnershipControls: {Rules: [{ObjectOwnership: BucketOwnerEnforced}]}}",
        good: "{OwnershipControls: {Rules: [{ObjectOwnership: BucketOwnerEnforced}]}}",
        check: acl,
    },
    Rule {
        id: "s3-object-lock",
        types: BUCKET,
        property: "ObjectLockConfiguration",
        accepts: "a retention in days or years, on a bucket with `ObjectLockEnabled` whose versioning is not suspended",
        source: "https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock-configure.html",
        bad: "ObjectLockConfiguration: {ObjectLockEnabled: Enabled, Rule: {DefaultRetention: {Mode: COMPLIANCE, Days: 1}}}",
        good: "{ObjectLockEnabled: true, ObjectLockConfiguration: {ObjectLockEnabled: Enabled, Rule: {DefaultRetention: {Mode: COMPLIANCE, Days: 1}}}}",
        check: object_lock,
    },
    Rule {
        id: "s3-tiering",
        types: BUCKET,
        property: "IntelligentTieringConfigurations",
        accepts: "90 to 730 days for `ARCHIVE_ACCESS`, 180 to 730 for `DEEP_ARCHIVE_ACCESS`, each tier once",
        source: "https://docs.aws.amazon.com/AmazonS3/latest/API/API_Tiering.html",
        bad: "IntelligentTieringConfigurations: [{Id: a, Status: Enabled, Tierings: [{AccessTier: ARCHIVE_ACCESS, Days: 30}]}]",
        good: "IntelligentTieringConfigurations: [{Id: a, Status: Enabled, Tierings: [{AccessTier: ARCHIVE_ACCESS, Days: 90}]}]",
        check: tiering,
    },
    Rule {
        id: "bucket-policy-resource",
        types: &["AWS::S3::BucketPolicy"],
        property: "PolicyDocument/Statement/Resource",
        accepts: "the bucket of the policy and its objects, and each action on what it is about: `s3:PutObject` on objects, `s3:ListBucket` on the bucket",
        source: "https://docs.aws.amazon.com/AmazonS3/latest/userguide/security_iam_service-with-iam.html",
        bad: "{Bucket: shop-raw, PolicyDocument: {Version: \"2012-10-17\", Statement: {Effect: Deny, Principal: \"*\", Action: \"s3:PutObject\", Resource: \"arn:aws:s3:::shop-raw\"}}}",
        good: "Resources:\n  Bucket:\n    Type: AWS::S3::Bucket\n    Properties: {BucketName: shop-raw}\n  Policy:\n    Type: AWS::S3::BucketPolicy\n    Properties: {Bucket: !Ref Bucket, PolicyDocument: {Version: \"2012-10-17\", Statement: {Effect: Deny, Principal: \"*\", Action: \"s3:PutObject\", Resource: \"arn:aws:s3:::shop-raw/*\"}}}",
        check: bucket_policy,
    },
];

fn bucket_name(subject: &Subject<'_>, found: &mut Findings) {
    let Some(name) = subject.text("BucketName") else { return };
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    let reason = if !(3..=63).contains(&name.len()) {
        "the name has 3 to 63 characters"
    } else if !name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '-')) {
        "use lowercase letters, digits, dots and hyphens"
    } else if !edge(name.chars().next()) || !edge(name.chars().last()) {
        "begin and end with a letter or a digit"
    } else if name.contains("..") {
        "write one dot, not two"
    } else if name.parse::<std::net::Ipv4Addr>().is_ok() {
        "an IP address is not a name"
    } else if ["xn--", "sthree-", "amzn-s3-demo-"].iter().any(|start| name.starts_with(start)) {
        "AWS keeps this prefix to itself"
    } else if ["-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"].iter().any(|end| name.ends_with(end)) {
        "AWS keeps this suffix to itself"
    } else {
        return;
    };
    found.refuse("BucketName", format!("has the bucket name `{name}`"), reason, "The specified bucket is not valid.");
}

/// Storage classes from warm to cold.
const CLASSES: [&str; 6] =
    ["STANDARD_IA", "INTELLIGENT_TIERING", "ONEZONE_IA", "GLACIER_IR", "GLACIER", "DEEP_ARCHIVE"];

fn warmth(class: &str) -> Option<usize> {
    let class = if class == "Glacier" { "GLACIER" } else { class };
    CLASSES.iter().position(|known| *known == class)
}

fn transitions(subject: &Subject<'_>, found: &mut Findings) {
    for (index, rule) in subject.list("LifecycleConfiguration/Rules").iter().enumerate() {
        let base = format!("LifecycleConfiguration/Rules/{index}");
        for (plural, single, days) in [
            ("Transitions", "Transition", "TransitionInDays"),
            ("NoncurrentVersionTransitions", "NoncurrentVersionTransition", "TransitionInDays"),
        ] {
            let mut all: Vec<(String, &Value)> =
                list(rule, plural).iter().enumerate().map(|(at, one)| (format!("{base}/{plural}/{at}"), one)).collect();
            if let Some(one) = rule.get(single) {
                all.push((format!("{base}/{single}"), one));
            }
            let steps: Vec<(String, &str, f64)> = all
                .iter()
                .filter_map(|(path, one)| Some((path.clone(), text(one, "StorageClass")?, number(one, days)?)))
                .collect();
            for (path, class, days) in &steps {
                let least = if matches!(*class, "STANDARD_IA" | "ONEZONE_IA") { 30.0 } else { 0.0 };
                if *days < least {
                    found.refuse(
                        &format!("{path}/TransitionInDays"),
                        format!("moves objects to {class} after {} days", shown(*days)),
                        format!("write {} days or more", shown(least)),
                        format!("'Days' in Transition action must be greater than or equal to {} for storageClass '{class}'", shown(least)),
                    );
                }
            }
            let mut ordered: Vec<&(String, &str, f64)> = steps.iter().collect();
            ordered.sort_by(|one, other| one.2.total_cmp(&other.2));
            for pair in ordered.windows(2) {
                let [(_, warm, first), (path, cold, second)] = pair else { continue };
                let least = if matches!(*warm, "STANDARD_IA" | "ONEZONE_IA") { 30.0 } else { 1.0 };
                let colder = warmth(warm).zip(warmth(cold)).is_none_or(|(warm, cold)| warm < cold);
                if !colder {
                    found.refuse(
                        &format!("{path}/StorageClass"),
                        format!("moves objects from {warm} to {cold}, which is not colder"),
                        format!("order the classes: {}", CLASSES.join(", ")),
                        format!("'Days' in the Transition action for StorageClass '{cold}' must be less than in the Transition action for StorageClass '{warm}'"),
                    );
                } else if second - first < least {
                    found.refuse(
                        &format!("{path}/TransitionInDays"),
                        format!("moves objects to {cold} {} days after {warm}", shown(second - first)),
                        format!("write {} days or more", shown(first + least)),
                        format!("'Days' in the Transition action for StorageClass '{cold}' must be {} days more than in the Transition action for StorageClass '{warm}'", shown(least)),
                    );
                }
            }
            let end = if plural == "Transitions" {
                number(rule, "ExpirationInDays")
            } else {
                number(rule, "NoncurrentVersionExpiration/NoncurrentDays")
                    .or_else(|| number(rule, "NoncurrentVersionExpirationInDays"))
            };
            if let (Some(end), Some((_, class, last))) = (end, ordered.last().map(|one| (&one.0, one.1, one.2)))
                && end <= last
            {
                let path = if plural == "Transitions" {
                    format!("{base}/ExpirationInDays")
                } else {
                    format!("{base}/NoncurrentVersionExpiration")
                };
                found.refuse(
                    &path,
                    format!(
                        "deletes objects after {} days and moves them to {class} after {}",
                        shown(end),
                        shown(last)
                    ),
                    format!("write more than {} days for the deletion", shown(last)),
                    "'Days' in the Expiration action must be greater than 'Days' in the Transition action",
                );
            }
        }
    }
}

#[expect(clippy::too_many_lines, reason = "one rule after the other, each a few lines")]
fn lifecycle(subject: &Subject<'_>, found: &mut Findings) {
    const ACTIONS: [&str; 10] = [
        "AbortIncompleteMultipartUpload",
        "ExpirationDate",
        "ExpirationInDays",
        "ExpiredObjectDeleteMarker",
        "NoncurrentVersionExpiration",
        "NoncurrentVersionExpirationInDays",
        "NoncurrentVersionTransition",
        "NoncurrentVersionTransitions",
        "Transition",
        "Transitions",
    ];
    let rules = subject.list("LifecycleConfiguration/Rules");
    if rules.len() > 1_000 {
        found.add(
            "LifecycleConfiguration/Rules",
            format!("has {} lifecycle rules; S3 accepts 1,000", rules.len()),
            "join rules",
        );
    }
    let mut ids: Vec<&str> = Vec::new();
    for (index, rule) in rules.iter().enumerate() {
        let base = format!("LifecycleConfiguration/Rules/{index}");
        if super::is_unknown(rule) {
            continue;
        }
        let has = |key: &str| rule.get(key).is_some();
        let name = text(rule, "Id").map_or_else(|| format!("rule {}", index + 1), |id| format!("the rule `{id}`"));
        if !ACTIONS.iter().any(|action| has(action)) {
            found.refuse(
                &base,
                format!("has no action in {name}"),
                "add `ExpirationInDays` or `Transitions`",
                "At least one action needs to be specified in a rule",
            );
        }
        if let Some(id) = text(rule, "Id") {
            if ids.contains(&id) {
                found.refuse(
                    &format!("{base}/Id"),
                    format!("has two lifecycle rules with the id `{id}`"),
                    "rename one of them",
                    "Rule ID must be unique. Found same ID for one or more rules",
                );
            }
            ids.push(id);
        }
        if has("ExpirationInDays") && has("ExpirationDate") {
            found.add(
                &format!("{base}/ExpirationDate"),
                format!("has `ExpirationInDays` and `ExpirationDate` in {name}"),
                "keep one of them",
            );
        }
        if is_true(rule, "ExpiredObjectDeleteMarker") && (has("ExpirationInDays") || has("ExpirationDate")) {
            found.add(
                &format!("{base}/ExpiredObjectDeleteMarker"),
                format!("has `ExpiredObjectDeleteMarker` beside an expiration in {name}"),
                "move it to a separate rule",
            );
        }
        let by_tags = has("TagFilters") && !list(rule, "TagFilters").is_empty();
        for key in ["AbortIncompleteMultipartUpload", "ExpiredObjectDeleteMarker"] {
            if has(key) && by_tags {
                found.refuse(
                    &format!("{base}/{key}"),
                    format!("has `{key}` in {name}, which selects by tags"),
                    "put it into a rule without tags",
                    format!("{key} cannot be specified with Tags"),
                );
            }
        }
        for key in [
            "ExpirationInDays",
            "NoncurrentVersionExpirationInDays",
            "NoncurrentVersionExpiration/NoncurrentDays",
            "AbortIncompleteMultipartUpload/DaysAfterInitiation",
        ] {
            if let Some(days) = number(rule, key)
                && (days < 1.0 || days.fract() != 0.0 || days > 2_147_483_647.0)
            {
                found.refuse(
                    &format!("{base}/{key}"),
                    format!("has `{key}: {}` in {name}", shown(days)),
                    "write a whole number of days, 1 or more",
                    "'Days' for Expiration action must be a positive integer",
                );
            }
        }
        for key in ["ExpirationDate", "Transition/TransitionDate"] {
            if let Some(date) = text(rule, key) {
                let midnight = date.len() == 10 || date.contains("T00:00:00");
                if !midnight || !is_date(date) {
                    found.refuse(
                        &format!("{base}/{key}"),
                        format!("has the date `{date}` in {name}"),
                        "write a date at midnight UTC: `2030-01-31T00:00:00Z`",
                        "'Date' must be at midnight GMT",
                    );
                }
            }
        }
        let (least, most) = (number(rule, "ObjectSizeGreaterThan"), number(rule, "ObjectSizeLessThan"));
        if let (Some(least), Some(most)) = (least, most)
            && least >= most
        {
            found.add(
                &format!("{base}/ObjectSizeLessThan"),
                format!("selects objects above {} and below {} bytes in {name}", shown(least), shown(most)),
                "write a larger `ObjectSizeLessThan`",
            );
        }
    }
}

/// Whether a text begins with a day that exists.
pub(super) fn is_date(text: &str) -> bool {
    let format = time::macros::format_description!("[year]-[month]-[day]");
    text.get(..10).is_some_and(|day| time::Date::parse(day, &format).is_ok())
}

fn replication(subject: &Subject<'_>, found: &mut Findings) {
    let rules = subject.list("ReplicationConfiguration/Rules");
    if rules.is_empty() {
        return;
    }
    if subject.get("VersioningConfiguration/Status").is_none_or(|status| status.as_str() == Some("Suspended")) {
        found.refuse(
            "ReplicationConfiguration",
            "replicates objects without versions",
            "add `VersioningConfiguration: {Status: Enabled}`",
            "Versioning must be 'Enabled' on the bucket to apply a replication configuration",
        );
    }
    let (mut ids, mut priorities): (Vec<&str>, Vec<f64>) = (Vec::new(), Vec::new());
    for (index, rule) in rules.iter().enumerate() {
        let base = format!("ReplicationConfiguration/Rules/{index}");
        if let Some(id) = text(rule, "Id") {
            if ids.contains(&id) {
                found.add(
                    &format!("{base}/Id"),
                    format!("has two replication rules with the id `{id}`"),
                    "rename one of them",
                );
            }
            ids.push(id);
        }
        if let Some(priority) = number(rule, "Priority") {
            if priorities.contains(&priority) {
                found.refuse(
                    &format!("{base}/Priority"),
                    format!("has two replication rules of the priority {}", shown(priority)),
                    "give each rule its own",
                    format!(
                        "Found duplicate priority {}. Replication rules must have distinct priorities.",
                        shown(priority)
                    ),
                );
            }
            priorities.push(priority);
        }
        if rule.get("Filter").is_some() {
            for key in ["Priority", "DeleteMarkerReplication"] {
                if rule.get(key).is_none() {
                    found.refuse(
                        &base,
                        format!("lacks `{key}` in a replication rule with a filter"),
                        format!("add `{key}`"),
                        format!(
                            "{key} must be specified for this version of Cross Region Replication configuration schema."
                        ),
                    );
                }
            }
            if rule.get("Prefix").is_some() {
                found.add(
                    &format!("{base}/Prefix"),
                    "has `Prefix` and `Filter` in a replication rule",
                    "move the prefix into the filter",
                );
            }
        }
        let target = reference(rule, "Destination/Bucket");
        let own = [subject.resource.arn.as_deref(), Some(subject.resource.physical_id.as_str())];
        if target.is_some() && own.contains(&target) {
            found.add(&format!("{base}/Destination/Bucket"), "replicates into itself", "name another bucket");
        }
        if let Some(bucket) = target.and_then(|target| subject.world.find("AWS::S3::Bucket", target))
            && bucket
                .properties
                .get("VersioningConfiguration")
                .and_then(|one| one.get("Status"))
                .and_then(Value::as_str)
                .is_none_or(|status| status == "Suspended")
        {
            found.refuse(
                &format!("{base}/Destination/Bucket"),
                format!("replicates into `{}`, which has no versions", bucket.logical_id),
                format!("add `VersioningConfiguration: {{Status: Enabled}}` to `{}`", bucket.logical_id),
                "Destination bucket must have versioning enabled.",
            );
        }
    }
}

fn encryption(subject: &Subject<'_>, found: &mut Findings) {
    let path = "BucketEncryption/ServerSideEncryptionConfiguration";
    let rules = subject.list(path);
    if rules.len() > 1 {
        found.add(path, format!("has {} rules of encryption", rules.len()), "keep one");
    }
    for (index, rule) in rules.iter().enumerate() {
        let algorithm = text(rule, "ServerSideEncryptionByDefault/SSEAlgorithm");
        if algorithm == Some("AES256") && rule.pointer("/ServerSideEncryptionByDefault/KMSMasterKeyID").is_some() {
            found.refuse(
                &format!("{path}/{index}/ServerSideEncryptionByDefault/KMSMasterKeyID"),
                "has a KMS key with the algorithm AES256",
                "write `SSEAlgorithm: aws:kms`, or remove the key",
                "a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms or aws:kms:dsse",
            );
        }
    }
}

const EVENTS: [&str; 29] = [
    "s3:ReducedRedundancyLostObject",
    "s3:ObjectCreated:*",
    "s3:ObjectCreated:Put",
    "s3:ObjectCreated:Post",
    "s3:ObjectCreated:Copy",
    "s3:ObjectCreated:CompleteMultipartUpload",
    "s3:ObjectRemoved:*",
    "s3:ObjectRemoved:Delete",
    "s3:ObjectRemoved:DeleteMarkerCreated",
    "s3:ObjectRestore:*",
    "s3:ObjectRestore:Post",
    "s3:ObjectRestore:Completed",
    "s3:ObjectRestore:Delete",
    "s3:Replication:*",
    "s3:Replication:OperationFailedReplication",
    "s3:Replication:OperationNotTracked",
    "s3:Replication:OperationMissedThreshold",
    "s3:Replication:OperationReplicatedAfterThreshold",
    "s3:LifecycleExpiration:*",
    "s3:LifecycleExpiration:Delete",
    "s3:LifecycleExpiration:DeleteMarkerCreated",
    "s3:LifecycleTransition",
    "s3:IntelligentTiering",
    "s3:ObjectTagging:*",
    "s3:ObjectTagging:Put",
    "s3:ObjectTagging:Delete",
    "s3:ObjectAcl:Put",
    "s3:TestEvent",
    "s3:ObjectRestore:Expired",
];

fn notification(subject: &Subject<'_>, found: &mut Findings) {
    let mut seen: Vec<(&str, String, String)> = Vec::new();
    for kind in ["LambdaConfigurations", "QueueConfigurations", "TopicConfigurations"] {
        for (index, one) in subject.list(&format!("NotificationConfiguration/{kind}")).iter().enumerate() {
            let base = format!("NotificationConfiguration/{kind}/{index}");
            let (mut prefix, mut suffix) = (String::new(), String::new());
            for (at, rule) in list(one, "Filter/S3Key/Rules").iter().enumerate() {
                let name = text(rule, "Name").unwrap_or_default().to_ascii_lowercase();
                let value = text(rule, "Value").unwrap_or_default().to_owned();
                match name.as_str() {
                    "prefix" => prefix = value,
                    "suffix" => suffix = value,
                    "" => {}
                    other => found.refuse(
                        &format!("{base}/Filter/S3Key/Rules/{at}/Name"),
                        format!("filters by `{other}`"),
                        "write `prefix` or `suffix`",
                        "filter rule name must be either prefix or suffix",
                    ),
                }
            }
            let Some(event) = text(one, "Event") else { continue };
            if !EVENTS.contains(&event) {
                found.refuse(
                    &format!("{base}/Event"),
                    format!("waits for the event `{event}`"),
                    crate::error::did_you_mean(event, EVENTS),
                    "The event is not supported for notifications",
                );
            }
            let family = |event: &str| event.trim_end_matches('*').to_owned();
            let overlap = seen.iter().any(|(other, other_prefix, other_suffix)| {
                let same_event = family(event).starts_with(&family(other)) || family(other).starts_with(&family(event));
                let prefixes = prefix.starts_with(other_prefix.as_str()) || other_prefix.starts_with(prefix.as_str());
                let suffixes = suffix.ends_with(other_suffix.as_str()) || other_suffix.ends_with(suffix.as_str());
                same_event && prefixes && suffixes
            });
            if overlap {
                found.refuse(
                    &base,
                    format!("has two configurations for the event `{event}` of the same objects"),
                    "give them prefixes or suffixes that do not overlap",
                    "Configurations overlap. Configurations on the same bucket cannot share a common event type.",
                );
            }
            seen.push((event, prefix, suffix));
        }
    }
}

fn acl(subject: &Subject<'_>, found: &mut Findings) {
    let Some(acl) = subject.text("AccessControl") else { return };
    let enforced = subject
        .list("OwnershipControls/Rules")
        .iter()
        .any(|rule| text(rule, "ObjectOwnership") == Some("BucketOwnerEnforced"));
    if enforced && acl != "Private" && acl != "BucketOwnerFullControl" {
        found.refuse(
            "AccessControl",
            format!("has the ACL `{acl}` with `BucketOwnerEnforced`"),
            "remove `AccessControl`; write a bucket policy",
            "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting",
        );
    } else if acl.starts_with("Public")
        && !matches!(subject.get("PublicAccessBlockConfiguration/BlockPublicAcls"), Some(value) if value == &Value::Bool(false) || value.as_str() == Some("false"))
    {
        found.refuse(
            "AccessControl",
            format!("has the ACL `{acl}` while public access is blocked"),
            "remove `AccessControl`",
            "Access Denied",
        );
    }
}

fn object_lock(subject: &Subject<'_>, found: &mut Findings) {
    if !subject.has("ObjectLockConfiguration") {
        return;
    }
    if !subject.is_true("ObjectLockEnabled") {
        found.refuse(
            "ObjectLockConfiguration",
            "locks objects without `ObjectLockEnabled`",
            "add `ObjectLockEnabled: true`",
            "Object Lock configuration cannot be enabled on existing buckets",
        );
    }
    if subject.text("VersioningConfiguration/Status") == Some("Suspended") {
        found.add("VersioningConfiguration/Status", "locks objects and suspends versioning", "write `Status: Enabled`");
    }
    let base = "ObjectLockConfiguration/Rule/DefaultRetention";
    if subject.has(base) {
        let (days, years) = (subject.has(&format!("{base}/Days")), subject.has(&format!("{base}/Years")));
        if days == years {
            found.add(base, "needs a retention in days or in years, and not both", "keep one of `Days` and `Years`");
        }
    }
}

fn tiering(subject: &Subject<'_>, found: &mut Findings) {
    for (index, one) in subject.list("IntelligentTieringConfigurations").iter().enumerate() {
        let mut seen: Vec<&str> = Vec::new();
        for (at, tier) in list(one, "Tierings").iter().enumerate() {
            let (Some(name), Some(days)) = (text(tier, "AccessTier"), number(tier, "Days")) else { continue };
            let path = format!("IntelligentTieringConfigurations/{index}/Tierings/{at}");
            let least = if name == "DEEP_ARCHIVE_ACCESS" { 180.0 } else { 90.0 };
            if !(least..=730.0).contains(&days) {
                found.add(
                    &format!("{path}/Days"),
                    format!("moves objects to {name} after {} days", shown(days)),
                    format!("write {} to 730 days", shown(least)),
                );
            }
            if seen.contains(&name) {
                found.add(&path, format!("has the tier {name} twice"), "keep one of them");
            }
            seen.push(name);
        }
    }
}

/// Actions on objects begin so; all other actions of S3 are about the bucket or the account.
fn is_about_objects(action: &str) -> Option<bool> {
    let verb = action.strip_prefix("s3:")?;
    if verb.contains(['*', '?']) {
        return None;
    }
    const OBJECT: [&str; 12] = [
        "AbortMultipartUpload",
        "BypassGovernanceRetention",
        "DeleteObject",
        "GetObject",
        "InitiateReplication",
        "ListMultipartUploadParts",
        "ObjectOwnerOverrideToBucketOwner",
        "PutObject",
        "Replicate",
        "RestoreObject",
        "UpdateObjectEncryption",
        "GetObjectVersion",
    ];
    Some(OBJECT.iter().any(|start| verb.starts_with(start)))
}

fn bucket_policy(subject: &Subject<'_>, found: &mut Findings) {
    let bucket = reference(subject.properties(), "Bucket");
    let declared = bucket.and_then(|bucket| subject.world.find("AWS::S3::Bucket", bucket));
    let name =
        declared.and_then(|bucket| bucket.name()).or_else(|| bucket.filter(|name| !name.contains(super::UNKNOWN)));
    for document in documents(subject) {
        for one in document.statements() {
            let resources = one
                .value
                .get("Resource")
                .map_or_else(Vec::new, |value| super::one_or_more(value, &format!("{}/Resource", one.path)));
            let mut kinds = Vec::new();
            for (path, value) in &resources {
                let Some(text) = value.as_str() else { continue };
                if text.contains(super::UNKNOWN) {
                    // The ARN of a bucket whose template sets no name.
                    let (arn, key) = text.split_once(".Arn").unwrap_or((text, "?"));
                    kinds.push(match key.chars().next() {
                        _ if !arn.starts_with(super::UNKNOWN) => None,
                        None => Some(false),
                        Some('/') => Some(true),
                        Some(_) => None,
                    });
                    continue;
                }
                let Some([_, "s3", _, _, rest]) = super::arn_parts(text) else {
                    kinds.push(None);
                    continue;
                };
                let (in_bucket, object) =
                    rest.split_once('/').map_or((rest, None), |(bucket, key)| (bucket, Some(key)));
                kinds.push(if rest.contains('*') && object.is_none() { None } else { Some(object.is_some()) });
                if let Some(name) = name
                    && !in_bucket.contains(['*', '?', '$'])
                    && in_bucket != name
                {
                    found.refuse(
                        path,
                        format!("is the policy of `{name}` and speaks of `{in_bucket}` in {}", one.name()),
                        format!("write `arn:aws:s3:::{name}` and `arn:aws:s3:::{name}/*`"),
                        "Policy has invalid resource",
                    );
                }
            }
            for (path, action) in one.texts("Action") {
                let Some(about_objects) = is_about_objects(action) else { continue };
                if !kinds.is_empty() && kinds.iter().all(|kind| *kind == Some(!about_objects)) {
                    let hint = if about_objects {
                        "write the objects: `arn:aws:s3:::<bucket>/*`"
                    } else {
                        "write the bucket: `arn:aws:s3:::<bucket>`"
                    };
                    found.refuse(
                        &path,
                        format!("has `{action}` in {}, which does not apply to its resources", one.name()),
                        hint,
                        "Action does not apply to any resource(s) in statement",
                    );
                }
            }
        }
    }
}
