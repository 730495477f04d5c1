//! The Redshift Data API: submit a transaction once, and see what came of it.

use std::time::{Duration, SystemTime};

use aws_sdk_redshiftdata::Client;
use aws_sdk_redshiftdata::operation::describe_statement::DescribeStatementOutput;
use aws_sdk_redshiftdata::types::{Field, StatementStatusString, StatusString, SubStatementData};
use aws_smithy_types::DateTime;
use pipectl_contract::names::columns;
use pipeline::aws::service;
use pipeline::digest::hex;
use pipeline::document::Warehouse;
use pipeline::error::aws;
use pipeline::{Error, Result};
use sha2::{Digest, Sha256};

use crate::event::Name;
use crate::inspect::{Found, QUESTIONS, Value};
use crate::user;

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
    /// The rows that the table lost, where its source deletes and Redshift tells.
    pub deleted: Option<i64>,
    /// The rows of a statement that was sent alone.
    pub rows: Option<i64>,
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
    /// A submission that failed in an earlier invocation is tried again under the next token, and so is a change of a
    /// table that was made then and is needed again. A statement that is alone is sent alone: some cannot run in a
    /// transaction of several. A look is always a new one.
    pub async fn submit(&self, name: &Name, statements: &[String]) -> Result<Progress> {
        let text = name.text(self.prefix);
        let content = match name {
            Name::Inspect { .. } => format!("{:?}", SystemTime::now()),
            _ => digest(statements),
        };
        for attempt in 0..ATTEMPTS {
            let id = self.send(&text, statements, token(&text, self.document, &content, attempt)).await?;
            let described = self.describe(&text, &id).await?;
            match described.status {
                Some(StatusString::Finished)
                    if matches!(name, Name::Migrate { .. }) && self.earlier(described.created_at.as_ref()) => {}
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

    async fn send(&self, text: &str, statements: &[String], token: String) -> Result<String> {
        let warehouse = self.warehouse;
        let (workgroup, database, secret) = (&warehouse.workgroup, &warehouse.database, &warehouse.secret);
        let sent = if let [statement] = statements {
            let request = self.client.execute_statement().sql(statement).workgroup_name(workgroup).database(database);
            let request = request.secret_arn(secret).statement_name(text).with_event(true).client_token(token);
            request.send().await.map(|sent| sent.id).map_err(|error| aws(&error))
        } else {
            let request = self.client.batch_execute_statement().set_sqls(Some(statements.to_vec()));
            let request = request.workgroup_name(workgroup).database(database).secret_arn(secret);
            let request = request.statement_name(text).with_event(true).client_token(token);
            request.send().await.map(|sent| sent.id).map_err(|error| aws(&error))
        };
        sent.map(Option::unwrap_or_default).map_err(|cause| {
            let hint = format!("is the workgroup `{workgroup}` available, and may the role of this Lambda use it?");
            Error::new(format!("cannot submit the statement `{text}`")).cause(cause).hint(hint)
        })
    }

    /// Reads what a look has found.
    pub async fn found(&self, id: &str) -> Result<Found> {
        let mut answers = Vec::new();
        for number in 1..=QUESTIONS.len() {
            answers.push(self.rows(&format!("{id}:{number}")).await?);
        }
        Found::read(&answers)
    }

    async fn rows(&self, id: &str) -> Result<Vec<Vec<Value>>> {
        let mut rows = Vec::new();
        let mut next: Option<String> = None;
        loop {
            let sent = self.client.get_statement_result().id(id).set_next_token(next).send().await;
            let page = sent.map_err(|error| {
                Error::new(format!("cannot read the result of the statement {id}")).cause(aws(&error))
            })?;
            rows.extend(page.records.iter().map(|row| row.iter().map(value).collect::<Vec<Value>>()));
            next = page.next_token.filter(|token| !token.is_empty());
            if next.is_none() {
                return Ok(rows);
            }
        }
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
        sent.map_err(|error| Error::new(format!("cannot describe the statement `{text}` ({id})")).cause(aws(&error)))
    }

    fn earlier(&self, created: Option<&DateTime>) -> bool {
        created.is_some_and(|created| *created < DateTime::from(self.started - OLDER))
    }
}

/// Makes the token by which Redshift knows a submission again: 64 hexadecimal digits, the most it takes.
fn token(name: &str, document: &str, content: &str, attempt: u32) -> String {
    hex(&Sha256::digest(format!("{name}\n{document}\n{content}\n{attempt}")))
}

/// What tells one list of statements from another.
pub fn digest(statements: &[String]) -> String {
    hex(&Sha256::digest(statements.join(";\n")))
}

fn value(field: &Field) -> Value {
    match field {
        Field::StringValue(text) => Some(text.clone()),
        Field::LongValue(number) => Some(number.to_string()),
        Field::BooleanValue(truth) => Some(truth.to_string()),
        Field::DoubleValue(number) => Some(number.to_string()),
        _ => None,
    }
}

/// Takes the counts out of a finished load: the rows of COPY, and of the MERGE or INSERT into the table itself.
fn outcome(described: &DescribeStatementOutput) -> Outcome {
    let rows = |matches: fn(&str) -> bool| {
        let found = |part: &&SubStatementData| part.query_string.as_deref().is_some_and(matches);
        // The last one: what goes before prepares it.
        let part = described.sub_statements().iter().rfind(found)?;
        // -1 stands for "not known".
        (part.result_rows >= 0).then_some(part.result_rows)
    };
    Outcome {
        id: Some(described.id.clone()),
        staged: rows(|sql| starts(sql, "copy ")),
        changed: rows(|sql| {
            starts(sql, "merge into ") || (starts(sql, "insert into ") && !starts(sql, "insert into pipectl."))
        }),
        deleted: rows(|sql| starts(sql, "delete from core.") && sql.contains(columns::DELETED)),
        rows: Some(described.result_rows).filter(|rows| *rows >= 0),
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
    let whole = described.query_string.as_deref().filter(|_| parts.is_empty());
    let sql = user::redacted(part.and_then(|part| part.query_string.as_deref()).or(whole).unwrap_or_default());
    let sql: String = sql.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(EXCERPT).collect();
    let at = if sql.is_empty() { String::new() } else { format!("in `{sql}`; ") };
    error.hint(format!("{at}nothing of it was kept; fix the cause and invoke this Lambda with {{}} to continue"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(sql: &str, rows: i64) -> SubStatementData {
        SubStatementData::builder().id("1").query_string(sql).result_rows(rows).build().unwrap()
    }

    #[test]
    fn tokens_distinguish_submissions() {
        let tokens = [
            token("a", "d", "s", 0),
            token("a", "d", "s", 1),
            token("a", "e", "s", 0),
            token("b", "d", "s", 0),
            token("a", "d", "t", 0),
        ];
        assert!(tokens.iter().all(|token| token.len() == 64));
        assert_eq!(tokens.iter().collect::<std::collections::BTreeSet<_>>().len(), 5);
        assert_eq!(token("a", "d", "s", 0), tokens[0]);
    }

    #[test]
    fn counts_come_from_the_statements_that_make_them() {
        let described = DescribeStatementOutput::builder()
            .id("i")
            .result_rows(-1)
            .sub_statements(part("CREATE TEMP TABLE stage (LIKE core.orders)", -1))
            .sub_statements(part("\n copy stage FROM 's3://x'", 12))
            .sub_statements(part(
                "DELETE FROM core.orders USING stage WHERE orders.id = stage.id AND stage._deleted",
                2,
            ))
            .sub_statements(part("INSERT INTO core.customers (id, _inferred) SELECT 1", 9))
            .sub_statements(part("MERGE INTO core.orders USING stage", 7))
            .sub_statements(part("INSERT INTO pipectl.ledger SELECT 1", 1))
            .build()
            .unwrap();
        let expected =
            Outcome { id: Some("i".into()), staged: Some(12), changed: Some(7), deleted: Some(2), rows: None };
        assert_eq!(outcome(&described), expected);
        let append = DescribeStatementOutput::builder()
            .id("i")
            .result_rows(-1)
            .sub_statements(part("COPY stage", -1))
            .sub_statements(part("INSERT INTO core.events SELECT 1", 3))
            .sub_statements(part("INSERT INTO pipectl.ledger SELECT 1", 1))
            .build()
            .unwrap();
        assert_eq!(outcome(&append), Outcome { staged: None, changed: Some(3), deleted: None, ..expected });
    }
}
