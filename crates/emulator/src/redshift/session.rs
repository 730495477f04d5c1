//! One connection to the server, as one session of the warehouse.

use tokio_postgres::types::Type;
use tokio_postgres::{CancelToken, Client, Config, NoTls, SimpleQueryMessage};

use super::copy::{self, Files};
use super::error::{SqlError, SqlResult};
use super::rewrite::{Step, Translated, quote};
use super::unload;
use crate::postgres::server::{Login, USER};

/// How transactions of the database are isolated from each other.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Isolation {
    /// A transaction sees what was committed when its first statement read or wrote: the default of new warehouses.
    #[default]
    Snapshot,
    /// Transactions have the result of some order, or one of them fails: the default of older clusters, and an option
    /// of `CREATE DATABASE`.
    Serializable,
}

/// An open session. Its temporary tables end with it.
pub(crate) struct Session {
    client: Client,
}

/// What a statement brought about.
#[derive(Debug, Clone, Default)]
pub(crate) struct Outcome {
    /// The rows it returned, or changed.
    pub(crate) rows: i64,
    pub(crate) result: Option<ResultSet>,
}

/// The rows of a query, as text.
#[derive(Debug, Clone, Default)]
pub(crate) struct ResultSet {
    pub(crate) columns: Vec<ResultColumn>,
    pub(crate) rows: Vec<Vec<Option<String>>>,
}

#[derive(Debug, Clone)]
pub(crate) struct ResultColumn {
    pub(crate) name: String,
    pub(crate) kind: Type,
    pub(crate) modifier: i32,
}

impl ResultSet {
    /// The size of the values in bytes.
    pub(crate) fn size(&self) -> usize {
        self.rows.iter().flatten().flatten().map(String::len).sum()
    }
}

impl Session {
    /// Connects as the administrator, or as a role, which is created without privileges if it is missing.
    pub(crate) async fn open(login: &Login, database: &str, role: Option<&str>) -> SqlResult<Self> {
        let mut config = Config::new();
        config
            .host_path(&login.socket)
            .user(USER)
            .password(&login.password)
            .dbname(database)
            .application_name("pipectl");
        let (client, connection) = config.connect(NoTls).await?;
        // The connection ends when the client is dropped; its errors come out of the client's calls too.
        tokio::spawn(connection);
        let session = Self { client };
        if let Some(role) = role {
            let name = quote(role);
            let found = session.client.query_opt("SELECT 1 FROM pg_roles WHERE rolname = $1", &[&role]).await?;
            if found.is_none() {
                session.execute(&format!("CREATE ROLE {name}")).await?;
            }
            session.execute(&format!("SET ROLE {name}")).await?;
        }
        Ok(session)
    }

    pub(crate) fn cancel_token(&self) -> CancelToken {
        self.client.cancel_token()
    }

    /// Runs PostgreSQL text as it is.
    pub(crate) async fn execute(&self, sql: &str) -> SqlResult<()> {
        Ok(self.client.batch_execute(sql).await?)
    }

    /// Begins a transaction.
    pub(crate) async fn begin(&self, isolation: Isolation) -> SqlResult<()> {
        self.execute(match isolation {
            // PostgreSQL takes the snapshot where Redshift does: at the first statement that reads or writes, not at LOCK.
            Isolation::Snapshot => "BEGIN ISOLATION LEVEL REPEATABLE READ",
            Isolation::Serializable => "BEGIN ISOLATION LEVEL SERIALIZABLE",
        })
        .await
    }

    /// Executes a translated statement.
    pub(crate) async fn run(&self, statement: &Translated, files: &Files) -> SqlResult<Outcome> {
        let mut outcome = Outcome::default();
        for step in &statement.steps {
            outcome = match step {
                Step::Execute(sql) => Outcome { rows: self.change(sql).await?, result: None },
                Step::Query(sql) => {
                    let result = self.query(sql).await?;
                    Outcome { rows: i64::try_from(result.rows.len()).unwrap_or(i64::MAX), result: Some(result) }
                }
                Step::Copy(copy) => Outcome { rows: copy::run(&self.client, copy, files).await?, result: None },
                Step::Unload(unload) => {
                    let result = self.query(&unload.query).await?;
                    Outcome { rows: unload::run(&result, unload, files)?, result: None }
                }
            };
        }
        Ok(outcome)
    }

    async fn change(&self, sql: &str) -> SqlResult<i64> {
        let mut rows = 0;
        for message in self.client.simple_query(sql).await? {
            if let SimpleQueryMessage::CommandComplete(count) = message {
                rows = i64::try_from(count).unwrap_or(i64::MAX);
            }
        }
        Ok(rows)
    }

    pub(crate) async fn query(&self, sql: &str) -> SqlResult<ResultSet> {
        // The types come from a prepared statement, the values as text from a simple query.
        let columns: Vec<ResultColumn> = self
            .client
            .prepare(sql)
            .await?
            .columns()
            .iter()
            .map(|column| ResultColumn {
                name: column.name().to_owned(),
                kind: column.type_().clone(),
                modifier: column.type_modifier(),
            })
            .collect();
        let mut rows = Vec::new();
        for message in self.client.simple_query(sql).await? {
            let SimpleQueryMessage::Row(row) = message else { continue };
            rows.push(
                columns
                    .iter()
                    .enumerate()
                    .map(|(index, column)| row.get(index).map(|value| shown(value, &column.kind)))
                    .collect(),
            );
        }
        Ok(ResultSet { columns, rows })
    }
}

/// A value as Redshift shows it.
fn shown(value: &str, kind: &Type) -> String {
    if *kind == Type::JSONB { compact(value) } else { value.to_owned() }
}

/// JSON without blanks between its parts.
fn compact(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    let (mut quoted, mut escaped) = (false, false);
    for c in json.chars() {
        if quoted || c != ' ' {
            out.push(c);
        }
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ => {}
        }
    }
    out
}

impl From<SqlError> for crate::error::Error {
    fn from(error: SqlError) -> Self {
        Self::new(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::compact;

    #[test]
    fn json_loses_only_insignificant_whitespace() {
        assert_eq!(
            compact(r#"{"a b": [1, 2, "x, \" y"], "c": {"d": null}}"#),
            r#"{"a b":[1,2,"x, \" y"],"c":{"d":null}}"#
        );
    }
}
