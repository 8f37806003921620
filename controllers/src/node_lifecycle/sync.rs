//! Remembers signs of life, applies the plan.

use super::plan;
use super::zones::{self, Count, Turn, Turns};
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
use std::collections::{BTreeMap, BTreeSet};
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
    turns: Mutex<Turns>,
    held: Held,
}

/// Nodes that wait for others to work again. Clones are the same.
#[derive(Clone, Default)]
pub(super) struct Held(Arc<Mutex<BTreeSet<String>>>);

// === impl Held ===

impl Held {
    pub(super) fn take(&self) -> BTreeSet<String> {
        std::mem::take(&mut *self.0.lock())
    }
}

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
        let (turns, held) = (Mutex::default(), Held::default());
        Self { context: context.clone(), recorder, nodes, pods, signs, turns, held }
    }

    pub(super) fn held(&self) -> Held {
        self.held.clone()
    }

    /// Whether a node's pods may be driven out now.
    fn turn(&self, node: &Entry<NodeView>, now: Timestamp) -> Turn {
        if !plan::would_evict(&node.view) {
            return Turn::Now;
        }
        let zone = zone_of(node);
        let mut zones: BTreeMap<String, Count> = BTreeMap::new();
        for node in self.nodes.list(None) {
            let count = zones.entry(zone_of(&node)).or_default();
            match node.view.condition("Ready") {
                Some("True") => count.ready += 1,
                _ => count.not_ready += 1,
            }
        }
        let turn = self.turns.lock().take(&zone, zones::period(&zones, &zone), now);
        if turn == Turn::Never {
            self.held.0.lock().insert(node.object.name().to_owned());
        }
        turn
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
        let turn = self.turn(&node, now);
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
            Turn::Now | Turn::Never => None,
        };
        Ok([left, waits].into_iter().flatten().min().map_or(Action::Done, Action::RequeueAfter))
    }
}

/// Region and zone of a node, as one name.
fn zone_of(node: &Entry<NodeView>) -> String {
    let label = |key: &str| node.object.header().label(key).unwrap_or_default().to_owned();
    format!("{}:{}", label(REGION_LABEL), label(ZONE_LABEL))
}
