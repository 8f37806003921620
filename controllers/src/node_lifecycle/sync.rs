//! Remembers signs of life, applies the plan.

use super::plan;
use super::zones::{Member, Turn, Zones};
use crate::Context;
use crate::support::endpoints::{Nodes, ZONE_LABEL};
use crate::support::ops::{self, Op};
use crate::support::owner::reference_of;
use crate::support::{status, time};
use crate::views::{BY_NODE, NodeView, Pods};
use async_trait::async_trait;
use jiff::Timestamp;
use parking_lot::Mutex;
use rustc_hash::FxHashMap;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use windlass_core::apis::core::v1::Node;
use windlass_core::cache::Entry;
use windlass_core::client::Key;
use windlass_core::clock::Env;
use windlass_core::controller::{Action, ObjectKey, Reconciler};
use windlass_core::events::Recorder;
use windlass_core::scheme::{self, GroupVersionKind};
use windlass_core::{Error, Object, Result};

const REGION_LABEL: &str = "topology.kubernetes.io/region";
const NODE: GroupVersionKind = GroupVersionKind::new("", "v1", "Node");

/// When each node last gave a sign of life, by the clock here: clocks of nodes may be wrong.
pub(super) struct Signs {
    env: Env,
    last: Mutex<FxHashMap<String, Sign>>,
}

struct Sign {
    at: Timestamp,
    given_up: bool,
}

pub(super) struct Sync {
    context: Context,
    recorder: Recorder,
    nodes: Nodes,
    pods: Pods,
    signs: Arc<Signs>,
    zones: SharedZones,
}

/// Counted by the cache's changes, read by the workers.
pub(super) type SharedZones = Arc<Mutex<Zones>>;

// === impl Signs ===

impl Signs {
    pub(super) fn new(env: Env) -> Self {
        Self { env, last: Mutex::default() }
    }

    /// The node lives. Whether it had been given up.
    pub(super) fn seen(&self, node: &str) -> bool {
        let sign = Sign { at: self.env.clock.now(), given_up: false };
        self.last.lock().insert(node.to_owned(), sign).is_some_and(|before| before.given_up)
    }

    pub(super) fn forget(&self, node: &str) {
        self.last.lock().remove(node);
    }

    /// How much of its grace period a node has left; none: it is silent.
    fn time_left(&self, node: &str, grace: Duration) -> Option<Duration> {
        let now = self.env.clock.now();
        let mut last = self.last.lock();
        let sign = last.entry(node.to_owned()).or_insert(Sign { at: now, given_up: false });
        let silent = Duration::try_from(now.duration_since(sign.at)).unwrap_or_default();
        let left = grace.checked_sub(silent).filter(|left| !left.is_zero());
        sign.given_up = left.is_none();
        left
    }
}

// === impl Sync ===

impl Sync {
    pub(super) fn new(context: &Context, nodes: Nodes, pods: Pods, signs: Arc<Signs>) -> Self {
        let recorder = context.recorder.named("node-controller");
        let zones = SharedZones::default();
        Self { context: context.clone(), recorder, nodes, pods, signs, zones }
    }

    pub(super) fn zones(&self) -> SharedZones {
        self.zones.clone()
    }

    /// Whether a node's pods may be driven out now.
    fn turn(&self, node: &Entry<NodeView>) -> Turn {
        let (zone, _) = member(node);
        let now = self.context.env.clock.now();
        let rates = &self.context.settings.eviction_rates;
        self.zones.lock().turn(&zone, plan::would_evict(&node.view), rates, now)
    }

    async fn give_up(&self, object: &Object) -> Result<bool> {
        let node: Node = object.view()?;
        let before = node.status.clone().unwrap_or_default();
        let now = time::now(&self.context.env);
        let Some(conditions) = plan::silent(before.conditions.as_deref().unwrap_or_default(), now)
        else {
            return Ok(false);
        };
        let mut new = before;
        new.conditions = Some(conditions);
        let about = reference_of(&NODE, object.header());
        let message = format!("Node {} status is now: NodeNotReady", object.name());
        let write = status::replace(Key::cluster(scheme::NODES, object.name()), object, &new)?;
        self.apply(vec![write, Op::normal(about, "NodeNotReady", message)]).await?;
        Ok(true)
    }

    async fn apply(&self, ops: Vec<Op>) -> Result<()> {
        ops::apply(&*self.context.client, &self.recorder, ops).await.map(drop)
    }
}

#[async_trait]
impl Reconciler for Sync {
    type Request = ObjectKey;
    type Error = Error;

    async fn reconcile(&self, request: &ObjectKey) -> Result<Action> {
        let Some(node) = self.nodes.get("", &request.name) else { return Ok(Action::Done) };
        let grace = self.context.settings.node_monitor_grace_period;
        let left = self.signs.time_left(&request.name, grace);
        // What was written comes back as a change and brings the taints.
        if left.is_none() && self.give_up(&node.object).await? {
            return Ok(Action::Done);
        }
        let now = time::now(&self.context.env);
        let turn = self.turn(&node);
        if let Some(taints) = plan::taints(&node.view, turn == Turn::Now, now) {
            let version = node.object.resource_version().to_string();
            let patch =
                json!({"metadata": {"resourceVersion": version}, "spec": {"taints": taints}});
            self.apply(vec![Op::Patch(Key::cluster(scheme::NODES, &request.name), patch)]).await?;
        }
        if left.is_none() {
            self.apply(plan::pods(&self.pods.by_index(BY_NODE, &request.name), now)).await?;
        }
        let waits = match turn {
            Turn::After(wait) => Some(wait),
            Turn::Now | Turn::Held | Turn::Stopped => None,
        };
        Ok([left, waits].into_iter().flatten().min().map_or(Action::Done, Action::RequeueAfter))
    }
}

/// A node as its zone counts it; the zone is region and zone as one name.
pub(super) fn member(node: &Entry<NodeView>) -> Member {
    let label = |key: &str| node.object.header().label(key).unwrap_or_default().to_owned();
    let zone = format!("{}:{}", label(REGION_LABEL), label(ZONE_LABEL));
    (zone, node.view.condition("Ready") == Some("True"))
}
