//! The kinds that quotas name. Each is followed from the first quota on that names it, and wakes quotas.

use super::kinds::{Definition, builtin, defined};
use super::plan::Snapshot;
use crate::Context;
use crate::support::wiring::Queue;
use crate::views::Headers;
use parking_lot::Mutex;
use rustc_hash::{FxHashMap, FxHashSet};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::time::{Instant, timeout_at};
use windlass_core::cache::{Change, Entry, HeaderOnly, Informer};
use windlass_core::client::{ListOptions, Scope, VersionMatch};
use windlass_core::component::Ready;
use windlass_core::controller::ObjectKey;
use windlass_core::quota::{ClaimUsage, DeviceUsage, PodUsage, ServiceUsage, Source};
use windlass_core::scheme::{self, GroupVersionResource};
use windlass_core::{Result, View};

/// A kind that is not listed in this time counts as unknown: the server may not serve it.
const PATIENCE: Duration = Duration::from_secs(5);

pub(super) struct Caches {
    context: Context,
    quotas: Headers,
    queue: OnceLock<Queue>,
    pods: OnceLock<Arc<Informer<PodUsage>>>,
    services: OnceLock<Arc<Informer<ServiceUsage>>>,
    claims: OnceLock<Arc<Informer<ClaimUsage>>>,
    devices: OnceLock<Arc<Informer<DeviceUsage>>>,
    definitions: OnceLock<Arc<Informer<Definition>>>,
    objects: Mutex<FxHashMap<GroupVersionResource, Headers>>,
}

/// A source, and the kind of its objects.
type Followed = (Source, GroupVersionResource);

// === impl Caches ===

impl Caches {
    pub(super) fn new(context: &Context, quotas: Headers) -> Self {
        Self {
            context: context.clone(),
            quotas,
            queue: OnceLock::new(),
            pods: OnceLock::new(),
            services: OnceLock::new(),
            claims: OnceLock::new(),
            devices: OnceLock::new(),
            definitions: OnceLock::new(),
            objects: Mutex::default(),
        }
    }

    /// Changes go into this queue; called once, before anything is followed.
    pub(super) fn wake(&self, queue: Queue) {
        self.queue.get_or_init(|| queue);
    }

    /// What there is of `sources` in a namespace, and the oldest version that all of it is known at.
    pub(super) async fn snapshot(
        &self,
        namespace: &str,
        sources: FxHashSet<Source>,
    ) -> (Snapshot, u64) {
        let (mut snapshot, mut version) = (Snapshot::default(), u64::MAX);
        let deadline = Instant::now() + PATIENCE;
        for source in sources {
            let Ok(kind) = timeout_at(deadline, self.kind(&source)).await else {
                snapshot.unknown.insert(source);
                continue;
            };
            let Some(kind) = kind else { continue };
            let followed = (source, kind);
            if timeout_at(deadline, self.follow(&followed).wait()).await.is_ok() {
                // What is read is no older than this.
                version = version.min(self.version(&followed));
                self.read(namespace, followed.0, &followed.1, &mut snapshot);
            } else {
                snapshot.unknown.insert(followed.0);
            }
        }
        (snapshot, version)
    }

    /// The same but for what is `unknown`, asked of the server: what there is at a version or later.
    pub(super) async fn fresh(
        &self,
        namespace: &str,
        sources: FxHashSet<Source>,
        unknown: FxHashSet<Source>,
        version: u64,
    ) -> Result<Snapshot> {
        let mut snapshot = Snapshot { unknown, ..Snapshot::default() };
        for source in sources {
            if snapshot.unknown.contains(&source) {
                continue;
            }
            let Some(kind) = self.kind(&source).await else { continue };
            match &source {
                Source::Pods => snapshot.pods = self.list(kind, namespace, version).await?,
                Source::Services => snapshot.services = self.list(kind, namespace, version).await?,
                Source::Claims => snapshot.claims = self.list(kind, namespace, version).await?,
                Source::Devices => snapshot.devices = self.list(kind, namespace, version).await?,
                Source::Objects { .. } => {
                    let count = self.list::<HeaderOnly>(kind, namespace, version).await?.len();
                    snapshot.objects.insert(source, count);
                }
            }
        }
        Ok(snapshot)
    }

    async fn list<V: View>(
        &self,
        resource: GroupVersionResource,
        namespace: &str,
        version: u64,
    ) -> Result<Vec<Arc<Entry<V>>>> {
        let options = ListOptions {
            resource_version: version.to_string(),
            version_match: Some(VersionMatch::NotOlderThan),
            ..ListOptions::default()
        };
        let scope = Scope::namespace(resource, namespace);
        let list = self.context.client.list(&scope, &options).await?;
        list.items.into_iter().map(|object| Entry::new(object).map(Arc::new)).collect()
    }

    /// The kind of a source's objects; none for one that nobody has ever defined.
    async fn kind(&self, source: &Source) -> Option<GroupVersionResource> {
        let (group, resource) = match source {
            Source::Pods => return Some(scheme::PODS),
            Source::Services => return Some(scheme::SERVICES),
            Source::Claims => return Some(scheme::PERSISTENTVOLUMECLAIMS),
            Source::Devices => return Some(scheme::RESOURCECLAIMS),
            Source::Objects { group, resource } => (group, resource),
        };
        if let Some(known) = builtin(group, resource) {
            return known;
        }
        let definitions = self.definitions();
        definitions.synced().wait().await;
        defined(definitions, group, resource)
    }

    fn follow(&self, (source, kind): &Followed) -> Ready {
        match source {
            Source::Pods => self.pods().synced(),
            Source::Services => self.services().synced(),
            Source::Claims => self.claims().synced(),
            Source::Devices => self.devices().synced(),
            Source::Objects { .. } => self.objects(kind).synced(),
        }
    }

    fn version(&self, (source, kind): &Followed) -> u64 {
        match source {
            Source::Pods => self.pods().resource_version(),
            Source::Services => self.services().resource_version(),
            Source::Claims => self.claims().resource_version(),
            Source::Devices => self.devices().resource_version(),
            Source::Objects { .. } => self.objects(kind).resource_version(),
        }
    }

    fn read(
        &self,
        namespace: &str,
        source: Source,
        kind: &GroupVersionResource,
        snapshot: &mut Snapshot,
    ) {
        match &source {
            Source::Pods => snapshot.pods = self.pods().list(Some(namespace)),
            Source::Services => snapshot.services = self.services().list(Some(namespace)),
            Source::Claims => snapshot.claims = self.claims().list(Some(namespace)),
            Source::Devices => snapshot.devices = self.devices().list(Some(namespace)),
            Source::Objects { .. } => {
                let count = self.objects(kind).list(Some(namespace)).len();
                snapshot.objects.insert(source, count);
            }
        }
    }

    fn pods(&self) -> &Informer<PodUsage> {
        self.pods.get_or_init(|| self.start(scheme::PODS, PodUsage::eq))
    }

    fn services(&self) -> &Informer<ServiceUsage> {
        self.services.get_or_init(|| self.start(scheme::SERVICES, ServiceUsage::eq))
    }

    fn claims(&self) -> &Informer<ClaimUsage> {
        self.claims.get_or_init(|| self.start(scheme::PERSISTENTVOLUMECLAIMS, ClaimUsage::eq))
    }

    fn devices(&self) -> &Informer<DeviceUsage> {
        self.devices.get_or_init(|| self.start(scheme::RESOURCECLAIMS, DeviceUsage::eq))
    }

    fn objects(&self, resource: &GroupVersionResource) -> Headers {
        let mut objects = self.objects.lock();
        let start = || self.start::<HeaderOnly>(resource.clone(), |_, _| true);
        objects.entry(resource.clone()).or_insert_with(start).clone()
    }

    /// What custom resources there are. A new one may be the one a quota names.
    fn definitions(&self) -> &Informer<Definition> {
        let kind = scheme::CUSTOMRESOURCEDEFINITIONS;
        self.definitions.get_or_init(|| self.start(kind, Definition::eq))
    }

    /// Follows a kind. An update that uses the `same` wakes nobody.
    fn start<V: View>(
        &self,
        resource: GroupVersionResource,
        same: fn(&V, &V) -> bool,
    ) -> Arc<Informer<V>> {
        let cache = self.context.informers.informer::<V>(resource);
        let (quotas, queue) = (self.quotas.clone(), self.queue.get().cloned());
        cache.on_change(move |change| {
            if let Change::Updated { old, new } = change
                && same(&old.view, &new.view)
            {
                return;
            }
            // A definition has no namespace: it may concern any.
            let namespace = Some(change.object().namespace()).filter(|name| !name.is_empty());
            for quota in quotas.list(namespace) {
                queue.iter().for_each(|queue| queue.add(ObjectKey::of(&quota.object)));
            }
        });
        cache
    }
}
