//! The two functions that compute: `Fn::Cidr` and `Fn::Base64`.

use std::net::Ipv4Addr;

/// Cuts an IPv4 block into `count` parts with `bits` host bits each; none if they do not fit.
pub(super) fn parts(block: &str, count: &str, bits: &str) -> Option<Vec<String>> {
    let (address, prefix) = block.split_once('/')?;
    let address = u32::from(address.parse::<Ipv4Addr>().ok()?);
    let prefix: u32 = prefix.parse().ok().filter(|prefix| *prefix <= 32)?;
    let bits: u32 = bits.parse().ok().filter(|bits| (1..=32).contains(bits))?;
    let count: u64 = count.parse().ok().filter(|count| (1..=256).contains(count))?;
    let size = 1_u64 << bits;
    if count * size > 1_u64 << (32 - prefix) {
        return None;
    }
    (0..count)
        .map(|index| {
            let start = u32::try_from(u64::from(address) + index * size).ok()?;
            Some(format!("{}/{}", Ipv4Addr::from(start), 32 - bits))
        })
        .collect()
}

/// The base64 of bytes, with padding.
pub fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let word = chunk.iter().fold(0_u32, |word, byte| (word << 8) | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for index in 0..4 {
            if index <= chunk.len() {
                text.push(char::from(ALPHABET[(word >> (18 - 6 * index) & 63) as usize]));
            } else {
                text.push('=');
            }
        }
    }
    text
}
