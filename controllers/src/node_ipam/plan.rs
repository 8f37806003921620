//! Which part is free.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A range of addresses in parts of equal size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Range {
    first: u128,
    bits: u8,
    prefix: u8,
    mask: u8,
}

/// All ranges, and who has which parts of them. Of each family the first range that has room gives a part.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Pool {
    parts: Vec<Parts>,
    /// What each node has.
    held: BTreeMap<String, Vec<String>>,
    /// Nodes that found no room.
    waiting: BTreeSet<String>,
}

/// The parts of a range.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Parts {
    range: Range,
    /// How many nodes have each: by hand it may be several.
    taken: BTreeMap<u128, usize>,
    /// Where to look next. Parts are given in turn, so that one that was given back stays free for a while.
    next: u128,
}

// === impl Pool ===

impl Pool {
    /// `10.244.0.0/16,fd00::/48`, in parts of these sizes. The first that makes no sense is the error.
    pub(super) fn parse(cidrs: &str, mask: u8, mask_ipv6: u8) -> Result<Self, String> {
        let given = cidrs.split(',').map(str::trim).filter(|cidr| !cidr.is_empty());
        let parse = |cidr: &str| {
            let mask = if cidr.contains(':') { mask_ipv6 } else { mask };
            let range = Range::parse(cidr, mask).ok_or_else(|| cidr.to_owned())?;
            Ok::<_, String>(Parts { range, taken: BTreeMap::new(), next: 0 })
        };
        Ok(Self { parts: given.map(parse).collect::<Result<_, _>>()?, ..Self::default() })
    }

    /// A node has these parts now, and no others. A CIDR of another size takes all parts it touches.
    pub(super) fn hold(&mut self, node: &str, cidrs: Vec<String>) {
        if self.held.get(node) != Some(&cidrs) {
            self.take_from(node);
            self.parts.iter_mut().for_each(|parts| parts.take(&cidrs));
            self.held.insert(node.to_owned(), cidrs);
        }
        self.waiting.remove(node);
    }

    /// A node is gone: the nodes that may have room now.
    pub(super) fn release(&mut self, node: &str) -> BTreeSet<String> {
        self.waiting.remove(node);
        if self.take_from(node) { std::mem::take(&mut self.waiting) } else { BTreeSet::new() }
    }

    /// The parts of a node, one of each family, in the order of the ranges: once chosen, the same each time. None when a
    /// family has no room left; the node waits then.
    pub(super) fn give(&mut self, node: &str) -> Option<Vec<String>> {
        if let Some(held) = self.held.get(node) {
            return Some(held.clone());
        }
        let Some(chosen) = self.free() else {
            self.waiting.insert(node.to_owned());
            return None;
        };
        self.hold(node, chosen.clone());
        Some(chosen)
    }

    fn free(&mut self) -> Option<Vec<String>> {
        let mut families: Vec<u8> = vec![];
        for parts in &self.parts {
            if !families.contains(&parts.range.bits) {
                families.push(parts.range.bits);
            }
        }
        let of_family = |bits: &u8| {
            let mut parts = self.parts.iter_mut().filter(|parts| parts.range.bits == *bits);
            parts.find_map(Parts::free)
        };
        families.iter().map(of_family).collect()
    }

    /// Whether it had any.
    fn take_from(&mut self, node: &str) -> bool {
        let had = self.held.remove(node);
        let had = had.iter().inspect(|cidrs| {
            self.parts.iter_mut().for_each(|parts| parts.give_back(cidrs));
        });
        had.count() > 0
    }

    pub(super) fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }
}

// === impl Parts ===

impl Parts {
    fn take(&mut self, cidrs: &[String]) {
        for part in cidrs.iter().flat_map(|cidr| self.range.parts(cidr)) {
            *self.taken.entry(part).or_default() += 1;
        }
    }

    fn give_back(&mut self, cidrs: &[String]) {
        for part in cidrs.iter().flat_map(|cidr| self.range.parts(cidr)) {
            match self.taken.get_mut(&part) {
                Some(holders) if *holders > 1 => *holders -= 1,
                _ => drop(self.taken.remove(&part)),
            }
        }
    }

    /// The next part that is not taken.
    fn free(&mut self) -> Option<String> {
        let count = self.range.count();
        if self.taken.len() as u128 >= count {
            return None;
        }
        let mut parts = (0..count).map(|step| (self.next + step) % count);
        let part = parts.find(|part| !self.taken.contains_key(part))?;
        self.next = (part + 1) % count;
        Some(self.range.show(part))
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

    fn count(&self) -> u128 {
        1_u128 << (self.mask - self.prefix)
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
        (first..first.saturating_add(count).min(self.count())).collect()
    }

    fn show(&self, part: u128) -> String {
        let address = self.first + part * self.size();
        match u32::try_from(address) {
            Ok(address) if self.bits == 32 => format!("{}/{}", Ipv4Addr::from(address), self.mask),
            _ => format!("{}/{}", Ipv6Addr::from(address), self.mask),
        }
    }
}
