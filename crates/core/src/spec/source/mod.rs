//! Where the data comes from.

pub mod custom;
pub mod database;
mod files;
pub mod shopify;

use pipectl_contract::document::{self, Format};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Capture, Spec, Table};
use crate::error::Result;

pub use custom::Custom;
pub use database::{Database, Engine};
pub use files::{Csv, FileFormat, Files, Header};
pub use shopify::Shopify;

/// One source of data: exactly one of the kinds.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// A Shopify shop, read by a Lambda through the GraphQL Admin API.
    Shopify(Shopify),
    /// Files that a person or a program drops under `landing/<table>/` of the raw bucket.
    Files(Files),
    /// Your own Lambda in the project's `lambda-src`, run on a schedule.
    Lambda(Box<Custom>),
    /// A MySQL database (or one of its family), read by a Glue job or followed by DMS.
    Mysql(Box<Database>),
    /// A PostgreSQL database, read by a Glue job or followed by DMS.
    Postgresql(Box<Database>),
}

/// What the rest of pipectl asks of a source. Every question is a `match` without a wildcard, so that the compiler lists
/// what a new kind has to answer; the rules of a kind are in its module.
impl Source {
    /// Its entry in the pipeline document; `name` is the source's.
    pub fn document(&self, spec: &Spec, name: &str) -> Result<document::Source> {
        Ok(match self {
            Self::Shopify(shopify) => shopify.document(spec, name)?,
            Self::Files(_) => document::Source::Files {},
            Self::Lambda(_) => document::Source::Lambda {},
            Self::Mysql(database) => document::Source::Mysql(database.document(Engine::Mysql, &spec.prefix(), name)),
            Self::Postgresql(database) => {
                document::Source::Postgresql(database.document(Engine::Postgresql, &spec.prefix(), name))
            }
        })
    }

    /// How its objects in the landing zone are written.
    pub fn format(&self) -> Format {
        match self {
            Self::Shopify(_) => Format::Jsonl,
            Self::Files(files) => files.format.into(),
            Self::Lambda(custom) => custom.files.format.into(),
            Self::Mysql(database) | Self::Postgresql(database) => match database.capture {
                Capture::Cdc => Format::Changes,
                Capture::Watermark => Format::Parquet,
            },
        }
    }

    /// The field that a column reads unless it names another.
    pub fn default_field(&self, column: &str) -> String {
        match self {
            Self::Shopify(_) => shopify::objects::camel_case(column),
            Self::Files(_) | Self::Lambda(_) | Self::Mysql(_) | Self::Postgresql(_) => column.to_owned(),
        }
    }

    /// Whether it reports which rows of a table are deleted: its files then carry a last column `_deleted`.
    pub fn deletes(&self, table: &Table) -> bool {
        match self {
            Self::Shopify(_) => shopify::objects::deletes(table),
            Self::Files(files) => files.snapshot,
            Self::Lambda(custom) => custom.files.snapshot,
            Self::Mysql(database) | Self::Postgresql(database) => database.capture == Capture::Cdc,
        }
    }

    /// Whether a Lambda brings its data: pipectl's own, or one of the user.
    pub fn has_function(&self) -> bool {
        match self {
            Self::Shopify(_) | Self::Lambda(_) => true,
            Self::Files(_) | Self::Mysql(_) | Self::Postgresql(_) => false,
        }
    }

    /// The shop behind this source.
    pub fn shopify(&self) -> Option<&Shopify> {
        match self {
            Self::Shopify(shopify) => Some(shopify),
            Self::Files(_) | Self::Lambda(_) | Self::Mysql(_) | Self::Postgresql(_) => None,
        }
    }

    /// The user's own Lambda behind this source.
    pub fn custom(&self) -> Option<&Custom> {
        match self {
            Self::Lambda(custom) => Some(custom),
            Self::Shopify(_) | Self::Files(_) | Self::Mysql(_) | Self::Postgresql(_) => None,
        }
    }

    /// The database behind this source, and what kind of database it is.
    pub fn database(&self) -> Option<(Engine, &Database)> {
        match self {
            Self::Mysql(database) => Some((Engine::Mysql, database)),
            Self::Postgresql(database) => Some((Engine::Postgresql, database)),
            Self::Shopify(_) | Self::Files(_) | Self::Lambda(_) => None,
        }
    }

    /// How the files of this source are written: dropped ones, and those of the user's own Lambda.
    pub fn files(&self) -> Option<&Files> {
        match self {
            Self::Files(files) => Some(files),
            Self::Lambda(custom) => Some(&custom.files),
            Self::Shopify(_) | Self::Mysql(_) | Self::Postgresql(_) => None,
        }
    }
}
