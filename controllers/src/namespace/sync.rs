//! Deletes what is in a namespace, looks what is left, says so.

use super::plan::{FINALIZER, Remains, conditions};
use crate::Context;
use crate::support::aggregated::{self, Service};
use crate::support::kinds::{Definition, Kind};
use crate::support::ops::{self, Op};
use crate::support::owner::uid_of;
use crate::support::{status, time};
use crate::views::Headers;
use async_trait::async_trait;
use std::collections::BTreeSet;
use std::time::Duration;
use windlass_core::apis::core::v1::Namespace;
use windlass_core::client::{ClientExt, DeleteOptions, Key, ListOptions, Propagation, Scope};
use windlass_core::controller::{Action, ObjectKey, Reconciler};
use windlass_core::meta::Reason;
use windlass_core::scheme::GroupVersionResource;
use windlass_core::{Error, Object, ObjectList, Result, scheme};

/// The end of the last object brings the namespace back; should that be missed, it is looked at again after this time.
const PATIENCE: Duration = Duration::from_secs(15);

/// What a kind must be able to do for its objects to be deleted.
const VERBS: [&str; 2] = ["list", "delete"];

pub(super) struct Sync {
    context: Context,
    namespaces: Headers,
    kinds: Vec<Kind>,
}

impl Sync {
    pub(super) fn new(context: &Context, namespaces: Headers, kinds: Vec<Kind>) -> Self {
        Self { context: context.clone(), namespaces, kinds }
    }

    /// All kinds there are. Which ones definitions and other servers add the server says: what a cache does not know would be
    /// left behind for good.
    async fn kinds(&self, remains: &mut Remains) -> Result<Vec<Kind>> {
        let mut all = self.kinds.clone();
        for object in self.list(&Scope::all(scheme::CUSTOMRESOURCEDEFINITIONS), 0).await?.items {
            all.extend(object.view::<Definition>()?.kind());
        }
        if let Some(discovery) = &self.context.settings.discovery {
            for object in self.list(&Scope::all(scheme::APISERVICES), 0).await?.items {
                let service: Service = object.view()?;
                let Some(version) = service.elsewhere() else { continue };
                let available = service.is_available();
                match aggregated::kinds(&**discovery, &version, available, &VERBS).await {
                    Ok(kinds) => all.extend(kinds),
                    Err(error) => remains.undiscovered.push(format!("{version}: {error}")),
                }
            }
        }
        // The same objects may be served in several versions.
        let mut known = BTreeSet::new();
        all.retain(|kind| kind.namespaced && known.insert(kind.resource.group_resource()));
        Ok(all)
    }

    /// Pods go first: they may need what else is in the namespace to end well.
    async fn empty(&self, namespace: &str) -> Result<Remains> {
        let mut remains = Remains::default();
        let (pods, rest): (Vec<_>, Vec<_>) = self
            .kinds(&mut remains)
            .await?
            .into_iter()
            .partition(|kind| kind.resource == scheme::PODS);
        for stage in [pods, rest] {
            for kind in &stage {
                if let Err(error) = self.delete_all(namespace, kind, &mut remains).await {
                    remains.failures.push(format!("{}: {error}", kind.resource.group_resource()));
                }
            }
            if remains.has_more() {
                break;
            }
        }
        Ok(remains)
    }

    async fn delete_all(&self, namespace: &str, kind: &Kind, remains: &mut Remains) -> Result<()> {
        let scope = Scope::namespace(kind.resource.clone(), namespace);
        if self.list(&scope, 1).await?.items.is_empty() {
            return Ok(());
        }
        let options = DeleteOptions {
            propagation_policy: Some(Propagation::Background),
            ..DeleteOptions::default()
        };
        let client = &self.context.client;
        match client.delete_collection(&scope, &ListOptions::default(), &options).await {
            // Not every server can.
            Err(error) if error.reason() == Some(Reason::MethodNotAllowed) => {
                self.delete_each(&scope, &options).await?;
            }
            other => other?,
        }
        let left = self.list(&scope, 0).await?;
        if left.items.is_empty() {
            return Ok(());
        }
        remains.objects.insert(kind.resource.group_resource().to_string(), left.items.len());
        for finalizer in left.items.iter().flat_map(|object| object.header().finalizers.iter()) {
            *remains.finalizers.entry(finalizer.to_string()).or_default() += 1;
        }
        Ok(())
    }

    async fn delete_each(&self, scope: &Scope, options: &DeleteOptions) -> Result<()> {
        for object in self.list(scope, 0).await?.items {
            let key = Key::new(scope.resource.clone(), object.namespace(), object.name());
            self.apply(Op::Delete(key, options.clone())).await?;
        }
        Ok(())
    }

    /// What the server has now, not what a cache had. A kind that is served no more has no objects.
    async fn list(&self, scope: &Scope, limit: u64) -> Result<ObjectList> {
        let options = ListOptions { limit, ..ListOptions::default() };
        match self.context.client.list(scope, &options).await {
            Err(error) if error.is_not_found() && self.knows(&scope.resource).await? => {
                Ok(ObjectList::default())
            }
            other => other,
        }
    }

    /// Whether who serves a kind can tell that there is none: another server can't while it is not available.
    async fn knows(&self, resource: &GroupVersionResource) -> Result<bool> {
        let name = format!("{}.{}", resource.version, resource.group);
        match self.context.client.get_as::<Service>(&Key::cluster(scheme::APISERVICES, name)).await
        {
            Ok(service) => Ok(service.elsewhere().is_none() || service.is_available()),
            Err(error) if error.is_not_found() => Ok(true),
            Err(error) => Err(error),
        }
    }

    async fn report(
        &self,
        object: &Object,
        namespace: &Namespace,
        remains: &Remains,
    ) -> Result<()> {
        let mut new = namespace.status.clone().unwrap_or_default();
        new.conditions = Some(conditions(namespace, remains, time::now(&self.context.env)));
        if Some(&new) == namespace.status.as_ref() {
            return Ok(());
        }
        let op = status::replace(Key::cluster(scheme::NAMESPACES, object.name()), object, &new)?;
        self.apply(op).await
    }

    async fn finalize(&self, mut namespace: Namespace) -> Result<()> {
        if let Some(finalizers) = namespace.spec.as_mut().and_then(|spec| spec.finalizers.as_mut())
        {
            finalizers.retain(|finalizer| finalizer != FINALIZER);
        }
        let name = namespace.metadata.name.clone().unwrap_or_default();
        tracing::debug!(%name, uid = uid_of(&namespace.metadata), "namespace is empty");
        let key = Key::cluster(scheme::NAMESPACES, name).subresource("finalize");
        self.apply(Op::update(key, &namespace)).await
    }

    async fn apply(&self, op: Op) -> Result<()> {
        match ops::apply(&*self.context.client, &self.context.recorder, vec![op]).await {
            Err(error) if error.is_not_found() => Ok(()),
            other => other.map(drop),
        }
    }
}

#[async_trait]
impl Reconciler for Sync {
    type Request = ObjectKey;
    type Error = Error;

    async fn reconcile(&self, request: &ObjectKey) -> Result<Action> {
        let cached = self.namespaces.get("", &request.name);
        if !cached.is_some_and(|entry| entry.object.header().deleting) {
            return Ok(Action::Done);
        }
        let live =
            match self.context.client.get(&Key::cluster(scheme::NAMESPACES, &request.name)).await {
                Err(error) if error.is_not_found() => return Ok(Action::Done),
                other => other?,
            };
        let namespace: Namespace = live.view()?;
        let finalizers = namespace.spec.as_ref().and_then(|spec| spec.finalizers.as_ref());
        let ours = finalizers.is_some_and(|all| all.iter().any(|finalizer| finalizer == FINALIZER));
        if !live.header().deleting || !ours {
            return Ok(Action::Done);
        }
        let remains = self.empty(&request.name).await?;
        if remains.is_empty() {
            self.finalize(namespace).await?;
            return Ok(Action::Done);
        }
        self.report(&live, &namespace, &remains).await?;
        Ok(Action::RequeueAfter(PATIENCE))
    }
}
