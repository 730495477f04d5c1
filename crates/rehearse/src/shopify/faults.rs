//! What goes wrong in the wild, when a test or a rehearsal wants it so.

use std::path::Path;

use fs_err as fs;
use serde::Deserialize;

use crate::error::{Error, Result};
use crate::exit::Exit;

/// The faults that the stand-in injects. Each failure is counted down.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
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
    /// How long each bulk operation takes, in seconds. This one and the next are not counted down.
    pub operation_seconds: u32,
    /// How many bytes of a result come in a second; 0 stands for as many as can.
    pub download_bytes_a_second: u32,
}

impl Faults {
    /// Reads `faults.json` of a shop's folder: a mapping of these names to numbers. Without the file nothing fails.
    pub fn read(directory: &Path) -> Result<Self> {
        let path = directory.join("faults.json");
        if !path.is_file() {
            return Ok(Self::default());
        }
        serde_json::from_str(&fs::read_to_string(&path)?).map_err(|error| {
            Error::new(format!("`{}` cannot be read: {error}", path.display()))
                .hint("write names and numbers, such as {\"too_many_requests\": 2}; docs/sources/shopify.md lists them")
                .exit(Exit::Project)
        })
    }
}
