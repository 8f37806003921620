//! Reads caches, applies the plan.

use super::plan::{Snapshot, plan};
use super::{BY_SERVICE, MANAGER};
use crate::Context;
use crate::support::endpoints::{Nodes, Services, ZONE_LABEL, selected};
use crate::support::ops;
use crate::support::slices::MANAGED_BY;
use crate::support::writes::Writes;
use crate::views::{Headers, Pod, Pods};
use async_trait::async_trait;
use std::collections::BTreeMap;
use windlass_core::controller::{Action, ObjectKey, Reconciler};
use windlass_core::{Error, Result};

pub(super) struct Sync {
    context: Context,
    services: Services,
    pods: Pods,
    nodes: Nodes,
    slices: Headers,
    writes: Writes,
}

impl Sync {
    pub(super) fn new(
        context: &Context,
        services: Services,
        pods: Pods,
        nodes: Nodes,
        slices: Headers,
    ) -> Self {
        Self { context: context.clone(), services, pods, nodes, slices, writes: Writes::default() }
    }

    fn zones(&self, pods: &[Pod]) -> BTreeMap<String, String> {
        let zone = |name: &str| {
            let node = self.nodes.get("", name)?;
            Some(node.object.header().label(ZONE_LABEL).unwrap_or_default().to_owned())
        };
        let names = pods.iter().map(|pod| &pod.view.spec.node_name);
        names.filter_map(|name| Some((name.clone(), zone(name)?))).collect()
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
        let ops = plan(Snapshot { header, service: spec, pods, zones, slices });
        let version = ops::apply(&*self.context.client, &self.context.recorder, ops).await?;
        self.writes.wrote(request, version);
        Ok(Action::Done)
    }
}
