//! Reads the cache, applies the plan.

use super::plan::Pool;
use crate::Context;
use crate::support::endpoints::Nodes;
use crate::support::ops::{self, Op};
use crate::support::owner::reference_of;
use crate::views::NodeView;
use async_trait::async_trait;
use parking_lot::Mutex;
use serde_json::json;
use std::sync::Arc;
use windlass_core::cache::Entry;
use windlass_core::client::Key;
use windlass_core::controller::{Action, ObjectKey, Reconciler};
use windlass_core::scheme::{self, GroupVersionKind};
use windlass_core::{Error, Result};

const NODE: GroupVersionKind = GroupVersionKind::new("", "v1", "Node");

/// What nodes have, and what was given to them though the cache does not show it yet. A write that failed may have been done
/// all the same, so what was chosen for a node stays the node's, and is written again.
pub(super) type Given = Arc<Mutex<Pool>>;

type Node = Arc<Entry<NodeView>>;

pub(super) struct Sync {
    context: Context,
    nodes: Nodes,
    given: Given,
}

impl Sync {
    pub(super) fn new(context: &Context, nodes: Nodes, given: Given) -> Self {
        Self { context: context.clone(), nodes, given }
    }

    /// The parts of a node that is there and has none; no parts when there is no room. Its end gives them back: who is told
    /// of that waits for the same lock, so it comes later.
    pub(super) fn give(&self, name: &str) -> Option<(Node, Option<Vec<String>>)> {
        let mut given = self.given.lock();
        let node = self
            .nodes
            .get("", name)
            .filter(|node| node.view.spec.pod_cidr.is_empty() && !node.object.header().deleting)?;
        (!given.is_empty()).then(|| (node, given.give(name)))
    }
}

pub(super) fn pool(context: &Context) -> Pool {
    let settings = &context.settings;
    let (mask, six) = (settings.node_cidr_mask, settings.node_cidr_mask_ipv6);
    Pool::parse(&settings.cluster_cidr, mask, six).unwrap_or_else(|cidr| {
        tracing::error!(cidr, "no usable range of pod addresses: nodes get none");
        Pool::default()
    })
}

#[async_trait]
impl Reconciler for Sync {
    type Request = ObjectKey;
    type Error = Error;

    async fn reconcile(&self, request: &ObjectKey) -> Result<Action> {
        let Some((node, cidrs)) = self.give(&request.name) else { return Ok(Action::Done) };
        let Some(cidrs) = cidrs else {
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
