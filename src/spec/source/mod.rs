//! Where the data comes from.

mod files;
mod shopify;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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
}
