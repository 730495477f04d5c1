//! MySQL and MariaDB: tables by SELECT, changes by the binlog.

mod charset;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use encoding_rs::{Encoding, UTF_8};
use futures_util::StreamExt as _;
use mysql_async::binlog::EventFlags;
use mysql_async::binlog::events::{Event, EventData, OptionalMetadataField, RowsEventData, TableMapEvent};
use mysql_async::binlog::row::BinlogRow;
use mysql_async::binlog::value::BinlogValue;
use mysql_async::consts::ColumnType;
use mysql_async::prelude::Queryable as _;
use mysql_async::{BinlogStreamRequest, Conn, OptsBuilder, Value as Given};

use crate::error::{Error, Result};

use super::row::{self, Change, Column, DIGITS, Kind, Operation, Table, Value};
use super::{Access, Configuration};

/// The character set of bytes.
const BINARY: u16 = 63;
/// The number under which the server knows who reads its log.
const REPLICA: u32 = 4_200;

/// A database that is followed.
pub(super) struct Mysql {
    options: mysql_async::Opts,
    database: String,
    /// The file and place of the log up to which changes are told.
    place: (Vec<u8>, u64),
    /// Table maps that were told, by the table's number, with the table that they are for us.
    known: BTreeMap<u64, (TableMapEvent<'static>, Arc<Table>, Texts)>,
    /// What the log could not tell, once each.
    pub(super) findings: BTreeSet<String>,
}

/// What the texts of a table's columns need, by the column's place.
#[derive(Default)]
struct Texts {
    /// The words of ENUM and SET columns: the log has only their numbers.
    labels: BTreeMap<usize, Vec<String>>,
    /// The encodings of those that are not in UTF-8.
    encodings: BTreeMap<usize, &'static Encoding>,
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
            place: (Vec::new(), 4),
            known: BTreeMap::new(),
            findings: BTreeSet::new(),
        }
    }

    async fn connect(&self) -> Result<Conn> {
        Conn::new(self.options.clone()).await.map_err(|error| failed("be reached", &error))
    }

    /// Remembers this place of the log: changes from here on are told.
    pub(super) async fn mark(&mut self) -> Result<()> {
        let mut connection = self.connect().await?;
        // MySQL 8.4 has another word for it than MariaDB and all before.
        let mut place: Option<mysql_async::Row> = None;
        for sql in ["SHOW BINARY LOG STATUS", "SHOW MASTER STATUS"] {
            match connection.query_first(sql).await {
                Ok(found) => {
                    place = found;
                    break;
                }
                Err(mysql_async::Error::Server(_)) => {}
                Err(error) => return Err(failed("be followed", &error)),
            }
        }
        let place = place.and_then(|row| Some((row.get::<Vec<u8>, _>(0)?, row.get::<u64, _>(1)?)));
        self.place = place.ok_or_else(|| {
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
            let column = Column { name, kind: declared(&kind, &full, precision, scale), key: key == "PRI" };
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
            take(values.map(|(given, column)| selected(table, column, given)).collect::<Result<_>>()?)?;
        }
        Ok(())
    }

    /// Gives each change since the last time to `take`, in the order of their commits.
    pub(super) async fn changes(
        &mut self,
        configuration: &Configuration,
        take: &mut dyn FnMut(Change) -> Result<()>,
    ) -> Result<()> {
        let connection = self.connect().await?;
        let (file, position) = self.place.clone();
        let request = BinlogStreamRequest::new(REPLICA).with_non_blocking().with_filename(&file).with_pos(position);
        let mut events = connection.get_binlog_stream(request).await.map_err(|error| failed("be followed", &error))?;
        let mut open: Vec<Change> = Vec::new();
        while let Some(event) = events.next().await {
            let event = event.map_err(|error| failed("be followed", &error))?;
            self.event(&event, configuration, &mut open, take)?;
        }
        Ok(())
    }

    fn event(
        &mut self,
        event: &Event,
        configuration: &Configuration,
        open: &mut Vec<Change>,
        take: &mut dyn FnMut(Change) -> Result<()>,
    ) -> Result<()> {
        let header = event.header();
        let committed = i64::from(header.timestamp()) * 1_000_000;
        let unreadable = |error: std::io::Error| Error::new("the binlog cannot be read").cause(&error);
        let mut ends = false;
        match event.read_data().map_err(unreadable)? {
            // The server makes one up at the start of a stream, with a checksum that nobody has announced yet.
            Some(EventData::RotateEvent(_)) if header.log_pos() == 0 => return Ok(()),
            Some(EventData::RotateEvent(rotate)) => {
                self.place = (rotate.name_raw().to_vec(), rotate.position());
                return Ok(());
            }
            Some(EventData::TableMapEvent(map)) => self.table(map, configuration)?,
            Some(EventData::RowsEvent(rows)) => self.rows(&rows, open)?,
            Some(EventData::XidEvent(_)) => ends = true,
            Some(EventData::QueryEvent(query)) => {
                let text = query.query();
                let text = text.trim_start();
                let word = text.split([' ', '\n', '\t']).next().unwrap_or_default().to_ascii_uppercase();
                if word == "TRUNCATE" {
                    let name = text.split_whitespace().last().unwrap_or_default().trim_matches(['`', ';']).to_owned();
                    self.findings.insert(super::truncated(&name));
                }
                ends = word != "BEGIN" && word != "SAVEPOINT";
            }
            _ => {}
        }
        if ends {
            for change in open.drain(..) {
                take(Change { committed, ..change })?;
            }
        }
        // Events that the server makes up for a reader have no place in the file.
        if header.log_pos() > 0 && !header.flags().contains(EventFlags::LOG_EVENT_ARTIFICIAL_F) && open.is_empty() {
            self.place.1 = u64::from(header.log_pos());
        }
        Ok(())
    }

    fn table(&mut self, map: TableMapEvent<'_>, configuration: &Configuration) -> Result<()> {
        let (schema, name) = (map.database_name().into_owned(), map.table_name().into_owned());
        if !configuration.mappings.selects(&schema, &name) {
            self.known.remove(&map.table_id());
            return Ok(());
        }
        let number = map.table_id();
        let map = map.into_owned();
        let (columns, texts) = columns(&map)
            .ok_or_else(|| Error::new(format!("the binlog does not tell the columns of `{schema}.{name}`")))?;
        self.known.insert(number, (map, Arc::new(Table { schema, name, columns }), texts));
        Ok(())
    }

    fn rows(&self, rows: &RowsEventData<'_>, open: &mut Vec<Change>) -> Result<()> {
        let Some((map, table, texts)) = self.known.get(&rows.table_id()) else { return Ok(()) };
        let whole = |row: BinlogRow| -> Result<Vec<Value>> {
            let given = row.unwrap().into_iter().enumerate();
            given
                .zip(&table.columns)
                .map(|((index, given), column)| {
                    let given = match (given, texts.encodings.get(&index)) {
                        (BinlogValue::Value(Given::Bytes(bytes)), Some(encoding)) => {
                            let text = encoding.decode_without_bom_handling(&bytes).0;
                            BinlogValue::Value(Given::Bytes(text.into_owned().into_bytes()))
                        }
                        (given, _) => given,
                    };
                    let value = logged(table, column, texts.labels.get(&index), given)?;
                    let medium = map.get_column_type(index) == Ok(Some(ColumnType::MYSQL_TYPE_INT24));
                    Ok(if medium && column.kind == Kind::Int4 { signed_medium(value) } else { value })
                })
                .collect()
        };
        for row in rows.rows(map) {
            let (before, after) = row.map_err(|error| Error::new("the binlog cannot be read").cause(&error))?;
            let (before, after) = (before.map(whole).transpose()?, after.map(whole).transpose()?);
            let (operation, row, before) = match (before, after) {
                (None, Some(after)) => (Operation::Insert, after, None),
                (before @ Some(_), Some(after)) => (Operation::Update, after, before),
                (Some(before), None) => (Operation::Delete, before, None),
                (None, None) => continue,
            };
            open.push(Change { table: Arc::clone(table), operation, row, before, committed: 0 });
        }
        Ok(())
    }
}

/// The columns of a table as the log tells them; `binlog_row_metadata=FULL` is what makes it tell their names.
fn columns(map: &TableMapEvent<'_>) -> Option<(Vec<Column>, Texts)> {
    let mut enums: Vec<Vec<Vec<u8>>> = Vec::new();
    let mut sets: Vec<Vec<Vec<u8>>> = Vec::new();
    for field in map.iter_optional_meta() {
        match field.ok()? {
            OptionalMetadataField::EnumStrValue(values) => {
                for value in values.iter_values() {
                    enums.push(value.ok()?.values().iter().map(|value| value.value_raw().to_vec()).collect());
                }
            }
            OptionalMetadataField::SetStrValue(values) => {
                for value in values.iter_values() {
                    sets.push(value.ok()?.values().iter().map(|value| value.value_raw().to_vec()).collect());
                }
            }
            _ => {}
        }
    }
    let meta = mysql_async::binlog::events::OptionalMetaExtractor::new(map.iter_optional_meta()).ok()?;
    let mut names = meta.iter_column_name();
    let keys: BTreeSet<u64> = meta.iter_primary_key().filter_map(std::result::Result::ok).collect();
    let (mut signs, mut charsets, mut enums, mut sets) =
        (meta.iter_signedness(), meta.iter_charset(), enums.into_iter(), sets.into_iter());
    let mut word_charsets = meta.iter_enum_and_set_charset();
    let mut texts = Texts::default();
    let mut columns = Vec::new();
    for index in 0..usize::try_from(map.columns_count()).ok()? {
        let column_type = map.get_column_type(index).ok()??;
        let details = map.get_column_metadata(index).unwrap_or(&[]);
        let unsigned = column_type.is_numeric_type() && signs.next().unwrap_or_default();
        let charset = if column_type.is_character_type() { charsets.next()?.ok()? } else { 0 };
        let words = match column_type {
            ColumnType::MYSQL_TYPE_ENUM => Some(enums.next()?),
            ColumnType::MYSQL_TYPE_SET => Some(sets.next()?),
            _ => None,
        };
        if let Some(words) = words {
            let encoding = word_charsets.next().and_then(|charset| charset::encoding(charset.ok()?)).unwrap_or(UTF_8);
            let words = words.iter().map(|word| encoding.decode_without_bom_handling(word).0.into_owned());
            texts.labels.insert(index, words.collect());
        }
        texts.encodings.extend(charset::encoding(charset).map(|encoding| (index, encoding)));
        columns.push(Column {
            name: names.next()?.ok()?.name().into_owned(),
            kind: of_log(column_type, details, unsigned, charset == BINARY),
            key: keys.contains(&u64::try_from(index).ok()?),
        });
    }
    Some((columns, texts))
}

/// DMS's type for a column of the log.
fn of_log(column_type: ColumnType, details: &[u8], unsigned: bool, binary: bool) -> Kind {
    use ColumnType as C;
    let detail = |index: usize| details.get(index).copied().unwrap_or_default();
    match column_type {
        C::MYSQL_TYPE_TINY => {
            if unsigned {
                Kind::UInt1
            } else {
                Kind::Int1
            }
        }
        C::MYSQL_TYPE_SHORT => {
            if unsigned {
                Kind::UInt2
            } else {
                Kind::Int2
            }
        }
        C::MYSQL_TYPE_INT24 | C::MYSQL_TYPE_LONG => {
            if unsigned {
                Kind::UInt4
            } else {
                Kind::Int4
            }
        }
        C::MYSQL_TYPE_LONGLONG => {
            if unsigned {
                Kind::UInt8
            } else {
                Kind::Int8
            }
        }
        C::MYSQL_TYPE_YEAR => Kind::Int2,
        C::MYSQL_TYPE_FLOAT => Kind::Real4,
        C::MYSQL_TYPE_DOUBLE => Kind::Real8,
        C::MYSQL_TYPE_NEWDECIMAL => decimal(detail(0), detail(1)),
        C::MYSQL_TYPE_DATE | C::MYSQL_TYPE_NEWDATE => Kind::Date,
        C::MYSQL_TYPE_DATETIME | C::MYSQL_TYPE_DATETIME2 | C::MYSQL_TYPE_TIMESTAMP | C::MYSQL_TYPE_TIMESTAMP2 => {
            Kind::Datetime
        }
        C::MYSQL_TYPE_BIT if u16::from(detail(1)) * 8 + u16::from(detail(0)) == 1 => Kind::Boolean,
        C::MYSQL_TYPE_BIT | C::MYSQL_TYPE_GEOMETRY => Kind::Bytes,
        C::MYSQL_TYPE_JSON | C::MYSQL_TYPE_ENUM | C::MYSQL_TYPE_SET | C::MYSQL_TYPE_TIME | C::MYSQL_TYPE_TIME2 => {
            Kind::Text
        }
        _ if binary => Kind::Bytes,
        _ => Kind::Text,
    }
}

/// DMS's type for a column as the catalog declares it.
fn declared(kind: &str, full: &str, precision: Option<u64>, scale: Option<u64>) -> Kind {
    let unsigned = full.contains("unsigned");
    let small = |number: Option<u64>| number.and_then(|number| u8::try_from(number).ok()).unwrap_or_default();
    match kind {
        "tinyint" => {
            if unsigned {
                Kind::UInt1
            } else {
                Kind::Int1
            }
        }
        "smallint" => {
            if unsigned {
                Kind::UInt2
            } else {
                Kind::Int2
            }
        }
        "mediumint" | "int" => {
            if unsigned {
                Kind::UInt4
            } else {
                Kind::Int4
            }
        }
        "bigint" => {
            if unsigned {
                Kind::UInt8
            } else {
                Kind::Int8
            }
        }
        "year" => Kind::Int2,
        "float" => Kind::Real4,
        "double" => Kind::Real8,
        "decimal" => decimal(small(precision), small(scale)),
        "date" => Kind::Date,
        "datetime" | "timestamp" => Kind::Datetime,
        "bit" if full == "bit(1)" => Kind::Boolean,
        "bit" | "binary" | "varbinary" | "tinyblob" | "blob" | "mediumblob" | "longblob" | "geometry" | "point" => {
            Kind::Bytes
        }
        _ => Kind::Text,
    }
}

fn decimal(precision: u8, scale: u8) -> Kind {
    if precision > DIGITS { Kind::Text } else { Kind::Numeric { precision, scale } }
}

/// A value of a SELECT, which has all of them as texts.
fn selected(table: &Table, column: &Column, given: Given) -> Result<Value> {
    let Given::Bytes(bytes) = given else { return Ok(Value::Null) };
    match column.kind {
        Kind::Bytes => Ok(Value::Bytes(bytes)),
        Kind::Boolean => Ok(Value::Boolean(bytes.last() == Some(&1))),
        kind => parsed(table, column, kind, &bytes),
    }
}

/// A value of the log.
fn logged(table: &Table, column: &Column, labels: Option<&Vec<String>>, given: BinlogValue<'_>) -> Result<Value> {
    let given = match given {
        BinlogValue::Value(given) => given,
        BinlogValue::Jsonb(json) => {
            let json = serde_json::Value::try_from(json);
            let json = json.map_err(|error| Error::new(format!("`{}` is no JSON: {error}", column.name)))?;
            return Ok(Value::Text(json.to_string()));
        }
        BinlogValue::JsonDiff(_) => {
            return Err(Error::new("the binlog has parts of JSON values only")
                .hint("set `binlog_row_value_options` to nothing: DMS needs whole values too"));
        }
    };
    let value = match (column.kind, given) {
        (Kind::Text, Given::Int(number)) if labels.is_some() => {
            let word = usize::try_from(number - 1).ok().and_then(|index| labels?.get(index));
            Value::Text(word.cloned().unwrap_or_default())
        }
        (Kind::Text, Given::Bytes(bits)) if let Some(labels) = labels => {
            let chosen = labels
                .iter()
                .enumerate()
                .filter(|(index, _)| bits.get(index / 8).is_some_and(|byte| byte & (1 << (index % 8)) != 0));
            Value::Text(chosen.map(|(_, word)| word.as_str()).collect::<Vec<_>>().join(","))
        }
        (_, Given::Int(number)) => Value::Integer(number.into()),
        (_, Given::UInt(number)) => Value::Integer(number.into()),
        (_, Given::Float(number)) => Value::Float(number.into()),
        (_, Given::Double(number)) => Value::Float(number),
        (kind @ (Kind::Date | Kind::Datetime), Given::Date(year, month, day, hour, minute, second, micros)) => {
            let text = format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}.{micros:06}");
            let text = if kind == Kind::Date { &text[..10] } else { &text };
            parsed(table, column, kind, text.as_bytes())?
        }
        // Seconds since the epoch.
        (Kind::Datetime, Given::Bytes(bytes)) => {
            let text = String::from_utf8_lossy(&bytes).into_owned();
            let (seconds, micros) = text.split_once('.').unwrap_or((&text, "0"));
            match (seconds.parse::<i128>(), micros.parse::<i128>()) {
                // MySQL's zero.
                (Ok(0), Ok(0)) => Value::Null,
                (Ok(seconds), Ok(micros)) => Value::Integer(seconds * 1_000_000 + micros),
                _ => Value::Null,
            }
        }
        (_, Given::Time(negative, days, hours, minutes, seconds, micros)) => {
            let hours = days * 24 + u32::from(hours);
            let sign = if negative { "-" } else { "" };
            let fraction = if micros == 0 { String::new() } else { format!(".{micros:06}") };
            Value::Text(format!("{sign}{hours:02}:{minutes:02}:{seconds:02}{fraction}"))
        }
        (Kind::Bytes, Given::Bytes(bytes)) => Value::Bytes(bytes),
        (Kind::Boolean, Given::Bytes(bytes)) => Value::Boolean(bytes.last() == Some(&1)),
        (kind, Given::Bytes(bytes)) => parsed(table, column, kind, &bytes)?,
        (_, Given::NULL | Given::Date(..)) => Value::Null,
    };
    Ok(value)
}

/// The library reads the three bytes of a MEDIUMINT without their sign.
fn signed_medium(value: Value) -> Value {
    match value {
        Value::Integer(number) if (1 << 23..1 << 24).contains(&number) => Value::Integer(number - (1 << 24)),
        value => value,
    }
}

fn parsed(table: &Table, column: &Column, kind: Kind, bytes: &[u8]) -> Result<Value> {
    let place = || format!("`{}`.`{}`", table.label(), column.name);
    let text = std::str::from_utf8(bytes).map_err(|_| {
        Error::new(format!("{} is not in UTF-8", place()))
            .hint("write it there in the encoding that the column declares: DMS would write something else, or stop")
    })?;
    row::parse(kind, text).map_err(|why| Error::new(format!("{}: {why}", place())))
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
