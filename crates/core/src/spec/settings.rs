//! Everything that has a good default: triggers, zones, warehouse, jobs, functions, network, GitHub.

use pipectl_contract::limits::PARALLEL_LOADS;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Lock;

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
    pub raw: RawZone,
    /// Typed and deduplicated rows.
    pub cleaned: Zone,
    /// Rows as the warehouse loads them.
    pub transformed: TransformedZone,
    /// Copies of raw and cleaned objects that outlive those zones.
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

/// The transformed zone's lifecycle, and its Iceberg tables.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TransformedZone {
    /// Batches expire after this many days. Iceberg tables do not.
    #[schemars(range(min = 1))]
    pub expire_days: u32,
    /// Replaced and deleted versions are kept for this many days.
    #[schemars(range(min = 1))]
    pub noncurrent_days: u32,
    /// Every table is also an Iceberg table in the database `<prefix>_iceberg`, with its current rows, for Athena and other engines.
    pub iceberg: bool,
    /// Earlier snapshots of an Iceberg table are kept for this many days.
    #[schemars(range(min = 1))]
    pub snapshot_days: u32,
}

impl Default for TransformedZone {
    fn default() -> Self {
        let Zone { expire_days, noncurrent_days } = Zone::default();
        Self { expire_days, noncurrent_days, iceberg: false, snapshot_days: 7 }
    }
}

/// The raw zone's lifecycle.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawZone {
    /// Objects expire after this many days. They are kept in the archive.
    #[schemars(range(min = 1))]
    pub expire_days: u32,
    /// Replaced and deleted versions are kept for this many days.
    #[schemars(range(min = 1))]
    pub noncurrent_days: u32,
    /// Objects are deleted from `landing/` once they are in the warehouse and copied to the archive.
    pub empty_after_load: bool,
}

impl Default for RawZone {
    fn default() -> Self {
        let Zone { expire_days, noncurrent_days } = Zone::default();
        Self { expire_days, noncurrent_days, empty_after_load: true }
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
    /// Objects are deleted after this many days. Without it they are kept forever.
    #[schemars(range(min = 1))]
    pub expire_days: Option<u32>,
    /// S3 Object Lock of the archive. Without it objects can be deleted by principals with that permission.
    pub lock: Option<Lock>,
}

impl Default for Archive {
    fn default() -> Self {
        Self { transition_days: 365, storage_class: StorageClass::Glacier, expire_days: None, lock: None }
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
    /// The maximum of RPUs.
    #[schemars(range(min = 4, max = 1024))]
    pub max_capacity: u32,
    /// How many tables and marts are loaded at the same time.
    #[schemars(range(min = 1, max = 20))]
    pub parallel_loads: usize,
    /// Users of the database that may read tables and marts, for other tools. AWS generates the password of each in the secret `<prefix>/warehouse/<user>`.
    pub read_only_users: Vec<String>,
}

impl Default for Warehouse {
    fn default() -> Self {
        Self {
            database: "warehouse".into(),
            base_capacity: 4,
            max_capacity: 8,
            parallel_loads: PARALLEL_LOADS,
            read_only_users: Vec::new(),
        }
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
    /// Crawlers that update a catalog of the zones, run on demand.
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
    /// The architecture that they are built for.
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

/// The GitHub repository that deploys through OIDC.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Github {
    /// `owner/name`, with the exact case.
    #[schemars(regex(pattern = r"^[A-Za-z0-9][A-Za-z0-9-]*/[A-Za-z0-9._-]+$"))]
    pub repository: String,
    /// The owner's number. Repositories created or renamed since 2026-07-15 have it in their OIDC subject.
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
    #[schemars(regex(pattern = r"^[A-Za-z0-9][A-Za-z0-9 ._-]{0,254}$"))]
    pub environment: Option<String>,
    /// Whether this environment creates the account's OIDC provider for GitHub. An account can have only one.
    #[serde(default = "default_true")]
    pub create_provider: bool,
}

fn default_branch() -> String {
    "main".into()
}

fn default_true() -> bool {
    true
}
