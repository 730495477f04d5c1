//! Limits that several sides must keep.

/// The most statements that the Redshift Data API takes in one transaction (API reference, `BatchExecuteStatement`).
pub const TRANSACTION_STATEMENTS: usize = 40;
/// The longest statement in bytes that pipectl sends. The Redshift Data API takes 100 KB (management guide, "Using the
/// Amazon Redshift Data API"); this is the smaller reading of it.
pub const STATEMENT_BYTES: usize = 100_000;
/// The longest VARCHAR in bytes (Redshift developer guide, "Character types").
pub const VARCHAR_BYTES: u32 = 65_535;
/// The most digits of a DECIMAL (Redshift developer guide, "Numeric types").
pub const DECIMAL_DIGITS: u8 = 38;
/// How much more text than bytes a packed file may hold. Text packs to a tenth, seldom to a fiftieth; gzip can do 1,032.
pub const UNPACKED_RATIO: u64 = 200;
/// From this size in bytes on the ratio counts: a small file can be nothing but repetition.
pub const UNPACKED_FREE_BYTES: u64 = 64 * 1024 * 1024;
/// How many loads and marts run at the same time unless the spec says otherwise.
pub const PARALLEL_LOADS: usize = 4;
