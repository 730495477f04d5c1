//! A bucket's configuration as S3 returns it: from the template, or as it was changed outside of the template.

use s3s::dto::{
    BucketVersioningStatus, EventBridgeConfiguration, ExpirationStatus, GetBucketEncryptionOutput,
    GetBucketLifecycleConfigurationOutput, GetBucketNotificationConfigurationOutput, GetBucketTaggingOutput,
    GetBucketVersioningOutput, GetPublicAccessBlockOutput, LifecycleExpiration, LifecycleRule, LifecycleRuleFilter,
    PublicAccessBlockConfiguration, ServerSideEncryption, ServerSideEncryptionByDefault,
    ServerSideEncryptionConfiguration, ServerSideEncryptionRule, Tag, Transition, TransitionStorageClass,
    VersioningConfiguration,
};
use s3s::{S3Error, S3ErrorCode, S3Result};
use serde_json::{Value, json};

use super::store::BucketConfiguration;
use crate::resource::{flag, property, text};

pub(super) fn versioning(configuration: &BucketConfiguration) -> GetBucketVersioningOutput {
    let status = text(&configuration.properties, "VersioningConfiguration/Status");
    GetBucketVersioningOutput {
        status: status.map(|status| BucketVersioningStatus::from(status.to_owned())),
        ..GetBucketVersioningOutput::default()
    }
}

pub(super) fn lifecycle(configuration: &BucketConfiguration) -> S3Result<GetBucketLifecycleConfigurationOutput> {
    let rules = property(&configuration.properties, "LifecycleConfiguration/Rules").and_then(Value::as_array);
    let Some(rules) = rules else {
        return Err(S3Error::with_message(
            S3ErrorCode::NoSuchLifecycleConfiguration,
            "The lifecycle configuration does not exist",
        ));
    };
    Ok(GetBucketLifecycleConfigurationOutput {
        rules: Some(rules.iter().map(rule).collect()),
        ..GetBucketLifecycleConfigurationOutput::default()
    })
}

fn rule(rule: &Value) -> LifecycleRule {
    let transitions = property(rule, "Transitions").and_then(Value::as_array).map(|transitions| {
        transitions
            .iter()
            .map(|one| Transition {
                days: number(one, "TransitionInDays"),
                storage_class: text(one, "StorageClass").map(|class| TransitionStorageClass::from(class.to_owned())),
                ..Transition::default()
            })
            .collect()
    });
    LifecycleRule {
        id: text(rule, "Id").map(str::to_owned),
        status: ExpirationStatus::from(text(rule, "Status").unwrap_or("Enabled").to_owned()),
        filter: Some(LifecycleRuleFilter {
            prefix: Some(text(rule, "Prefix").unwrap_or_default().to_owned()),
            ..LifecycleRuleFilter::default()
        }),
        expiration: number(rule, "ExpirationInDays")
            .map(|days| LifecycleExpiration { days: Some(days), ..LifecycleExpiration::default() }),
        transitions,
        abort_incomplete_multipart_upload: None,
        noncurrent_version_expiration: None,
        noncurrent_version_transitions: None,
        prefix: None,
    }
}

fn number(value: &Value, path: &str) -> Option<i32> {
    let found = property(value, path)?;
    found.as_i64().and_then(|number| i32::try_from(number).ok()).or_else(|| found.as_str()?.parse().ok())
}

pub(super) fn encryption(configuration: &BucketConfiguration) -> GetBucketEncryptionOutput {
    let path = "BucketEncryption/ServerSideEncryptionConfiguration";
    let first = property(&configuration.properties, path).and_then(|rules| rules.get(0));
    let algorithm = first.and_then(|rule| text(rule, "ServerSideEncryptionByDefault/SSEAlgorithm"));
    let key = first.and_then(|rule| text(rule, "ServerSideEncryptionByDefault/KMSMasterKeyID"));
    // Without a word in the template S3 encrypts with its own keys.
    let default = ServerSideEncryptionByDefault {
        sse_algorithm: ServerSideEncryption::from(algorithm.unwrap_or("AES256").to_owned()),
        kms_master_key_id: key.map(str::to_owned),
    };
    let rule = ServerSideEncryptionRule {
        apply_server_side_encryption_by_default: Some(default),
        bucket_key_enabled: Some(first.is_some_and(|rule| flag(rule, "BucketKeyEnabled"))),
    };
    GetBucketEncryptionOutput {
        server_side_encryption_configuration: Some(ServerSideEncryptionConfiguration { rules: vec![rule] }),
    }
}

pub(super) fn notification(configuration: &BucketConfiguration) -> GetBucketNotificationConfigurationOutput {
    let enabled =
        flag(&configuration.properties, "NotificationConfiguration/EventBridgeConfiguration/EventBridgeEnabled");
    GetBucketNotificationConfigurationOutput {
        event_bridge_configuration: enabled.then(EventBridgeConfiguration::default),
        ..GetBucketNotificationConfigurationOutput::default()
    }
}

pub(super) fn public_access_block(configuration: &BucketConfiguration) -> GetPublicAccessBlockOutput {
    let blocked = |name: &str| {
        // New buckets block public access when the template says nothing.
        let path = format!("PublicAccessBlockConfiguration/{name}");
        let configured = property(&configuration.properties, "PublicAccessBlockConfiguration").is_some();
        Some(!configured || flag(&configuration.properties, &path))
    };
    GetPublicAccessBlockOutput {
        public_access_block_configuration: Some(PublicAccessBlockConfiguration {
            block_public_acls: blocked("BlockPublicAcls"),
            block_public_policy: blocked("BlockPublicPolicy"),
            ignore_public_acls: blocked("IgnorePublicAcls"),
            restrict_public_buckets: blocked("RestrictPublicBuckets"),
        }),
    }
}

pub(super) fn tagging(configuration: &BucketConfiguration) -> S3Result<GetBucketTaggingOutput> {
    let tags = property(&configuration.properties, "Tags").and_then(Value::as_array);
    let Some(tags) = tags.filter(|tags| !tags.is_empty()) else {
        return Err(S3Error::with_message(S3ErrorCode::NoSuchTagSet, "The TagSet does not exist"));
    };
    let tag =
        |tag: &Value| Tag { key: text(tag, "Key").map(str::to_owned), value: text(tag, "Value").map(str::to_owned) };
    Ok(GetBucketTaggingOutput { tag_set: tags.iter().map(tag).collect() })
}

/// Tags as a template has them.
pub(super) fn tags(tags: &[Tag]) -> Value {
    tags.iter().map(|tag| json!({"Key": tag.key, "Value": tag.value})).collect()
}

/// Versioning as a template has it.
pub(super) fn versioning_property(configuration: &VersioningConfiguration) -> Value {
    json!({"Status": configuration.status.as_ref().map(BucketVersioningStatus::as_str)})
}

/// The block of public access as a template has it.
pub(super) fn public_access_block_property(configuration: &PublicAccessBlockConfiguration) -> Value {
    json!({
        "BlockPublicAcls": configuration.block_public_acls.unwrap_or_default(),
        "BlockPublicPolicy": configuration.block_public_policy.unwrap_or_default(),
        "IgnorePublicAcls": configuration.ignore_public_acls.unwrap_or_default(),
        "RestrictPublicBuckets": configuration.restrict_public_buckets.unwrap_or_default(),
    })
}
