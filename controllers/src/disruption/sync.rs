//! Reads caches, applies the plan.

use super::plan::plan;
use crate::Context;
use crate::support::{ops, status, time};
use crate::views::{self, Pod, Pods, Workloads};
use async_trait::async_trait;
use serde::Deserialize;
use std::collections::BTreeSet;
use windlass_core::apis::policy::v1::PodDisruptionBudget;
use windlass_core::client::Key;
use windlass_core::component::Ready;
use windlass_core::controller::{Action, ObjectKey, Reconciler};
use windlass_core::object::Owner;
use windlass_core::{Error, Result, scheme};

/// How many pods a workload wants.
#[derive(Deserialize)]
struct Sized {
    spec: Size,
}

#[derive(Deserialize)]
struct Size {
    #[serde(default = "one")]
    replicas: i32,
}

fn one() -> i32 {
    1
}

pub(super) struct Sync {
    context: Context,
    budgets: Workloads,
    pods: Pods,
    /// Kinds of owners that have a size.
    owners: Vec<(&'static str, Workloads)>,
}

impl Sync {
    pub(super) fn new(context: &Context, budgets: Workloads, pods: Pods) -> Self {
        let kinds = [
            ("ReplicaSet", scheme::REPLICASETS),
            ("ReplicationController", scheme::REPLICATIONCONTROLLERS),
            ("StatefulSet", scheme::STATEFULSETS),
        ];
        let owners =
            kinds.map(|(kind, resource)| (kind, views::workloads(context, resource))).into();
        Self { context: context.clone(), budgets, pods, owners }
    }

    pub(super) fn synced(&self) -> Vec<Ready> {
        self.owners.iter().map(|(_, owners)| owners.synced()).collect()
    }

    /// How many pods their owners want; those without one that has a size count as they are.
    fn expected(&self, namespace: &str, pods: &[Pod]) -> Result<i32> {
        let (mut seen, mut expected) = (BTreeSet::new(), 0);
        for pod in pods {
            let owner = pod.object.header().controller();
            let size = owner.map(|owner| self.size(namespace, owner)).transpose()?.flatten();
            match (owner, size) {
                (Some(owner), Some(size)) => {
                    if seen.insert(owner.uid.clone()) {
                        expected += size;
                    }
                }
                _ => expected += 1,
            }
        }
        Ok(expected)
    }

    fn size(&self, namespace: &str, owner: &Owner) -> Result<Option<i32>> {
        let kind = self.owners.iter().find(|(kind, _)| **kind == *owner.kind);
        let found = kind.and_then(|(_, owners)| owners.get(namespace, &owner.name));
        found.map(|entry| entry.object.view::<Sized>().map(|sized| sized.spec.replicas)).transpose()
    }
}

#[async_trait]
impl Reconciler for Sync {
    type Request = ObjectKey;
    type Error = Error;

    async fn reconcile(&self, request: &ObjectKey) -> Result<Action> {
        let Some(entry) = self.budgets.get(&request.namespace, &request.name) else {
            return Ok(Action::Done);
        };
        let budget: PodDisruptionBudget = entry.object.view()?;
        let selector = &entry.view.spec.selector;
        let mut pods = self.pods.list(Some(&request.namespace));
        pods.retain(|pod| {
            !pod.view.is_terminal() && selector.matches_or_all(&pod.object.header().labels)
        });
        let expected = self.expected(&request.namespace, &pods)?;
        let (new, again) = plan(&budget, &pods, expected, time::now(&self.context.env));
        if Some(&new) != budget.status.as_ref() {
            let key = Key::new(scheme::PODDISRUPTIONBUDGETS, &request.namespace, &request.name);
            let op = status::replace(key, &entry.object, &new)?;
            ops::apply(&*self.context.client, &self.context.recorder, vec![op]).await?;
        }
        Ok(again.map_or(Action::Done, Action::RequeueAfter))
    }
}
