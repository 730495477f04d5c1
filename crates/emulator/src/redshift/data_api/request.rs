//! The requests, and the limits that AWS sets on them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::answer::Fault;
use crate::redshift::{WarehouseConfig, rewrite};

const MOST_STATEMENTS: usize = 40;
const LONGEST_STATEMENT: usize = 100 * 1024;

/// Reads a request; a field of a wrong type is AWS's `SerializationException`.
pub(super) fn parse<T: DeserializeOwned>(body: &Value) -> Result<T, Fault> {
    serde_json::from_value(body.clone()).map_err(|error| Fault::new("SerializationException", error.to_string()))
}

/// The fields of `ExecuteStatement` and `BatchExecuteStatement`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Execute {
    sql: Option<String>,
    sqls: Option<Vec<String>>,
    execution_mode: Option<String>,
    workgroup_name: Option<String>,
    cluster_identifier: Option<String>,
    database: Option<String>,
    secret_arn: Option<String>,
    db_user: Option<String>,
    statement_name: Option<String>,
    client_token: Option<String>,
    result_format: Option<String>,
    session_id: Option<String>,
    session_keep_alive_seconds: Option<u64>,
    wait_time_seconds: Option<u64>,
    #[serde(default)]
    with_event: bool,
    #[serde(default)]
    parameters: Vec<Parameter>,
}

#[derive(Debug, Deserialize)]
struct Parameter {
    name: String,
    value: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ById {
    pub(super) id: String,
    pub(super) next_token: Option<String>,
    pub(super) wait_time_seconds: Option<u64>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct List {
    pub(super) status: Option<String>,
    pub(super) statement_name: Option<String>,
    pub(super) max_results: Option<usize>,
    pub(super) next_token: Option<String>,
}

/// What is to be run, whichever action asked for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Submission {
    pub(super) sqls: Vec<String>,
    pub(super) is_batch: bool,
    /// Whether the statements are one transaction.
    pub(super) together: bool,
    pub(super) workgroup: String,
    pub(super) database: String,
    pub(super) secret: Option<String>,
    pub(super) name: Option<String>,
    pub(super) token: Option<String>,
    pub(super) with_event: bool,
    pub(super) parameters: BTreeMap<String, String>,
    pub(super) wait: Option<Duration>,
}

impl Execute {
    /// One statement.
    pub(super) fn into_single(mut self) -> Result<Submission, Fault> {
        let sql = self.sql.take().ok_or_else(|| missing("Sql"))?;
        self.into_submission(vec![sql], false, true)
    }

    /// Several, by default as one transaction.
    pub(super) fn into_batch(mut self) -> Result<Submission, Fault> {
        let sqls = self.sqls.take().ok_or_else(|| missing("Sqls"))?;
        if sqls.is_empty() || sqls.len() > MOST_STATEMENTS {
            return Err(Fault::validation(format!(
                "1 validation error detected: Value at 'sqls' failed to satisfy constraint: Member must have length between 1 and {MOST_STATEMENTS}, and has {}",
                sqls.len()
            )));
        }
        let together = match self.execution_mode.as_deref() {
            None | Some("TRANSACTION") => true,
            Some("AUTO_COMMIT") => false,
            Some(other) => return Err(Fault::validation(format!("unknown ExecutionMode {other}"))),
        };
        self.into_submission(sqls, true, together)
    }

    fn into_submission(self, sqls: Vec<String>, is_batch: bool, together: bool) -> Result<Submission, Fault> {
        if self.cluster_identifier.is_some() || self.db_user.is_some() {
            return Err(Fault::validation(
                "the rehearsal has no provisioned cluster: give WorkgroupName, not ClusterIdentifier or DbUser",
            ));
        }
        if self.session_id.is_some() || self.session_keep_alive_seconds.is_some_and(|seconds| seconds > 0) {
            return Err(Fault::validation("the rehearsal does not keep sessions (SessionId, SessionKeepAliveSeconds)"));
        }
        if self.result_format.is_some_and(|format| format != "JSON") {
            return Err(Fault::validation("the rehearsal returns results as JSON only (ResultFormat)"));
        }
        for (field, value, most) in
            [("statementName", &self.statement_name, 2048), ("clientToken", &self.client_token, 64)]
        {
            if value.as_ref().is_some_and(|value| value.len() > most) {
                return Err(Fault::validation(format!(
                    "1 validation error detected: Value at '{field}' failed to satisfy constraint: Member must have length less than or equal to {most}"
                )));
            }
        }
        for sql in &sqls {
            if sql.len() > LONGEST_STATEMENT {
                return Err(Fault::validation(format!(
                    "Query string size of {} bytes exceeds the limit of 100 KB",
                    sql.len()
                )));
            }
            if sql.trim().is_empty() {
                return Err(Fault::validation("Query string cannot be empty"));
            }
        }
        let parameters: BTreeMap<String, String> =
            self.parameters.into_iter().map(|parameter| (parameter.name, parameter.value)).collect();
        if let Some((name, _)) = parameters.iter().find(|(_, value)| value.is_empty()) {
            return Err(Fault::validation(format!("Parameter values cannot be empty: {name}")));
        }
        Ok(Submission {
            sqls,
            is_batch,
            together,
            workgroup: self.workgroup_name.ok_or_else(|| missing("WorkgroupName"))?,
            database: self.database.ok_or_else(|| missing("Database"))?,
            secret: self.secret_arn,
            name: self.statement_name,
            token: self.client_token,
            with_event: self.with_event,
            parameters,
            wait: self.wait_time_seconds.map(|seconds| Duration::from_secs(seconds.clamp(1, 30))),
        })
    }
}

impl Submission {
    /// Checks it against the warehouse that there is, and that every parameter is used.
    pub(super) fn check(&self, config: &WarehouseConfig) -> Result<(), Fault> {
        if self.workgroup != config.workgroup && self.workgroup != config.workgroup_arn {
            return Err(Fault::validation(format!(
                "Redshift endpoint doesn't exist in this region. (workgroup {}; this account has {})",
                self.workgroup, config.workgroup
            )));
        }
        if let Some(secret) = &self.secret
            && !config.secrets.iter().any(|known| same_secret(known, secret))
            && reader(config, secret).is_none()
        {
            return Err(Fault::validation(format!("Secrets Manager can't find the specified secret. ({secret})")));
        }
        let mut used = BTreeSet::new();
        for sql in &self.sqls {
            // What is wrong with the statement itself comes out when it runs.
            rewrite::translate(sql, &self.parameters, &mut used).ok();
        }
        let unused: Vec<&str> =
            self.parameters.keys().filter(|name| !used.contains(*name)).map(String::as_str).collect();
        if unused.is_empty() {
            return Ok(());
        }
        Err(Fault::validation(format!("Parameters list contains unused parameters. Unused parameters: {unused:?}")))
    }
}

fn missing(field: &str) -> Fault {
    Fault::validation(format!("{field} is required"))
}

/// The user whom a secret belongs to, if it is not the administrator's.
pub(super) fn reader(config: &WarehouseConfig, secret: &str) -> Option<String> {
    config.readers.iter().find(|(known, _)| same_secret(known, secret)).map(|(_, user)| user.clone())
}

/// A secret is known by its name or by its ARN, which ends in the name, a hyphen and six random characters.
fn same_secret(known: &str, asked: &str) -> bool {
    let name = |text: &str| match text.split_once(":secret:") {
        Some((_, tail)) => {
            tail.rsplit_once('-').filter(|(_, end)| end.len() == 6).map_or(tail, |(name, _)| name).to_owned()
        }
        None => text.to_owned(),
    };
    known == asked || name(known) == name(asked)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_known_by_name_and_by_arn() {
        let arn = "arn:aws:secretsmanager:us-east-1:000000000000:secret:redshift!shop-dev-pipectl_admin-aB3dE9";
        for (known, asked, expected) in [
            ("redshift!shop-dev-pipectl_admin", arn, true),
            (arn, "redshift!shop-dev-pipectl_admin", true),
            (arn, arn, true),
            ("redshift!shop-prod-pipectl_admin", arn, false),
        ] {
            assert_eq!(same_secret(known, asked), expected, "{known} {asked}");
        }
    }
}
