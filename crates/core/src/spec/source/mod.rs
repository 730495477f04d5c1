//! Where the data comes from.

pub mod custom;
pub mod database;
mod files;
mod shopify;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use custom::Custom;
pub use database::{Database, Engine};
pub use files::{Csv, FileFormat, Files};
pub use shopify::Shopify;

/// One source of data: exactly one of the kinds.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// A Shopify shop, read by a Lambda through the GraphQL Admin API.
    Shopify(Shopify),
    /// Files that a person or a program drops under `landing/<table>/` of the raw bucket.
    Files(Files),
    /// A Lambda of one's own in the project's `lambda-src`, run on a schedule.
    Lambda(Box<Custom>),
    /// A MySQL database (or one of its family), read by a Glue job or followed by DMS.
    Mysql(Box<Database>),
    /// A PostgreSQL database, read by a Glue job or followed by DMS.
    Postgresql(Box<Database>),
}

impl Source {
    /// The database behind this source, and what kind of database it is.
    pub fn database(&self) -> Option<(Engine, &Database)> {
        match self {
            Self::Mysql(database) => Some((Engine::Mysql, database)),
            Self::Postgresql(database) => Some((Engine::Postgresql, database)),
            Self::Shopify(_) | Self::Files(_) | Self::Lambda(_) => None,
        }
    }

    /// How the files of this source are written: dropped ones, and those of a Lambda of one's own.
    pub fn files(&self) -> Option<&Files> {
        match self {
            Self::Files(files) => Some(files),
            Self::Lambda(custom) => Some(&custom.files),
            _ => None,
        }
    }
}
