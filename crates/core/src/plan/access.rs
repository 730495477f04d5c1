//! Who may do more or less after a deploy: the statements of policies that come and go, in words.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::mask::AFTER_DEPLOY;

/// How a resource changes who may do what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AccessChange {
    pub logical_id: String,
    #[serde(rename = "type")]
    pub resource_type: String,
    pub added: Vec<Rule>,
    pub removed: Vec<Rule>,
}

/// A statement of a policy that comes or goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Rule {
    /// In words, such as `allow s3:GetObject on arn:aws:s3:::raw/*`.
    pub text: String,
    /// Whether somebody may do something that nobody could by this resource before.
    pub broadens: bool,
    /// Whether it lets in somebody who is neither of this account nor a service of AWS.
    #[serde(default)]
    pub foreign: bool,
}

/// What one statement says, in a form that can be compared.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Statement {
    allow: bool,
    /// Empty in the policy of a role: it is the role's own.
    principals: Vec<String>,
    actions: Vec<String>,
    /// Empty in a trust policy: it is the role itself.
    resources: Vec<String>,
    conditions: Vec<String>,
}

/// What changes between two forms of a resource, each the object with its `Properties`; none for one that is not there.
pub(super) fn between(
    account: &str,
    logical_id: &str,
    resource_type: &str,
    before: Option<&Value>,
    after: Option<&Value>,
) -> Option<AccessChange> {
    let read =
        |side: Option<&Value>| side.map_or_else(BTreeSet::new, |properties| statements(resource_type, properties));
    let (before, after) = (read(before), read(after));
    let added: Vec<Rule> = after
        .difference(&before)
        .map(|statement| {
            let broadens = statement.allow && statement.atoms().any(|atom| !before.iter().any(|old| old.covers(&atom)));
            // The policy of an endpoint lets in nobody: it narrows what passes.
            let foreign = broadens && resource_type != "AWS::EC2::VPCEndpoint" && statement.lets_in_others(account);
            Rule { text: statement.words(), broadens, foreign }
        })
        .collect();
    let removed: Vec<Rule> = before
        .difference(&after)
        .map(|statement| {
            // A prohibition that goes allows, unless another one says the same.
            let denies = |atom: &Statement| after.iter().any(|new| !new.allow && new.covers(atom));
            let broadens = !statement.allow && statement.atoms().any(|atom| !denies(&atom));
            Rule { text: statement.words(), broadens, foreign: false }
        })
        .collect();
    let changed = !added.is_empty() || !removed.is_empty();
    changed.then(|| AccessChange {
        logical_id: logical_id.to_owned(),
        resource_type: resource_type.to_owned(),
        added,
        removed,
    })
}

/// All that a resource says about who may do what.
fn statements(resource_type: &str, properties: &Value) -> BTreeSet<Statement> {
    let mut found = BTreeSet::new();
    let mut document = |value: Option<&Value>| {
        for statement in list(value.and_then(|document| document.get("Statement"))) {
            found.insert(Statement::read(statement));
        }
    };
    match resource_type {
        "AWS::IAM::Role" | "AWS::IAM::User" | "AWS::IAM::Group" => {
            document(properties.get("AssumeRolePolicyDocument"));
            for policy in list(properties.get("Policies")) {
                document(policy.get("PolicyDocument"));
            }
            for arn in list(properties.get("ManagedPolicyArns")) {
                found.insert(Statement::of(true, format!("all of the managed policy {}", text(arn))));
            }
            if let Some(boundary) = properties.get("PermissionsBoundary") {
                found.insert(Statement::of(false, format!("all that the boundary {} does not allow", text(boundary))));
            }
        }
        "AWS::Lambda::Permission" => {
            let text_of = |name: &str| properties.get(name).map(text);
            let conditions = ["SourceArn", "SourceAccount", "PrincipalOrgID"].into_iter();
            found.insert(Statement {
                allow: true,
                principals: text_of("Principal").into_iter().collect(),
                actions: text_of("Action").into_iter().collect(),
                resources: text_of("FunctionName").into_iter().collect(),
                conditions: conditions.filter_map(|name| Some(format!("{name} is {}", text_of(name)?))).collect(),
            });
        }
        "AWS::KMS::Key" => document(properties.get("KeyPolicy")),
        "AWS::SecretsManager::ResourcePolicy" => document(properties.get("ResourcePolicy")),
        _ => document(properties.get("PolicyDocument")),
    }
    found
}

impl Statement {
    fn of(allow: bool, what: String) -> Self {
        Self { allow, principals: Vec::new(), actions: vec![what], resources: Vec::new(), conditions: Vec::new() }
    }

    fn read(value: &Value) -> Self {
        // What a `Not…` says cannot be taken apart: it is one word that only equals itself.
        let words = |name: &str, not: &str| {
            let mut words: Vec<String> = list(value.get(name)).map(text).collect();
            words.extend(list(value.get(not)).map(|value| format!("everything but {}", text(value))));
            words.sort();
            words
        };
        let mut principals = principals(value.get("Principal"), "");
        principals.extend(principals_but(value.get("NotPrincipal")));
        principals.sort();
        let mut conditions = Vec::new();
        for (operator, keys) in value.get("Condition").and_then(Value::as_object).into_iter().flatten() {
            for (key, values) in keys.as_object().into_iter().flatten() {
                let mut values: Vec<String> = list(Some(values)).map(text).collect();
                values.sort();
                conditions.push(format!("{key} {operator} {}", values.join(" or ")));
            }
        }
        conditions.sort();
        Self {
            allow: value.get("Effect").and_then(Value::as_str) != Some("Deny"),
            principals,
            actions: words("Action", "NotAction"),
            resources: words("Resource", "NotResource"),
            conditions,
        }
    }

    /// The statement, taken apart: one principal, one action, one resource each.
    fn atoms(&self) -> impl Iterator<Item = Self> {
        let or_none = |words: &[String]| {
            if words.is_empty() { vec![Vec::new()] } else { words.iter().map(|word| vec![word.clone()]).collect() }
        };
        let (actions, resources) = (or_none(&self.actions), or_none(&self.resources));
        or_none(&self.principals)
            .into_iter()
            .flat_map(move |principals| {
                let (resources, principals) = (resources.clone(), principals);
                actions.clone().into_iter().flat_map(move |actions| {
                    let principals = principals.clone();
                    resources.clone().into_iter().map(move |resources| (principals.clone(), actions.clone(), resources))
                })
            })
            .map(|(principals, actions, resources)| Self {
                allow: self.allow,
                principals,
                actions,
                resources,
                conditions: self.conditions.clone(),
            })
    }

    /// Whether all that `atom` says is said by this statement, which asks for no more than it does.
    fn covers(&self, atom: &Self) -> bool {
        let some = |patterns: &[String], words: &[String]| {
            words.iter().all(|word| patterns.iter().any(|pattern| wildcard(pattern.as_bytes(), word.as_bytes())))
                && patterns.is_empty() == words.is_empty()
        };
        self.allow == atom.allow
            && some(&self.principals, &atom.principals)
            && some(&self.actions, &atom.actions)
            && some(&self.resources, &atom.resources)
            && self.conditions.iter().all(|condition| atom.conditions.contains(condition))
    }

    /// Whether a principal of it is neither of the account nor a service of AWS. An account that a condition names counts.
    fn lets_in_others(&self, account: &str) -> bool {
        let of_account = |condition: &String| {
            let key = condition.split(' ').next().unwrap_or_default().to_ascii_lowercase();
            let whose =
                ["aws:principalaccount", "aws:sourceaccount", "aws:sourceowner", "aws:sourcearn", "aws:principalarn"];
            whose.contains(&key.as_str()) && condition.contains(account)
        };
        let named_account = self.conditions.iter().any(of_account);
        self.principals.iter().any(|principal| {
            let service = [".amazonaws.com", ".amazonaws.com.cn"].iter().any(|end| principal.ends_with(end));
            let own = principal == account
                || principal.split(':').nth(4) == Some(account)
                    && !["oidc-provider/", "saml-provider/"].iter().any(|kind| principal.contains(kind));
            let anybody = principal == "*" || principal.starts_with("everyone but ");
            !(service || own || principal == AFTER_DEPLOY || anybody && named_account)
        })
    }

    fn words(&self) -> String {
        let mut text = String::from(if self.allow { "allow" } else { "deny" });
        if !self.principals.is_empty() {
            let _ = write!(text, " {}", self.principals.join(", "));
        }
        let _ = write!(text, " {}", self.actions.join(", "));
        if !self.resources.is_empty() {
            let _ = write!(text, " on {}", self.resources.join(", "));
        }
        if !self.conditions.is_empty() {
            let _ = write!(text, " if {}", self.conditions.join(" and "));
        }
        text
    }
}

/// `{"Service": "lambda.amazonaws.com"}` is `lambda.amazonaws.com`, `"*"` is everyone.
fn principals(value: Option<&Value>, prefix: &str) -> Vec<String> {
    match value {
        Some(Value::Object(kinds)) => kinds
            .values()
            .flat_map(|values| list(Some(values)).map(|value| format!("{prefix}{}", text(value))))
            .collect(),
        Some(value) => vec![format!("{prefix}{}", text(value))],
        None => Vec::new(),
    }
}

fn principals_but(value: Option<&Value>) -> Vec<String> {
    principals(value, "everyone but ")
}

fn list(value: Option<&Value>) -> impl Iterator<Item = &Value> {
    match value {
        Some(Value::Array(items)) => items.as_slice(),
        Some(value) => std::slice::from_ref(value),
        None => &[],
    }
    .iter()
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.replace("{{changeSet:KNOWN_AFTER_APPLY}}", AFTER_DEPLOY),
        other => other.to_string(),
    }
}

/// Whether a pattern with `*` and `?` matches a text. A pattern as the text is taken letter by letter, so that a wider
/// pattern matches a narrower one.
fn wildcard(pattern: &[u8], text: &[u8]) -> bool {
    match (pattern.split_first(), text.split_first()) {
        (None, None) => true,
        (Some((b'*', rest)), _) => {
            wildcard(rest, text) || text.split_first().is_some_and(|(_, more)| wildcard(pattern, more))
        }
        (Some((b'?', rest)), Some((_, more))) => wildcard(rest, more),
        (Some((one, rest)), Some((other, more))) => one.eq_ignore_ascii_case(other) && wildcard(rest, more),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn show(resource_type: &str, before: Option<&Value>, after: Option<&Value>) -> String {
        let Some(change) = between("1", "It", resource_type, before, after) else { return "same".into() };
        let line = |sign: &str, rule: &Rule| {
            format!(
                "{sign} {}{}{}",
                rule.text,
                if rule.broadens { "  [broader]" } else { "" },
                if rule.foreign { " [foreign]" } else { "" }
            )
        };
        let removed = change.removed.iter().map(|rule| line("-", rule));
        removed.chain(change.added.iter().map(|rule| line("+", rule))).collect::<Vec<_>>().join("\n")
    }

    fn policy(statements: &Value) -> Value {
        json!({"PolicyDocument": {"Version": "2012-10-17", "Statement": statements}})
    }

    #[test]
    fn added_and_removed_access_is_described_and_broader_access_is_marked() {
        let read =
            json!({"Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject"], "Resource": "arn:aws:s3:::raw/*"});
        let less = json!({"Effect": "Allow", "Action": "s3:GetObject", "Resource": ["arn:aws:s3:::raw/landing/*"]});
        let secure = json!({"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*",
            "Condition": {"Bool": {"aws:SecureTransport": "false"}}});
        let wide = json!({"Effect": "Allow", "Action": "s3:*", "Resource": "*"});
        let policies = "AWS::IAM::Policy";
        insta::assert_snapshot!([
            show(policies, Some(&policy(&json!([read, secure]))), Some(&policy(&json!([less])))),
            show(policies, Some(&policy(&json!(read))), Some(&policy(&json!([read, wide])))),
            show(policies, Some(&policy(&json!(wide))), Some(&policy(&json!(read)))),
            show(policies, Some(&policy(&json!([read]))), Some(&policy(&json!(read)))),
            show(policies, None, Some(&policy(&json!(less)))),
        ].join("\n\n"), @"
        - deny * s3:* on * if aws:SecureTransport Bool false  [broader]
        - allow s3:GetObject, s3:PutObject on arn:aws:s3:::raw/*
        + allow s3:GetObject on arn:aws:s3:::raw/landing/*

        + allow s3:* on *  [broader]

        - allow s3:* on *
        + allow s3:GetObject, s3:PutObject on arn:aws:s3:::raw/*

        same

        + allow s3:GetObject on arn:aws:s3:::raw/landing/*  [broader]
        ");
    }

    #[test]
    fn who_comes_from_outside_of_the_account_is_marked() {
        let trusts = |principal: &Value, condition: &Value| {
            let statement =
                json!({"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": principal, "Condition": condition});
            show("AWS::IAM::Role", None, Some(&json!({"AssumeRolePolicyDocument": {"Statement": [statement]}})))
        };
        let none = json!({});
        insta::assert_snapshot!([
            trusts(&json!({"Service": "lambda.amazonaws.com"}), &none),
            trusts(&json!({"AWS": "arn:aws:iam::1:root"}), &none),
            trusts(&json!({"AWS": ["arn:aws:iam::1:role/a", "arn:aws:iam::999999999999:root"]}), &none),
            trusts(&json!({"AWS": "999999999999"}), &none),
            trusts(&json!("*"), &none),
            trusts(&json!("*"), &json!({"StringEquals": {"aws:PrincipalAccount": "1"}})),
            trusts(&json!({"Federated": "arn:aws:iam::1:oidc-provider/token.actions.githubusercontent.com"}), &none),
        ].join("\n"), @"
        + allow lambda.amazonaws.com sts:AssumeRole  [broader]
        + allow arn:aws:iam::1:root sts:AssumeRole  [broader]
        + allow arn:aws:iam::1:role/a, arn:aws:iam::999999999999:root sts:AssumeRole  [broader] [foreign]
        + allow 999999999999 sts:AssumeRole  [broader] [foreign]
        + allow * sts:AssumeRole  [broader] [foreign]
        + allow * sts:AssumeRole if aws:PrincipalAccount StringEquals 1  [broader]
        + allow arn:aws:iam::1:oidc-provider/token.actions.githubusercontent.com sts:AssumeRole  [broader] [foreign]
        ");
    }

    #[test]
    fn a_removed_condition_broadens_access() {
        let with = json!({"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": ["lambda.amazonaws.com"]},
            "Condition": {"StringEquals": {"aws:SourceAccount": "1"}}});
        let mut without = with.clone();
        without.as_object_mut().unwrap().remove("Condition");
        let role = |statement: &Value, boundary: Option<&str>| {
            json!({"AssumeRolePolicyDocument": {"Statement": [statement]}, "PermissionsBoundary": boundary.unwrap_or("none"),
                "ManagedPolicyArns": ["arn:aws:iam::aws:policy/ReadOnlyAccess"]})
        };
        insta::assert_snapshot!([
            show("AWS::IAM::Role", Some(&role(&with, Some("b"))), Some(&role(&without, Some("b")))),
            show("AWS::IAM::Role", Some(&role(&without, Some("b"))), Some(&role(&with, Some("c")))),
            show("AWS::Lambda::Permission", None, Some(&json!({"Principal": "events.amazonaws.com", "Action": "lambda:InvokeFunction",
                "FunctionName": "load", "SourceArn": "arn:rule"}))),
        ].join("\n\n"), @"
        - allow lambda.amazonaws.com sts:AssumeRole if aws:SourceAccount StringEquals 1
        + allow lambda.amazonaws.com sts:AssumeRole  [broader]

        - deny all that the boundary b does not allow  [broader]
        - allow lambda.amazonaws.com sts:AssumeRole
        + deny all that the boundary c does not allow
        + allow lambda.amazonaws.com sts:AssumeRole if aws:SourceAccount StringEquals 1

        + allow events.amazonaws.com lambda:InvokeFunction on load if SourceArn is arn:rule  [broader]
        ");
    }
}
