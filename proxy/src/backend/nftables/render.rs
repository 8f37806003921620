//! Pure: from changed Service ports to the [`Transaction`] that carries the change out.
//!
//! [`Renderer`] remembers what the table of one IP family holds. Each call yields only the
//! difference, so its cost follows the change: a Service with a new endpoint touches its group and
//! its frontends, however many Services there are.

mod frontends;
mod group;

use std::net::IpAddr;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use self::frontends::{Claim, claims};
use self::group::Group;
use super::ruleset::{Balancer, Element, Frontend, Target, Transaction, View};
use crate::ledger::{Claims, Counter};
use crate::model::{Family, PortKey, ServicePort, ServicePortName, TrafficPolicy};

/// What one family's table holds, and how to get from there to the next state.
#[derive(Debug)]
pub struct Renderer {
    family: Family,
    last_group: u32,
    ports: FxHashMap<PortKey, Programmed>,
    reserved: Vec<IpAddr>,
    frontends: Claims<(View, Frontend), Claimant, Target>,
    balancers: Counter<Balancer>,
    hairpins: Counter<IpAddr>,
    cluster_ips: Counter<IpAddr>,
}

/// Who wants a frontend. Cluster addresses come before others, so that no Service takes another's by
/// naming it among its own external ones; then names count.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Claimant {
    external: bool,
    name: Arc<ServicePortName>,
}

/// One port as programmed.
#[derive(Debug)]
struct Programmed {
    port: Arc<ServicePort>,
    cluster: Option<Group>,
    local: Option<Group>,
}

// === impl Renderer ===

impl Renderer {
    /// The renderer of an empty table.
    pub fn new(family: Family) -> Self {
        Self {
            family,
            reserved: Vec::new(),
            last_group: 0,
            ports: FxHashMap::default(),
            frontends: Claims::default(),
            balancers: Counter::default(),
            hairpins: Counter::default(),
            cluster_ips: Counter::default(),
        }
    }

    /// Never programs these addresses as external ones of a Service.
    #[must_use]
    pub fn reserving(self, reserved: &[IpAddr]) -> Self {
        Self { reserved: reserved.to_vec(), ..self }
    }

    /// The family whose ports it renders; others are passed over.
    pub fn family(&self) -> Family {
        self.family
    }

    /// Renders a change, which names each port at most once.
    pub fn apply(&mut self, updated: &[Arc<ServicePort>], removed: &[PortKey]) -> Transaction {
        let mut transaction = Transaction::default();
        let family = self.family;
        for key in removed.iter().filter(|key| key.family == family) {
            if let Some(old) = self.ports.remove(key) {
                self.release(&old);
                old.delete_groups(&mut transaction);
            }
        }
        for port in updated.iter().filter(|port| port.key.family == family) {
            self.update(port, &mut transaction);
        }
        self.settle(&mut transaction);
        transaction
    }

    /// The ports that are programmed.
    pub fn ports(&self) -> impl Iterator<Item = &Arc<ServicePort>> {
        self.ports.values().map(|programmed| &programmed.port)
    }

    /// A port as programmed.
    pub fn port(&self, key: &PortKey) -> Option<&ServicePort> {
        self.ports.get(key).map(|programmed| &*programmed.port)
    }

    /// All elements that the table holds.
    pub fn elements(&self) -> Vec<Element> {
        let mut elements = Vec::new();
        for programmed in self.ports.values() {
            programmed.groups().for_each(|group| group.elements(&mut elements));
        }
        elements.extend(
            self.frontends
                .iter()
                .map(|((view, frontend), target)| Element::Frontend(view, frontend, target)),
        );
        elements.extend(self.balancers.keys().map(|balancer| Element::Balancer(*balancer)));
        elements.extend(self.hairpins.keys().map(|ip| Element::Hairpin(*ip)));
        elements.extend(self.cluster_ips.keys().map(|ip| Element::ClusterIp(*ip)));
        elements
    }

    fn update(&mut self, port: &Arc<ServicePort>, transaction: &mut Transaction) {
        let old = self.ports.remove(&port.key);
        if let Some(old) = &old {
            self.release(old);
        }
        let (old_cluster, old_local) = old.map(|old| (old.cluster, old.local)).unwrap_or_default();
        let external = port.node_port.is_some() || port.external_addresses().next().is_some();
        let wants_cluster = external || port.internal_policy == TrafficPolicy::Cluster;
        let wants_local = port.internal_policy == TrafficPolicy::Local
            || (external && port.external_policy == TrafficPolicy::Local);
        let programmed = Programmed {
            port: port.clone(),
            cluster: self.regroup(
                old_cluster,
                wants_cluster,
                port,
                TrafficPolicy::Cluster,
                transaction,
            ),
            local: self.regroup(old_local, wants_local, port, TrafficPolicy::Local, transaction),
        };
        self.claim(&programmed);
        self.ports.insert(port.key.clone(), programmed);
    }

    fn regroup(
        &mut self,
        old: Option<Group>,
        wanted: bool,
        port: &ServicePort,
        policy: TrafficPolicy,
        transaction: &mut Transaction,
    ) -> Option<Group> {
        let endpoints = port.endpoints(policy);
        if !wanted || endpoints.is_empty() {
            old.iter().for_each(|group| group.elements(&mut transaction.delete));
            return None;
        }
        let mut group = old.unwrap_or_else(|| {
            self.last_group = self.last_group.wrapping_add(1).max(1);
            Group::new(self.last_group)
        });
        group.update(endpoints, port.affinity.unwrap_or(0), transaction);
        let restricted = !port.load_balancer_ips.is_empty();
        group.restrict(if restricted { &port.source_ranges } else { &[] }, transaction);
        Some(group)
    }

    fn claim(&mut self, programmed: &Programmed) {
        for Claim { external, view, frontend, target } in self.claims_of(programmed) {
            let claimant = Claimant { external, name: programmed.port.key.name.clone() };
            self.frontends.claim((view, frontend), &claimant, target);
            if let Some(balancer) = Balancer::of(view, frontend, target) {
                self.balancers.add(balancer);
            }
        }
        self.cluster_ips.add(programmed.port.cluster_ip);
        programmed.hairpins().for_each(|ip| self.hairpins.add(ip));
    }

    fn claims_of(&self, programmed: &Programmed) -> Vec<Claim> {
        let Programmed { port, cluster, local } = programmed;
        claims(port, &self.reserved, cluster.as_ref(), local.as_ref())
    }

    fn release(&mut self, programmed: &Programmed) {
        for Claim { external, view, frontend, target } in self.claims_of(programmed) {
            let claimant = Claimant { external, name: programmed.port.key.name.clone() };
            self.frontends.release((view, frontend), &claimant);
            if let Some(balancer) = Balancer::of(view, frontend, target) {
                self.balancers.remove(balancer);
            }
        }
        self.cluster_ips.remove(programmed.port.cluster_ip);
        programmed.hairpins().for_each(|ip| self.hairpins.remove(ip));
    }

    /// Turns what was claimed and released since the last call into elements.
    fn settle(&mut self, transaction: &mut Transaction) {
        self.frontends.settle(|(view, frontend), before, after| {
            transaction
                .delete
                .extend(before.map(|target| Element::Frontend(view, frontend, target)));
            transaction.add.extend(after.map(|target| Element::Frontend(view, frontend, target)));
        });
        let (added, deleted) = self.balancers.settle();
        transaction.add.extend(added.iter().map(|balancer| Element::Balancer(*balancer)));
        transaction.delete.extend(deleted.iter().map(|balancer| Element::Balancer(*balancer)));
        (transaction.add_chains, transaction.delete_chains) = (added, deleted);
        for (counter, element) in [
            (&mut self.hairpins, Element::Hairpin as fn(IpAddr) -> Element),
            (&mut self.cluster_ips, Element::ClusterIp),
        ] {
            let (added, deleted) = counter.settle();
            transaction.add.extend(added.into_iter().map(element));
            transaction.delete.extend(deleted.into_iter().map(element));
        }
    }

    /// The target that a destination leads to, as everybody inside the cluster sees it.
    pub fn target(&self, frontend: Frontend) -> Option<Target> {
        self.frontends.get((View::Cluster, frontend))
    }
}

// === impl Programmed ===

impl Programmed {
    fn groups(&self) -> impl Iterator<Item = &Group> {
        self.cluster.iter().chain(&self.local)
    }

    fn delete_groups(&self, transaction: &mut Transaction) {
        self.groups().for_each(|group| group.elements(&mut transaction.delete));
    }

    /// Endpoints whose own traffic may come back to them: those on this node.
    fn hairpins(&self) -> impl Iterator<Item = IpAddr> + '_ {
        let all = self.port.cluster_endpoints.iter().chain(&self.port.local_endpoints);
        all.filter(|endpoint| endpoint.local).map(|endpoint| endpoint.address.ip())
    }
}
