//! What the user wrote: the pipeline of `stacks/pipeline.yaml` and one environment of `stacks/<env>.yaml`.
//!
//! These types are the one source of the JSON schema (`pipectl schema`), of the shape check and of the reference in
//! the docs: their doc comments are the descriptions that an editor shows.

pub mod load;
pub mod names;
pub mod reference;
pub mod rules;
pub mod shape;
pub mod types;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use load::Spec;
pub use types::ColumnType;

/// A map that keeps the order in which the user wrote it.
pub type Map<T> = IndexMap<String, T>;

/// A shop's data pipeline.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Pipeline {
    /// A short name. It is part of the name of everything that is deployed.
    #[schemars(regex(pattern = r"^[a-z][a-z0-9-]*[a-z0-9]$"), length(max = 20))]
    pub name: String,
    /// Where the data comes from.
    pub sources: Map<Source>,
    /// The tables of the warehouse.
    pub tables: Map<Table>,
    /// Tables and views made from the tables after each load.
    #[serde(default)]
    pub marts: Map<Mart>,
    /// What starts a run when an object arrives in the raw zone.
    #[serde(default)]
    pub trigger: Trigger,
    /// How long the zones keep their objects.
    #[serde(default)]
    pub zones: Zones,
    /// Redshift Serverless.
    #[serde(default)]
    pub warehouse: Warehouse,
    /// The Glue jobs.
    #[serde(default)]
    pub jobs: Jobs,
    /// The Lambda functions.
    #[serde(default)]
    pub functions: Functions,
    /// The private network of the warehouse.
    #[serde(default)]
    pub network: Network,
    /// Who hears of failures.
    #[serde(default)]
    pub alerts: Alerts,
    /// The GitHub repository that deploys through OIDC. Without it no OIDC role is made.
    #[serde(default)]
    pub github: Option<Github>,
    /// Tags of every stack and of all that it makes.
    #[serde(default)]
    pub tags: Map<String>,
}

/// One environment: the account and region that it lives in, and what differs there.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Environment {
    /// The AWS account, 12 digits. A deploy with the credentials of another account is refused.
    #[schemars(regex(pattern = r"^[0-9]{12}$"))]
    pub account: String,
    /// The AWS region.
    #[schemars(regex(pattern = r"^[a-z]{2}(-[a-z]+)+-[0-9]$"))]
    pub region: String,
    /// Production: stacks are protected against termination.
    #[serde(default)]
    pub production: bool,
    /// `true` for the account that pipectl itself runs on this machine.
    #[serde(default)]
    pub local: bool,
    /// The port of the local account on 127.0.0.1. Without it any free port is taken.
    #[serde(default)]
    pub port: Option<u16>,
    /// Laid over `pipeline.yaml`: mappings are merged key by key, all else is replaced.
    #[serde(default)]
    pub overrides: serde_json::Map<String, serde_json::Value>,
}

/// One source of data: exactly one of the kinds.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// A Shopify shop, read by a Lambda through the GraphQL Admin API.
    Shopify(Shopify),
    /// Files that a person or a program drops under `landing/<table>/` of the raw bucket.
    Files(Files),
}

/// A Shopify shop.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Shopify {
    /// The shop's own domain, such as `example.myshopify.com`.
    #[schemars(regex(pattern = r"^[a-z0-9][a-z0-9-]*\.myshopify\.com$"))]
    pub store: String,
    /// A stable version of the Admin API, such as `2026-10`.
    #[serde(default = "default_api_version")]
    #[schemars(regex(pattern = r"^20[0-9]{2}-(01|04|07|10)$"))]
    pub api_version: String,
    /// When the Lambda runs: an EventBridge Scheduler expression, such as `rate(1 hour)` or `cron(0 6 * * ? *)`.
    #[serde(default = "default_schedule")]
    #[schemars(regex(pattern = r"^(rate|cron)\(.+\)$"))]
    pub schedule: String,
    /// The first run reads what changed since this date.
    #[serde(default = "default_since")]
    #[schemars(regex(pattern = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"))]
    pub since: String,
}

fn default_api_version() -> String {
    "2026-10".into()
}

fn default_schedule() -> String {
    "rate(1 hour)".into()
}

fn default_since() -> String {
    "2000-01-01".into()
}

/// Files under `landing/<table>/`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Files {
    /// How the files are written.
    #[serde(default)]
    pub format: FileFormat,
    /// The dialect of CSV files.
    #[serde(default)]
    pub csv: Csv,
}

/// The format of dropped files; each may be gzip-compressed (`.gz`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum FileFormat {
    #[default]
    Csv,
    Jsonl,
}

/// A CSV dialect. The first line is always the header; columns are found by name, in any order.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Csv {
    /// One character.
    #[schemars(length(min = 1, max = 1))]
    pub delimiter: String,
    /// The encoding, as Python names it.
    pub encoding: String,
    /// Texts that mean "no value".
    pub null: Vec<String>,
}

impl Default for Csv {
    fn default() -> Self {
        Self { delimiter: ",".into(), encoding: "utf-8".into(), null: vec![String::new()] }
    }
}

/// One table of the warehouse.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// `<source>` for files, `<source>.<object>` for Shopify, with `customers`, `orders`, `orders.lineItems`, `products` or `products.variants` as the object.
    pub source: String,
    /// The columns, in the order of the warehouse table.
    pub columns: Map<Column>,
    /// The columns that identify a row. `upsert` needs them; `append` with a key inserts only keys that are new. A row without a value in one of them goes to quarantine.
    #[serde(default)]
    pub key: Vec<String>,
    /// How rows come into the warehouse.
    #[serde(default)]
    pub load: Load,
    /// Of two rows with one key, the one with the larger value in this column is the newer. Without it, the one that arrived later.
    #[serde(default)]
    pub order_by: Option<String>,
    /// What must hold for each row and each run.
    #[serde(default)]
    pub checks: Checks,
    /// The share of a run's rows that may go to quarantine before the run fails.
    #[serde(default = "default_quarantine_limit")]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub quarantine_limit: f64,
}

fn default_quarantine_limit() -> f64 {
    0.1
}

/// How rows come into the warehouse.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Load {
    /// Every row is added.
    Append,
    /// A row replaces the one with the same key.
    #[default]
    Upsert,
}

/// A column: its type alone (`bigint`), or a mapping with `type`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Column {
    Type(ColumnType),
    Full(FullColumn),
}

/// A column with more than its type.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FullColumn {
    /// The warehouse type.
    #[serde(rename = "type")]
    pub kind: ColumnType,
    /// Where the value stands in the source: a header, or a dotted path into JSON. Default: the column's name (in camelCase for Shopify).
    #[serde(default)]
    pub from: Option<String>,
    /// A row without a value goes to quarantine.
    #[serde(default)]
    pub required: bool,
}

impl Column {
    pub fn kind(&self) -> &ColumnType {
        match self {
            Self::Type(kind) => kind,
            Self::Full(column) => &column.kind,
        }
    }

    pub fn from(&self) -> Option<&str> {
        match self {
            Self::Type(_) => None,
            Self::Full(column) => column.from.as_deref(),
        }
    }

    pub fn required(&self) -> bool {
        matches!(self, Self::Full(column) if column.required)
    }
}

/// What must hold. A row that breaks a rule goes to quarantine with the reason; a broken row count fails the run.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Checks {
    /// Columns that must have a value.
    pub not_null: Vec<String>,
    /// Columns whose values must not repeat within a run, each by itself.
    pub unique: Vec<String>,
    /// Columns with the only values that they may have.
    pub accepted_values: Map<Vec<String>>,
    /// How many rows a run may bring.
    pub rows: RowBounds,
}

/// Bounds of a row count.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RowBounds {
    /// The fewest rows.
    pub min: Option<u64>,
    /// The most rows.
    pub max: Option<u64>,
}

/// A table or view made from the tables by a SQL file.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Mart {
    /// The file with one `SELECT`, relative to the project.
    pub sql: String,
    /// What is made of it.
    #[serde(default, rename = "as")]
    pub kind: MartKind,
    /// When it is made anew.
    #[serde(default)]
    pub refresh: Refresh,
}

/// What a mart is in the warehouse.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum MartKind {
    #[default]
    Table,
    View,
}

/// When a mart is made anew.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Refresh {
    /// After every load.
    #[default]
    AfterLoad,
}

/// What starts a run when an object arrives.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Trigger {
    /// The route of the event.
    pub mode: TriggerMode,
    /// A run starts after this many objects, …
    #[schemars(range(min = 1, max = 100))]
    pub batch_size: u32,
    /// … or this many seconds after the first one.
    #[schemars(range(min = 1, max = 900))]
    pub batch_window: u32,
}

impl Default for Trigger {
    fn default() -> Self {
        Self { mode: TriggerMode::Cloudtrail, batch_size: 20, batch_window: 300 }
    }
}

/// The route of the event from S3 to EventBridge.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TriggerMode {
    /// S3 data events through a CloudTrail trail, which is also an audit log.
    #[default]
    Cloudtrail,
    /// S3's own "Object Created" events; no trail.
    S3,
}

/// How long the zones keep their objects.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Zones {
    /// Objects as they arrive.
    pub raw: Zone,
    /// Typed and deduplicated rows.
    pub cleaned: Zone,
    /// Rows as the warehouse loads them.
    pub transformed: Zone,
    /// Copies of raw and cleaned that stay when the zones are emptied.
    pub archive: Archive,
}

/// A zone's lifecycle.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Zone {
    /// Objects expire after this many days. Raw and cleaned objects are kept in the archive.
    #[schemars(range(min = 1))]
    pub expire_days: u32,
    /// Replaced and deleted versions are kept for this many days.
    #[schemars(range(min = 1))]
    pub noncurrent_days: u32,
}

impl Default for Zone {
    fn default() -> Self {
        Self { expire_days: 365, noncurrent_days: 30 }
    }
}

/// The archive's lifecycle.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Archive {
    /// Objects move to the storage class after this many days.
    #[schemars(range(min = 1))]
    pub transition_days: u32,
    /// The storage class.
    pub storage_class: StorageClass,
    /// Objects are deleted after this many days. Without it they are kept for ever.
    #[schemars(range(min = 1))]
    pub expire_days: Option<u32>,
}

impl Default for Archive {
    fn default() -> Self {
        Self { transition_days: 365, storage_class: StorageClass::Glacier, expire_days: None }
    }
}

/// An S3 storage class for archives.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum StorageClass {
    #[default]
    Glacier,
    GlacierIr,
    DeepArchive,
    StandardIa,
}

/// Redshift Serverless.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Warehouse {
    /// The database.
    #[schemars(regex(pattern = r"^[a-z][a-z0-9_]{0,62}$"))]
    pub database: String,
    /// RPUs while a query runs: 4, or a multiple of 8.
    #[schemars(range(min = 4, max = 1024))]
    pub base_capacity: u32,
    /// The most RPUs that it may grow to.
    #[schemars(range(min = 4, max = 1024))]
    pub max_capacity: u32,
}

impl Default for Warehouse {
    fn default() -> Self {
        Self { database: "warehouse".into(), base_capacity: 4, max_capacity: 8 }
    }
}

/// The Glue jobs.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Jobs {
    /// The worker type.
    pub worker_type: WorkerType,
    /// How many workers a job may use.
    #[schemars(range(min = 2, max = 299))]
    pub workers: u32,
    /// A job is stopped after this many minutes.
    #[schemars(range(min = 5, max = 2880))]
    pub timeout_minutes: u32,
    /// Crawlers that keep a catalog of the zones, run on demand.
    pub crawlers: bool,
}

impl Default for Jobs {
    fn default() -> Self {
        Self { worker_type: WorkerType::G1X, workers: 2, timeout_minutes: 60, crawlers: false }
    }
}

/// A Glue worker type.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum WorkerType {
    #[default]
    #[serde(rename = "G.1X")]
    G1X,
    #[serde(rename = "G.2X")]
    G2X,
    #[serde(rename = "G.4X")]
    G4X,
    #[serde(rename = "G.8X")]
    G8X,
}

/// The Lambda functions.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Functions {
    /// The processor that they are built for.
    pub architecture: Architecture,
    /// Memory in MiB.
    #[schemars(range(min = 128, max = 10240))]
    pub memory: u32,
    /// A call is stopped after this many seconds.
    #[schemars(range(min = 1, max = 900))]
    pub timeout: u32,
    /// Logs are kept for this many days.
    pub log_retention_days: LogRetention,
}

impl Default for Functions {
    fn default() -> Self {
        Self { architecture: Architecture::X86_64, memory: 256, timeout: 900, log_retention_days: LogRetention(30) }
    }
}

/// A processor architecture.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Architecture {
    #[default]
    #[serde(rename = "x86_64")]
    X86_64,
    #[serde(rename = "arm64")]
    Arm64,
}

/// Days, of those that CloudWatch Logs knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LogRetention(pub u32);

impl JsonSchema for LogRetention {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "LogRetention".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "Days, of those that CloudWatch Logs knows.",
            "enum": [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653],
        })
    }
}

/// The private network: three subnets in three zones, an S3 gateway endpoint, no NAT.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Network {
    /// The address range of the VPC, a /16 to /24.
    #[schemars(regex(pattern = r"^([0-9]{1,3}\.){3}[0-9]{1,3}/(1[6-9]|2[0-4])$"))]
    pub cidr: String,
}

impl Default for Network {
    fn default() -> Self {
        Self { cidr: "10.40.0.0/22".into() }
    }
}

/// Who hears of failures.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Alerts {
    /// Mail addresses. Each gets a mail to confirm after the first deploy.
    pub emails: Vec<String>,
    /// The CloudWatch Logs pattern that counts as an error in a Lambda's log.
    pub log_pattern: String,
}

impl Default for Alerts {
    fn default() -> Self {
        Self { emails: Vec::new(), log_pattern: r#"{ $.level = "ERROR" }"#.into() }
    }
}

/// The GitHub repository that deploys through OIDC.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Github {
    /// `owner/name`, in the right case.
    #[schemars(regex(pattern = r"^[A-Za-z0-9][A-Za-z0-9-]*/[A-Za-z0-9._-]+$"))]
    pub repository: String,
    /// The owner's number. Repositories made or renamed since 2026-07-15 carry it in their OIDC subject.
    #[serde(default)]
    pub owner_id: Option<u64>,
    /// The repository's number.
    #[serde(default)]
    pub repository_id: Option<u64>,
    /// The branch that deploys.
    #[serde(default = "default_branch")]
    pub branch: String,
    /// The GitHub environment of the deploy job. Default: the environment's own name.
    #[serde(default)]
    pub environment: Option<String>,
    /// Whether the account's OIDC provider for GitHub is made here. An account can have only one.
    #[serde(default = "default_true")]
    pub create_provider: bool,
}

fn default_branch() -> String {
    "main".into()
}

fn default_true() -> bool {
    true
}
