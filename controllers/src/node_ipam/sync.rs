//! Reads the cache, applies the plan.

use super::plan::Ranges;
use crate::Context;
use crate::support::endpoints::Nodes;
use crate::support::ops::{self, Op};
use crate::support::owner::reference_of;
use async_trait::async_trait;
use parking_lot::Mutex;
use serde_json::json;
use std::collections::BTreeMap;
use windlass_core::client::Key;
use windlass_core::controller::{Action, ObjectKey, Reconciler};
use windlass_core::scheme::{self, GroupVersionKind};
use windlass_core::{Error, Result};

const NODE: GroupVersionKind = GroupVersionKind::new("", "v1", "Node");

pub(super) struct Sync {
    context: Context,
    ranges: Ranges,
    nodes: Nodes,
    /// What was given to nodes and the cache does not show yet. A write that failed may have been done all the same, so
    /// what was chosen for a node stays the node's, and is written again.
    given: Mutex<BTreeMap<String, Vec<String>>>,
}

impl Sync {
    pub(super) fn new(context: &Context, nodes: Nodes) -> Self {
        let settings = &context.settings;
        let (mask, six) = (settings.node_cidr_mask, settings.node_cidr_mask_ipv6);
        let ranges = Ranges::parse(&settings.cluster_cidr, mask, six).unwrap_or_else(|cidr| {
            tracing::error!(cidr, "no usable range of pod addresses: nodes get none");
            Ranges::default()
        });
        Self { context: context.clone(), ranges, nodes, given: Mutex::default() }
    }

    /// The ranges of a node: once chosen, the same each time.
    fn give(&self, node: &str) -> Option<Vec<String>> {
        let mut given = self.given.lock();
        given.retain(|name, _| {
            self.nodes.get("", name).is_some_and(|node| node.view.spec.pod_cidr.is_empty())
        });
        if let Some(chosen) = given.get(node) {
            return Some(chosen.clone());
        }
        let nodes = self.nodes.list(None);
        let specs = nodes.iter().map(|node| &node.view.spec);
        let shown = specs.flat_map(|spec| spec.pod_cidrs.iter().chain([&spec.pod_cidr]));
        let taken = shown.chain(given.values().flatten()).map(String::as_str);
        let chosen = self.ranges.free(taken)?;
        given.insert(node.to_owned(), chosen.clone());
        Some(chosen)
    }
}

#[async_trait]
impl Reconciler for Sync {
    type Request = ObjectKey;
    type Error = Error;

    async fn reconcile(&self, request: &ObjectKey) -> Result<Action> {
        let node = self.nodes.get("", &request.name).filter(|_| !self.ranges.is_empty());
        let Some(node) = node else { return Ok(Action::Done) };
        if !node.view.spec.pod_cidr.is_empty() || node.object.header().deleting {
            return Ok(Action::Done);
        }
        let Some(cidrs) = self.give(&request.name) else {
            let about = reference_of(&NODE, node.object.header());
            let message = format!("Node {} status is now: CIDRNotAvailable", request.name);
            let event = Op::warning(about, "CIDRNotAvailable", message);
            ops::apply(&*self.context.client, &self.context.recorder, vec![event]).await?;
            return Ok(Action::Done);
        };
        let patch = json!({"metadata": {"uid": node.object.header().uid}, "spec": {"podCIDR": cidrs[0], "podCIDRs": cidrs}});
        let op = Op::Patch(Key::cluster(scheme::NODES, &request.name), patch);
        ops::apply(&*self.context.client, &self.context.recorder, vec![op]).await?;
        Ok(Action::Done)
    }
}
