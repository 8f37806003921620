//! Reads caches, applies the plan.

use super::plan::{Expected, events, fail_safe, plan};
use super::stale;
use crate::Context;
use crate::support::kinds::Definition;
use crate::support::owner::reference_of;
use crate::support::scale::{self, Scale};
use crate::support::{ops, status, time};
use crate::views::{self, Pod, Pods, WorkloadView, Workloads};
use async_trait::async_trait;
use futures::stream::{self, StreamExt, TryStreamExt};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use windlass_core::apis::IntOrString;
use windlass_core::apis::policy::v1::PodDisruptionBudget;
use windlass_core::cache::{Entry, Informer};
use windlass_core::client::{ClientExt, Key};
use windlass_core::component::Ready;
use windlass_core::controller::{Action, ObjectKey, Reconciler};
use windlass_core::events::Recorder;
use windlass_core::meta::Status;
use windlass_core::object::Owner;
use windlass_core::scheme::{GroupVersionKind, GroupVersionResource};
use windlass_core::{Error, Result, scheme};

/// So many owners are asked for their size at once.
const AT_ONCE: usize = 16;

/// Owners whose size is cached.
const OWNERS: [(GroupVersionKind, GroupVersionResource); 4] = [
    (DEPLOYMENT, scheme::DEPLOYMENTS),
    (GroupVersionKind::new("apps", "v1", "ReplicaSet"), scheme::REPLICASETS),
    (GroupVersionKind::new("", "v1", "ReplicationController"), scheme::REPLICATIONCONTROLLERS),
    (GroupVersionKind::new("apps", "v1", "StatefulSet"), scheme::STATEFULSETS),
];
const BUDGET: GroupVersionKind = GroupVersionKind::new("policy", "v1", "PodDisruptionBudget");
const DEPLOYMENT: GroupVersionKind = GroupVersionKind::new("apps", "v1", "Deployment");

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
    recorder: Recorder,
    budgets: Workloads,
    pods: Pods,
    /// Kinds of owners that have a size.
    owners: Vec<(GroupVersionKind, Workloads)>,
    definitions: Arc<Informer<Definition>>,
}

impl Sync {
    pub(super) fn new(context: &Context, budgets: Workloads, pods: Pods) -> Self {
        let owners =
            OWNERS.map(|(gvk, resource)| (gvk, views::workloads(context, resource))).into();
        let definitions = context.informers.informer(scheme::CUSTOMRESOURCEDEFINITIONS);
        let recorder = context.recorder.named("controllermanager");
        Self { context: context.clone(), recorder, budgets, pods, owners, definitions }
    }

    pub(super) fn synced(&self) -> Vec<Ready> {
        let owners = self.owners.iter().map(|(_, owners)| owners.synced());
        owners.chain([self.definitions.synced()]).collect()
    }

    /// How many pods their owners want; a pod that nobody controls adds nothing. A budget that says how many must be there
    /// needs no owners; one that says nothing expects nothing.
    ///
    /// # Errors
    /// When an owner is gone or its kind has no `scale`: then nobody knows, and nothing may be allowed.
    async fn expected(
        &self,
        namespace: &str,
        budget: &PodDisruptionBudget,
        pods: &[Pod],
    ) -> Result<Expected> {
        let Some(spec) = &budget.spec else { return Ok(Expected::default()) };
        match (&spec.max_unavailable, &spec.min_available) {
            (None, None) => return Ok(Expected::default()),
            (None, Some(IntOrString::Int(_))) => {
                let pods = i32::try_from(pods.len()).unwrap_or(i32::MAX);
                return Ok(Expected { pods, unmanaged: false });
            }
            _ => {}
        }
        let unmanaged = pods.iter().any(|pod| pod.object.header().controller().is_none());
        let owners = pods.iter().filter_map(|pod| pod.object.header().controller());
        let owners: BTreeMap<_, _> = owners.map(|owner| (&*owner.uid, owner)).collect();
        let sizes: Vec<_> = owners.into_values().map(|owner| self.size(namespace, owner)).collect();
        let sizes = stream::iter(sizes).buffer_unordered(AT_ONCE);
        // Several sets may be parts of one Deployment: it counts once.
        let known: BTreeMap<_, _> = sizes.try_collect().await?;
        let pods = known.into_values().fold(0, i32::saturating_add);
        Ok(Expected { pods, unmanaged })
    }

    /// Who has a size in the end, and its size: a ReplicaSet's Deployment, or the owner itself.
    async fn size(&self, namespace: &str, owner: &Owner) -> Result<(Box<str>, i32)> {
        let Some(entry) = self.cached(namespace, owner) else {
            return self.scale(namespace, owner).await;
        };
        let above = entry.object.header().controller().filter(|above| above.is_of(&DEPLOYMENT));
        let above = above.and_then(|above| self.cached(namespace, above));
        let sized = above.unwrap_or(entry);
        let size = sized.object.view::<Sized>()?.spec.replicas;
        Ok((sized.object.header().uid.clone(), size))
    }

    fn cached(&self, namespace: &str, owner: &Owner) -> Option<Arc<Entry<WorkloadView>>> {
        let (_, owners) = self.owners.iter().find(|(kind, _)| owner.is_of(kind))?;
        let found = owners.get(namespace, &owner.name)?;
        Some(found).filter(|found| found.object.header().uid == owner.uid)
    }

    /// The size of any other kind.
    async fn scale(&self, namespace: &str, owner: &Owner) -> Result<(Box<str>, i32)> {
        let named = (&*owner.api_version, &*owner.kind, &*owner.name);
        let key = scale::key(named, namespace, &self.definitions).map_err(Status::internal)?;
        let found: Scale = match self.context.client.get_as(&key).await {
            Err(error) if error.is_not_found() => {
                let (kind, name) = (&owner.kind, &owner.name);
                let why = format!("{kind} {name} is gone, or its kind has no scale: {error}");
                return Err(Status::internal(why).into());
            }
            other => other?,
        };
        if found.metadata.uid != *owner.uid {
            let (kind, name) = (&owner.kind, &owner.name);
            return Err(Status::internal(format!("{kind} {name} is another one by now")).into());
        }
        Ok((owner.uid.clone(), found.spec.replicas))
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
            Ok(expected) => plan(&budget, &pods, expected.pods, now),
            Err(error) => (fail_safe(&budget, &error.to_string(), now), None),
        };
        if Some(&new) != budget.status.as_ref() {
            let key = Key::new(scheme::PODDISRUPTIONBUDGETS, &request.namespace, &request.name);
            let mut ops = vec![status::replace(key, &entry.object, &new)?];
            let about = reference_of(&BUDGET, entry.object.header());
            let told = expected.as_ref().copied();
            ops.extend(events(&about, &selector.to_string(), &pods, told));
            ops::apply(&*self.context.client, &self.recorder, ops).await?;
        }
        expected.map(|_| again.map_or(Action::Done, Action::RequeueAfter))
    }

    async fn pod(&self, key: &ObjectKey) -> Result<Action> {
        let Some(pod) = self.pods.get(&key.namespace, &key.name) else { return Ok(Action::Done) };
        match stale::plan(&pod, time::now(&self.context.env)) {
            Err(wait) => Ok(wait.map_or(Action::Done, Action::RequeueAfter)),
            Ok(op) => {
                ops::apply(&*self.context.client, &self.recorder, vec![op]).await?;
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
