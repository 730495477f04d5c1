//! The archive's lock.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// S3 Object Lock: for some days nobody deletes or overwrites what the archive holds.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Lock {
    /// Who may lift it.
    #[serde(default)]
    pub mode: LockMode,
    /// For how many days from an object's arrival.
    #[schemars(range(min = 1, max = 36500))]
    pub days: u32,
}

/// Who may lift a lock.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LockMode {
    /// Whoever has the right `s3:BypassGovernanceRetention`.
    #[default]
    Governance,
    /// Nobody, not even the account's owner, until its days are over.
    Compliance,
}
