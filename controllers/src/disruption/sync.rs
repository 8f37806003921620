//! Reads caches, applies the plan.

use super::plan::{fail_safe, plan};
use super::stale;
use crate::Context;
use crate::support::kinds::Definition;
use crate::support::scale::{self, Scale};
use crate::support::{ops, status, time};
use crate::views::{self, Pod, Pods, Workloads};
use async_trait::async_trait;
use futures::stream::{self, StreamExt, TryStreamExt};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use windlass_core::apis::IntOrString;
use windlass_core::apis::policy::v1::PodDisruptionBudget;
use windlass_core::cache::Informer;
use windlass_core::client::{ClientExt, Key};
use windlass_core::component::Ready;
use windlass_core::controller::{Action, ObjectKey, Reconciler};
use windlass_core::object::Owner;
use windlass_core::{Error, Result, scheme};

/// So many owners are asked for their size at once.
const AT_ONCE: usize = 16;

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

/// What to look at.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Request {
    Budget(ObjectKey),
    /// A pod that is marked for disruption.
    Pod(ObjectKey),
}

pub(super) struct Sync {
    context: Context,
    budgets: Workloads,
    pods: Pods,
    /// Kinds of owners that have a size.
    owners: Vec<(&'static str, Workloads)>,
    definitions: Arc<Informer<Definition>>,
}

impl Sync {
    pub(super) fn new(context: &Context, budgets: Workloads, pods: Pods) -> Self {
        let kinds = [
            ("Deployment", scheme::DEPLOYMENTS),
            ("ReplicaSet", scheme::REPLICASETS),
            ("ReplicationController", scheme::REPLICATIONCONTROLLERS),
            ("StatefulSet", scheme::STATEFULSETS),
        ];
        let owners =
            kinds.map(|(kind, resource)| (kind, views::workloads(context, resource))).into();
        let definitions = context.informers.informer(scheme::CUSTOMRESOURCEDEFINITIONS);
        Self { context: context.clone(), budgets, pods, owners, definitions }
    }

    pub(super) fn synced(&self) -> Vec<Ready> {
        self.owners.iter().map(|(_, owners)| owners.synced()).collect()
    }

    /// How many pods their owners want; those without one that has a size count as they are. A budget that says how many
    /// must be there needs no owners.
    async fn expected(
        &self,
        namespace: &str,
        budget: &PodDisruptionBudget,
        pods: &[Pod],
    ) -> Result<i32> {
        let least = budget.spec.as_ref().filter(|spec| spec.max_unavailable.is_none());
        if let Some(IntOrString::Int(_)) = least.and_then(|spec| spec.min_available.as_ref()) {
            return Ok(i32::try_from(pods.len()).unwrap_or(i32::MAX));
        }
        let mut owned: BTreeMap<Box<str>, (Owner, i32)> = BTreeMap::new();
        let mut sum = 0;
        for pod in pods {
            match pod.object.header().controller() {
                Some(owner) => {
                    owned.entry(owner.uid.clone()).or_insert_with(|| (owner.clone(), 0)).1 += 1;
                }
                None => sum += 1,
            }
        }
        let sizes = owned.into_values().map(|(owner, pods)| async move {
            let size = self.size(namespace, &owner).await?;
            Ok::<_, Error>((size, pods))
        });
        let sizes: Vec<_> = stream::iter(sizes).buffer_unordered(AT_ONCE).try_collect().await?;
        // Several sets may be parts of one Deployment: it counts once.
        let mut known = BTreeMap::new();
        for (size, pods) in sizes {
            match size {
                Some((uid, size)) => drop(known.insert(uid, size)),
                None => sum += pods,
            }
        }
        Ok(known.values().sum::<i32>() + sum)
    }

    /// Who has a size in the end, and its size: a ReplicaSet's Deployment, or the owner itself.
    async fn size(&self, namespace: &str, owner: &Owner) -> Result<Option<(Box<str>, i32)>> {
        let Some((_, owners)) = self.owners.iter().find(|(kind, _)| **kind == *owner.kind) else {
            return self.scale(namespace, owner).await;
        };
        let Some(entry) = owners.get(namespace, &owner.name) else { return Ok(None) };
        let above = entry.object.header().controller().filter(|above| *above.kind == *"Deployment");
        if let Some(above) = above
            && let Some(size) = self.own_size(namespace, above)?
        {
            return Ok(Some((above.uid.clone(), size)));
        }
        Ok(self.own_size(namespace, owner)?.map(|size| (owner.uid.clone(), size)))
    }

    fn own_size(&self, namespace: &str, owner: &Owner) -> Result<Option<i32>> {
        let kind = self.owners.iter().find(|(kind, _)| **kind == *owner.kind);
        let found = kind.and_then(|(_, owners)| owners.get(namespace, &owner.name));
        found.map(|entry| entry.object.view::<Sized>().map(|sized| sized.spec.replicas)).transpose()
    }

    /// The size of any other kind, if it has one.
    async fn scale(&self, namespace: &str, owner: &Owner) -> Result<Option<(Box<str>, i32)>> {
        let named = (&*owner.api_version, &*owner.kind, &*owner.name);
        let Ok(key) = scale::key(named, namespace, &self.definitions) else { return Ok(None) };
        match self.context.client.get_as::<Scale>(&key).await {
            Ok(scale) => Ok(Some((owner.uid.clone(), scale.spec.replicas))),
            // Its kind has no scale, or it is gone.
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn budget(&self, request: &ObjectKey) -> Result<Action> {
        let Some(entry) = self.budgets.get(&request.namespace, &request.name) else {
            return Ok(Action::Done);
        };
        let budget: PodDisruptionBudget = entry.object.view()?;
        let selector = &entry.view.spec.selector;
        let mut pods = self.pods.list(Some(&request.namespace));
        pods.retain(|pod| {
            !pod.view.is_terminal() && selector.matches_or_all(&pod.object.header().labels)
        });
        let now = time::now(&self.context.env);
        let expected = self.expected(&request.namespace, &budget, &pods).await;
        let (new, again) = match &expected {
            Ok(expected) => plan(&budget, &pods, *expected, now),
            Err(error) => (fail_safe(&budget, &error.to_string(), now), None),
        };
        if Some(&new) != budget.status.as_ref() {
            let key = Key::new(scheme::PODDISRUPTIONBUDGETS, &request.namespace, &request.name);
            let op = status::replace(key, &entry.object, &new)?;
            ops::apply(&*self.context.client, &self.context.recorder, vec![op]).await?;
        }
        expected.map(|_| again.map_or(Action::Done, Action::RequeueAfter))
    }

    async fn pod(&self, key: &ObjectKey) -> Result<Action> {
        let Some(pod) = self.pods.get(&key.namespace, &key.name) else { return Ok(Action::Done) };
        match stale::plan(&pod, time::now(&self.context.env)) {
            Err(wait) => Ok(wait.map_or(Action::Done, Action::RequeueAfter)),
            Ok(op) => {
                ops::apply(&*self.context.client, &self.context.recorder, vec![op]).await?;
                Ok(Action::Done)
            }
        }
    }
}

#[async_trait]
impl Reconciler for Sync {
    type Request = Request;
    type Error = Error;

    async fn reconcile(&self, request: &Request) -> Result<Action> {
        match request {
            Request::Budget(key) => self.budget(key).await,
            Request::Pod(key) => self.pod(key).await,
        }
    }
}
