//! What a pod needs at most at any time.

use super::{Condition, Container, Spec, Status};
use crate::snapshot::{Resources, resource_amounts};
use serde::Deserialize;
use std::collections::BTreeMap;
use windlass_core::meta::Quantity;

pub(super) type Amounts = BTreeMap<String, String>;

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Requests {
    pub(super) requests: Amounts,
}

/// What a container has of its node, while its spec may ask for something else (KEP-1287).
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct ContainerStatus {
    name: String,
    resources: Option<Requests>,
    allocated_resources: Amounts,
}

/// Milli-CPU and bytes that scores assume of a container that asks for none (Kubernetes' `NonZeroRequests`).
pub(super) const DEFAULT_REQUESTS: [(&str, &str); 2] = [("cpu", "100m"), ("memory", "200Mi")];

// === impl Spec ===

impl Spec {
    /// Sidecars run beside all that starts after them, other init containers run alone, containers run together (KEP-753).
    pub(super) fn total(&self, status: &Status, defaults: &[(&str, &str)]) -> Resources {
        let mut running: BTreeMap<String, Quantity> = BTreeMap::new();
        let mut highest: BTreeMap<String, Quantity> = BTreeMap::new();
        for container in &self.init_containers {
            if container.restart_policy == "Always" {
                let statuses = &status.init_container_statuses;
                add(&mut running, container.amounts(statuses, status, defaults));
                raise(&mut highest, running.clone());
            } else {
                let mut during = running.clone();
                add(&mut during, container.amounts(&[], status, defaults));
                raise(&mut highest, during);
            }
        }
        for container in &self.containers {
            add(&mut running, container.amounts(&status.container_statuses, status, defaults));
        }
        raise(&mut running, highest);
        // Resources of the pod as a whole take the place of the sum (KEP-2837).
        if let Some(pod) = &self.resources {
            running.extend(parse(&pod.requests));
        }
        add(&mut running, parse(&self.overhead));
        running.insert("pods".into(), Quantity::from_units(1));
        resource_amounts(running)
    }
}

// === impl Container ===

impl Container {
    /// While it is resized: the most of what it asks for and what it has.
    fn amounts(
        &self,
        statuses: &[ContainerStatus],
        pod: &Status,
        defaults: &[(&str, &str)],
    ) -> BTreeMap<String, Quantity> {
        let mut amounts = parse(&self.resources.requests);
        let status = statuses.iter().find(|status| status.name == self.name);
        if let Some((status, actual)) = status.and_then(|s| Some((s, s.resources.as_ref()?))) {
            // What can never be given is not asked for.
            if pod.conditions.iter().any(Condition::says_infeasible) {
                amounts.clear();
            }
            raise(&mut amounts, parse(&actual.requests));
            raise(&mut amounts, parse(&status.allocated_resources));
        }
        for (name, least) in defaults {
            let least = least.parse().expect("a constant quantity");
            amounts.entry((*name).to_owned()).or_insert(least);
        }
        amounts
    }
}

// === impl Condition ===

impl Condition {
    fn says_infeasible(&self) -> bool {
        self.says("PodResizePending", "Infeasible")
    }
}

/// The API server has checked the quantities; one that still can't be read asks for nothing.
fn parse(amounts: &Amounts) -> BTreeMap<String, Quantity> {
    amounts.iter().filter_map(|(name, amount)| Some((name.clone(), amount.parse().ok()?))).collect()
}

fn add(to: &mut BTreeMap<String, Quantity>, more: BTreeMap<String, Quantity>) {
    for (name, amount) in more {
        let sum = to.entry(name).or_default();
        *sum = *sum + amount;
    }
}

fn raise(to: &mut BTreeMap<String, Quantity>, least: BTreeMap<String, Quantity>) {
    for (name, amount) in least {
        let highest = to.entry(name).or_default();
        *highest = amount.max(*highest);
    }
}
