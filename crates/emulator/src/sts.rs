//! STS: who is calling, and sessions of roles.

use serde_json::{Value, json};

use crate::account::clock;
use crate::account::local_account::Account;
use crate::account::query::{Fault, Query};

pub(crate) const NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

/// Answers an action of STS.
pub(crate) fn answer(account: &Account, action: &str, query: &Query, access_key: &str) -> Result<Value, Fault> {
    match action {
        "GetCallerIdentity" => Ok(json!({
            "Arn": caller_arn(account, access_key), "UserId": access_key, "Account": account.id,
        })),
        "AssumeRole" => {
            let role = query.required("RoleArn")?;
            let session = query.required("RoleSessionName")?;
            let name = role.rsplit('/').next().unwrap_or(role);
            let known = account.stacks().live.values().flat_map(|stack| &stack.resources).any(|resource| {
                resource.resource_type == "AWS::IAM::Role"
                    && resource.attributes.get("Arn").and_then(Value::as_str) == Some(role)
            });
            if !known {
                return Err(Fault {
                    status: 403,
                    code: "AccessDenied",
                    message: format!(
                        "User: {} is not authorized to perform: sts:AssumeRole on resource: {role}",
                        caller_arn(account, access_key)
                    ),
                });
            }
            let expiration = time::OffsetDateTime::now_utc() + time::Duration::hours(1);
            let expiration = expiration.format(&time::format_description::well_known::Rfc3339).unwrap_or_default();
            Ok(json!({
                "AssumedRoleUser": {
                    "AssumedRoleId": format!("AROA{}:{session}", clock::random(17, clock::UPPER)),
                    "Arn": format!("arn:aws:sts::{}:assumed-role/{name}/{session}", account.id),
                },
                // The key names the role, so that the authorizer of a later call knows who calls.
                "Credentials": {
                    "AccessKeyId": account.access.access_key(&format!("ROLE.{name}")), "SecretAccessKey": clock::random(40, clock::ALPHANUMERIC),
                    "SessionToken": clock::random(64, clock::ALPHANUMERIC), "Expiration": expiration,
                },
            }))
        }
        _ => Err(Fault::new("InvalidAction", format!("the local account has no action {action} of STS"))),
    }
}

/// The ARN that an access key stands for: a session of a role, or the account's own user.
fn caller_arn(account: &Account, access_key: &str) -> String {
    match access_key.strip_prefix("ROLE.") {
        Some(role) => format!("arn:aws:sts::{}:assumed-role/{role}/local", account.id),
        None => format!("arn:aws:iam::{}:user/local", account.id),
    }
}
