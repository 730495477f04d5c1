//! The Redshift Data API: submit a transaction once, and see what came of it.

use std::time::{Duration, SystemTime};

use aws_sdk_redshiftdata::Client;
use aws_sdk_redshiftdata::error::ProvideErrorMetadata;
use aws_sdk_redshiftdata::operation::describe_statement::DescribeStatementOutput;
use aws_sdk_redshiftdata::types::{Field, StatementData, StatementStatusString, StatusString, SubStatementData};
use aws_smithy_types::DateTime;
use pipectl_contract::names::columns;
use pipeline::aws::service;
use pipeline::digest::hex;
use pipeline::document::Warehouse;
use pipeline::error::aws;
use pipeline::{Error, Result};
use sha2::{Digest, Sha256};

use crate::event::Name;
use crate::failure::{self, Failure};
use crate::inspect::{Found, QUESTIONS, Value};
use crate::user;

/// How often a part of the set-up that failed in earlier invocations is tried again while Redshift remembers its tokens (8 hours).
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
    /// Only of loads and marts; a set-up that fails is an error.
    Failed(Failure),
}

impl<'a> Statements<'a> {
    pub fn new(config: &aws_types::SdkConfig, warehouse: &'a Warehouse, prefix: &'a str) -> Self {
        Self { client: Client::new(&service(config, "REDSHIFT_DATA")), warehouse, prefix, started: SystemTime::now() }
    }

    /// Lists the statements of this pipeline that have not ended.
    pub async fn running(&self) -> Result<Vec<Name>> {
        let mut running = Vec::new();
        for status in [StatusString::Submitted, StatusString::Picked, StatusString::Started] {
            for statement in self.list(&format!("{}/", self.prefix), status).await? {
                running.extend(Name::parse(self.prefix, statement.statement_name().unwrap_or_default()));
            }
        }
        Ok(running)
    }

    async fn list(&self, name: &str, status: StatusString) -> Result<Vec<StatementData>> {
        let mut statements = Vec::new();
        let mut next: Option<String> = None;
        loop {
            let request = self.client.list_statements().statement_name(name).status(status.clone());
            let page = request.set_next_token(next).send().await.map_err(|error| {
                Error::new(format!("cannot list the statements `{name}…`"))
                    .cause(aws(&error))
                    .hint("may the role of this Lambda call redshift-data:ListStatements?")
            })?;
            statements.extend(page.statements);
            next = page.next_token.filter(|token| !token.is_empty());
            if next.is_none() {
                return Ok(statements);
            }
        }
    }

    /// Submits a load or a mart as one transaction, unless the same attempt was submitted before; then returns its status.
    ///
    /// The token of a load is made of batch, table and attempt alone, so that after a deploy the same batch is not
    /// submitted beside the one that runs. A mart has another token when its SQL changes.
    pub async fn submit(&self, name: &Name, statements: &[String], attempt: u32) -> Result<Progress> {
        let text = name.text(self.prefix);
        let content = match name {
            Name::Load { .. } => String::new(),
            _ => digest(statements),
        };
        let id = match self.send(&text, statements, token(&text, &content, attempt)).await {
            Ok(id) => id,
            // The attempt was submitted under another document, with other statements.
            Err(Refused::Token) => match self.submitted(&text).await? {
                Some(id) => id,
                None => {
                    return Err(Error::new(format!("the statement `{text}` was submitted before and is not listed")));
                }
            },
            Err(Refused::Other(error)) => return Err(error),
        };
        let described = self.describe(&text, &id).await?;
        Ok(match described.status {
            Some(StatusString::Finished) => Progress::Finished(outcome(&described)),
            Some(StatusString::Failed | StatusString::Aborted) => Progress::Failed(failed(name, &described)),
            _ => Progress::Running(id),
        })
    }

    /// The id of the newest statement of this name.
    async fn submitted(&self, text: &str) -> Result<Option<String>> {
        let listed = self.list(text, StatusString::All).await?;
        let of_name = listed.into_iter().filter(|statement| statement.statement_name() == Some(text));
        let newest = of_name.max_by_key(|statement| statement.created_at.map_or(0, |created| created.secs()));
        Ok(newest.map(|statement| statement.id))
    }

    /// Submits a part of the set-up as one transaction, unless the same was submitted before; then returns its status.
    ///
    /// A submission that failed in an earlier invocation is tried again under the next token, and so is a change of a
    /// table that was made then and is needed again. A statement that is alone is sent alone: some cannot run in a
    /// transaction of several. An inspection is always a new one.
    pub async fn set_up(&self, name: &Name, statements: &[String]) -> Result<Progress> {
        let text = name.text(self.prefix);
        let content = match name {
            Name::Inspect { .. } => format!("{:?}", SystemTime::now()),
            _ => digest(statements),
        };
        for attempt in 0..ATTEMPTS {
            let sent = self.send(&text, statements, token(&text, &content, attempt)).await;
            let id = sent.map_err(|refused| match refused {
                Refused::Token => Error::new(format!("the token of the statement `{text}` was used before")),
                Refused::Other(error) => error,
            })?;
            let described = self.describe(&text, &id).await?;
            match described.status {
                Some(StatusString::Finished)
                    if matches!(name, Name::Migrate { .. }) && self.earlier(described.created_at.as_ref()) => {}
                Some(StatusString::Finished) => return Ok(Progress::Finished(outcome(&described))),
                Some(StatusString::Failed | StatusString::Aborted) => {
                    let error = failed(name, &described).error(&text);
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

    async fn send(&self, text: &str, statements: &[String], token: String) -> Result<String, Refused> {
        let warehouse = self.warehouse;
        let (workgroup, database, secret) = (&warehouse.workgroup, &warehouse.database, &warehouse.secret);
        let sent = if let [statement] = statements {
            let request = self.client.execute_statement().sql(statement).workgroup_name(workgroup).database(database);
            let request = request.secret_arn(secret).statement_name(text).with_event(true).client_token(token);
            request.send().await.map(|sent| sent.id).map_err(|error| (is_token(&error), aws(&error)))
        } else {
            let request = self.client.batch_execute_statement().set_sqls(Some(statements.to_vec()));
            let request = request.workgroup_name(workgroup).database(database).secret_arn(secret);
            let request = request.statement_name(text).with_event(true).client_token(token);
            request.send().await.map(|sent| sent.id).map_err(|error| (is_token(&error), aws(&error)))
        };
        sent.map(Option::unwrap_or_default).map_err(|(is_token, cause)| {
            if is_token {
                return Refused::Token;
            }
            let hint = format!("is the workgroup `{workgroup}` available, and may the role of this Lambda use it?");
            Refused::Other(Error::new(format!("cannot submit the statement `{text}`")).cause(cause).hint(hint))
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
            _ => Err(failed(name, &described).error(&text)),
        }
    }

    /// Reads why a statement failed.
    pub async fn failure(&self, name: &Name, id: &str) -> Result<Failure> {
        let described = self.describe(&name.text(self.prefix), id).await?;
        Ok(failed(name, &described))
    }

    async fn describe(&self, text: &str, id: &str) -> Result<DescribeStatementOutput> {
        let sent = self.client.describe_statement().id(id).send().await;
        sent.map_err(|error| Error::new(format!("cannot describe the statement `{text}` ({id})")).cause(aws(&error)))
    }

    fn earlier(&self, created: Option<&DateTime>) -> bool {
        created.is_some_and(|created| *created < DateTime::from(self.started - OLDER))
    }
}

/// Why a submission was not accepted.
enum Refused {
    /// Its token belongs to a submission with other statements.
    Token,
    Other(Error),
}

fn is_token<E: ProvideErrorMetadata>(error: &E) -> bool {
    error.code() == Some("ValidationException")
        && error.message().is_some_and(|message| message.contains("ClientToken"))
}

/// Makes the token by which Redshift recognizes a submission: 64 hexadecimal digits, the most it takes.
fn token(name: &str, content: &str, attempt: u32) -> String {
    hex(&Sha256::digest(format!("{name}\n{content}\n{attempt}")))
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

/// Why a statement failed, and in which of its parts.
fn failed(name: &Name, described: &DescribeStatementOutput) -> Failure {
    let parts = described.sub_statements();
    let failed = |part: &&SubStatementData| {
        matches!(part.status, Some(StatementStatusString::Failed | StatementStatusString::Aborted))
            && part.error.is_some()
    };
    let part = parts.iter().find(failed);
    let cause = part.and_then(|part| part.error.as_deref()).or(described.error.as_deref());
    let status = described.status.as_ref().map_or("in an unknown state", StatusString::as_str);
    let message = cause.unwrap_or("Redshift gives no reason").to_owned();
    let whole = described.query_string.as_deref().filter(|_| parts.is_empty());
    let sql = user::redacted(part.and_then(|part| part.query_string.as_deref()).or(whole).unwrap_or_default());
    let sql: String = sql.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(EXCERPT).collect();
    let at = if sql.is_empty() { String::new() } else { format!("in `{sql}`; ") };
    Failure {
        id: Some(described.id.clone()),
        status: status.to_owned(),
        kind: failure::kind(&message),
        message,
        hint: format!("{at}{}", failure::ways_on(name)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(sql: &str, rows: i64) -> SubStatementData {
        SubStatementData::builder().id("1").query_string(sql).result_rows(rows).build().unwrap()
    }

    #[test]
    fn tokens_distinguish_submissions() {
        let tokens = [token("a", "s", 0), token("a", "s", 1), token("b", "s", 0), token("a", "t", 0)];
        assert!(tokens.iter().all(|token| token.len() == 64));
        assert_eq!(tokens.iter().collect::<std::collections::BTreeSet<_>>().len(), 4);
        assert_eq!(token("a", "s", 0), tokens[0]);
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
            .sub_statements(part("INSERT INTO pipectl.ledger_orders SELECT 1", 1))
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
            .sub_statements(part("INSERT INTO pipectl.ledger_orders SELECT 1", 1))
            .build()
            .unwrap();
        assert_eq!(outcome(&append), Outcome { staged: None, changed: Some(3), deleted: None, ..expected });
    }
}
