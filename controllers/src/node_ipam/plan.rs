//! Which part is free.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A range of addresses in parts of equal size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Range {
    first: u128,
    bits: u8,
    prefix: u8,
    mask: u8,
}

/// All ranges; of each family the first that has room gives a part.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Ranges(Vec<Range>);

// === impl Ranges ===

impl Ranges {
    /// `10.244.0.0/16,fd00::/48`, in parts of these sizes. The first that makes no sense is the error.
    pub(super) fn parse(cidrs: &str, mask: u8, mask_ipv6: u8) -> Result<Self, String> {
        let given = cidrs.split(',').map(str::trim).filter(|cidr| !cidr.is_empty());
        let parse = |cidr: &str| {
            let mask = if cidr.contains(':') { mask_ipv6 } else { mask };
            Range::parse(cidr, mask).ok_or_else(|| cidr.to_owned())
        };
        given.map(parse).collect::<Result<_, _>>().map(Self)
    }

    /// A free part of each family, in the order of the ranges. None when a family has no room left.
    pub(super) fn free<'a>(
        &self,
        taken: impl Iterator<Item = &'a str> + Clone,
    ) -> Option<Vec<String>> {
        let mut families: Vec<u8> = vec![];
        for range in &self.0 {
            if !families.contains(&range.bits) {
                families.push(range.bits);
            }
        }
        let of_family = |bits: &u8| {
            let mut ranges = self.0.iter().filter(|range| range.bits == *bits);
            ranges.find_map(|range| range.free(taken.clone()))
        };
        families.iter().map(of_family).collect()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

// === impl Range ===

impl Range {
    /// `10.244.0.0/16` in parts with a prefix of `mask` bits. `None` when that makes no sense, or more than 65536 parts.
    pub(super) fn parse(cidr: &str, mask: u8) -> Option<Self> {
        let (address, prefix) = cidr.split_once('/')?;
        let (address, prefix) = (address.parse::<IpAddr>().ok()?, prefix.parse::<u8>().ok()?);
        let (first, bits) = match address {
            IpAddr::V4(address) => (u128::from(u32::from(address)), 32),
            IpAddr::V6(address) => (u128::from(address), 128),
        };
        let fits = prefix <= mask && mask <= bits && mask - prefix <= 16;
        fits.then_some(Self { first, bits, prefix, mask })
    }

    /// The first part that is not taken. A CIDR of another size takes all parts it touches.
    pub(super) fn free<'a>(&self, taken: impl IntoIterator<Item = &'a str>) -> Option<String> {
        let taken: BTreeSet<u128> = taken.into_iter().flat_map(|cidr| self.parts(cidr)).collect();
        let count = 1_u128 << (self.mask - self.prefix);
        let part = (0..count).find(|part| !taken.contains(part))?;
        Some(self.show(part))
    }

    fn size(&self) -> u128 {
        1_u128.checked_shl(u32::from(self.bits - self.mask)).unwrap_or(u128::MAX)
    }

    fn parts(&self, cidr: &str) -> Vec<u128> {
        let Some(other) =
            cidr.split_once('/').and_then(|(_, mask)| Self::parse(cidr, mask.parse().ok()?))
        else {
            return vec![];
        };
        let Some(from) = other.first.checked_sub(self.first).filter(|_| other.bits == self.bits)
        else {
            return vec![];
        };
        let (first, count) = (from / self.size(), other.size().div_ceil(self.size()));
        let all = 1_u128 << (self.mask - self.prefix);
        (first..first.saturating_add(count).min(all)).collect()
    }

    fn show(&self, part: u128) -> String {
        let address = self.first + part * self.size();
        match u32::try_from(address) {
            Ok(address) if self.bits == 32 => format!("{}/{}", Ipv4Addr::from(address), self.mask),
            _ => format!("{}/{}", Ipv6Addr::from(address), self.mask),
        }
    }
}
