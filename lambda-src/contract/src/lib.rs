//! What pipectl, its Lambdas and its Glue jobs agree on, each fact written once.
//!
//! pipectl and the Lambdas compile this crate. The jobs are Python: `cases/*.json` holds every message and constant as
//! the types here write it, and the tests of both languages compare themselves with these files.
//!
//! The crate depends on serde alone. It reads no clock, no file and no network, and leaves JSON to its callers.

pub mod document;
pub mod keys;
pub mod ledger;
pub mod limits;
pub mod load_statements;
pub mod manifest;
pub mod map;
pub mod names;
pub mod options;
pub mod replay;
pub mod report;
pub mod schema_change;
pub mod timestamps;
pub mod types;

pub use map::Map;
pub use types::ColumnType;
