//! A stand-in for a Shopify shop: its token endpoint, its GraphQL Admin API as far as bulk operations need it, and the
//! download of their results, served from a directory of JSONL files.
//!
//! It behaves as the documented API does: fields that are not asked for are not given, costs are reckoned and throttled, a
//! scope that is not granted hides what it is for, operations take their time, and what goes wrong in the wild goes wrong
//! here when a test wants it so.

mod answer;
mod bulk;
mod changes;
mod cost;
mod download;
mod faults;
mod operation;
mod pages;
mod query;
mod rows;
mod search;
mod server;
mod shop;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, MutexGuard};

use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::error::{Error, Result};

pub use changes::Webhook;
pub use faults::Faults;
use shop::Shop;

/// The credentials that the stand-in accepts.
#[derive(Clone)]
pub struct Credentials {
    pub client_id: String,
    pub client_secret: String,
}

/// A running stand-in; it ends when it is dropped.
#[derive(Debug)]
pub struct StandIn {
    pub address: SocketAddr,
    /// The shop's own domain, which its webhooks name.
    pub domain: String,
    shop: Arc<Shop>,
    /// What happens later, one folder a step.
    later: Vec<PathBuf>,
    server: JoinHandle<()>,
}

impl StandIn {
    /// Serves the files of a directory (`orders.jsonl`, …) on a free port of loopback.
    pub async fn start(data: PathBuf, domain: &str, credentials: Credentials, work: &Path) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let (later, faults) = (changes::steps(&data)?, Faults::read(&data)?);
        let shop = Arc::new(Shop::new(data, credentials, format!("http://{address}"), work)?);
        *shop.faults() = faults;
        let router = server::router(Arc::clone(&shop));
        let server = tokio::spawn(async move {
            // The task lives as long as the stand-in; an error of the listener shows as a refused connection.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { address, domain: domain.to_owned(), shop, later, server })
    }

    /// The value of `SHOPIFY_ENDPOINT`.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How many steps happen later.
    pub fn steps(&self) -> usize {
        self.later.len()
    }

    /// Lets a step happen: the name of its folder, and the webhooks that Shopify sends of it.
    pub fn change(&self, step: usize) -> Result<Option<(String, Vec<Webhook>)>> {
        let Some(folder) = self.later.get(step) else { return Ok(None) };
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Some((name, self.shop.change(folder)?)))
    }

    /// The failures that are still to come, to be set by tests.
    pub fn faults(&self) -> MutexGuard<'_, Faults> {
        self.shop.faults()
    }

    /// Grants the app these scopes and no others.
    pub fn grant(&self, scopes: &[&str]) {
        self.shop.grant(scopes);
    }

    /// Fields that were asked for and that no row of the data has, such as `Order.name`.
    pub fn missing_fields(&self) -> BTreeSet<String> {
        self.shop.missing_fields()
    }

    /// Rows that no query finds: the file, the date that they lack, and how many they are.
    pub fn undated_rows(&self) -> BTreeSet<(String, &'static str, u64)> {
        self.shop.undated_rows()
    }

    /// What is wrong with the data itself, such as a line that is not JSON.
    pub fn broken_data(&self) -> Vec<String> {
        self.shop.broken_data()
    }
}

/// Checks what a folder says of later steps and of failures, before anything starts. Fails with all that is wrong.
pub fn check(directory: &Path) -> Result<()> {
    Error::all([changes::check(directory).err(), Faults::read(directory).err()].into_iter().flatten())
}

impl Drop for StandIn {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Credentials({}, …)", self.client_id)
    }
}

#[cfg(test)]
mod tests;
