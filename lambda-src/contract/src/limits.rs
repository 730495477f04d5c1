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
/// How many loads and marts run at the same time unless the spec says otherwise.
pub const PARALLEL_LOADS: usize = 4;
