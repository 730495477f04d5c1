//! IAM: policy documents, roles, identity providers.

use serde_json::Value;

use super::policy_document::{Document, Kind, Statement, TYPES, documents, size};
use super::{Findings, Rule, Subject, arn_parts, list, text};
use crate::error::did_you_mean;

const GRAMMAR: &str = "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html";
const QUOTAS: &str = "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html";

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "policy-version",
        types: TYPES,
        property: "PolicyDocument/Version",
        accepts: "`2012-10-17` or `2008-10-17`",
        source: "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_version.html",
        bad: r#"PolicyDocument: {Version: "2020-10-17", Statement: {Effect: Allow, Action: "s3:GetObject", Resource: "*"}}"#,
        good: r#"PolicyDocument: {Version: "2012-10-17", Statement: {Effect: Allow, Action: "s3:GetObject", Resource: "*"}}"#,
        check: version,
    },
    Rule {
        id: "policy-statement",
        types: TYPES,
        property: "PolicyDocument/Statement",
        accepts: "statements with `Effect`, one of `Action` and `NotAction`, and the elements that the kind of policy has",
        source: GRAMMAR,
        bad: r#"PolicyDocument: {Version: "2012-10-17", Statement: {Effect: Permit, Action: "s3:GetObject", Resource: "*"}}"#,
        good: r#"PolicyDocument: {Version: "2012-10-17", Statement: {Effect: Allow, Action: "s3:GetObject", Resource: "*"}}"#,
        check: statement,
    },
    Rule {
        id: "policy-sid",
        types: TYPES,
        property: "PolicyDocument/Statement/Sid",
        accepts: "letters and digits in policies of IAM, and each `Sid` once in a policy",
        source: "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_sid.html",
        bad: r#"PolicyDocument: {Version: "2012-10-17", Statement: {Sid: read-all, Effect: Allow, Action: "s3:GetObject", Resource: "*"}}"#,
        good: r#"PolicyDocument: {Version: "2012-10-17", Statement: {Sid: ReadAll, Effect: Allow, Action: "s3:GetObject", Resource: "*"}}"#,
        check: sid,
    },
    Rule {
        id: "policy-action",
        types: TYPES,
        property: "PolicyDocument/Statement/Action",
        accepts: "`*`, or a service without wildcards, a colon, and an action: `s3:Get*`",
        source: "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_action.html",
        bad: r#"PolicyDocument: {Version: "2012-10-17", Statement: {Effect: Allow, Action: "s*:GetObject", Resource: "*"}}"#,
        good: r#"PolicyDocument: {Version: "2012-10-17", Statement: {Effect: Allow, Action: "s3:GetObject", Resource: "*"}}"#,
        check: action,
    },
    Rule {
        id: "policy-resource",
        types: TYPES,
        property: "PolicyDocument/Statement/Resource",
        accepts: "`*` or ARNs whose service has no wildcard; no region in the ARNs of IAM and S3",
        source: "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html",
        bad: r#"PolicyDocument: {Version: "2012-10-17", Statement: {Effect: Allow, Action: "s3:GetObject", Resource: "raw/*"}}"#,
        good: r#"PolicyDocument: {Version: "2012-10-17", Statement: {Effect: Allow, Action: "s3:GetObject", Resource: "arn:aws:s3:::raw/*"}}"#,
        check: resource,
    },
    Rule {
        id: "policy-principal",
        types: TYPES,
        property: "PolicyDocument/Statement/Principal",
        accepts: "`*`, or `AWS`, `Service`, `Federated` and `CanonicalUser` with whole names",
        source: "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html",
        bad: "Resources:\n  Role:\n    Type: AWS::IAM::Role\n    Properties:\n      AssumeRolePolicyDocument:\n        Version: \"2012-10-17\"\n        Statement: {Effect: Allow, Principal: {Service: lambda}, Action: \"sts:AssumeRole\"}",
        good: "Resources:\n  Role:\n    Type: AWS::IAM::Role\n    Properties:\n      AssumeRolePolicyDocument:\n        Version: \"2012-10-17\"\n        Statement: {Effect: Allow, Principal: {Service: lambda.amazonaws.com}, Action: \"sts:AssumeRole\"}",
        check: principal,
    },
    Rule {
        id: "policy-condition",
        types: TYPES,
        property: "PolicyDocument/Statement/Condition",
        accepts: "operators of IAM, with condition keys that begin with a service, and values of the operator's type",
        source: "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html",
        bad: r#"PolicyDocument: {Version: "2012-10-17", Statement: {Effect: Allow, Action: "s3:GetObject", Resource: "*", Condition: {StringEqual: {"aws:SourceAccount": "111111111111"}}}}"#,
        good: r#"PolicyDocument: {Version: "2012-10-17", Statement: {Effect: Allow, Action: "s3:GetObject", Resource: "*", Condition: {StringEquals: {"aws:SourceAccount": "111111111111"}}}}"#,
        check: condition,
    },
    Rule {
        id: "policy-size",
        types: TYPES,
        property: "PolicyDocument",
        accepts: "6,144 characters in a managed policy, 10,240 in the inline policies of a role, 2,048 in a trust policy (white space not counted), and each service's size for its own",
        source: QUOTAS,
        bad: "",
        good: "",
        check: sizes,
    },
    Rule {
        id: "trust-policy",
        types: &["AWS::IAM::Role"],
        property: "AssumeRolePolicyDocument",
        accepts: "statements with a principal, without a resource, and with actions of `sts`",
        source: "https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_update-role-trust-policy.html",
        bad: r#"AssumeRolePolicyDocument: {Version: "2012-10-17", Statement: {Effect: Allow, Principal: {Service: lambda.amazonaws.com}, Action: "s3:GetObject"}}"#,
        good: r#"AssumeRolePolicyDocument: {Version: "2012-10-17", Statement: {Effect: Allow, Principal: {Service: lambda.amazonaws.com}, Action: "sts:AssumeRole"}}"#,
        check: trust,
    },
    Rule {
        id: "role-policies",
        types: &["AWS::IAM::Role", "AWS::IAM::User", "AWS::IAM::Group"],
        property: "ManagedPolicyArns",
        accepts: "at most 10 managed policies, each an ARN of a policy and listed once; each inline policy with its own name",
        source: QUOTAS,
        bad: r#"{ManagedPolicyArns: [ReadOnlyAccess], AssumeRolePolicyDocument: {Version: "2012-10-17", Statement: {Effect: Allow, Principal: {Service: lambda.amazonaws.com}, Action: "sts:AssumeRole"}}}"#,
        good: r#"{ManagedPolicyArns: ["arn:aws:iam::aws:policy/ReadOnlyAccess"], AssumeRolePolicyDocument: {Version: "2012-10-17", Statement: {Effect: Allow, Principal: {Service: lambda.amazonaws.com}, Action: "sts:AssumeRole"}}}"#,
        check: role_policies,
    },
    Rule {
        id: "role-name",
        types: &[
            "AWS::IAM::Role",
            "AWS::IAM::ManagedPolicy",
            "AWS::IAM::RolePolicy",
            "AWS::IAM::User",
            "AWS::IAM::Group",
            "AWS::IAM::InstanceProfile",
        ],
        property: "RoleName",
        accepts: "letters, digits and `+=,.@_-`: up to 64 of them in the name of a role or user, up to 128 in the others; a path that begins and ends with `/`; a session from 1 to 12 hours",
        source: QUOTAS,
        bad: r#"{RoleName: "shop load", AssumeRolePolicyDocument: {Version: "2012-10-17", Statement: {Effect: Allow, Principal: {Service: lambda.amazonaws.com}, Action: "sts:AssumeRole"}}}"#,
        good: r#"{RoleName: "shop-load", AssumeRolePolicyDocument: {Version: "2012-10-17", Statement: {Effect: Allow, Principal: {Service: lambda.amazonaws.com}, Action: "sts:AssumeRole"}}}"#,
        check: role_name,
    },
    Rule {
        id: "managed-policy-targets",
        types: &["AWS::IAM::ManagedPolicy"],
        property: "Roles",
        accepts: "a policy document and each role, user and group once",
        source: "https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-iam-managedpolicy.html",
        bad: r#"{Roles: [load, load], PolicyDocument: {Version: "2012-10-17", Statement: {Effect: Allow, Action: "s3:GetObject", Resource: "*"}}}"#,
        good: r#"{PolicyDocument: {Version: "2012-10-17", Statement: {Effect: Allow, Action: "s3:GetObject", Resource: "*"}}}"#,
        check: |subject, found| {
            for property in ["Roles", "Users", "Groups"] {
                repeated(subject.list(property), property, found);
            }
        },
    },
    Rule {
        id: "oidc-provider",
        types: &["AWS::IAM::OIDCProvider"],
        property: "Url",
        accepts: "an `https://` URL without a query, up to 100 client ids and 5 thumbprints of 40 hexadecimal digits",
        source: "https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateOpenIDConnectProvider.html",
        bad: "{Url: \"http://token.actions.githubusercontent.com\", ClientIdList: [sts.amazonaws.com]}",
        good: "{Url: \"https://token.actions.githubusercontent.com\", ClientIdList: [sts.amazonaws.com]}",
        check: |subject, found| {
            if let Some(url) = subject.text("Url")
                && (!url.starts_with("https://") || url.contains('?') || url.contains('#'))
            {
                found.refuse(
                    "Url",
                    format!("has the URL `{url}`"),
                    "write `https://…` without a query",
                    "Invalid Open ID Connect Provider URL",
                );
            }
            for (index, thumbprint) in subject.list("ThumbprintList").iter().enumerate() {
                if let Some(text) = thumbprint.as_str().filter(|text| !text.contains(super::UNKNOWN))
                    && (text.len() != 40 || !text.chars().all(|c| c.is_ascii_hexdigit()))
                {
                    found.add(
                        &format!("ThumbprintList/{index}"),
                        format!("has the thumbprint `{text}`"),
                        "write the 40 hexadecimal digits of the certificate's SHA-1",
                    );
                }
            }
        },
    },
];

/// The words that IAM begins every refusal of a document with.
const SYNTAX: &str = "Syntax errors in policy.";

fn version(subject: &Subject<'_>, found: &mut Findings) {
    for document in documents(subject) {
        let path = format!("{}/Version", document.path);
        match document.value.get("Version") {
            None | Some(Value::String(_)) if document.value.get("Version").is_none() => {}
            Some(Value::String(text)) if ["2012-10-17", "2008-10-17"].contains(&text.as_str()) => {}
            Some(other) if super::is_unknown(other) => {}
            other => {
                let shown =
                    other.map_or_else(String::new, |one| one.as_str().map_or_else(|| one.to_string(), str::to_owned));
                let message = format!("has a policy of the version `{shown}`");
                found.refuse(&path, message, "write `Version: \"2012-10-17\"`", SYNTAX);
            }
        }
    }
}

const ELEMENTS: [&str; 9] =
    ["Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition"];

fn statement(subject: &Subject<'_>, found: &mut Findings) {
    for document in documents(subject) {
        if !document.value.is_object() {
            found.refuse(
                &document.path,
                "has a policy that is not a JSON document",
                "write `Version` and `Statement`",
                SYNTAX,
            );
            continue;
        }
        for key in document.value.as_object().into_iter().flatten().map(|(key, _)| key) {
            if !["Version", "Id", "Statement"].contains(&key.as_str()) {
                let hint = did_you_mean(key, ["Version", "Id", "Statement"]);
                found.refuse(
                    &format!("{}/{key}", document.path),
                    format!("has a policy with the unknown element `{key}`"),
                    hint,
                    SYNTAX,
                );
            }
        }
        let path = format!("{}/Statement", document.path);
        match document.value.get("Statement") {
            None => found.refuse(&document.path, "has a policy without statements", "add `Statement`", SYNTAX),
            Some(Value::Array(items)) if items.is_empty() => {
                found.refuse(&path, "has a policy without statements", "add a statement", SYNTAX);
            }
            Some(value) if super::is_unknown(value) => {}
            Some(value) => {
                for (path, value) in super::one_or_more(value, &path) {
                    if !value.is_object() && !super::is_unknown(value) {
                        found.refuse(
                            &path,
                            "has a statement that is not a mapping",
                            "write `Effect`, `Action` and `Resource`",
                            SYNTAX,
                        );
                    }
                }
            }
        }
        for one in document.statements() {
            elements(&document, &one, found);
        }
    }
}

/// The elements of a statement, each there or not as the kind of policy needs.
fn elements(document: &Document<'_>, one: &Statement<'_>, found: &mut Findings) {
    let has = |key: &str| one.value.get(key).is_some();
    let name = one.name();
    for (key, value) in one.value.as_object().into_iter().flatten() {
        let path = format!("{}/{key}", one.path);
        if !ELEMENTS.contains(&key.as_str()) {
            let hint = did_you_mean(key, ELEMENTS);
            found.refuse(&path, format!("has the unknown element `{key}` in {name}"), hint, SYNTAX);
        } else if value.as_array().is_some_and(Vec::is_empty) {
            found.refuse(
                &path,
                format!("has an empty `{key}` in {name}"),
                format!("add to `{key}`, or remove it"),
                SYNTAX,
            );
        } else if key.ends_with("Action") || key.ends_with("Resource") {
            for (path, value) in super::one_or_more(value, &path) {
                if !value.is_string() {
                    found.refuse(
                        &path,
                        format!("has a `{key}` in {name} that is not a text"),
                        "write a text or a list of texts",
                        SYNTAX,
                    );
                }
            }
        }
    }
    match one.value.get("Effect").and_then(Value::as_str) {
        Some("Allow" | "Deny") => {}
        Some(text) if text.contains(super::UNKNOWN) => {}
        Some(other) => {
            found.refuse(
                &format!("{}/Effect", one.path),
                format!("has `Effect: {other}` in {name}"),
                "write `Allow` or `Deny`",
                SYNTAX,
            );
        }
        None => found.refuse(
            &one.path,
            format!("lacks `Effect` in {name}"),
            "add `Effect: Allow` or `Effect: Deny`",
            SYNTAX,
        ),
    }
    for (key, required) in
        [("Action", true), ("Resource", document.kind != Kind::Trust), ("Principal", document.kind != Kind::Identity)]
    {
        let not = format!("Not{key}");
        let (plain, negated) = (has(key), has(&not));
        let path = format!("{}/{key}", one.path);
        if plain && negated {
            found.refuse(&path, format!("has `{key}` and `{not}` in {name}"), "keep one of them", SYNTAX);
        } else if required && !plain && !negated {
            let answer = match (key, document.kind) {
                ("Resource", Kind::Identity) => "Policy statement must contain resources.".to_owned(),
                ("Action", _) => "Policy statement must contain actions.".to_owned(),
                _ => format!("Missing required field {key}"),
            };
            found.refuse(&one.path, format!("lacks `{key}` in {name}"), format!("add `{key}`"), answer);
        } else if !required && (plain || negated) {
            let key = if plain { key } else { not.as_str() };
            let answer = match document.kind {
                Kind::Identity => "Policy document should not specify a principal.".to_owned(),
                _ => format!("Has prohibited field {key}"),
            };
            let kind = if document.kind == Kind::Trust { "a trust policy" } else { "a policy of a role" };
            found.refuse(
                &format!("{}/{key}", one.path),
                format!("has `{key}` in {name}, which {kind} has not"),
                format!("remove `{key}`"),
                answer,
            );
        }
    }
}

fn sid(subject: &Subject<'_>, found: &mut Findings) {
    let is_iam = subject.resource.resource_type.starts_with("AWS::IAM::");
    for document in documents(subject) {
        let statements = document.statements();
        let mut seen: Vec<&str> = Vec::new();
        for one in &statements {
            let Some(sid) = text(one.value, "Sid") else { continue };
            let path = format!("{}/Sid", one.path);
            if is_iam && !sid.chars().all(|c| c.is_ascii_alphanumeric()) {
                found.refuse(
                    &path,
                    format!("has the statement id `{sid}`"),
                    "write letters and digits only",
                    "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*",
                );
            }
            if !sid.is_empty() && seen.contains(&sid) {
                found.refuse(
                    &path,
                    format!("has two statements with the id `{sid}`"),
                    "rename one of them",
                    format!("Statement IDs (SID) in a single policy must be unique. ({sid})"),
                );
            }
            seen.push(sid);
        }
    }
}

fn action(subject: &Subject<'_>, found: &mut Findings) {
    for document in documents(subject) {
        for one in document.statements() {
            for (path, action) in one.texts("Action").into_iter().chain(one.texts("NotAction")) {
                if action == "*" {
                    continue;
                }
                let Some((vendor, verb)) = action.split_once(':') else {
                    found.refuse(
                        &path,
                        format!("has the action `{action}` in {}", one.name()),
                        "write the service before it: `s3:GetObject`",
                        "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.",
                    );
                    continue;
                };
                if vendor.is_empty() || !vendor.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') {
                    found.refuse(
                        &path,
                        format!("has the action `{action}` in {}, whose service is a pattern", one.name()),
                        "name one service: `s3:GetObject`",
                        format!("Vendor {vendor} is not valid"),
                    );
                } else if verb.is_empty() || !verb.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '*' | '?'))
                {
                    found.refuse(
                        &path,
                        format!("has the action `{action}` in {}", one.name()),
                        "write letters and digits after the colon, with `*` and `?` as wildcards",
                        format!("Action {verb} is not valid"),
                    );
                }
            }
        }
    }
}

fn resource(subject: &Subject<'_>, found: &mut Findings) {
    for document in documents(subject) {
        for one in document.statements() {
            for (path, name) in one.texts("Resource").into_iter().chain(one.texts("NotResource")) {
                if name == "*" || name.starts_with("${") {
                    continue;
                }
                let in_statement = one.name();
                let Some([partition, service, region, account, rest]) = arn_parts(name) else {
                    // Queues and some resource policies take patterns that are no ARNs only from IAM's side.
                    found.refuse(
                        &path,
                        format!("has the resource `{name}` in {in_statement}, which is not an ARN"),
                        "write an ARN such as `arn:aws:s3:::bucket/*`, or `*`",
                        format!("Resource {name} must be in ARN format or \"*\"."),
                    );
                    continue;
                };
                if !["aws", "aws-cn", "aws-us-gov", "*"].contains(&partition) && !partition.contains(['*', '?', '$']) {
                    found.refuse(
                        &path,
                        format!("has the resource `{name}` in {in_statement}, of the unknown partition `{partition}`"),
                        "write `arn:aws:…`",
                        format!("Partition \"{partition}\" is not valid for resource \"{name}\"."),
                    );
                }
                if service != "*" && service.contains(['*', '?']) || service.is_empty() {
                    found.refuse(
                        &path,
                        format!("has the resource `{name}` in {in_statement}, whose service is a pattern"),
                        "name one service",
                        "Resource vendor must be fully qualified and cannot contain regexes.",
                    );
                }
                let regional = (service == "iam" && !region.is_empty() && region != "*")
                    || (service == "s3" && !region.is_empty() && !rest.starts_with("accesspoint") && region != "*");
                if regional {
                    found.refuse(
                        &path,
                        format!("has the resource `{name}` in {in_statement}, with a region"),
                        format!("leave the region empty: `arn:aws:{service}::…`"),
                        format!("{} resource {name} cannot contain region information.", service.to_uppercase()),
                    );
                }
                if !account.is_empty() && !account.contains(['*', '?', '$']) && account != "aws" && !is_account(account)
                {
                    found.add(
                        &path,
                        format!("has the resource `{name}` in {in_statement}, whose account is not 12 digits"),
                        "write the 12 digits of the account",
                    );
                }
                if service == "iam" && rest.is_empty() || rest.is_empty() && service != "*" {
                    found.add(
                        &path,
                        format!("has the resource `{name}` in {in_statement}, which names nothing"),
                        "write the resource after the account, or `*`",
                    );
                }
            }
        }
    }
}

fn is_account(text: &str) -> bool {
    text.len() == 12 && text.chars().all(|c| c.is_ascii_digit())
}

fn principal(subject: &Subject<'_>, found: &mut Findings) {
    let answer = "Invalid principal in policy";
    for document in documents(subject) {
        for one in document.statements() {
            for key in ["Principal", "NotPrincipal"] {
                let Some(value) = one.value.get(key) else { continue };
                let path = format!("{}/{key}", one.path);
                let entries = match value {
                    Value::Object(entries) => entries,
                    Value::String(text) if text == "*" || text.contains(super::UNKNOWN) => continue,
                    other => {
                        let shown = other.as_str().map_or_else(|| other.to_string(), str::to_owned);
                        found.refuse(
                            &path,
                            format!("has the principal `{shown}`"),
                            "write `*`, or a kind and a name: `Service: lambda.amazonaws.com`",
                            answer,
                        );
                        continue;
                    }
                };
                if entries.is_empty() {
                    found.refuse(&path, "has an empty principal", "write `Service: lambda.amazonaws.com`", answer);
                }
                for (kind, names) in entries {
                    let path = format!("{path}/{kind}");
                    if !["AWS", "Service", "Federated", "CanonicalUser"].contains(&kind.as_str()) {
                        let hint = did_you_mean(kind, ["AWS", "Service", "Federated", "CanonicalUser"]);
                        found.refuse(&path, format!("has a principal of the unknown kind `{kind}`"), hint, answer);
                        continue;
                    }
                    for (path, name) in super::one_or_more(names, &path) {
                        let known = name.as_str().filter(|text| !text.contains(super::UNKNOWN));
                        if let Some((message, hint)) = known.and_then(|name| principal_mistake(kind, name)) {
                            found.refuse(&path, message, hint, answer);
                        }
                    }
                }
            }
        }
    }
}

fn principal_mistake(kind: &str, name: &str) -> Option<(String, String)> {
    let is_right = match kind {
        "Service" => {
            let host = name.strip_suffix(".amazonaws.com.cn").or_else(|| name.strip_suffix(".amazonaws.com"));
            host.or_else(|| name.strip_suffix(".amazonaws.eu")).is_some_and(|host| {
                !host.is_empty()
                    && host.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.'))
            }) || name.strip_suffix(".aws.internal").is_some()
        }
        "AWS" => match arn_parts(name) {
            Some([_, "iam", "", account, rest]) => {
                (is_account(account) || account == "cloudfront")
                    && !rest.contains(['*', '?'])
                    && (rest == "root"
                        || ["user/", "role/", "federated-user/"].iter().any(|start| rest.starts_with(start)))
            }
            Some([_, "sts", "", account, rest]) => {
                is_account(account)
                    && !rest.contains(['*', '?'])
                    && ["assumed-role/", "federated-user/"].iter().any(|start| rest.starts_with(start))
            }
            Some(_) => false,
            // A unique id of a role or a user.
            None => {
                name == "*"
                    || is_account(name)
                    || (name.len() > 15 && name.starts_with('A') && name.chars().all(|c| c.is_ascii_alphanumeric()))
            }
        },
        "Federated" => name.starts_with("arn:") || name.contains('.'),
        _ => true,
    };
    if is_right {
        return None;
    }
    let hint = match kind {
        "Service" => "write the service's name, such as `lambda.amazonaws.com`",
        "AWS" if name.contains(['*', '?']) => {
            "write a whole name: wildcards are not allowed inside of it; use `aws:PrincipalArn` in a condition"
        }
        "AWS" => "write an account, `arn:aws:iam::111111111111:role/name`, or `*`",
        _ => "write the ARN of an identity provider, or its host",
    };
    Some((format!("has the principal `{name}`"), hint.to_owned()))
}

const OPERATORS: [&str; 27] = [
    "StringEquals",
    "StringNotEquals",
    "StringEqualsIgnoreCase",
    "StringNotEqualsIgnoreCase",
    "StringLike",
    "StringNotLike",
    "NumericEquals",
    "NumericNotEquals",
    "NumericLessThan",
    "NumericLessThanEquals",
    "NumericGreaterThan",
    "NumericGreaterThanEquals",
    "DateEquals",
    "DateNotEquals",
    "DateLessThan",
    "DateLessThanEquals",
    "DateGreaterThan",
    "DateGreaterThanEquals",
    "Bool",
    "BinaryEquals",
    "IpAddress",
    "NotIpAddress",
    "ArnEquals",
    "ArnLike",
    "ArnNotEquals",
    "ArnNotLike",
    "Null",
];

fn condition(subject: &Subject<'_>, found: &mut Findings) {
    for document in documents(subject) {
        for one in document.statements() {
            let Some(block) = one.value.get("Condition").filter(|block| !super::is_unknown(block)) else { continue };
            let path = format!("{}/Condition", one.path);
            let Some(operators) = block.as_object() else {
                found.refuse(
                    &path,
                    format!("has a condition in {} that is not a mapping", one.name()),
                    "write an operator, a key and a value",
                    SYNTAX,
                );
                continue;
            };
            for (operator, keys) in operators {
                let path = format!("{path}/{operator}");
                let bare = operator
                    .strip_prefix("ForAllValues:")
                    .or_else(|| operator.strip_prefix("ForAnyValue:"))
                    .unwrap_or(operator);
                let bare = if bare == "NullIfExists" { bare } else { bare.strip_suffix("IfExists").unwrap_or(bare) };
                if !OPERATORS.iter().any(|known| known.eq_ignore_ascii_case(bare)) {
                    let hint = did_you_mean(bare, OPERATORS.iter().copied());
                    found.refuse(
                        &path,
                        format!("has the unknown operator `{operator}` in {}", one.name()),
                        hint,
                        format!("Invalid Condition type : {operator}."),
                    );
                    continue;
                }
                let Some(keys) = keys.as_object() else {
                    if !super::is_unknown(keys) {
                        found.refuse(
                            &path,
                            format!("has `{operator}` without a key in {}", one.name()),
                            "write a condition key and its value",
                            SYNTAX,
                        );
                    }
                    continue;
                };
                for (key, values) in keys {
                    let path = format!("{path}/{key}");
                    if !key.contains(':') && key != "saml" {
                        found.refuse(
                            &path,
                            format!("has the condition key `{key}` in {}", one.name()),
                            "write the service before it: `aws:SourceAccount`",
                            "Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.",
                        );
                    }
                    for (path, value) in super::one_or_more(values, &path) {
                        if let Some(expected) = expected_value(bare, value) {
                            let shown = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                            found.refuse(
                                &path,
                                format!("has the value `{shown}` for `{operator}` in {}", one.name()),
                                format!("write {expected}"),
                                SYNTAX,
                            );
                        }
                    }
                }
            }
        }
    }
}

/// What an operator expects, if the value is something else.
fn expected_value(operator: &str, value: &Value) -> Option<&'static str> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        _ => return Some("a text"),
    };
    if text.contains(super::UNKNOWN) || text.contains("${") {
        return None;
    }
    let operator = operator.to_ascii_lowercase();
    if operator == "bool" || operator == "null" {
        return (!["true", "false"].contains(&text.to_ascii_lowercase().as_str())).then_some("`true` or `false`");
    }
    if operator.starts_with("numeric") {
        return text.parse::<f64>().is_err().then_some("a number");
    }
    if operator.starts_with("date") {
        let is_date = text.parse::<i64>().is_ok()
            || (text.len() >= 10 && text.as_bytes()[4] == b'-' && text[..4].chars().all(|c| c.is_ascii_digit()));
        return (!is_date).then_some("a date such as `2030-01-31T00:00:00Z`");
    }
    if operator.ends_with("ipaddress") {
        let (address, bits) =
            text.split_once('/').map_or((text.as_str(), None), |(address, bits)| (address, Some(bits)));
        let width = match address.parse::<std::net::IpAddr>() {
            Ok(std::net::IpAddr::V4(_)) => 32,
            Ok(std::net::IpAddr::V6(_)) => 128,
            Err(_) => return Some("an address range such as `203.0.113.0/24`"),
        };
        let fits = bits.is_none_or(|bits| bits.parse::<u8>().is_ok_and(|bits| bits <= width));
        return (!fits).then_some("an address range such as `203.0.113.0/24`");
    }
    if operator.starts_with("arn") {
        let is_arn = text == "*" || arn_parts(&text).is_some() || text.contains('*');
        return (!is_arn).then_some("an ARN");
    }
    None
}

fn sizes(subject: &Subject<'_>, found: &mut Findings) {
    let over = |found: &mut Findings, path: &str, what: &str, size: usize, most: usize, answer: String| {
        if size > most {
            found.refuse(
                path,
                format!("has {what} of {size} characters; AWS accepts {most}"),
                "take names together with `*`, or split the policy",
                answer,
            );
        }
    };
    let kind = subject.resource.resource_type;
    let name = subject.resource.name().unwrap_or(subject.resource.logical_id);
    let inline_quota = match kind {
        "AWS::IAM::User" => 2_048,
        "AWS::IAM::Group" => 5_120,
        _ => 10_240,
    };
    let mut inline = 0;
    for document in documents(subject) {
        match (document.kind, kind) {
            (Kind::Trust, _) => {
                over(
                    found,
                    &document.path,
                    "a trust policy",
                    size(&document.value),
                    2_048,
                    "Cannot exceed quota for ACLSizePerRole: 2048".into(),
                );
            }
            (Kind::Identity, "AWS::IAM::ManagedPolicy") => {
                over(
                    found,
                    &document.path,
                    "a managed policy",
                    size(&document.value),
                    6_144,
                    "Cannot exceed quota for PolicySize: 6144".into(),
                );
            }
            (Kind::Identity, _) => inline += size(&document.value),
            (Kind::Resource, _) => {
                let most = match kind {
                    "AWS::KMS::Key" => 32_768,
                    "AWS::SNS::TopicPolicy" | "AWS::SNS::TopicInlinePolicy" => 30_720,
                    "AWS::SQS::QueuePolicy" | "AWS::SQS::QueueInlinePolicy" => 8_192,
                    "AWS::Logs::ResourcePolicy" => 5_120,
                    "AWS::Events::EventBus" => 10_240,
                    _ => 20_480,
                };
                let length = document.value.to_string().chars().count();
                over(
                    found,
                    &document.path,
                    "a policy",
                    length,
                    most,
                    "Policies must be smaller than the quota of the service".into(),
                );
            }
        }
    }
    if kind == "AWS::IAM::RolePolicy" && subject.has("RoleName") {
        // What other resources add to the same role counts too.
        let role = super::reference(subject.properties(), "RoleName");
        for other in subject.world.of_type("AWS::IAM::RolePolicy") {
            if other.logical_id != subject.resource.logical_id && super::reference(other.properties, "RoleName") == role
            {
                inline += other.properties.get("PolicyDocument").map_or(0, size);
            }
        }
    }
    let path = if kind == "AWS::IAM::RolePolicy" { "PolicyDocument" } else { "Policies" };
    over(
        found,
        path,
        "inline policies",
        inline,
        inline_quota,
        format!("Maximum policy size of {inline_quota} bytes exceeded for role {name}"),
    );
}

fn trust(subject: &Subject<'_>, found: &mut Findings) {
    for document in documents(subject).iter().filter(|document| document.kind == Kind::Trust) {
        for one in document.statements() {
            for (path, action) in one.texts("Action") {
                let is_assuming = action == "*"
                    || action.strip_prefix("sts:").is_some_and(|verb| {
                        ["AssumeRole", "TagSession", "SetSourceIdentity", "SetContext"]
                            .iter()
                            .any(|known| verb.starts_with(known))
                            || verb.contains('*')
                    });
                if !is_assuming {
                    found.refuse(
                        &path,
                        format!("has the action `{action}` in its trust policy"),
                        "write `sts:AssumeRole`, `sts:AssumeRoleWithWebIdentity` or `sts:TagSession`",
                        "AssumeRole policy may only specify STS AssumeRole actions.",
                    );
                }
            }
        }
    }
}

fn repeated(items: &[Value], path: &str, found: &mut Findings) {
    for (index, item) in items.iter().enumerate() {
        if items[..index].contains(item) && !super::is_unknown(item) {
            let shown = item.as_str().map_or_else(|| item.to_string(), str::to_owned);
            found.add(
                &format!("{path}/{index}"),
                format!("lists `{shown}` twice in `{path}`"),
                "remove one of the two",
            );
        }
    }
}

fn role_policies(subject: &Subject<'_>, found: &mut Findings) {
    let arns = subject.list("ManagedPolicyArns");
    if arns.len() > 10 {
        found.refuse(
            "ManagedPolicyArns",
            format!("has {} managed policies; AWS accepts 10", arns.len()),
            "join policies into one",
            "Cannot exceed quota for PoliciesPerRole: 10",
        );
    }
    repeated(arns, "ManagedPolicyArns", found);
    let policy_arn = |text: &str| matches!(arn_parts(text), Some([_, "iam", "", account, rest]) if (account == "aws" || is_account(account)) && rest.starts_with("policy/"));
    for (index, arn) in arns.iter().enumerate() {
        if let Some(text) = arn.as_str().filter(|text| !text.contains(super::UNKNOWN) && !policy_arn(text)) {
            found.refuse(
                &format!("ManagedPolicyArns/{index}"),
                format!("has the managed policy `{text}`, which is not an ARN of a policy"),
                "write `arn:aws:iam::aws:policy/<name>`, or `!Ref` of a policy",
                format!("ARN {text} is not valid."),
            );
        }
    }
    if let Some(text) = subject.text("PermissionsBoundary").filter(|text| !policy_arn(text)) {
        found.refuse(
            "PermissionsBoundary",
            format!("has the boundary `{text}`, which is not an ARN of a policy"),
            "write the ARN of a managed policy",
            format!("ARN {text} is not valid."),
        );
    }
    let names: Vec<&str> =
        list(subject.properties(), "Policies").iter().filter_map(|policy| text(policy, "PolicyName")).collect();
    for (index, name) in names.iter().enumerate() {
        if names[..index].contains(name) {
            found.add(
                &format!("Policies/{index}/PolicyName"),
                format!("has two inline policies named `{name}`"),
                "rename one of them",
            );
        }
    }
}

fn role_name(subject: &Subject<'_>, found: &mut Findings) {
    let (property, most) = match subject.resource.resource_type {
        "AWS::IAM::Role" => ("RoleName", 64),
        "AWS::IAM::User" => ("UserName", 64),
        "AWS::IAM::Group" => ("GroupName", 128),
        "AWS::IAM::RolePolicy" => ("PolicyName", 128),
        "AWS::IAM::InstanceProfile" => ("InstanceProfileName", 128),
        _ => ("ManagedPolicyName", 128),
    };
    if let Some(name) = subject.text(property) {
        let fits = !name.is_empty()
            && name.chars().count() <= most
            && name.chars().all(|c| c.is_ascii_alphanumeric() || "+=,.@_-".contains(c));
        if !fits {
            found.refuse(
                property,
                format!("has the name `{name}`"),
                format!("write up to {most} letters, digits and `+=,.@_-`"),
                format!("The specified value for {} is invalid. It must contain only alphanumeric characters and/or the following: +=,.@_-", lower_first(property)),
            );
        }
    }
    if let Some(path) = subject.text("Path")
        && (!path.starts_with('/') || !path.ends_with('/') || path.len() > 512)
    {
        found.refuse("Path", format!("has the path `{path}`"), "begin and end it with `/`", "The specified value for path is invalid. It must begin and end with / and contain only alphanumeric characters and/or / characters.");
    }
    super::in_range(subject, found, "MaxSessionDuration", 3_600.0, 43_200.0);
    if let Some(text) = subject.text("Description").filter(|text| text.chars().count() > 1_000) {
        found.add(
            "Description",
            format!("has a description of {} characters", text.chars().count()),
            "write at most 1,000 characters",
        );
    }
}

fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_lowercase().chain(chars).collect())
}
