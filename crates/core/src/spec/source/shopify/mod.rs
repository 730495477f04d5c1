//! A Shopify shop as a source.
//!
//! ```text
//! mod       its settings, and its entry in the pipeline document
//! objects   the objects that a table can read, the rules for them, and which of them report deleted rows
//! query     what to ask the shop for, so that the columns of all tables can be read
//! ```

pub mod objects;
pub(crate) mod query;

use pipectl_contract::{document, names};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::spec::Spec;

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
    /// Webhooks through EventBridge, so that a change lands within seconds. The scheduled run reads what they miss.
    #[serde(default)]
    pub events: Option<ShopifyEvents>,
}

/// The fast path of a Shopify source: webhooks that Shopify sends to EventBridge.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ShopifyEvents {
    /// The partner event source that the app sends its webhooks to, such as `aws.partner/shopify.com/1234567/shop`.
    #[schemars(regex(pattern = r"^aws\.partner/shopify\.com/[A-Za-z0-9._/-]+$"), length(max = 256))]
    pub partner_source: String,
}

impl Shopify {
    /// Its entry in the pipeline document; `name` is the source's.
    pub(super) fn document(&self, spec: &Spec, name: &str) -> Result<document::Source> {
        Ok(document::Source::Shopify(document::Shopify {
            store: self.store.clone(),
            api_version: self.api_version.clone(),
            secret: names::source_secret(&spec.prefix(), name),
            start: Some(format!("{}T00:00:00Z", self.since)),
            objects: query::objects(spec, name)?,
        }))
    }
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
