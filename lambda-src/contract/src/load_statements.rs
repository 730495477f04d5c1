//! The statements that bring one batch into a table, for one transaction: pure.
//!
//! A batch is read with the columns that its ledger entry names, and enters the table by column name. So a deploy that
//! adds, drops or swaps columns while the batch waits changes nothing about what the batch means.

use std::collections::BTreeSet;
use std::fmt;

use crate::document::{LoadColumn, TableLoad};
use crate::limits::VARCHAR_BYTES;
use crate::names::columns::{DELETED, INFERRED};
use crate::options::Load;
use crate::{ColumnType, Map, schema_change};

/// Rows on their way into a table.
const STAGE: &str = "pipectl_stage";
/// Rows as the files have them, where a value must be converted.
const INCOMING: &str = "pipectl_incoming";

/// A batch of one table.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a> {
    pub name: &'a str,
    pub files: Files<'a>,
    /// The columns of the files with Spark's types, in their order. Empty in entries of jobs that did not record them;
    /// then the files have the columns of the document.
    pub columns: &'a Map<String>,
}

/// What COPY reads.
#[derive(Clone, Copy, Debug)]
pub enum Files<'a> {
    /// The address of a manifest.
    Manifest(&'a str),
    /// The address of a folder, of a batch whose ledger entry has no list of files.
    Folder(&'a str),
}

/// A column of a batch whose values the table cannot take without loss.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfit {
    pub column: String,
    /// The type in the batch, as Spark writes it.
    pub batch: String,
    /// The type in the table.
    pub table: String,
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is {} in the batch and {} in the table", self.column, self.batch, self.table)
    }
}

/// The table that records which batches are in a table of the schema `core`. Each table has its own, so that a load
/// locks nobody but the other transactions that write the same table.
pub fn ledger_table(name: &str) -> String {
    format!("pipectl.ledger_{}", unquoted(name))
}

/// The statement that a transaction begins with if it writes these tables of the schema `core`. The second one waits
/// here, before its snapshot is taken, so it sees what the first has committed.
pub fn lock<'a>(tables: impl IntoIterator<Item = &'a str>) -> String {
    // In one order, so that two transactions never wait for each other.
    let tables: BTreeSet<String> = tables.into_iter().map(ledger_table).collect();
    format!("LOCK {}", Vec::from_iter(tables).join(", "))
}

/// The statement that creates the ledger of a table.
pub fn create_ledger(name: &str) -> String {
    format!(
        "CREATE TABLE IF NOT EXISTS {} (batch VARCHAR(64) NOT NULL, loaded_at TIMESTAMP NOT NULL, \
         rows_staged BIGINT NOT NULL) DISTSTYLE ALL SORTKEY (batch)",
        ledger_table(name)
    )
}

/// Returns the statements that load a batch. Fails with every column that the table cannot take.
pub fn statements(table: &TableLoad, batch: Batch<'_>) -> Result<Vec<String>, Vec<Unfit>> {
    Ok(Loading::new(table, batch)?.statements())
}

/// How a column of the files becomes a column of the stage.
#[derive(Debug)]
struct Column<'a> {
    /// The name in SQL.
    name: String,
    /// The type as COPY reads it.
    incoming: ColumnType,
    /// The column of the table; `None` if it has none of this name.
    target: Option<&'a LoadColumn>,
}

impl Column<'_> {
    /// Whether COPY cannot write the value of the table's type by itself.
    fn is_converted(&self) -> bool {
        self.target.is_some_and(|target| target.kind != self.incoming)
    }
}

struct Loading<'a> {
    table: &'a TableLoad,
    batch: Batch<'a>,
    columns: Vec<Column<'a>>,
    /// Whether rows of the batch may be marked as deleted.
    deletes: bool,
}

impl<'a> Loading<'a> {
    fn new(table: &'a TableLoad, batch: Batch<'a>) -> Result<Self, Vec<Unfit>> {
        let mut columns = Vec::new();
        let mut unfit = Vec::new();
        let mut deletes = false;
        if batch.columns.is_empty() {
            let own = |column: &'a LoadColumn| Column {
                name: column.name.clone(),
                incoming: in_files(&column.kind),
                target: Some(column),
            };
            columns.extend(table.columns.iter().map(own));
            deletes = table.deletes;
        }
        for (name, spark) in batch.columns {
            if name == DELETED {
                deletes = true;
                continue;
            }
            let target = table.columns.iter().find(|column| unquoted(&column.name) == name);
            match (incoming(spark, target.map(|target| &target.kind)), target) {
                (Some(incoming), target) => {
                    let name = target.map_or_else(|| quoted(name), |target| target.name.clone());
                    columns.push(Column { name, incoming, target });
                }
                (None, target) => unfit.push(Unfit {
                    column: name.to_owned(),
                    batch: spark.clone(),
                    table: target.map_or_else(|| "unknown".to_owned(), |target| target.kind.to_string()),
                }),
            }
        }
        let missing = table.key.iter().filter(|key| !columns.iter().any(|column| column.name == **key));
        unfit.extend(
            missing
                .filter(|_| unfit.is_empty())
                .map(|key| Unfit {
                    column: unquoted(key).to_owned(),
                    batch: "missing".to_owned(),
                    table: "a part of the key".to_owned(),
                })
                .collect::<Vec<_>>(),
        );
        if unfit.is_empty() { Ok(Self { table, batch, columns, deletes }) } else { Err(unfit) }
    }

    fn statements(&self) -> Vec<String> {
        let mut statements = vec![self.lock()];
        statements.extend(self.stage());
        let ledger = ledger_table(&self.table.name);
        let loaded = format!("SELECT 1 FROM {ledger} WHERE batch = '{}'", self.batch.name);
        // A batch that is in the ledger is in the table: nothing of it is left to load.
        statements.push(format!("DELETE FROM {STAGE} WHERE EXISTS ({loaded})"));
        statements.extend(self.stale());
        statements.extend(self.deletions());
        statements.extend(self.stubs());
        statements.extend(self.rows());
        statements.push(format!(
            "INSERT INTO {ledger} (batch, loaded_at, rows_staged) SELECT '{}', GETDATE(), staged.row_count \
             FROM (SELECT COUNT(*) AS row_count FROM {STAGE}) AS staged WHERE NOT EXISTS ({loaded})",
            self.batch.name
        ));
        statements
    }

    fn lock(&self) -> String {
        let stubs = self.stubbed().map(|(_, stub)| stub.table.as_str());
        lock(std::iter::once(self.table.name.as_str()).chain(stubs))
    }

    /// Files into the stage. COPY takes Parquet columns by position, so its table has exactly those of the files.
    fn stage(&self) -> Vec<String> {
        let copy = |into: &str| {
            let (address, manifest) = match self.batch.files {
                Files::Manifest(address) => (address, " MANIFEST"),
                Files::Folder(address) => (address, ""),
            };
            format!("COPY {into} FROM '{address}' IAM_ROLE default FORMAT AS PARQUET{manifest}")
        };
        let deleted = self.deletes.then(|| format!("{DELETED} BOOLEAN"));
        // Rows that are distributed as those of the table are merged without moving them.
        let by = self.table.distribution.as_ref().filter(|by| self.has(by));
        let create = |into: &str, columns: Vec<String>| {
            let columns: Vec<String> = columns.into_iter().chain(deleted.clone()).collect();
            let key = by.map_or_else(String::new, |column| format!(" DISTKEY ({column})"));
            format!("CREATE TEMP TABLE {into} ({}){key}", columns.join(", "))
        };
        let read = |column: &Column<'_>| format!("{} {}", column.name, column.incoming.sql());
        if !self.columns.iter().any(Column::is_converted) {
            return vec![create(STAGE, self.columns.iter().map(read).collect()), copy(STAGE)];
        }
        let kept = || self.columns.iter().filter_map(|column| Some((column, column.target?)));
        let staged = |(column, target): (&Column<'_>, &LoadColumn)| format!("{} {}", column.name, target.kind.sql());
        let value = |(column, target): (&Column<'_>, &LoadColumn)| match target.kind {
            // JSON is a text in the files, which COPY would take for a SUPER of one string.
            ColumnType::Super => format!("JSON_PARSE({})", column.name),
            _ if column.is_converted() => format!("CAST({} AS {})", column.name, target.kind.sql()),
            _ => column.name.clone(),
        };
        let deletion = self.deletes.then(|| DELETED.to_owned());
        let names: Vec<String> = kept().map(|(column, _)| column.name.clone()).chain(deletion.clone()).collect();
        let values: Vec<String> = kept().map(value).chain(deletion).collect();
        vec![
            create(INCOMING, self.columns.iter().map(read).collect()),
            copy(INCOMING),
            create(STAGE, kept().map(staged).collect()),
            format!("INSERT INTO {STAGE} ({}) SELECT {} FROM {INCOMING}", names.join(", "), values.join(", ")),
        ]
    }

    /// Rows may come late: a newer row of the table stays, and what was deleted later stays deleted.
    fn stale(&self) -> Vec<String> {
        let Some(order) = self.order_by() else { return Vec::new() };
        let (target, key) = (self.target(), self.same(STAGE, "target"));
        let mut statements = Vec::new();
        let newer =
            format!("DELETE FROM {STAGE} USING {target} AS target WHERE {key} AND target.{order} > {STAGE}.{order}");
        match self.table.load {
            Load::Upsert => statements.push(newer),
            Load::Append if self.deletes => statements.push(format!("{newer} AND {STAGE}.{DELETED}")),
            Load::Append => {}
        }
        if let Some(gone) = self.remembers() {
            let key = self.same(STAGE, "gone");
            statements.push(format!(
                "DELETE FROM {STAGE} USING {gone} AS gone WHERE {key} AND gone.{order} > {STAGE}.{order}"
            ));
        }
        statements
    }

    /// Rows that the stage marks leave the table, and then the stage.
    fn deletions(&self) -> Vec<String> {
        if !self.deletes {
            return Vec::new();
        }
        let mut statements = Vec::new();
        if self.table.key.is_empty() {
            return vec![format!("DELETE FROM {STAGE} WHERE {DELETED}")];
        }
        if let (Some(order), Some(gone)) = (self.order_by(), self.remembers()) {
            let columns = format!("{}, {order}", self.table.key.join(", "));
            let key = self.same(gone.split_once('.').map_or(gone, |(_, name)| name), STAGE);
            // Whatever comes now is later than what was remembered.
            statements.push(format!("DELETE FROM {gone} USING {STAGE} WHERE {key}"));
            statements.push(format!(
                "INSERT INTO {gone} ({columns}) SELECT {columns} FROM {STAGE} WHERE {STAGE}.{DELETED} AND {STAGE}.{order} IS NOT NULL"
            ));
        }
        let key = self.same(&self.table.name, STAGE);
        statements.push(format!("DELETE FROM {} USING {STAGE} WHERE {key} AND {STAGE}.{DELETED}", self.target()));
        statements.push(format!("DELETE FROM {STAGE} WHERE {DELETED}"));
        statements
    }

    /// A row for each key that this table's rows point to and that has not come yet.
    fn stubs(&self) -> Vec<String> {
        self.stubbed()
            .map(|(column, stub)| {
                let (column, dimension, key) = (&column.name, &stub.table, &stub.column);
                format!(
                    "INSERT INTO core.{dimension} ({key}, {INFERRED}) SELECT DISTINCT {STAGE}.{column}, TRUE FROM {STAGE} \
                     WHERE {STAGE}.{column} IS NOT NULL \
                     AND NOT EXISTS (SELECT 1 FROM core.{dimension} AS known WHERE known.{key} = {STAGE}.{column})"
                )
            })
            .collect()
    }

    /// The stage into the table.
    fn rows(&self) -> Vec<String> {
        let columns = self.kept();
        match self.table.load {
            Load::Upsert => vec![self.merge()],
            Load::Append => {
                let mut statements = Vec::new();
                if !self.table.key.is_empty() {
                    if self.table.may_hold_stubs {
                        let name = &self.table.name;
                        let key = self.same(name, STAGE);
                        // A row that was created for its key alone makes room for the row itself.
                        statements.push(format!(
                            "DELETE FROM {} USING {STAGE} WHERE {key} AND {name}.{INFERRED}",
                            self.target()
                        ));
                    }
                    let key = self.same(STAGE, "target");
                    statements.push(format!("DELETE FROM {STAGE} USING {} AS target WHERE {key}", self.target()));
                }
                let columns = columns.join(", ");
                statements.push(format!("INSERT INTO {} ({columns}) SELECT {columns} FROM {STAGE}", self.target()));
                statements
            }
        }
    }

    /// MERGE with both of its clauses, from a table, by equality: the one form that Redshift has.
    fn merge(&self) -> String {
        let mut columns = self.kept();
        let only_key = columns.iter().all(|column| self.table.key.contains(column));
        let set = columns
            .iter()
            .filter(|column| only_key || !self.table.key.contains(column))
            .map(|column| format!("{column} = {STAGE}.{column}"));
        let inferred = self.table.may_hold_stubs.then(|| format!("{INFERRED} = FALSE"));
        let set: Vec<String> = set.chain(inferred).collect();
        let mut values: Vec<String> = columns.iter().map(|column| format!("{STAGE}.{column}")).collect();
        if self.table.may_hold_stubs {
            columns.push(INFERRED.to_owned());
            values.push("FALSE".to_owned());
        }
        format!(
            "MERGE INTO {} USING {STAGE} ON {} WHEN MATCHED THEN UPDATE SET {} WHEN NOT MATCHED THEN INSERT ({}) \
             VALUES ({})",
            self.target(),
            self.same(&self.table.name, STAGE),
            set.join(", "),
            columns.join(", "),
            values.join(", ")
        )
    }

    fn target(&self) -> String {
        format!("core.{}", self.table.name)
    }

    /// The columns of the batch that the table has.
    fn kept(&self) -> Vec<String> {
        self.columns.iter().filter(|column| column.target.is_some()).map(|column| column.name.clone()).collect()
    }

    fn has(&self, name: &str) -> bool {
        self.columns.iter().any(|column| column.target.is_some() && column.name == name)
    }

    /// The column that orders the rows of a key, if the batch has it.
    fn order_by(&self) -> Option<&str> {
        self.table.order_by.as_deref().filter(|order| self.has(order) && !self.table.key.is_empty())
    }

    /// The table that remembers deletions, if a row of this batch can be older than one.
    fn remembers(&self) -> Option<&str> {
        self.table.deleted_keys.as_deref().filter(|_| self.deletes && self.order_by().is_some())
    }

    fn stubbed(&self) -> impl Iterator<Item = (&Column<'a>, &'a crate::document::Stub)> {
        self.columns.iter().filter_map(|column| Some((column, column.target?.stub.as_ref()?)))
    }

    fn same(&self, left: &str, right: &str) -> String {
        let equal = |column: &String| format!("{left}.{column} = {right}.{column}");
        self.table.key.iter().map(equal).collect::<Vec<_>>().join(" AND ")
    }
}

/// The type that COPY reads; `None` if there is none, or its values do not fit into the target.
fn incoming(spark: &str, target: Option<&ColumnType>) -> Option<ColumnType> {
    let read = match spark {
        "smallint" | "tinyint" => ColumnType::Smallint,
        "int" => ColumnType::Integer,
        "timestamp_ntz" => ColumnType::Timestamp,
        "string" => match target {
            Some(ColumnType::Varchar(length)) => ColumnType::Varchar(*length),
            Some(ColumnType::Super) | None => ColumnType::Varchar(VARCHAR_BYTES),
            Some(_) => return None,
        },
        other => other.parse().ok()?,
    };
    match target {
        None => Some(read),
        Some(ColumnType::Super) => matches!(read, ColumnType::Varchar(_)).then_some(read),
        Some(target) => {
            (read == *target || schema_change::widens(&read.to_string(), &target.to_string())).then_some(read)
        }
    }
}

/// The type in the files of a column of this type.
fn in_files(kind: &ColumnType) -> ColumnType {
    if *kind == ColumnType::Super { ColumnType::Varchar(VARCHAR_BYTES) } else { kind.clone() }
}

/// A name that SQL writes, without its quotes.
fn unquoted(name: &str) -> &str {
    name.strip_prefix('"').and_then(|name| name.strip_suffix('"')).unwrap_or(name)
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
