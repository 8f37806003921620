//! Counters that devices of a pool share (KEP-4815): a device can be had while there is enough left of all it consumes.

use super::allocate::Offer;
use super::objects::DeviceId;
use rustc_hash::FxHashMap;
use std::collections::HashSet;
use std::sync::Arc;
use windlass_core::apis::resource::v1::{Counter, Device, ResourceSliceSpec};
use windlass_core::meta::Quantity;

/// What is left of each counter, in thousandths: driver, pool, set of counters, counter.
#[derive(Default)]
pub(super) struct Counters(FxHashMap<Key, i64>);

type Key = (String, String, String, String);

impl Counters {
    /// What the slices of whole pools say there is, less what devices consume that somebody has.
    pub(super) fn new(slices: &[&Arc<ResourceSliceSpec>], taken: &HashSet<DeviceId>) -> Self {
        let mut left = Self::default();
        for slice in slices {
            for set in slice.shared_counters.iter().flatten() {
                for (name, counter) in &set.counters {
                    let key = key(&slice.driver, &slice.pool.name, &set.name, name);
                    left.0.insert(key, amount(counter));
                }
            }
        }
        if left.0.is_empty() {
            return left;
        }
        for slice in slices {
            for device in slice.devices.iter().flatten() {
                let id = (slice.driver.clone(), slice.pool.name.clone(), device.name.clone());
                if taken.contains(&id) {
                    for (key, amount) in consumed(&id, device) {
                        left.0.entry(key).and_modify(|left| *left -= amount);
                    }
                }
            }
        }
        left
    }

    /// Whether there is enough for all of these devices together. A counter that nobody offers is never enough.
    pub(super) fn suffice<'a>(&self, offers: impl Iterator<Item = &'a Offer>) -> bool {
        let mut wanted: FxHashMap<Key, i64> = FxHashMap::default();
        for offer in offers {
            for (key, amount) in consumed(&offer.id, &offer.device) {
                *wanted.entry(key).or_default() += amount;
            }
        }
        wanted.iter().all(|(key, amount)| self.0.get(key).is_some_and(|left| left >= amount))
    }
}

fn consumed<'a>(
    (driver, pool, _): &'a DeviceId,
    device: &'a Device,
) -> impl Iterator<Item = (Key, i64)> + 'a {
    device.consumes_counters.iter().flatten().flat_map(move |consumption| {
        let of = |name: &String| key(driver, pool, &consumption.counter_set, name);
        consumption.counters.iter().map(move |(name, counter)| (of(name), amount(counter)))
    })
}

fn key(driver: &str, pool: &str, set: &str, counter: &str) -> Key {
    (driver.into(), pool.into(), set.into(), counter.into())
}

/// The API server has checked it; what can't be read all the same is nothing, and so never enough.
fn amount(counter: &Counter) -> i64 {
    counter.value.0.parse().map_or(0, |quantity: Quantity| quantity.milli())
}
