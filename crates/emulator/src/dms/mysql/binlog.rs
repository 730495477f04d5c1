//! The binlog: its events, and the changes that they contain.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use encoding_rs::{Encoding, UTF_8};
use mysql_async::Value as Given;
use mysql_async::binlog::EventFlags;
use mysql_async::binlog::events::{Event, EventData, OptionalMetadataField, RowsEventData, TableMapEvent};
use mysql_async::binlog::row::BinlogRow;
use mysql_async::binlog::value::BinlogValue;
use mysql_async::consts::ColumnType;

use crate::dms::row::{Change, Column, Kind, Operation, Table, Value};
use crate::dms::{Configuration, truncated};
use crate::error::{Error, Result};

use super::charset;
use super::types::of_log;
use super::value::{logged, signed_medium};

/// The character set of bytes.
const BINARY: u16 = 63;

/// A position in the log: a file and an offset.
pub(super) type BinlogPosition = (Vec<u8>, u64);

/// A log that is read.
#[derive(Default)]
pub(super) struct Log {
    /// The end of the last transaction that was reported.
    pub(super) position: BinlogPosition,
    /// Table maps that were read, by the table's number, with our table.
    known: BTreeMap<u64, (TableMapEvent<'static>, Arc<Table>, Texts)>,
    /// The changes of a transaction that has not ended.
    open: Vec<Change>,
    /// Whether the last event is part of one.
    inside: bool,
    /// What the log did not contain, once each.
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

impl Log {
    /// Begins to read at a place, which is the end of a transaction.
    pub(super) fn begin(&mut self, position: BinlogPosition) {
        self.position = position;
        self.open.clear();
        self.inside = false;
    }

    /// Takes an event; at the end of a transaction its changes go to `take`.
    pub(super) fn event(
        &mut self,
        event: &Event,
        configuration: &Configuration,
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
                self.position = (rotate.name_raw().to_vec(), rotate.position());
                return Ok(());
            }
            Some(EventData::TableMapEvent(map)) => {
                self.inside = true;
                self.table(map, configuration)?;
            }
            Some(EventData::RowsEvent(rows)) => {
                self.inside = true;
                self.rows(&rows)?;
            }
            Some(EventData::XidEvent(_)) => ends = true,
            Some(EventData::QueryEvent(query)) => {
                let text = query.query();
                let text = text.trim_start();
                let word = text.split([' ', '\n', '\t']).next().unwrap_or_default().to_ascii_uppercase();
                if word == "TRUNCATE" {
                    let name = text.split_whitespace().last().unwrap_or_default().trim_matches(['`', ';']).to_owned();
                    self.findings.insert(truncated(&name));
                }
                ends = word != "BEGIN" && word != "SAVEPOINT";
                self.inside = !ends;
            }
            _ => {}
        }
        if ends {
            self.inside = false;
            for change in std::mem::take(&mut self.open) {
                take(Change { committed, ..change })?;
            }
        }
        // Events that the server creates for a reader have no position in the file. And a new reader must see a whole
        // transaction, with the maps of its tables.
        let artificial = header.log_pos() == 0 || header.flags().contains(EventFlags::LOG_EVENT_ARTIFICIAL_F);
        if !artificial && !self.inside {
            self.position.1 = u64::from(header.log_pos());
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
            .ok_or_else(|| Error::new(format!("the binlog does not contain the columns of `{schema}.{name}`")))?;
        self.known.insert(number, (map, Arc::new(Table { schema, name, columns }), texts));
        Ok(())
    }

    fn rows(&mut self, rows: &RowsEventData<'_>) -> Result<()> {
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
            self.open.push(Change { table: Arc::clone(table), operation, row, before, committed: 0 });
        }
        Ok(())
    }
}

/// The columns of a table in the log, which has their names with `binlog_row_metadata=FULL`.
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
