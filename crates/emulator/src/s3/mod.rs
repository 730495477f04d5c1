//! S3 over plain files: the `s3s` crate's protocol layer, our own store.

mod api;
mod bucket;
mod checksum;
mod chunked;
pub mod client;
mod list;
mod multipart;
mod object;
mod replication;
mod server;
mod store;

pub use server::ObjectEvent;
pub(super) use server::S3Server;
pub(super) use store::{BucketConfiguration, Store};
