//! IP networks, and the ranges of addresses they cover.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use super::Family;

/// An IP network, as in `10.0.0.0/8`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    /// An address of the network.
    pub address: IpAddr,
    /// The length of its prefix, in bits.
    pub prefix: u8,
}

/// The text is no network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a network such as 10.0.0.0/8 or fd00::/8")]
pub struct ParseNetworkError(String);

/// The first and the last of some addresses of one family.
pub type AddressRange = (IpAddr, IpAddr);

// === impl Network ===

impl Network {
    /// The network's first and last address.
    pub fn range(&self) -> AddressRange {
        match self.address {
            IpAddr::V4(ip) => {
                let mask =
                    u32::MAX.checked_shl(u32::from(32_u8.saturating_sub(self.prefix))).unwrap_or(0);
                let first = ip.to_bits() & mask;
                (Ipv4Addr::from_bits(first).into(), Ipv4Addr::from_bits(first | !mask).into())
            }
            IpAddr::V6(ip) => {
                let mask = u128::MAX
                    .checked_shl(u32::from(128_u8.saturating_sub(self.prefix)))
                    .unwrap_or(0);
                let first = ip.to_bits() & mask;
                (Ipv6Addr::from_bits(first).into(), Ipv6Addr::from_bits(first | !mask).into())
            }
        }
    }

    /// Whether the address is one of the network's.
    pub fn contains(&self, ip: IpAddr) -> bool {
        let (first, last) = self.range();
        Family::of(ip) == Family::of(first) && (first..=last).contains(&ip)
    }

    /// Networks with commas between them; none of an empty text.
    ///
    /// # Errors
    /// When one of them is none.
    pub fn list(text: &str) -> Result<Vec<Self>, ParseNetworkError> {
        text.split(',').filter(|part| !part.trim().is_empty()).map(str::parse).collect()
    }

    /// The mask in network byte order, as long as an address.
    pub(crate) fn mask(&self) -> Vec<u8> {
        let len = if self.address.is_ipv4() { 4 } else { 16 };
        let ones = |byte: u8| self.prefix.saturating_sub(byte * 8).min(8);
        (0..len).map(|byte| !0xff_u8.checked_shr(u32::from(ones(byte))).unwrap_or(0)).collect()
    }
}

impl FromStr for Network {
    type Err = ParseNetworkError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parse = || {
            let (address, prefix) = text.trim().split_once('/')?;
            let (address, prefix): (IpAddr, u8) = (address.parse().ok()?, prefix.parse().ok()?);
            (prefix <= if address.is_ipv4() { 32 } else { 128 }).then_some(Self { address, prefix })
        };
        parse().ok_or_else(|| ParseNetworkError(text.to_owned()))
    }
}

/// What the networks of one family cover, as sorted ranges that do not overlap.
pub(super) fn cover(networks: impl Iterator<Item = Network>, family: Family) -> Vec<AddressRange> {
    let mut ranges: Vec<AddressRange> = networks
        .map(|network| network.range())
        .filter(|(first, _)| Family::of(*first) == family)
        .collect();
    ranges.sort_unstable();
    let mut covered: Vec<AddressRange> = Vec::with_capacity(ranges.len());
    for (first, last) in ranges {
        match covered.last_mut() {
            Some((_, end)) if first <= *end => *end = last.max(*end),
            _ => covered.push((first, last)),
        }
    }
    covered
}
