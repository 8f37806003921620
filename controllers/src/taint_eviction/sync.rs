//! Reads caches, applies the plan.

use super::plan::{Fate, evicts, fate};
use crate::Context;
use crate::support::disruption;
use crate::support::endpoints::Nodes;
use crate::support::ops;
use crate::support::owner::reference_of;
use crate::support::time;
use crate::views::{Pod, Pods};
use async_trait::async_trait;
use jiff::Timestamp;
use parking_lot::Mutex;
use rustc_hash::FxHashMap;
use windlass_core::client::DeleteOptions;
use windlass_core::controller::{Action, ObjectKey, Reconciler};
use windlass_core::events::{EventType, Recorder};
use windlass_core::scheme::GroupVersionKind;
use windlass_core::{Error, Result};

const POD: GroupVersionKind = GroupVersionKind::new("", "v1", "Pod");

pub(super) struct Sync {
    context: Context,
    recorder: Recorder,
    nodes: Nodes,
    pods: Pods,
    /// Since when each pod is on a node with such taints.
    since: Mutex<FxHashMap<ObjectKey, Timestamp>>,
}

impl Sync {
    pub(super) fn new(context: &Context, nodes: Nodes, pods: Pods) -> Self {
        let recorder = context.recorder.named("taint-eviction-controller");
        Self { context: context.clone(), recorder, nodes, pods, since: Mutex::default() }
    }

    /// It stays; if it was about to go, that is told.
    fn stays(&self, request: &ObjectKey, pod: Option<&Pod>) -> Result<Action> {
        let was_to_go = self.since.lock().remove(request).is_some();
        if let Some(pod) = pod.filter(|pod| was_to_go && !pod.object.header().deleting) {
            let about = reference_of(&POD, pod.object.header());
            let message = format!("Cancelling deletion of Pod {request}");
            self.recorder.event(about, EventType::Normal, "TaintManagerEviction", &message);
        }
        Ok(Action::Done)
    }
}

#[async_trait]
impl Reconciler for Sync {
    type Request = ObjectKey;
    type Error = Error;

    async fn reconcile(&self, request: &ObjectKey) -> Result<Action> {
        let Some(pod) = self.pods.get(&request.namespace, &request.name) else {
            return self.stays(request, None);
        };
        let node = self.nodes.get("", &pod.view.spec.node_name).filter(|node| evicts(&node.view));
        let Some(node) = node.filter(|_| !pod.object.header().deleting) else {
            return self.stays(request, Some(&pod));
        };
        let now = time::now(&self.context.env);
        let since = *self.since.lock().entry(request.clone()).or_insert(now);
        match fate(&pod.view.spec.tolerations, &node.view.spec.taints, since, now) {
            Fate::Stays => self.stays(request, None),
            Fate::GoesIn(left) => Ok(Action::RequeueAfter(left)),
            Fate::Goes => {
                let message = format!("Marking for deletion Pod {request}");
                let why = disruption::Why {
                    reason: "DeletionByTaintManager",
                    message: "Taint manager: deleting due to NoExecute taint",
                    event: Some(("TaintManagerEviction", message)),
                    failed: false,
                };
                let ops = disruption::end(&pod, why, DeleteOptions::default(), now);
                ops::apply(&*self.context.client, &self.recorder, ops).await?;
                self.stays(request, None)
            }
        }
    }
}
