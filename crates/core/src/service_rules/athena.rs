//! Athena: workgroups and named queries.

use super::{Rule, shown};

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "athena-workgroup",
        types: &["AWS::Athena::WorkGroup"],
        property: "Name",
        accepts: "up to 128 letters, digits and `._-`, not `primary`; a limit of 10,000,000 bytes at least; results in S3; a key with encryption by KMS",
        source: "https://docs.aws.amazon.com/athena/latest/APIReference/API_CreateWorkGroup.html",
        bad: "{Name: shop, WorkGroupConfiguration: {BytesScannedCutoffPerQuery: 1000}}",
        good: "{Name: shop, WorkGroupConfiguration: {BytesScannedCutoffPerQuery: 10000000}}",
        check: |subject, found| {
            if let Some(name) = subject.text("Name").filter(|name| {
                name.is_empty() || name.len() > 128 || !super::events::is_name(name, "._-") || *name == "primary"
            }) {
                found.refuse(
                    "Name",
                    format!("has the name `{name}`"),
                    "write up to 128 letters, digits and `._-`, not `primary`",
                    "WorkGroup name is not valid",
                );
            }
            for base in ["WorkGroupConfiguration", "WorkGroupConfigurationUpdates"] {
                let path = format!("{base}/BytesScannedCutoffPerQuery");
                if let Some(bytes) = subject.number(&path).filter(|bytes| *bytes < 10_000_000.0) {
                    found.refuse(
                        &path,
                        format!("scans at most {} bytes", shown(bytes)),
                        "write 10000000 or more",
                        format!("#/{path}: {} is not greater or equal to 10000000", shown(bytes)),
                    );
                }
                let path = format!("{base}/ResultConfiguration/OutputLocation");
                if let Some(text) = subject.text(&path).filter(|text| !text.starts_with("s3://")) {
                    found.refuse(
                        &path,
                        format!("writes results to `{text}`"),
                        "write `s3://bucket/prefix/`",
                        "outputLocation is not a valid S3 path.",
                    );
                }
                let encryption = format!("{base}/ResultConfiguration/EncryptionConfiguration");
                let option = subject.text(&format!("{encryption}/EncryptionOption"));
                let key = subject.has(&format!("{encryption}/KmsKey"));
                if matches!(option, Some("SSE_KMS" | "CSE_KMS")) && !key {
                    found.refuse(
                        &encryption,
                        "encrypts by KMS without a key",
                        "add `KmsKey`",
                        "KmsKey is required for SSE_KMS and CSE_KMS",
                    );
                } else if option == Some("SSE_S3") && key {
                    found.refuse(
                        &format!("{encryption}/KmsKey"),
                        "has a key and encrypts with keys of S3",
                        "write `EncryptionOption: SSE_KMS`",
                        "KmsKey is not allowed for SSE_S3",
                    );
                }
            }
        },
    },
    Rule {
        id: "athena-query",
        types: &["AWS::Athena::NamedQuery"],
        property: "QueryString",
        accepts: "a query of 1 to 262,144 bytes and a name of up to 128 characters",
        source: "https://docs.aws.amazon.com/athena/latest/APIReference/API_CreateNamedQuery.html",
        bad: "{Database: shop, QueryString: \"\"}",
        good: "{Database: shop, QueryString: SELECT 1}",
        check: |subject, found| {
            if let Some(text) = subject.text("QueryString").filter(|text| text.is_empty() || text.len() > 262_144) {
                found.refuse(
                    "QueryString",
                    format!("has a query of {} bytes", text.len()),
                    "write 1 to 262,144 bytes",
                    "QueryString failed to satisfy constraint",
                );
            }
            if let Some(text) = subject.text("Name").filter(|text| text.is_empty() || text.chars().count() > 128) {
                found.refuse(
                    "Name",
                    format!("has a name of {} characters", text.chars().count()),
                    "write 1 to 128",
                    "Name failed to satisfy constraint",
                );
            }
        },
    },
];
