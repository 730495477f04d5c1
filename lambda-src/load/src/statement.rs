//! The Redshift Data API: submit a transaction once, and see what came of it.

use std::fmt::Write;
use std::time::{Duration, SystemTime};

use aws_sdk_redshiftdata::Client;
use aws_sdk_redshiftdata::operation::describe_statement::DescribeStatementOutput;
use aws_sdk_redshiftdata::types::{StatementStatusString, StatusString, SubStatementData};
use aws_smithy_types::DateTime;
use pipeline::aws::service;
use pipeline::document::Warehouse;
use pipeline::error::aws;
use pipeline::{Error, Result};
use sha2::{Digest, Sha256};

use crate::event::Name;

/// How often a statement that failed in earlier invocations is tried again while Redshift remembers its tokens (8 hours).
const ATTEMPTS: u32 = 20;

/// A statement that is older than the invocation by this much was submitted by another one.
const OLDER: Duration = Duration::from_secs(5);

/// The most of a statement's text that an error repeats.
const EXCERPT: usize = 200;

#[derive(Debug)]
pub struct Statements<'a> {
    client: Client,
    warehouse: &'a Warehouse,
    prefix: &'a str,
    document: &'a str,
    started: SystemTime,
}

/// A transaction that was committed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    pub id: Option<String>,
    /// The rows that COPY read, where Redshift tells.
    pub staged: Option<i64>,
    /// The rows that the table gained or changed, where Redshift tells.
    pub changed: Option<i64>,
}

#[derive(Debug, PartialEq, Eq)]
pub enum Progress {
    Finished(Outcome),
    /// Its end will be an event.
    Running(String),
}

impl<'a> Statements<'a> {
    pub fn new(config: &aws_types::SdkConfig, warehouse: &'a Warehouse, prefix: &'a str, document: &'a str) -> Self {
        Self {
            client: Client::new(&service(config, "REDSHIFT_DATA")),
            warehouse,
            prefix,
            document,
            started: SystemTime::now(),
        }
    }

    /// Submits statements as one transaction, unless the same was submitted before; then says how that one stands.
    ///
    /// A submission that failed in an earlier invocation is tried again under the next token.
    pub async fn submit(&self, name: &Name, statements: &[String]) -> Result<Progress> {
        let text = name.text(self.prefix);
        for attempt in 0..ATTEMPTS {
            let request = self.client.batch_execute_statement().set_sqls(Some(statements.to_vec()));
            let request = request.workgroup_name(&self.warehouse.workgroup).database(&self.warehouse.database);
            let request = request.secret_arn(&self.warehouse.secret).statement_name(&text).with_event(true);
            let sent = request.client_token(token(&text, self.document, attempt)).send().await;
            let sent = sent.map_err(|error| {
                let hint = format!(
                    "is the workgroup `{}` available, and may the role of this Lambda use it?",
                    self.warehouse.workgroup
                );
                Error::new(format!("cannot submit the statement `{text}`")).cause(aws(&error)).hint(hint)
            })?;
            let id = sent.id.unwrap_or_default();
            let described = self.describe(&text, &id).await?;
            match described.status {
                Some(StatusString::Finished) => return Ok(Progress::Finished(outcome(&described))),
                Some(StatusString::Failed | StatusString::Aborted) => {
                    let error = failure(&text, &described);
                    if !self.earlier(described.created_at.as_ref()) {
                        return Err(error);
                    }
                    tracing::warn!(statement = text, attempt, "trying again what failed before: {error}");
                }
                _ => return Ok(Progress::Running(id)),
            }
        }
        Err(Error::new(format!("the statement `{text}` has failed {ATTEMPTS} times in 8 hours"))
            .hint("correct the data or the SQL and deploy; a changed document starts afresh"))
    }

    /// Looks at a statement that is said to be finished.
    pub async fn finished(&self, name: &Name, id: &str) -> Result<Outcome> {
        let text = name.text(self.prefix);
        let described = self.describe(&text, id).await?;
        match described.status {
            Some(StatusString::Finished) => Ok(outcome(&described)),
            _ => Err(failure(&text, &described)),
        }
    }

    /// Says why a statement failed.
    pub async fn failure(&self, name: &Name, id: &str) -> Error {
        let text = name.text(self.prefix);
        match self.describe(&text, id).await {
            Ok(described) => failure(&text, &described),
            Err(error) => error,
        }
    }

    async fn describe(&self, text: &str, id: &str) -> Result<DescribeStatementOutput> {
        let sent = self.client.describe_statement().id(id).send().await;
        sent.map_err(|error| Error::new(format!("cannot look at the statement `{text}` ({id})")).cause(aws(&error)))
    }

    fn earlier(&self, created: Option<&DateTime>) -> bool {
        created.is_some_and(|created| *created < DateTime::from(self.started - OLDER))
    }
}

/// Makes the token by which Redshift knows a submission again: 64 hexadecimal digits, the most it takes.
fn token(name: &str, document: &str, attempt: u32) -> String {
    let digest = Sha256::digest(format!("{name}\n{document}\n{attempt}"));
    hex(&digest)
}

/// Writes bytes as hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a text cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Takes the counts out of a finished load: the rows of COPY, and of the MERGE or INSERT into the table itself.
fn outcome(described: &DescribeStatementOutput) -> Outcome {
    let rows = |wanted: fn(&str) -> bool| {
        let found = |part: &&SubStatementData| part.query_string.as_deref().is_some_and(wanted);
        let part = described.sub_statements().iter().find(found)?;
        // -1 stands for "not known".
        (part.result_rows >= 0).then_some(part.result_rows)
    };
    Outcome {
        id: Some(described.id.clone()),
        staged: rows(|sql| starts(sql, "copy ")),
        changed: rows(|sql| {
            starts(sql, "merge into ") || (starts(sql, "insert into ") && !starts(sql, "insert into pipectl."))
        }),
    }
}

fn starts(sql: &str, start: &str) -> bool {
    let sql = sql.trim_start();
    sql.get(..start.len()).is_some_and(|head| head.eq_ignore_ascii_case(start))
}

fn failure(text: &str, described: &DescribeStatementOutput) -> Error {
    let parts = described.sub_statements();
    let failed = |part: &&SubStatementData| {
        matches!(part.status, Some(StatementStatusString::Failed | StatementStatusString::Aborted))
            && part.error.is_some()
    };
    let part = parts.iter().find(failed);
    let cause = part.and_then(|part| part.error.as_deref()).or(described.error.as_deref());
    let status = described.status.as_ref().map_or("in an unknown state", StatusString::as_str);
    let mut error = Error::new(format!("the statement `{text}` ({}) is {status}", described.id));
    error = error.cause(cause.unwrap_or("Redshift gives no reason"));
    let sql = part.and_then(|part| part.query_string.as_deref()).unwrap_or_default();
    let sql: String = sql.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(EXCERPT).collect();
    let at = if sql.is_empty() { String::new() } else { format!("in `{sql}`; ") };
    error.hint(format!("{at}nothing of it was kept; correct the cause and invoke this Lambda with {{}} to go on"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(sql: &str, rows: i64) -> SubStatementData {
        SubStatementData::builder().id("1").query_string(sql).result_rows(rows).build().unwrap()
    }

    #[test]
    fn tokens_tell_submissions_apart() {
        let tokens = [token("a", "d", 0), token("a", "d", 1), token("a", "e", 0), token("b", "d", 0)];
        assert!(tokens.iter().all(|token| token.len() == 64));
        assert_eq!(tokens.iter().collect::<std::collections::BTreeSet<_>>().len(), 4);
        assert_eq!(token("a", "d", 0), tokens[0]);
    }

    #[test]
    fn counts_come_from_the_statements_that_make_them() {
        let described = DescribeStatementOutput::builder()
            .id("i")
            .sub_statements(part("CREATE TEMP TABLE stage (LIKE core.orders)", -1))
            .sub_statements(part("\n copy stage FROM 's3://x'", 12))
            .sub_statements(part("MERGE INTO core.orders USING stage", 7))
            .sub_statements(part("INSERT INTO pipectl.ledger SELECT 1", 1))
            .build()
            .unwrap();
        let expected = Outcome { id: Some("i".into()), staged: Some(12), changed: Some(7) };
        assert_eq!(outcome(&described), expected);
        let append = DescribeStatementOutput::builder()
            .id("i")
            .sub_statements(part("COPY stage", -1))
            .sub_statements(part("INSERT INTO core.events SELECT 1", 3))
            .sub_statements(part("INSERT INTO pipectl.ledger SELECT 1", 1))
            .build()
            .unwrap();
        assert_eq!(outcome(&append), Outcome { staged: None, changed: Some(3), ..expected });
    }
}
