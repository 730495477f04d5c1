//! KMS: keys and aliases.

use serde_json::Value;

use super::policy_document::documents;
use super::{Rule, in_range};

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "kms-alias",
        types: &["AWS::KMS::Alias"],
        property: "AliasName",
        accepts: "`alias/` and letters, digits and `/_-`; not `alias/aws/`",
        source: "https://docs.aws.amazon.com/kms/latest/APIReference/API_CreateAlias.html",
        bad: "{AliasName: shop, TargetKeyId: !Ref Key}",
        good: "{AliasName: alias/shop, TargetKeyId: !Ref Key}",
        check: |subject, found| {
            if let Some(name) = subject.text("AliasName") {
                let stem = name.strip_prefix("alias/");
                let fits = stem.is_some_and(|stem| {
                    !stem.is_empty() && !stem.starts_with("aws/") && super::events::is_name(stem, "/_-")
                }) && name.len() <= 256;
                if !fits {
                    found.refuse(
                        "AliasName",
                        format!("has the alias `{name}`"),
                        "write `alias/<name>` with letters, digits and `/_-`, not `alias/aws/…`",
                        format!("Alias name is not valid: {name}"),
                    );
                }
            }
        },
    },
    Rule {
        id: "kms-key",
        types: &["AWS::KMS::Key"],
        property: "PendingWindowInDays",
        accepts: "7 to 30 days before deletion; rotation every 90 to 2,560 days, of symmetric keys that AWS makes; a usage that the kind of key has",
        source: "https://docs.aws.amazon.com/kms/latest/APIReference/API_CreateKey.html",
        bad: "PendingWindowInDays: 3",
        good: "PendingWindowInDays: 7",
        check: |subject, found| {
            in_range(subject, found, "PendingWindowInDays", 7.0, 30.0);
            in_range(subject, found, "RotationPeriodInDays", 90.0, 2_560.0);
            let spec = subject.text("KeySpec").unwrap_or("SYMMETRIC_DEFAULT");
            let usage = subject.text("KeyUsage");
            if subject.is_true("EnableKeyRotation") && spec != "SYMMETRIC_DEFAULT" {
                found.refuse(
                    "EnableKeyRotation",
                    format!("rotates a key of the kind {spec}"),
                    "remove `EnableKeyRotation`",
                    "You cannot set the EnableKeyRotation property to true on asymmetric or external keys.",
                );
            }
            let wanted = match spec {
                "SYMMETRIC_DEFAULT" => Some("ENCRYPT_DECRYPT"),
                spec if spec.starts_with("HMAC_") => Some("GENERATE_VERIFY_MAC"),
                "ECC_SECG_P256K1" | "ECC_NIST_EDWARDS25519" => Some("SIGN_VERIFY"),
                _ => None,
            };
            if let (Some(wanted), Some(usage)) = (wanted, usage)
                && usage != wanted
            {
                found.refuse(
                    "KeyUsage",
                    format!("has the usage {usage} with the kind {spec}"),
                    format!("write `KeyUsage: {wanted}`"),
                    format!("KeyUsage {usage} is not compatible with KeySpec {spec}"),
                );
            }
            if usage.is_none()
                && spec != "SYMMETRIC_DEFAULT"
                && !subject.has("KeyUsage")
                && !subject.get("KeySpec").is_some_and(super::is_unknown)
            {
                found.refuse(
                    "KeySpec",
                    format!("has the kind {spec} without a usage"),
                    "add `KeyUsage: SIGN_VERIFY`",
                    "You must specify a KeyUsage value for all KMS keys except for symmetric encryption keys.",
                );
            }
            if subject.has("RotationPeriodInDays")
                && !subject.is_true("EnableKeyRotation")
                && !subject.get("EnableKeyRotation").is_some_and(super::is_unknown)
            {
                found.refuse(
                    "RotationPeriodInDays",
                    "has a rotation period without rotation",
                    "add `EnableKeyRotation: true`",
                    "You cannot specify the RotationPeriodInDays property when EnableKeyRotation is false.",
                );
            }
        },
    },
    Rule {
        id: "kms-lockout",
        types: &["AWS::KMS::Key"],
        property: "KeyPolicy",
        accepts: "a policy that lets somebody change it again: `kms:PutKeyPolicy` for the account or a role",
        source: "https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-default.html",
        bad: "KeyPolicy: {Version: \"2012-10-17\", Statement: {Effect: Allow, Principal: {Service: logs.amazonaws.com}, Action: \"kms:Encrypt\", Resource: \"*\"}}",
        good: "KeyPolicy: {Version: \"2012-10-17\", Statement: {Effect: Allow, Principal: {AWS: \"arn:aws:iam::111111111111:root\"}, Action: \"kms:*\", Resource: \"*\"}}",
        check: |subject, found| {
            if subject.is_true("BypassPolicyLockoutSafetyCheck") {
                return;
            }
            for document in documents(subject) {
                let statements = document.statements();
                let lets = |one: &super::policy_document::Statement<'_>| {
                    let actions = one.texts("Action");
                    let all = one.value.get("Action").is_some_and(super::has_unknown);
                    one.value.get("Effect").and_then(Value::as_str) == Some("Allow")
                        && (all
                            || one.value.get("NotAction").is_some()
                            || actions.iter().any(|(_, action)| {
                                matches!(*action, "*" | "kms:*" | "kms:Put*" | "kms:PutKeyPolicy" | "kms:P*")
                            }))
                        && one.value.get("Principal").is_some_and(|who| who.is_string() || who.get("AWS").is_some())
                };
                if !statements.is_empty() && !statements.iter().any(lets) {
                    found.refuse(
                        "KeyPolicy",
                        "has a policy that nobody could change again",
                        "add a statement that allows `kms:*` to `arn:aws:iam::<account>:root`",
                        "The new key policy will not allow you to update the key policy in the future.",
                    );
                }
            }
        },
    },
];
