//! Where the data comes from.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::shopify::ShopifyEvents;

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
    /// Webhooks that come through EventBridge, so that a change lands within seconds. What they miss, the schedule reads.
    #[serde(default)]
    pub events: Option<ShopifyEvents>,
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
