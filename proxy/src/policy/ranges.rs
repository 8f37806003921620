//! Sets of addresses as sorted ranges that neither overlap nor touch.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::model::{AddressRange, Family};

/// A range as numbers; addresses of one family only are compared.
type Numbers = (u128, u128);

/// What `range` covers besides `except`. Exceptions may overlap and lie outside.
pub(super) fn without(range: AddressRange, except: &[AddressRange]) -> Vec<AddressRange> {
    let family = Family::of(range.0);
    let same_family = except.iter().filter(|(first, _)| Family::of(*first) == family);
    let mut holes: Vec<Numbers> = same_family.map(numbers).collect();
    holes.sort_unstable();
    let (mut from, last) = numbers(&range);
    let mut left = Vec::new();
    for (first, end) in holes {
        if first > last || end < from {
            continue;
        }
        if first > from {
            left.push((from, first - 1));
        }
        match end.checked_add(1).filter(|next| *next <= last) {
            Some(next) => from = next,
            None => return addresses(&left, family),
        }
    }
    left.push((from, last));
    addresses(&left, family)
}

/// All that the ranges cover, of either family.
pub(super) fn union(ranges: &[AddressRange]) -> Vec<AddressRange> {
    let of = |family| {
        let ours = ranges.iter().filter(|(first, _)| Family::of(*first) == family);
        addresses(&merge(ours.map(numbers).collect()), family)
    };
    [of(Family::V4), of(Family::V6)].concat()
}

/// Joins ranges that overlap or touch.
pub(super) fn merge(mut ranges: Vec<Numbers>) -> Vec<Numbers> {
    ranges.sort_unstable();
    let mut merged: Vec<Numbers> = Vec::with_capacity(ranges.len());
    for (first, last) in ranges {
        match merged.last_mut() {
            Some((_, end)) if first <= end.saturating_add(1) => *end = last.max(*end),
            _ => merged.push((first, last)),
        }
    }
    merged
}

fn numbers((first, last): &AddressRange) -> Numbers {
    let number = |ip: &IpAddr| match ip {
        IpAddr::V4(ip) => u128::from(ip.to_bits()),
        IpAddr::V6(ip) => ip.to_bits(),
    };
    (number(first), number(last))
}

fn addresses(ranges: &[Numbers], family: Family) -> Vec<AddressRange> {
    let address = |number: u128| match family {
        Family::V4 => Ipv4Addr::from_bits(number as u32).into(),
        Family::V6 => IpAddr::from(Ipv6Addr::from_bits(number)),
    };
    ranges.iter().map(|(first, last)| (address(*first), address(*last))).collect()
}
