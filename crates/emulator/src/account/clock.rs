//! Times, random names and identifiers, in the shapes that AWS gives them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use time::macros::format_description;

/// Now, as AWS's XML answers write it: `2026-11-20T11:20:04.123Z`.
pub(crate) fn now() -> String {
    let format = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
    OffsetDateTime::now_utc().format(&format).unwrap_or_default()
}

/// Seconds since the epoch, as AWS's JSON answers write times.
pub(crate) fn seconds() -> f64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map(|time| time.as_secs_f64()).unwrap_or_default()
}

fn bytes() -> [u8; 32] {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let mut hash = Sha256::new();
    hash.update(OffsetDateTime::now_utc().unix_timestamp_nanos().to_le_bytes());
    hash.update(COUNTER.fetch_add(1, Ordering::Relaxed).to_le_bytes());
    hash.update(std::process::id().to_le_bytes());
    // The address of a local differs between runs: enough for names, which are not secrets.
    hash.update((std::ptr::from_ref(&hash) as usize).to_le_bytes());
    hash.finalize().into()
}

/// A text of `length` characters out of `alphabet`.
pub(crate) fn random(length: usize, alphabet: &[u8]) -> String {
    let mut text = String::with_capacity(length);
    while text.len() < length {
        let bytes = bytes();
        text.extend(bytes.iter().take(length - text.len()).map(|byte| {
            let index = usize::from(*byte) % alphabet.len();
            char::from(alphabet[index])
        }));
    }
    text
}

pub(crate) const ALPHANUMERIC: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
pub(crate) const LOWER: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789";
pub(crate) const UPPER: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
pub(crate) const HEX: &[u8] = b"0123456789abcdef";

/// A UUID in its usual spelling.
pub(crate) fn uuid() -> String {
    let hex = random(32, HEX);
    format!("{}-{}-4{}-a{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..])
}
