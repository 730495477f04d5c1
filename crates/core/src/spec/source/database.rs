//! A MySQL or PostgreSQL database as a source.

pub mod rules;

use std::fmt;

use pipectl_contract::{document, names};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::spec::Capture;

/// Which kind of database a source is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Engine {
    /// MySQL, and what speaks its protocol: MariaDB, Aurora MySQL.
    Mysql,
    Postgresql,
}

impl Engine {
    /// The key of the spec, which is also the scheme of its JDBC URLs.
    pub fn key(self) -> &'static str {
        match self {
            Self::Mysql => "mysql",
            Self::Postgresql => "postgresql",
        }
    }

    /// The engine's default port.
    pub fn port(self) -> u16 {
        match self {
            Self::Mysql => 3306,
            Self::Postgresql => 5432,
        }
    }

    /// The version that is created by default.
    pub fn version(self) -> &'static str {
        match self {
            Self::Mysql => "8.4",
            Self::Postgresql => "16",
        }
    }
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Mysql => "MySQL",
            Self::Postgresql => "PostgreSQL",
        })
    }
}

/// A database: an existing one (`host`), or one that pipectl creates (`create`).
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Database {
    /// The host name of an existing database.
    #[serde(default)]
    #[schemars(regex(pattern = r"^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$"))]
    pub host: Option<String>,
    /// Its port. Default: 3306 for MySQL, 5432 for PostgreSQL.
    #[serde(default)]
    #[schemars(range(min = 1, max = 65535))]
    pub port: Option<u16>,
    /// The name of the database.
    #[schemars(regex(pattern = r"^[A-Za-z_][A-Za-z0-9_$-]{0,62}$"))]
    pub database: String,
    /// The schema of its tables, in PostgreSQL. Default: `public`.
    #[serde(default)]
    #[schemars(regex(pattern = r"^[A-Za-z_][A-Za-z0-9_$]{0,62}$"))]
    pub schema: Option<String>,
    /// The name of a Secrets Manager secret with `username` and `password`. Default: pipectl creates the secret `<prefix>/<source>`; you store its value.
    #[serde(default)]
    #[schemars(regex(pattern = r"^[A-Za-z0-9/_+=.@-]{1,512}$"))]
    pub secret: Option<String>,
    /// Whether the connection must be encrypted.
    #[serde(default = "default_true")]
    pub tls: bool,
    /// The network from which the database can be reached. Default: the pipeline's own.
    #[serde(default)]
    pub vpc: Option<DatabaseNetwork>,
    /// Creates the database in Amazon RDS instead of using an existing one.
    #[serde(default)]
    pub create: Option<CreatedDatabase>,
    /// How changes are found.
    #[serde(default)]
    pub capture: Capture,
    /// The replication of `capture: cdc`.
    #[serde(default)]
    pub replication: Replication,
    /// When the job of `capture: watermark` runs: a cron expression of Glue, in UTC.
    #[serde(default = "default_schedule")]
    #[schemars(regex(pattern = r"^cron\(\S+( \S+){5}\)$"))]
    pub schedule: String,
    /// With `capture: watermark`, how far before the last watermark each run reads again, for rows that were committed late. Rows that it has read before are skipped.
    #[serde(default = "default_overlap")]
    #[schemars(range(min = 0, max = 10080))]
    pub overlap_minutes: u32,
}

fn default_true() -> bool {
    true
}

fn default_schedule() -> String {
    "cron(0 * * * ? *)".into()
}

fn default_overlap() -> u32 {
    10
}

impl Database {
    /// Its entry in the pipeline document.
    pub(super) fn document(&self, engine: Engine, prefix: &str, source: &str) -> document::Database {
        document::Database {
            host: self.host.clone(),
            port: self.port(engine),
            database: self.database.clone(),
            schema: self.schema(engine).to_owned(),
            secret: self.secret(prefix, source),
            tls: self.tls,
            capture: self.capture,
            overlap_seconds: self.overlap_minutes * 60,
        }
    }

    /// The port, written or not.
    pub fn port(&self, engine: Engine) -> u16 {
        self.port.unwrap_or_else(|| engine.port())
    }

    /// Where the tables are within the server: a schema of PostgreSQL, a database of MySQL.
    pub fn schema(&self, engine: Engine) -> &str {
        match engine {
            Engine::Mysql => &self.database,
            Engine::Postgresql => self.schema.as_deref().unwrap_or("public"),
        }
    }

    /// The name of the secret with the credentials.
    pub fn secret(&self, prefix: &str, source: &str) -> String {
        self.secret.clone().unwrap_or_else(|| names::source_secret(prefix, source))
    }
}

/// A network from which a database can be reached.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DatabaseNetwork {
    /// The VPC.
    #[schemars(regex(pattern = r"^vpc-[0-9a-f]{8,17}$"))]
    pub id: String,
    /// Its subnets, in at least two availability zones. The job of `capture: watermark` runs in the first.
    #[schemars(inner(regex(pattern = r"^subnet-[0-9a-f]{8,17}$")))]
    pub subnets: Vec<String>,
    /// The security group that the database allows. It must allow itself on all TCP ports, as Glue requires.
    #[schemars(regex(pattern = r"^sg-[0-9a-f]{8,17}$"))]
    pub security_group: String,
}

/// A database in Amazon RDS.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CreatedDatabase {
    /// The instance class.
    #[schemars(regex(pattern = r"^db\.[a-z0-9-]+\.[a-z0-9-]+$"))]
    pub instance_class: String,
    /// Its disk, in GiB.
    #[schemars(range(min = 20, max = 65536))]
    pub storage: u32,
    /// The engine's version. Default: 8.4 for MySQL, 16 for PostgreSQL.
    #[schemars(regex(pattern = r"^[0-9]+(\.[0-9]+){0,2}$"))]
    pub version: Option<String>,
}

impl Default for CreatedDatabase {
    fn default() -> Self {
        Self { instance_class: "db.t4g.micro".into(), storage: 20, version: None }
    }
}

/// DMS Serverless.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Replication {
    /// The maximum of DMS capacity units (2 GiB of memory each).
    pub max_capacity: CapacityUnits,
    /// Whether a standby runs in another availability zone.
    pub multi_az: bool,
    /// DMS requires the roles `dms-vpc-role` and `dms-cloudwatch-logs-role`, once in an account. `bootstrap` creates them; `false` if they exist already.
    pub create_account_roles: bool,
}

impl Default for Replication {
    fn default() -> Self {
        Self { max_capacity: CapacityUnits(2), multi_az: false, create_account_roles: true }
    }
}

/// DMS capacity units, of the sizes that there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CapacityUnits(pub u32);

impl JsonSchema for CapacityUnits {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "CapacityUnits".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "DMS capacity units, of the sizes that there are.",
            "enum": [1, 2, 4, 8, 16, 32, 64, 128, 192, 256, 384],
        })
    }
}
