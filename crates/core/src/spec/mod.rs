//! What the user wrote: the pipeline of `stacks/pipeline.yaml` and one environment of `stacks/<env>.yaml`.
//!
//! These types are the one source of the JSON schema (`pipectl schema`), of the shape check and of the reference in
//! the docs: their doc comments are the descriptions that an editor shows.

pub mod alerts;
pub mod analytics;
pub mod checks;
pub mod deletes;
pub mod grammar;
pub mod late_rows;
pub mod load;
pub mod lock;
pub mod mart;
pub mod names;
pub mod reference;
pub mod rules;
pub mod settings;
pub mod shape;
pub mod source;
pub mod stub_rows;
pub mod table;
pub mod warehouse_users;

use indexmap::IndexMap;
pub use pipectl_contract::ColumnType;
pub use pipectl_contract::options::{Bounds, Capture, CheckName, Load, MartKind, RowBounds, SchemaChanges};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use alerts::Alerts;
pub use analytics::{Analytics, QuickSight};
pub use checks::{Age, Checks};
pub use load::Spec;
pub use lock::{Lock, LockMode};
pub use mart::{Mart, Refresh, Unload};
pub use settings::{
    Architecture, Archive, Functions, Github, Jobs, LogRetention, Network, RawZone, StorageClass, TransformedZone,
    Trigger, TriggerMode, Warehouse, WorkerType, Zone, Zones,
};
pub use source::{Csv, Custom, Database, Engine, FileFormat, Files, Header, Shopify, Source};
pub use table::{Column, FullColumn, Late, Table};

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
    /// Tables and views that are computed from the tables after each load.
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
    /// Tools that read the marts.
    #[serde(default)]
    pub analytics: Analytics,
    /// The Glue jobs.
    #[serde(default)]
    pub jobs: Jobs,
    /// The Lambda functions.
    #[serde(default)]
    pub functions: Functions,
    /// The private network of the warehouse.
    #[serde(default)]
    pub network: Network,
    /// Who is notified of failures, and what counts as a failure.
    #[serde(default)]
    pub alerts: Alerts,
    /// The GitHub repository that deploys through OIDC. Without it no OIDC role is created.
    #[serde(default)]
    pub github: Option<Github>,
    /// Tags of every stack and its resources.
    #[serde(default)]
    pub tags: Map<String>,
}

impl Pipeline {
    /// Whether what stands in this column of a table's data becomes the rows of another table, as `refunds` of an order.
    pub fn is_read_apart(&self, table: &str, column: &str) -> bool {
        let Some(table) = self.tables.get(table).filter(|table| !table.source.is_empty()) else { return false };
        let part = format!("{}.{column}", table.source);
        self.tables.values().any(|other| other.source == part)
    }

    /// The crates of the user's own sources, each once, sorted.
    pub fn crates(&self) -> Vec<&str> {
        let customs = self.sources.values().filter_map(Source::custom);
        let mut crates: Vec<&str> = customs.map(|custom| custom.package.as_str()).collect();
        crates.sort_unstable();
        crates.dedup();
        crates
    }
}

/// One environment: its account and region, and its differences from the pipeline.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Environment {
    /// The AWS account, 12 digits. A deploy with the credentials of another account fails.
    #[schemars(regex(pattern = r"^[0-9]{12}$"))]
    pub account: String,
    /// The AWS region, such as `eu-central-1`.
    #[schemars(regex(
        pattern = r"^(af|ap|ca|cn|eu|eu-isoe|eusc-de|il|me|mx|sa|us|us-gov|us-iso|us-isob|us-isof)-[a-z]+-[0-9]{1,2}$"
    ))]
    pub region: String,
    /// Production: stacks are protected against termination.
    #[serde(default)]
    pub production: bool,
    /// `true` for the local account that pipectl runs on this machine.
    #[serde(default)]
    pub local: bool,
    /// The port of the local account on 127.0.0.1. Default: any free port.
    #[serde(default)]
    pub port: Option<u16>,
    /// Merged over `pipeline.yaml`: mappings are merged key by key, everything else is replaced.
    #[serde(default)]
    pub overrides: serde_json::Map<String, serde_json::Value>,
}
