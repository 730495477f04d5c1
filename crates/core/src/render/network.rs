//! The subnets that a template cuts out of the range of addresses.

use std::net::Ipv4Addr;

use serde::Serialize;

#[derive(Serialize)]
pub(super) struct Subnet {
    id: String,
    zone: char,
    cidr: String,
}

/// Three quarters of the range; the last is left for what may come.
pub(super) fn subnets(cidr: &str) -> Vec<Subnet> {
    let (address, bits) = cidr.split_once('/').unwrap_or((cidr, "22"));
    let start = u32::from(address.parse().unwrap_or(Ipv4Addr::new(10, 40, 0, 0)));
    let bits = bits.parse::<u32>().unwrap_or(22).clamp(16, 24) + 2;
    let size = 1_u32 << (32 - bits);
    (0..3_u8)
        .map(|index| Subnet {
            id: format!("Subnet{}", char::from(b'A' + index)),
            zone: char::from(b'a' + index),
            cidr: format!("{}/{bits}", Ipv4Addr::from(start.wrapping_add(size * u32::from(index)))),
        })
        .collect()
}
