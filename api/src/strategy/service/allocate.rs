//! The allocator of Services: an address of the cluster, ports of the nodes.

use super::{full_name, given_ip, needs_cluster_ip, node_ports};
use crate::strategy::allocator::{Allocation, Allocator, Companion, ServiceConfig};
use crate::strategy::json::{int_of, map_mut, map_of, str_at};
use crate::strategy::{Map, allocator};
use crate::validation::Errors;
use async_trait::async_trait;
use serde_json::json;
use std::collections::BTreeSet;
use windlass_core::meta::Status;
use windlass_core::scheme::GroupVersionKind;

const KIND: GroupVersionKind = GroupVersionKind::new("", "v1", "Service");

/// Gives Services what they ask for, or what is free.
pub(in crate::strategy) struct ServiceAllocator {
    config: ServiceConfig,
}

/// What a Service holds.
struct Holding {
    ip: Option<String>,
    ports: BTreeSet<u16>,
}

impl ServiceAllocator {
    pub(in crate::strategy) fn new(config: &ServiceConfig) -> Self {
        Self { config: config.clone() }
    }
}

impl Holding {
    fn of(object: Option<&Map>) -> Self {
        let spec = object.and_then(|object| map_of(object, "spec"));
        let Some(spec) = spec else { return Self { ip: None, ports: BTreeSet::new() } };
        let mut ports: BTreeSet<u16> = node_ports(spec).into_iter().map(|(_, port)| port).collect();
        ports.extend(health_port(spec));
        Self { ip: given_ip(spec).map(str::to_owned), ports }
    }
}

#[async_trait]
impl Allocator for ServiceAllocator {
    async fn allocate(
        &self,
        new: &mut Map,
        old: Option<&Map>,
        allocation: &dyn Allocation,
    ) -> Result<Vec<Companion>, Status> {
        let before = Holding::of(old);
        let mut companions = Vec::new();
        let name = str_at(new, &["metadata", "name"]).to_owned();
        let mut errors = Errors::default();
        let owner = full_name(new);
        let metadata = map_of(new, "metadata").cloned().unwrap_or_default();
        let spec = map_mut(new, "spec");
        if needs_cluster_ip(spec) && (before.ip.is_none() || given_ip(spec) != before.ip.as_deref())
        {
            let wanted = given_ip(spec).map(str::to_owned);
            let pool = super::cluster_ip::Pool::new(&self.config);
            let found = pool.take(wanted.as_deref(), &metadata, allocation, &mut errors).await?;
            if let Some((ip, companion)) = found {
                spec.insert("clusterIP".into(), ip.clone().into());
                spec.insert("clusterIPs".into(), json!([ip]));
                companions.push(companion);
            }
        }
        let pool = super::node_port::Pool::new(self.config.node_ports, &owner);
        companions.extend(pool.take(spec, &before.ports, allocation, &mut errors).await?);
        errors.check(&KIND, &name).map_err(|status| *status)?;
        let now = Holding::of(Some(new));
        companions.extend(Self::given_back(&before, &now, allocation));
        Ok(companions)
    }

    fn release(&self, old: &Map, allocation: &dyn Allocation) -> Vec<Companion> {
        let nothing = Holding { ip: None, ports: BTreeSet::new() };
        Self::given_back(&Holding::of(Some(old)), &nothing, allocation)
    }
}

impl ServiceAllocator {
    /// What `before` held and `now` does not.
    fn given_back(before: &Holding, now: &Holding, allocation: &dyn Allocation) -> Vec<Companion> {
        let ip = before.ip.iter().filter(|ip| now.ip.as_ref() != Some(ip));
        let ips = ip.map(|ip| super::cluster_ip::key(ip, allocation));
        let ports = before.ports.difference(&now.ports).map(|port| super::node_port::key(*port));
        ips.chain(ports).map(allocator::Companion::delete).collect()
    }
}

fn health_port(spec: &Map) -> Option<u16> {
    int_of(spec, "healthCheckNodePort")
        .and_then(|n| u16::try_from(n).ok())
        .filter(|port| *port != 0)
}
