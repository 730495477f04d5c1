//! DMS: endpoints, replications, subnet groups.

use serde_json::Value;

use super::{Findings, Rule, Subject, in_range, shown, text};

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "dms-identifier",
        types: &[
            "AWS::DMS::Endpoint",
            "AWS::DMS::ReplicationConfig",
            "AWS::DMS::ReplicationInstance",
            "AWS::DMS::ReplicationTask",
            "AWS::DMS::ReplicationSubnetGroup",
        ],
        property: "EndpointIdentifier",
        accepts: "letters, digits and hyphens that begin with a letter, without two hyphens in a row and none at the end",
        source: "https://docs.aws.amazon.com/dms/latest/APIReference/API_CreateEndpoint.html",
        bad: "{EndpointIdentifier: shop--source, EndpointType: source, EngineName: mysql}",
        good: "{EndpointIdentifier: shop-source, EndpointType: source, EngineName: mysql}",
        check: |subject, found| {
            for path in [
                "EndpointIdentifier",
                "ReplicationConfigIdentifier",
                "ReplicationInstanceIdentifier",
                "ReplicationTaskIdentifier",
                "ReplicationSubnetGroupIdentifier",
            ] {
                if let Some(name) = subject.text(path)
                    && (!name.chars().next().is_some_and(|c| c.is_ascii_alphabetic())
                        || !super::events::is_name(name, "-")
                        || name.contains("--")
                        || name.ends_with('-')
                        || name.len() > 255)
                {
                    found.refuse(path, format!("has the identifier `{name}`"), "begin with a letter, and write letters, digits and single hyphens", format!("The parameter {path} must be provided and must not be blank, must contain only ASCII letters, digits, and hyphens; and must not end with a hyphen or contain two consecutive hyphens."));
                }
            }
        },
    },
    Rule {
        id: "dms-capacity",
        types: &["AWS::DMS::ReplicationConfig"],
        property: "ComputeConfig",
        accepts: "1, 2, 4, 8, 16, 32, 64, 128, 192, 256 or 384 capacity units, the minimum not above the maximum",
        source: "https://docs.aws.amazon.com/dms/latest/userguide/CHAP_Serverless.Components.html",
        bad: "{ReplicationConfigIdentifier: shop, ReplicationType: cdc, SourceEndpointArn: !Ref Role, TargetEndpointArn: !Ref Role, TableMappings: {rules: []}, ComputeConfig: {MaxCapacityUnits: 3}}",
        good: "{ReplicationConfigIdentifier: shop, ReplicationType: cdc, SourceEndpointArn: !Ref Role, TargetEndpointArn: !Ref Role, TableMappings: {rules: []}, ComputeConfig: {MaxCapacityUnits: 4}}",
        check: |subject, found| {
            const UNITS: [f64; 11] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 192.0, 256.0, 384.0];
            for key in ["MinCapacityUnits", "MaxCapacityUnits"] {
                let path = format!("ComputeConfig/{key}");
                if let Some(units) = subject.number(&path).filter(|units| !UNITS.contains(units)) {
                    found.refuse(
                        &path,
                        format!("has {} capacity units", shown(units)),
                        "write 1, 2, 4, 8, 16, 32, 64, 128, 192, 256 or 384",
                        format!("Invalid value for {key}"),
                    );
                }
            }
            if let (Some(least), Some(most)) =
                (subject.number("ComputeConfig/MinCapacityUnits"), subject.number("ComputeConfig/MaxCapacityUnits"))
                && least > most
            {
                found.refuse(
                    "ComputeConfig/MinCapacityUnits",
                    format!("has {} to {} capacity units", shown(least), shown(most)),
                    "write a minimum that is not above the maximum",
                    "MinCapacityUnits must be less than or equal to MaxCapacityUnits",
                );
            }
        },
    },
    Rule {
        id: "dms-mappings",
        types: &["AWS::DMS::ReplicationConfig", "AWS::DMS::ReplicationTask"],
        property: "TableMappings",
        accepts: "a JSON object with `rules`, each with a known type, a unique id and a unique name, and a selection with a known action",
        source: "https://docs.aws.amazon.com/dms/latest/userguide/CHAP_Tasks.CustomizingTasks.TableMapping.SelectionTransformation.html",
        bad: "{ReplicationConfigIdentifier: shop, ReplicationType: cdc, SourceEndpointArn: !Ref Role, TargetEndpointArn: !Ref Role, ComputeConfig: {MaxCapacityUnits: 4}, TableMappings: {tables: []}}",
        good: "{ReplicationConfigIdentifier: shop, ReplicationType: cdc, SourceEndpointArn: !Ref Role, TargetEndpointArn: !Ref Role, ComputeConfig: {MaxCapacityUnits: 4}, TableMappings: {rules: [{rule-type: selection, rule-id: \"1\", rule-name: \"1\", rule-action: include, object-locator: {schema-name: shop, table-name: orders}}]}}",
        check: mappings,
    },
    Rule {
        id: "dms-endpoint",
        types: &["AWS::DMS::Endpoint"],
        property: "EngineName",
        accepts: "one of a secret and a user with a password; a role with a secret; the settings of the engine; a port of 1 to 65,535",
        source: "https://docs.aws.amazon.com/dms/latest/APIReference/API_CreateEndpoint.html",
        bad: "{EndpointType: target, EngineName: s3}",
        good: "{EndpointType: target, EngineName: s3, S3Settings: {BucketName: !Ref Other, ServiceAccessRoleArn: !GetAtt Role.Arn}}",
        check: endpoint,
    },
    Rule {
        id: "dms-replication-type",
        types: &["AWS::DMS::ReplicationConfig"],
        property: "ReplicationType",
        accepts: "`full-load`, `cdc` or `full-load-and-cdc`; settings that are a JSON object",
        source: "https://docs.aws.amazon.com/dms/latest/APIReference/API_CreateReplicationConfig.html",
        bad: "{ReplicationConfigIdentifier: shop, ReplicationType: stream, SourceEndpointArn: !Ref Role, TargetEndpointArn: !Ref Role, TableMappings: {rules: []}, ComputeConfig: {MaxCapacityUnits: 4}}",
        good: "{ReplicationConfigIdentifier: shop, ReplicationType: cdc, SourceEndpointArn: !Ref Role, TargetEndpointArn: !Ref Role, TableMappings: {rules: []}, ComputeConfig: {MaxCapacityUnits: 4}}",
        check: |subject, found| {
            const KINDS: [&str; 3] = ["full-load", "cdc", "full-load-and-cdc"];
            if let Some(kind) = subject.text("ReplicationType").filter(|kind| !KINDS.contains(kind)) {
                found.refuse(
                    "ReplicationType",
                    format!("has the type `{kind}`"),
                    crate::error::did_you_mean(kind, KINDS),
                    format!("Value '{kind}' at 'replicationType' failed to satisfy constraint"),
                );
            }
            for path in ["ReplicationSettings", "SupplementalSettings"] {
                if subject
                    .text(path)
                    .is_some_and(|text| !serde_json::from_str::<Value>(text).is_ok_and(|value| value.is_object()))
                {
                    found.add(path, format!("has `{path}` that are not a JSON object"), "write a mapping");
                }
            }
        },
    },
];

fn mappings(subject: &Subject<'_>, found: &mut Findings) {
    let answer = "Error in mapping rules. Rule structure is not valid.";
    let parsed = match subject.get("TableMappings") {
        Some(Value::String(text)) if text.contains(super::UNKNOWN) => return,
        Some(Value::String(text)) => serde_json::from_str(text).unwrap_or(Value::Null),
        Some(value) => value.clone(),
        None => return,
    };
    let Some(rules) = parsed.get("rules").and_then(Value::as_array) else {
        found.refuse(
            "TableMappings",
            "has mappings without `rules`",
            "write `rules: [{rule-type: selection, …}]`",
            answer,
        );
        return;
    };
    let mut ids: Vec<&str> = Vec::new();
    for (index, rule) in rules.iter().enumerate() {
        let path = format!("TableMappings/rules/{index}");
        if super::is_unknown(rule) {
            continue;
        }
        const KINDS: [&str; 5] = ["selection", "transformation", "table-settings", "object-mapping", "post-processing"];
        match text(rule, "rule-type") {
            Some(kind) if KINDS.contains(&kind) => {}
            None if rule.get("rule-type").is_some_and(super::is_unknown) => {}
            other => found.refuse(
                &path,
                format!("has a rule of the type `{}`", other.unwrap_or_default()),
                format!("write one of {}", KINDS.join(", ")),
                answer,
            ),
        }
        for key in ["rule-id", "rule-name"] {
            if rule.get(key).is_none() {
                found.refuse(&path, format!("has a rule without `{key}`"), format!("add `{key}`"), answer);
            }
        }
        if let Some(id) = text(rule, "rule-id") {
            if ids.contains(&id) {
                found.refuse(
                    &format!("{path}/rule-id"),
                    format!("has two rules with the id `{id}`"),
                    "number the rules",
                    answer,
                );
            }
            ids.push(id);
        }
        if text(rule, "rule-type") == Some("selection") {
            const ACTIONS: [&str; 3] = ["include", "exclude", "explicit"];
            if text(rule, "rule-action").is_none_or(|action| !ACTIONS.contains(&action))
                && !rule.get("rule-action").is_some_and(super::is_unknown)
            {
                found.refuse(
                    &format!("{path}/rule-action"),
                    "has a selection without a known action",
                    "write `rule-action: include`",
                    answer,
                );
            }
            for key in ["schema-name", "table-name"] {
                if rule.get("object-locator").is_none_or(|locator| locator.get(key).is_none())
                    && !rule.get("object-locator").is_some_and(super::is_unknown)
                {
                    found.refuse(
                        &path,
                        format!("has a selection without `{key}`"),
                        format!("add `object-locator: {{{key}: …}}`"),
                        answer,
                    );
                }
            }
        }
    }
}

fn endpoint(subject: &Subject<'_>, found: &mut Findings) {
    in_range(subject, found, "Port", 1.0, 65_535.0);
    let engine = subject.text("EngineName");
    if engine == Some("s3") {
        for key in ["BucketName", "ServiceAccessRoleArn"] {
            if !subject.has(&format!("S3Settings/{key}")) && !subject.get("S3Settings").is_some_and(super::is_unknown) {
                found.refuse(
                    "EngineName",
                    format!("is an endpoint of S3 without `{key}`"),
                    format!("add `S3Settings: {{{key}: …}}`"),
                    format!("{key} is required for an S3 endpoint."),
                );
            }
        }
    }
    let settings: Vec<(String, bool, bool)> = subject
        .properties()
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(key, _)| key.ends_with("Settings"))
        .map(|(key, value)| {
            (
                key.clone(),
                value.get("SecretsManagerSecretId").is_some(),
                value.get("SecretsManagerAccessRoleArn").is_some(),
            )
        })
        .collect();
    for (key, secret, role) in settings {
        if secret != role {
            found.refuse(
                &key,
                "needs a secret and the role that reads it together",
                "add the other one of `SecretsManagerSecretId` and `SecretsManagerAccessRoleArn`",
                "SecretsManagerAccessRoleArn and SecretsManagerSecretId must be specified together.",
            );
        }
        if secret && (subject.has("Password") || subject.has("Username")) {
            found.refuse("Username", "has both a secret and a user name or password", "remove `Username`, `Password`, `ServerName` and `Port`", "You can't specify both SecretsManagerSecretId and clear-text values for UserName, Password, ServerName and Port.");
        }
    }
    if let Some(kind) =
        subject.text("EndpointType").filter(|kind| !["source", "target", "SOURCE", "TARGET"].contains(kind))
    {
        found.refuse(
            "EndpointType",
            format!("is of the type `{kind}`"),
            "write `source` or `target`",
            format!("Value '{kind}' at 'endpointType' failed to satisfy constraint"),
        );
    }
}
