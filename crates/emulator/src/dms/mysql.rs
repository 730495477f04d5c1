//! MySQL and MariaDB: tables by SELECT, changes by the binlog.
//!
//! ```text
//! mysql (connections, catalog, tables) → binlog (events to changes) → types, value, charset
//! ```

mod binlog;
mod charset;
mod types;
mod value;

use std::collections::BTreeSet;
use std::sync::Arc;

use futures_util::StreamExt as _;
use mysql_async::prelude::Queryable as _;
use mysql_async::{BinlogStreamRequest, Conn, OptsBuilder};

use crate::error::{Error, Result};

use self::binlog::{BinlogPosition, Log};
use super::row::{Change, Column, Table, Value};
use super::{Access, Configuration};

/// The number under which the server knows who reads its log.
const REPLICA: u32 = 4_200;

/// A database that is followed.
pub(super) struct Mysql {
    options: mysql_async::Opts,
    database: String,
    /// The place of the log up to which changes have landed.
    landed: BinlogPosition,
    log: Log,
}

impl Mysql {
    pub(super) fn new(access: &Access) -> Self {
        let options = OptsBuilder::default()
            .ip_or_hostname("127.0.0.1")
            .tcp_port(access.port)
            .user(Some(access.username.clone()))
            .pass(Some(access.password.clone()))
            .db_name(Some(access.database.clone()))
            .prefer_socket(false)
            .setup(vec!["SET time_zone = '+00:00'"]);
        Self {
            options: options.into(),
            database: access.database.clone(),
            landed: BinlogPosition::default(),
            log: Log::default(),
        }
    }

    async fn connect(&self) -> Result<Conn> {
        Conn::new(self.options.clone()).await.map_err(|error| failed("be reached", &error))
    }

    /// Remembers this position of the log: later changes are reported.
    pub(super) async fn mark(&mut self) -> Result<()> {
        let mut connection = self.connect().await?;
        // MySQL 8.4 has another word for it than MariaDB and all before.
        let mut position: Option<mysql_async::Row> = None;
        for sql in ["SHOW BINARY LOG STATUS", "SHOW MASTER STATUS"] {
            match connection.query_first(sql).await {
                Ok(found) => {
                    position = found;
                    break;
                }
                Err(mysql_async::Error::Server(_)) => {}
                Err(error) => return Err(failed("be followed", &error)),
            }
        }
        let position = position.and_then(|row| Some((row.get::<Vec<u8>, _>(0)?, row.get::<u64, _>(1)?)));
        self.landed = position.ok_or_else(|| {
            Error::new("the MySQL database keeps no binlog").hint("start it with `--log-bin --binlog-format=ROW`")
        })?;
        Ok(())
    }

    /// The tables that the mappings select.
    pub(super) async fn tables(&self, configuration: &Configuration) -> Result<Vec<Arc<Table>>> {
        type Described = (String, String, String, String, Option<u64>, Option<u64>, String);
        let sql = "SELECT TABLE_NAME, COLUMN_NAME, DATA_TYPE, COLUMN_TYPE, NUMERIC_PRECISION, NUMERIC_SCALE, COLUMN_KEY \
                   FROM information_schema.COLUMNS JOIN information_schema.TABLES USING (TABLE_SCHEMA, TABLE_NAME) \
                   WHERE TABLE_SCHEMA = ? AND TABLE_TYPE = 'BASE TABLE' ORDER BY TABLE_NAME, ORDINAL_POSITION";
        let mut connection = self.connect().await?;
        let columns: Vec<Described> =
            connection.exec(sql, (&self.database,)).await.map_err(|error| failed("be read", &error))?;
        let mut tables: Vec<Table> = Vec::new();
        for (table, name, kind, full, precision, scale, key) in columns {
            if !configuration.mappings.selects(&self.database, &table) {
                continue;
            }
            let column = Column { name, kind: types::declared(&kind, &full, precision, scale), key: key == "PRI" };
            match tables.last_mut().filter(|last| last.name == table) {
                Some(last) => last.columns.push(column),
                None => tables.push(Table { schema: self.database.clone(), name: table, columns: vec![column] }),
            }
        }
        Ok(tables.into_iter().map(Arc::new).collect())
    }

    /// Gives each row of a table to `take`.
    pub(super) async fn read(&self, table: &Table, take: &mut dyn FnMut(Vec<Value>) -> Result<()>) -> Result<()> {
        let mut connection = self.connect().await?;
        let columns: Vec<String> = table.columns.iter().map(|column| quote(&column.name)).collect();
        let sql = format!("SELECT {} FROM {}.{}", columns.join(", "), quote(&table.schema), quote(&table.name));
        let mut rows = connection.query_iter(sql).await.map_err(|error| failed("be read", &error))?;
        while let Some(row) = rows.next().await.map_err(|error| failed("be read", &error))? {
            let values = row.unwrap().into_iter().zip(&table.columns);
            take(values.map(|(given, column)| value::selected(table, column, given)).collect::<Result<_>>()?)?;
        }
        Ok(())
    }

    /// Gives each change since what has landed to `take`, in the order of their commits.
    pub(super) async fn changes(
        &mut self,
        configuration: &Configuration,
        take: &mut dyn FnMut(Change) -> Result<()>,
    ) -> Result<()> {
        self.log.begin(self.landed.clone());
        loop {
            let before = self.log.position.clone();
            self.stream(configuration, take).await?;
            // A server that shuts down ends the stream as the end of the log does. Only where nothing more comes is the end.
            if self.log.position == before {
                return Ok(());
            }
            self.log.begin(self.log.position.clone());
        }
    }

    /// Reads the log from where it was left to what the server says is its end.
    async fn stream(
        &mut self,
        configuration: &Configuration,
        take: &mut dyn FnMut(Change) -> Result<()>,
    ) -> Result<()> {
        let connection = self.connect().await?;
        let (file, position) = self.log.position.clone();
        let request = BinlogStreamRequest::new(REPLICA).with_non_blocking().with_filename(&file).with_pos(position);
        let mut events = connection.get_binlog_stream(request).await.map_err(|error| failed("be followed", &error))?;
        while let Some(event) = events.next().await {
            let event = event.map_err(|error| failed("be followed", &error))?;
            self.log.event(&event, configuration, take)?;
        }
        Ok(())
    }

    /// Reported changes have landed: the next read begins after them.
    pub(super) fn landed(&mut self) {
        self.landed.clone_from(&self.log.position);
    }

    /// What the log did not contain, once each.
    pub(super) fn findings(&mut self) -> &mut BTreeSet<String> {
        &mut self.log.findings
    }
}

fn quote(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

fn failed(what: &str, error: &mysql_async::Error) -> Error {
    let why = match error {
        mysql_async::Error::Server(error) => error.message.clone(),
        error => error.to_string(),
    };
    Error::new(format!("the MySQL database cannot {what}")).note(why)
}
