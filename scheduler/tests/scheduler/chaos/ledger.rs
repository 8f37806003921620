//! Who is on which node, by a way that can be relied on; what should not be is noted.

use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use windlass_core::cache::{Change, HeaderOnly};
use windlass_core::meta::Quantity;

/// So many pods are spread over so many zones.
pub(crate) const SPREAD: usize = 9;
pub(crate) const ZONES: usize = 3;

/// Thousandths of a core.
pub(crate) type Milli = i64;

#[derive(Default)]
pub(crate) struct Ledger {
    /// What nodes have, those that are no more included: no name is given twice.
    pub(crate) nodes: BTreeMap<String, Milli>,
    pub(crate) gone: BTreeSet<String>,
    pods: BTreeMap<String, (Pod, String)>,
    pub(crate) wrongs: Vec<String>,
    /// How many bindings were seen.
    pub(crate) bound: usize,
    /// The pods that are to be spread and do not end, by uid, each with its node.
    pub(crate) spread: BTreeMap<String, String>,
}

#[derive(Clone, Deserialize)]
pub(crate) struct Pod {
    spec: Spec,
}

#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Spec {
    #[serde(default)]
    node_name: String,
    containers: Vec<Container>,
}

#[derive(Clone, Deserialize)]
struct Container {
    resources: Resources,
}

#[derive(Clone, Deserialize)]
struct Resources {
    requests: BTreeMap<String, String>,
}

impl Pod {
    fn cpu(&self) -> Milli {
        let asked = |container: &Container| {
            let cpu: Quantity = container.resources.requests["cpu"].parse().expect("a quantity");
            cpu.milli()
        };
        self.spec.containers.iter().map(asked).sum()
    }
}

impl Ledger {
    /// Whoever completes them goes where the fewest are, whoever went before: no more than one is missing at a time.
    fn look_at_spread(&mut self) {
        let mut zones: BTreeMap<&str, usize> = BTreeMap::new();
        self.spread.values().for_each(|node| *zones.entry(node).or_default() += 1);
        if self.spread.len() == SPREAD && zones.values().any(|count| *count != SPREAD / ZONES) {
            self.wrongs.push(format!("not spread: {zones:?}"));
        }
    }

    pub(crate) fn pod_changed(&mut self, change: &Change<HeaderOnly>) {
        let object = change.object();
        let (uid, name) = (object.header().uid.to_string(), object.name().to_owned());
        if let Change::Deleted(_) = change {
            self.pods.remove(&uid);
            self.spread.remove(&uid);
            return;
        }
        let pod: Pod = object.view().expect("a pod");
        let node = pod.spec.node_name.clone();
        if object.header().deleting {
            self.spread.remove(&uid);
        }
        if let Some((known, _)) = self.pods.get_mut(&uid) {
            // It may ask for less by now.
            *known = pod;
            return;
        }
        if node.is_empty() {
            return;
        }
        if name.starts_with("spread") && !object.header().deleting {
            self.spread.insert(uid.clone(), node.clone());
            self.look_at_spread();
        }
        self.bound += 1;
        if name.starts_with("giant") {
            self.wrongs.push(format!("{name} of a gang that has no room was bound to {node}"));
        }
        if node.starts_with("stable") != name.starts_with("spread") {
            self.wrongs.push(format!("{name} does not bear the taint of {node}"));
        }
        self.pods.insert(uid, (pod, name));
        let on = self.pods.values().filter(|(pod, _)| pod.spec.node_name == node);
        let used: Milli = on.clone().map(|(pod, _)| pod.cpu()).sum();
        if used > self.nodes[&node] && !self.gone.contains(&node) {
            let names: Vec<&str> = on.map(|(_, name)| name.as_str()).collect();
            self.wrongs.push(format!("{node} takes {used} of {}: {names:?}", self.nodes[&node]));
        }
    }
}
