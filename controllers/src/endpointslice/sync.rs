//! Reads caches, applies the plan.

use super::plan::{Snapshot, plan};
use super::{BY_SERVICE, MANAGER};
use crate::Context;
use crate::support::endpoints::{Nodes, Services, ZONE_LABEL, selected};
use crate::support::ops;
use crate::support::slices::MANAGED_BY;
use crate::support::trigger::{self, Triggers};
use crate::support::writes::Writes;
use crate::views::{Headers, Pod, Pods};
use async_trait::async_trait;
use std::collections::BTreeMap;
use windlass_core::controller::{Action, ObjectKey, Reconciler};
use windlass_core::{Error, Result};

/// Asks for hints in proportion to what the zones can do (Kubernetes documentation, "Topology Aware Routing").
const TOPOLOGY_MODE: &str = "service.kubernetes.io/topology-mode";
const CONTROL_PLANE: &str = "node-role.kubernetes.io/control-plane";

pub(super) struct Sync {
    context: Context,
    services: Services,
    pods: Pods,
    nodes: Nodes,
    slices: Headers,
    writes: Writes,
    triggers: Triggers,
}

impl Sync {
    pub(super) fn new(
        context: &Context,
        services: Services,
        pods: Pods,
        nodes: Nodes,
        slices: Headers,
    ) -> Self {
        Self {
            context: context.clone(),
            services,
            pods,
            nodes,
            slices,
            writes: Writes::default(),
            triggers: Triggers::default(),
        }
    }

    /// How much of the cluster's CPU each zone has; nothing when that is not known of all nodes that are ready.
    fn weights(&self) -> Vec<(String, f64)> {
        let mut zones: BTreeMap<String, f64> = BTreeMap::new();
        for node in self.nodes.list(None) {
            let control_plane = node.object.header().label(CONTROL_PLANE).is_some();
            if control_plane || node.view.condition("Ready") != Some("True") {
                continue;
            }
            let zone = node.object.header().label(ZONE_LABEL);
            let cpu =
                node.view.status.allocatable.cpu.parse().map(windlass_core::meta::Quantity::milli);
            let (Some(zone), Ok(cpu)) = (zone, cpu) else { return vec![] };
            #[allow(clippy::cast_precision_loss, reason = "a share is asked for")]
            {
                *zones.entry(zone.to_owned()).or_default() += cpu as f64;
            }
        }
        let all: f64 = zones.values().sum();
        if zones.len() < 2 || all <= 0.0 {
            return vec![];
        }
        zones.into_iter().map(|(zone, cpu)| (zone, cpu / all)).collect()
    }

    fn zones(&self, pods: &[Pod]) -> BTreeMap<String, String> {
        let zone = |name: &str| {
            let node = self.nodes.get("", name)?;
            Some(node.object.header().label(ZONE_LABEL).unwrap_or_default().to_owned())
        };
        let names = pods.iter().map(|pod| pod.view.spec.node_name.as_str());
        names.filter_map(|name| Some((name.to_owned(), zone(name)?))).collect()
    }
}

#[async_trait]
impl Reconciler for Sync {
    type Request = ObjectKey;
    type Error = Error;

    async fn reconcile(&self, request: &ObjectKey) -> Result<Action> {
        if !self.writes.are_shown(request, &self.slices) {
            return Ok(Writes::wait());
        }
        let Some(service) = self.services.get(&request.namespace, &request.name) else {
            // Its slices go with it: it owns them.
            self.triggers.forget(request);
            return Ok(Action::Done);
        };
        let (header, spec) = (service.object.header(), &service.view.spec);
        if header.deleting || spec.selector.is_none() || spec.kind == "ExternalName" {
            return Ok(Action::Done);
        }
        let mine = self.slices.by_index(BY_SERVICE, &request.to_string()).into_iter();
        let mine = mine.filter(|slice| slice.object.header().label(MANAGED_BY) == Some(MANAGER));
        let slices = mine.map(|slice| slice.object.view()).collect::<Result<_>>()?;
        let pods = selected(&self.pods, &request.namespace, spec);
        let zones = self.zones(&pods);
        let made = service.view.metadata.creation_timestamp.as_ref().map(|time| time.0);
        let trigger = self.triggers.since_last(request, made, &pods);
        let weights = service
            .view
            .annotation(TOPOLOGY_MODE)
            .is_some_and(|mode| mode == "Auto" || mode == "auto");
        let weights = if weights { self.weights() } else { vec![] };
        let mut ops = plan(Snapshot { header, service: spec, pods, zones, weights, slices });
        trigger::mark(&mut ops, trigger);
        let version = ops::apply(&*self.context.client, &self.context.recorder, ops).await?;
        self.writes.wrote(request, version);
        Ok(Action::Done)
    }
}
