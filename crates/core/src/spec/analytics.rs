//! Tools that read the marts.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Tools that read the marts, in addition to Athena.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Analytics {
    /// Amazon QuickSight with a data set for each mart. The account must have a QuickSight subscription already.
    pub quicksight: Option<QuickSight>,
}

/// Amazon QuickSight.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct QuickSight {
    /// The QuickSight user or group that owns the data sets: `arn:aws:quicksight:<region>:<account>:user/default/<name>`.
    #[schemars(regex(
        pattern = r"^arn:aws[a-z-]*:quicksight:[a-z0-9-]+:[0-9]{12}:(user|group)/[A-Za-z0-9_+=,.@/-]+$"
    ))]
    pub user: String,
    /// When the data sets are refreshed each day, in UTC.
    #[serde(default = "default_refresh_at")]
    #[schemars(regex(pattern = r"^([01][0-9]|2[0-3]):[0-5][0-9]$"))]
    pub refresh_at: String,
}

fn default_refresh_at() -> String {
    "06:00".into()
}
