//! The ingest Lambda: Shopify bulk operations into the raw zone.
//!
//! For each object of the source it runs a bulk operation, waits for it, and streams its rows to the landing prefixes of
//! the tables. The cursor moves last. Whatever step it dies at, the next invocation loses no row; it may deliver rows
//! again, under the same key when the operation is the same.
//!
//! ```text
//! handler → ingest → bulk, state, delivery → client → http, credentials, throttle
//!                                delivery → lines, demultiplex, upload
//! ```

pub mod bulk;
pub mod client;
pub mod credentials;
pub mod delivery;
pub mod demultiplex;
pub mod handler;
pub mod http;
pub mod ingest;
pub mod lines;
pub mod state;
pub mod throttle;
pub mod upload;
