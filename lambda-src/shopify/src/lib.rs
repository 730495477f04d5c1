//! The ingest Lambda: what changed in a Shopify shop, into the raw zone.
//!
//! For each object of the source it reads what changed since the cursor: small changes page by page, the others by a bulk
//! operation whose result it streams to the landing prefixes of the tables. The cursor moves last. If an
//! invocation dies at any step, the next one loses no row; it may deliver rows again, under the same key if the operation
//! is the same.
//!
//! ```text
//! handler → ingest → scopes, bulk, pages, deletions, delivery → landing → demultiplex, upload
//!         → webhook → pages                                   → client → http, credentials, throttle
//!         → state (all that is remembered), invoke (continues in another invocation)
//!                                  graphql: the queries of the columns that the tables need
//! ```

pub mod bulk;
pub mod client;
pub mod credentials;
pub mod deletions;
pub mod delivery;
pub mod demultiplex;
pub mod graphql;
pub mod handler;
pub mod http;
pub mod ingest;
pub mod invoke;
pub mod landing;
pub mod lines;
pub mod pages;
pub mod scopes;
pub mod state;
pub mod throttle;
pub mod upload;
pub mod webhook;
