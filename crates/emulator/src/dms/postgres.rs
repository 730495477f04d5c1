//! PostgreSQL: tables by SELECT, changes by a slot of logical replication.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;
use std::sync::Arc;

use futures_util::TryStreamExt as _;
use tokio_postgres::types::{PgLsn, ToSql};
use tokio_postgres::{Client, Config, NoTls};

use crate::error::{Error, Result};

use super::pgoutput::{self, Field, Message, Relation, Tuple};
use super::row::{self, Change, Column, DIGITS, Kind, Operation, Table, Value};
use super::{Access, Configuration};

const SLOT: &str = "pipectl_rehearsal";

/// A database that is followed.
pub(super) struct Postgres {
    config: Config,
    /// Booleans as such, and not as texts.
    booleans: bool,
    /// Relations that were read, with our table.
    known: BTreeMap<u32, (Relation, Option<Arc<Table>>)>,
    /// The end of what was reported last, and of what has landed: the slot is moved there before the next read.
    reported: Option<PgLsn>,
    landed: Option<PgLsn>,
    /// What the log did not contain, once each.
    findings: BTreeSet<String>,
}

impl Postgres {
    pub(super) fn new(access: &Access, configuration: &Configuration) -> Self {
        let mut config = Config::new();
        config
            .host("127.0.0.1")
            .port(access.port)
            .user(&access.username)
            .password(&access.password)
            .dbname(&access.database)
            .options("-c timezone=UTC -c datestyle=ISO -c intervalstyle=postgres -c bytea_output=hex -c lc_monetary=C");
        Self {
            config,
            booleans: configuration.source.booleans,
            known: BTreeMap::new(),
            reported: None,
            landed: None,
            findings: BTreeSet::new(),
        }
    }

    async fn connect(&self) -> Result<Client> {
        let (client, connection) = self.config.connect(NoTls).await.map_err(|error| failed("be reached", &error))?;
        tokio::spawn(connection);
        Ok(client)
    }

    /// What a superuser runs before: the tables whose changes are published.
    pub(super) fn publication(tables: &[Arc<Table>]) -> String {
        let names: Vec<String> =
            tables.iter().map(|table| format!("{}.{}", quote(&table.schema), quote(&table.name))).collect();
        format!("DROP PUBLICATION IF EXISTS {SLOT}; CREATE PUBLICATION {SLOT} FOR TABLE {}", names.join(", "))
    }

    /// Remembers this position of the log: later changes are reported.
    pub(super) async fn mark(&self) -> Result<()> {
        let client = self.connect().await?;
        let exists = "SELECT 1 FROM pg_replication_slots WHERE slot_name = $1";
        let exists = client.query_opt(exists, &[&SLOT]).await.map_err(|error| failed("be followed", &error))?;
        if exists.is_none() {
            let create = "SELECT pg_create_logical_replication_slot($1, 'pgoutput')";
            client.query_one(create, &[&SLOT]).await.map_err(|error| failed("be followed", &error))?;
        }
        Ok(())
    }

    /// The tables that the mappings select.
    pub(super) async fn tables(&self, configuration: &Configuration) -> Result<Vec<Arc<Table>>> {
        let sql = "SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
                   WHERE c.relkind IN ('r', 'p') ORDER BY 1, 2";
        let client = self.connect().await?;
        let rows = client.query(sql, &[]).await.map_err(|error| failed("be read", &error))?;
        let mut tables = Vec::new();
        for row in rows {
            let (schema, name): (String, String) = (row.get(0), row.get(1));
            if configuration.mappings.selects(&schema, &name) {
                tables.push(Arc::new(self.table(&client, &schema, &name).await?));
            }
        }
        Ok(tables)
    }

    async fn table(&self, client: &Client, schema: &str, name: &str) -> Result<Table> {
        let sql = "SELECT a.attname, a.atttypid, a.atttypmod, coalesce(a.attnum = ANY (i.indkey), false) \
                   FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace \
                   LEFT JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary \
                   WHERE n.nspname = $1 AND c.relname = $2 AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum";
        let rows = client.query(sql, &[&schema, &name]).await.map_err(|error| failed("be read", &error))?;
        let columns = rows.iter().map(|row| Column {
            name: row.get(0),
            kind: kind(row.get(1), row.get(2), self.booleans),
            key: row.get(3),
        });
        Ok(Table { schema: schema.to_owned(), name: name.to_owned(), columns: columns.collect() })
    }

    /// Gives each row of a table to `take`.
    pub(super) async fn read(&self, table: &Table, take: &mut dyn FnMut(Vec<Value>) -> Result<()>) -> Result<()> {
        let columns: Vec<String> =
            table.columns.iter().map(|column| format!("{}::text", quote(&column.name))).collect();
        let sql = format!("SELECT {} FROM {}.{}", columns.join(", "), quote(&table.schema), quote(&table.name));
        let none: [&(dyn ToSql + Sync); 0] = [];
        let client = self.connect().await?;
        let rows = client.query_raw(&sql, none).await.map_err(|error| failed("be read", &error))?;
        let mut rows = pin!(rows);
        while let Some(row) = rows.try_next().await.map_err(|error| failed("be read", &error))? {
            let values = table.columns.iter().enumerate();
            take(values.map(|(index, column)| value(table, column, row.get(index))).collect::<Result<_>>()?)?;
        }
        Ok(())
    }

    /// Gives each change since what has landed to `take`, in the order of their commits.
    ///
    /// The slot keeps what was only peeked at: after an interrupted read, all of it is sent again.
    pub(super) async fn changes(&mut self, take: &mut dyn FnMut(Change) -> Result<()>) -> Result<()> {
        let (client, catalog) = (self.connect().await?, self.connect().await?);
        let followed = |error| failed("be followed", &error);
        if let Some(landed) = self.landed {
            let advance = "SELECT pg_replication_slot_advance($1, $2)";
            client.query_one(advance, &[&SLOT, &landed]).await.map_err(followed)?;
            self.landed = None;
        }
        self.reported = None;
        let sql = "SELECT lsn, data FROM pg_logical_slot_peek_binary_changes($1, NULL, NULL, 'proto_version', '1', \
                   'publication_names', $2)";
        let parameters: [&(dyn ToSql + Sync); 2] = [&SLOT, &SLOT];
        let rows = client.query_raw(sql, parameters).await.map_err(followed)?;
        let mut rows = pin!(rows);
        let mut committed = 0;
        while let Some(row) = rows.try_next().await.map_err(followed)? {
            let Some(message) = pgoutput::read(row.get(1)) else {
                return Err(Error::new("a message of PostgreSQL's log cannot be read"));
            };
            self.reported = Some(row.get(0));
            if let Message::Begin { committed: at } = message {
                committed = at;
            } else if let Some(change) = self.change(&catalog, message, committed).await? {
                take(change)?;
            }
        }
        Ok(())
    }

    /// Reported changes have landed: the next read begins after them.
    pub(super) fn landed(&mut self) {
        self.landed = self.reported.take();
    }

    /// What the log did not contain, once each.
    pub(super) fn findings(&mut self) -> &mut BTreeSet<String> {
        &mut self.findings
    }

    async fn change(&mut self, catalog: &Client, message: Message, committed: i64) -> Result<Option<Change>> {
        let (relation, operation, old, new) = match message {
            Message::Relation(relation) => {
                self.known.insert(relation.id, (relation, None));
                return Ok(None);
            }
            Message::Insert { relation, new } => (relation, Operation::Insert, None, new),
            Message::Update { relation, old, new } => (relation, Operation::Update, old, new),
            Message::Delete { relation, old } => (relation, Operation::Delete, None, old),
            Message::Truncate { relations } => {
                for relation in relations.iter().filter_map(|id| self.known.get(id)) {
                    self.findings.insert(super::truncated(&format!("{}.{}", relation.0.schema, relation.0.name)));
                }
                return Ok(None);
            }
            Message::Begin { .. } | Message::Other => return Ok(None),
        };
        let table = self.known_table(catalog, relation).await?;
        let row = self.row(&table, &new, old.as_ref())?;
        let before = old.map(|old| self.row(&table, &old, None)).transpose()?;
        Ok(Some(Change { table, operation, row, before, committed }))
    }

    /// The table in the log. Only the catalog knows its key columns.
    async fn known_table(&mut self, catalog: &Client, id: u32) -> Result<Arc<Table>> {
        let Some((relation, table)) = self.known.get(&id) else {
            return Err(Error::new("PostgreSQL's log contains a change of a table that it has not described"));
        };
        if let Some(table) = table {
            return Ok(Arc::clone(table));
        }
        let now = self.table(catalog, &relation.schema, &relation.name).await?;
        let key = |name: &str| now.columns.iter().any(|column| column.name == name && column.key);
        let columns = relation.columns.iter().map(|column| Column {
            kind: kind(column.kind, column.modifier, self.booleans),
            key: key(&column.name),
            name: column.name.clone(),
        });
        let (schema, name) = (relation.schema.clone(), relation.name.clone());
        let table = Arc::new(Table { schema, name, columns: columns.collect() });
        if let Some(known) = self.known.get_mut(&id) {
            known.1 = Some(Arc::clone(&table));
        }
        Ok(table)
    }

    fn row(&mut self, table: &Table, tuple: &Tuple, old: Option<&Tuple>) -> Result<Vec<Value>> {
        let mut row = Vec::with_capacity(tuple.len());
        for (index, (column, field)) in table.columns.iter().zip(tuple).enumerate() {
            let field = match field {
                Field::Unchanged => old.and_then(|old| old.get(index)).unwrap_or(field),
                field => field,
            };
            row.push(match field {
                Field::Null => Value::Null,
                Field::Text(text) => value(table, column, Some(text))?,
                Field::Unchanged => {
                    self.findings.insert(format!(
                        "an update of `{}` left `{}` alone, and PostgreSQL's log has no value for it: it arrives as NULL\n\
                         large values need `ALTER TABLE {} REPLICA IDENTITY FULL`",
                        table.label(),
                        column.name,
                        table.label()
                    ));
                    Value::Null
                }
            });
        }
        Ok(row)
    }
}

fn value(table: &Table, column: &Column, text: Option<&str>) -> Result<Value> {
    let Some(text) = text else { return Ok(Value::Null) };
    let parsed = match column.kind {
        Kind::Bytes => bytes(text).ok_or_else(|| format!("`{text}` is not a bytea")),
        Kind::Numeric { .. } => row::parse(column.kind, text.trim_start_matches('$').replace(',', "").as_str()),
        Kind::Time => row::parse(column.kind, text.split(['+', '-']).next().unwrap_or(text)),
        kind => row::parse(kind, text),
    };
    parsed.map_err(|why| Error::new(format!("`{}`.`{}`: {why}", table.label(), column.name)))
}

/// `\x00ff`
fn bytes(text: &str) -> Option<Value> {
    let digits = text.strip_prefix("\\x")?;
    let byte = |at: usize| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok();
    (0..digits.len()).step_by(2).map(byte).collect::<Option<_>>().map(Value::Bytes)
}

/// DMS's type for one of PostgreSQL's, by its OID. What is not here is a text.
fn kind(oid: u32, modifier: i32, booleans: bool) -> Kind {
    match oid {
        16 if booleans => Kind::Boolean,
        21 => Kind::Int2,
        23 => Kind::Int4,
        20 => Kind::Int8,
        700 => Kind::Real4,
        701 => Kind::Real8,
        790 => Kind::Numeric { precision: DIGITS, scale: 4 },
        1700 => numeric(modifier),
        17 => Kind::Bytes,
        1082 => Kind::Date,
        1083 | 1266 => Kind::Time,
        1114 | 1184 => Kind::Datetime,
        _ => Kind::Text,
    }
}

/// A NUMERIC without limits has 28 digits, 6 of them behind the point; one with more than 38 is a text.
fn numeric(modifier: i32) -> Kind {
    if modifier < 4 {
        return Kind::Numeric { precision: 28, scale: 6 };
    }
    let (precision, scale) = (((modifier - 4) >> 16) & 0xffff, (modifier - 4) & 0x7ff);
    match (u8::try_from(precision), u8::try_from(scale)) {
        (Ok(precision), Ok(scale)) if precision <= DIGITS && scale <= precision => Kind::Numeric { precision, scale },
        _ => Kind::Text,
    }
}

fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn failed(what: &str, error: &tokio_postgres::Error) -> Error {
    let why = error.as_db_error().map_or_else(|| error.to_string(), |error| error.message().to_owned());
    Error::new(format!("the PostgreSQL database cannot {what}")).note(why)
}
