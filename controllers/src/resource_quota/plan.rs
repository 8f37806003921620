//! The status of a quota.

use jiff::Timestamp;
use rustc_hash::{FxHashMap, FxHashSet};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use windlass_core::apis::Quantity;
use windlass_core::apis::core::v1::{ResourceQuota, ResourceQuotaStatus};
use windlass_core::cache::Entry;
use windlass_core::quota::{
    Amount, ClaimUsage, DeviceUsage, PodUsage, Scopes, ServiceUsage, Source, Uses, source,
};

/// What there is in a namespace of all that a quota names.
#[derive(Default)]
pub(super) struct Snapshot {
    pub(super) pods: Vec<Arc<Entry<PodUsage>>>,
    pub(super) services: Vec<Arc<Entry<ServiceUsage>>>,
    pub(super) claims: Vec<Arc<Entry<ClaimUsage>>>,
    pub(super) devices: Vec<Arc<Entry<DeviceUsage>>>,
    /// How many objects there are, of the kinds that are known.
    pub(super) objects: FxHashMap<Source, usize>,
    /// What could not be looked at.
    pub(super) unknown: FxHashSet<Source>,
}

type Used = BTreeMap<String, Amount>;

/// What must be looked at for a quota.
pub(super) fn sources(quota: &ResourceQuota) -> FxHashSet<Source> {
    let hard = quota.spec.as_ref().and_then(|spec| spec.hard.as_ref());
    hard.into_iter().flat_map(BTreeMap::keys).filter_map(|name| source(name)).collect()
}

/// The status, and when to look again.
pub(super) fn plan(
    quota: &ResourceQuota,
    snapshot: &Snapshot,
    now: Timestamp,
) -> (ResourceQuotaStatus, Option<Duration>) {
    let spec = quota.spec.clone().unwrap_or_default();
    let (scopes, hard) = (Scopes::of(&spec), spec.hard.unwrap_or_default());
    let mut used = Used::new();
    for name in hard.keys() {
        let Some(source) = source(name).filter(|known| !snapshot.unknown.contains(known)) else {
            continue;
        };
        let objects = match &source {
            // Nobody has defined such objects.
            Source::Objects { .. } if !snapshot.objects.contains_key(&source) => continue,
            Source::Objects { .. } if scopes.is_empty() => snapshot.objects[&source],
            _ => 0,
        };
        used.insert(name.clone(), Amount::count(objects));
    }
    let again = pods(&mut used, snapshot, &scopes, now);
    if scopes.is_empty() {
        snapshot.services.iter().for_each(|service| add(&mut used, &service.view.0));
        snapshot.devices.iter().for_each(|claim| add(&mut used, &claim.view.0));
    }
    let claims = snapshot.claims.iter().filter(|claim| scopes.take(&claim.view));
    claims.for_each(|claim| add(&mut used, &claim.view.uses));
    let before = quota.status.as_ref().and_then(|status| status.used.clone()).unwrap_or_default();
    // What is not known now is as it was.
    let mut all: BTreeMap<_, _> =
        before.into_iter().filter(|(name, _)| hard.contains_key(name)).collect();
    all.extend(used.into_iter().map(|(name, amount)| (name, Quantity(amount.to_string()))));
    (ResourceQuotaStatus { hard: Some(hard), used: Some(all) }, again)
}

/// Whether two say the same, in whatever form.
pub(super) fn same(one: &ResourceQuotaStatus, other: &ResourceQuotaStatus) -> bool {
    let amounts = |list: &Option<BTreeMap<String, Quantity>>| -> Option<BTreeMap<String, _>> {
        let parse = |quantity: &Quantity| quantity.0.parse().map(|amount: Amount| amount.value);
        let list = list.as_ref()?.iter();
        list.map(|(name, quantity)| Some((name.clone(), parse(quantity).ok()?))).collect()
    };
    let all = |status: &ResourceQuotaStatus| amounts(&status.hard).zip(amounts(&status.used));
    one == other || all(one).is_some_and(|one| Some(one) == all(other))
}

/// Adds up what pods use that have not ended; ended ones are objects still. When the next one counts as ended.
fn pods(used: &mut Used, snapshot: &Snapshot, scopes: &Scopes, now: Timestamp) -> Option<Duration> {
    let mut again: Option<Duration> = None;
    for pod in snapshot.pods.iter().map(|pod| &pod.view).filter(|pod| scopes.take(*pod)) {
        if let Some(count) = used.get_mut("count/pods") {
            *count += Amount::count(1);
        }
        if pod.terminal || pod.lost.is_some_and(|lost| lost <= now) {
            continue;
        }
        add(used, &pod.uses);
        let left = pod.lost.map(|lost| lost.duration_since(now).unsigned_abs());
        again = [again, left].into_iter().flatten().min();
    }
    again
}

fn add(used: &mut Used, uses: &Uses) {
    for (name, amount) in uses {
        if let Some(sum) = used.get_mut(name) {
            *sum += *amount;
        }
    }
}
