//! The archive's lock.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// S3 Object Lock: nobody can delete or overwrite archived objects for some days.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Lock {
    /// Who may override the lock.
    #[serde(default)]
    pub mode: LockMode,
    /// Days after an object's arrival.
    #[schemars(range(min = 1, max = 36500))]
    pub days: u32,
}

/// Who may lift a lock.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LockMode {
    /// Principals with the permission `s3:BypassGovernanceRetention`.
    #[default]
    Governance,
    /// Nobody, not even the account's owner, until it expires.
    Compliance,
}
