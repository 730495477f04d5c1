//! The pipeline document: what the jobs and Lambdas know about the pipeline.
//!
//! pipectl writes it, under a key with its digest, next to the code that reads it.

use serde::{Deserialize, Serialize};

use crate::limits::PARALLEL_LOADS;
use crate::options::{Bounds, Capture, CheckName, Load, MartKind, RowBounds, SchemaChanges};
use crate::{ColumnType, Map, schema_change};

/// The version of the document that this code writes and reads.
pub const VERSION: u32 = 1;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Document {
    /// Always [`VERSION`].
    pub version: u32,
    pub pipeline: String,
    pub environment: String,
    /// `<pipeline>-<environment>`: the start of every name.
    pub prefix: String,
    pub buckets: Buckets,
    /// Landing objects are deleted once they are loaded and archived.
    pub empty_after_load: bool,
    pub sources: Map<Source>,
    pub tables: Map<Table>,
    pub warehouse: Warehouse,
    /// The tables that are made by SQL.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub transforms: Map<Transform>,
    /// Where the Iceberg tables are, if there are any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iceberg: Option<Iceberg>,
}

/// The version alone, to be read before the rest: another version may have another form.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Version {
    pub version: u32,
}

/// The buckets of the zones.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Buckets {
    pub raw: String,
    pub cleaned: String,
    pub transformed: String,
    pub raw_archive: String,
    pub cleaned_archive: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Iceberg {
    /// The database of the catalog.
    pub database: String,
    /// How long a table's earlier states are kept.
    pub snapshot_days: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum Source {
    Shopify(Shopify),
    Files {},
    /// A Lambda of the user's. The jobs read its objects as files.
    Lambda {},
    Mysql(Database),
    Postgresql(Database),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shopify {
    /// The shop's permanent host name, `example.myshopify.com`.
    pub store: String,
    pub api_version: String,
    /// The name of the secret that holds the credentials.
    pub secret: String,
    /// The moment before which nothing is fetched; without one, the first run fetches everything.
    pub start: Option<String>,
    pub objects: Vec<Object>,
}

/// One kind of object that is read from a shop, with its children, and the tables of its rows.
///
/// It says what to read, not how: the Lambda makes bulk and paged queries from it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Object {
    pub name: String,
    /// The connection at the root of a query, such as `orders`.
    pub connection: String,
    /// The connection's arguments, beside the filter.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub arguments: String,
    /// The type of its rows in global ids: `Order`.
    #[serde(rename = "type")]
    pub kind: String,
    /// What is selected of a row, without its children and lists.
    pub fields: String,
    /// Connections below a row. Their rows are separate lines.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub children: Vec<Child>,
    /// Lists inside a row whose items are rows of other tables.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lists: Vec<List>,
    /// Lists of names and numbers inside a row that become one mapping, such as `quantities`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pivots: Vec<String>,
    /// The type whose `updatedAt` moves the cursor, and whose connection is filtered by it.
    pub cursor: String,
    /// From the type of a row (`Order`) to its table.
    pub tables: Map<String>,
    /// The access scopes that the app needs.
    pub scopes: Vec<String>,
    /// From the subject type of a deletion event (`ORDER`) to the type of the rows.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub deletions: Map<String>,
}

/// A connection below a row.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Child {
    pub connection: String,
    #[serde(rename = "type")]
    pub kind: String,
    pub fields: String,
}

/// A list inside a row.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct List {
    pub field: String,
    #[serde(rename = "type")]
    pub kind: String,
    pub fields: String,
    /// Whether a column of the row's own table reads the list, too.
    pub keep: bool,
}

/// A database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Database {
    /// `None` for a database that pipectl creates: its secret holds the host.
    pub host: Option<String>,
    pub port: u16,
    pub database: String,
    pub schema: String,
    pub secret: String,
    pub tls: bool,
    pub capture: Capture,
    pub overlap_seconds: u32,
}

/// A table: where its objects are, how they are read, and what must hold for its rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Table {
    pub source: String,
    /// The table in the database, of a database source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// The prefix of the table's objects in the raw bucket.
    pub landing: String,
    pub format: Format,
    pub csv: Option<Csv>,
    /// Each object is the whole table.
    pub snapshot: bool,
    /// Rows may be marked as deleted: cleaned and transformed rows have a last column `_deleted`.
    pub deletes: bool,
    /// Objects count only when an entry below this prefix of the raw bucket names them.
    pub ingest_ledger: Option<String>,
    pub columns: Vec<Column>,
    pub key: Vec<String>,
    pub order_by: Option<String>,
    /// The column that shows which rows are new, of a database that is read by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watermark: Option<String>,
    pub load: Load,
    pub schema_changes: SchemaChanges,
    pub checks: Checks,
    pub quarantine_limit: f64,
}

/// The reader of a table's objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    Csv,
    Jsonl,
    Parquet,
    /// The files of DMS.
    Changes,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Csv {
    pub delimiter: String,
    pub encoding: String,
    pub header: bool,
    pub null: Vec<String>,
    pub decimal: String,
    pub thousands: Option<String>,
    pub date_format: Option<String>,
    /// What stands before a quote, a delimiter or a line break that belongs to a value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub escape: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    pub name: String,
    #[serde(rename = "type")]
    pub kind: ColumnType,
    pub from: String,
    pub required: bool,
    /// The time zone in which a time with a zone becomes a date.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checks {
    pub not_null: Vec<String>,
    /// Each list of columns is unique together.
    pub unique: Vec<Vec<String>>,
    pub accepted_values: Map<Vec<String>>,
    pub between: Map<Bounds>,
    pub matches: Map<String>,
    pub references: Map<Reference>,
    pub rows: RowBounds,
    pub fresh_within_hours: Map<u64>,
    /// The checks that only warn.
    pub warn: Vec<CheckName>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reference {
    pub table: String,
    pub column: String,
}

/// A table that is made by SQL.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transform {
    pub sql: String,
    /// The tables of which it reads all rows.
    pub reads: Vec<String>,
    /// The tables of which it reads the rows of the run.
    pub reads_changed: Vec<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warehouse {
    pub workgroup: String,
    pub database: String,
    pub secret: String,
    /// Run first: creates what does not exist.
    pub setup: Vec<String>,
    /// The desired tables, by their name with schema: `core.orders`. Existing ones are changed to match.
    pub schema: Map<schema_change::Table>,
    /// Run when the tables match.
    pub complete: Vec<String>,
    /// The users that may only read, each with the secret of its password.
    pub users: Map<String>,
    /// How the batches of each table are loaded.
    pub tables: Map<TableLoad>,
    /// In an order in which each comes after those that it reads.
    pub marts: Vec<Mart>,
    /// How many loads and marts run at the same time.
    #[serde(default = "parallel")]
    pub parallel: usize,
}

fn parallel() -> usize {
    PARALLEL_LOADS
}

/// How the batches of a table are loaded. Names are as SQL writes them: in quotes where that is needed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableLoad {
    /// The table's name in the schema `core`.
    pub name: String,
    pub columns: Vec<LoadColumn>,
    pub key: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order_by: Option<String>,
    pub load: Load,
    /// Whether its batches mark rows as deleted.
    pub deletes: bool,
    /// The table that remembers which keys were deleted, with its schema, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted_keys: Option<String>,
    /// Whether the table may hold rows that were created for their key alone.
    pub may_hold_stubs: bool,
    /// The column by which its rows are distributed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distribution: Option<String>,
}

/// A column of a table in the warehouse.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadColumn {
    pub name: String,
    #[serde(rename = "type")]
    pub kind: ColumnType,
    /// The row that is created where this column points to a row that has not come yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stub: Option<Stub>,
}

/// A column of the schema `core` in which a missing key is created.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stub {
    pub table: String,
    pub column: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mart {
    pub name: String,
    pub kind: MartKind,
    /// The tables and marts that it reads, with their schema: `core.orders`.
    #[serde(default)]
    pub reads: Vec<String>,
    /// One transaction; a single statement is sent alone.
    pub refresh: Vec<String>,
    /// The statement that writes its files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unload: Option<String>,
}
