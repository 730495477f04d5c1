//! A stand-in for a Shopify shop: its token endpoint, its GraphQL Admin API as far as bulk operations need it, and the
//! download of their results, served from a directory of JSONL files.
//!
//! It behaves as the documented API does: fields that are not asked for are not given, costs are reckoned and throttled, a
//! scope that is not granted hides what it is for, operations take their time, and what goes wrong in the wild goes wrong
//! here when a test wants it so.

mod answer;
mod bulk;
mod cost;
mod operation;
mod pages;
mod query;
mod rows;
mod search;
mod server;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, MutexGuard};

use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::error::Result;

use server::Shop;

/// The credentials that the stand-in accepts.
#[derive(Clone)]
pub struct Credentials {
    pub client_id: String,
    pub client_secret: String,
}

/// How often the stand-in shall fail, and how. Each failure is counted down.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Faults {
    /// Tokens are answered with 401, as if they had expired.
    pub expired_token: u32,
    /// 429 with `Retry-After: 1`.
    pub too_many_requests: u32,
    /// 200 with the error code `THROTTLED`.
    pub throttled: u32,
    /// 500 with a page of HTML.
    pub server_error: u32,
    /// A bulk operation ends as `FAILED` with `INTERNAL_SERVER_ERROR`, and with what it had written until then.
    pub failed_operation: u32,
    /// A bulk operation counts one object more than it has written.
    pub miscounted_operation: u32,
    /// A bulk operation stays `RUNNING` until it is cancelled.
    pub endless_operation: u32,
    /// A download ends in its middle.
    pub truncated_download: u32,
}

/// A running stand-in; it ends when it is dropped.
#[derive(Debug)]
pub struct StandIn {
    pub address: SocketAddr,
    shop: Arc<Shop>,
    server: JoinHandle<()>,
}

impl StandIn {
    /// Serves the files of a directory (`orders.jsonl`, …) on a free port of loopback.
    pub async fn start(data: PathBuf, credentials: Credentials) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let shop = Arc::new(Shop::new(data, credentials, format!("http://{address}"))?);
        let router = server::router(Arc::clone(&shop));
        let server = tokio::spawn(async move {
            // The task lives as long as the stand-in; an error of the listener shows as a refused connection.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { address, shop, server })
    }

    /// What `SHOPIFY_ENDPOINT` shall be.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
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
