//! The kinds that quotas name. Each is followed from the first quota on that names it, and wakes quotas.

use super::names::Source;
use super::plan::Snapshot;
use super::usage::{ClaimUsage, PodUsage, ServiceUsage};
use crate::Context;
use crate::support::wiring::Queue;
use crate::views::Headers;
use parking_lot::Mutex;
use rustc_hash::{FxHashMap, FxHashSet};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use windlass_core::View;
use windlass_core::cache::{Change, HeaderOnly, Informer};
use windlass_core::component::Ready;
use windlass_core::controller::ObjectKey;
use windlass_core::scheme::{self, GroupVersionResource};

/// A kind that is not listed in this time counts as unknown: the server may not serve it.
const PATIENCE: Duration = Duration::from_secs(5);

pub(super) struct Caches {
    context: Context,
    quotas: Headers,
    queue: OnceLock<Queue>,
    pods: OnceLock<Arc<Informer<PodUsage>>>,
    services: OnceLock<Arc<Informer<ServiceUsage>>>,
    claims: OnceLock<Arc<Informer<ClaimUsage>>>,
    objects: Mutex<FxHashMap<GroupVersionResource, Headers>>,
}

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
            objects: Mutex::default(),
        }
    }

    /// Changes go into this queue; called once, before anything is followed.
    pub(super) fn wake(&self, queue: Queue) {
        self.queue.get_or_init(|| queue);
    }

    /// What there is of `sources` in a namespace.
    pub(super) async fn snapshot(&self, namespace: &str, sources: FxHashSet<Source>) -> Snapshot {
        let mut snapshot = Snapshot::default();
        let deadline = tokio::time::Instant::now() + PATIENCE;
        for source in sources {
            let listed = self.follow(&source);
            if tokio::time::timeout_at(deadline, listed.wait()).await.is_ok() {
                self.read(namespace, source, &mut snapshot);
            } else {
                snapshot.unknown.insert(source);
            }
        }
        snapshot
    }

    fn follow(&self, source: &Source) -> Ready {
        match source {
            Source::Pods => self.pods().synced(),
            Source::Services => self.services().synced(),
            Source::Claims => self.claims().synced(),
            Source::Objects(resource) => self.objects(resource).synced(),
        }
    }

    fn read(&self, namespace: &str, source: Source, snapshot: &mut Snapshot) {
        match &source {
            Source::Pods => snapshot.pods = self.pods().list(Some(namespace)),
            Source::Services => snapshot.services = self.services().list(Some(namespace)),
            Source::Claims => snapshot.claims = self.claims().list(Some(namespace)),
            Source::Objects(resource) => {
                let count = self.objects(resource).list(Some(namespace)).len();
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

    fn objects(&self, resource: &GroupVersionResource) -> Headers {
        let mut objects = self.objects.lock();
        let start = || self.start::<HeaderOnly>(resource.clone(), |_, _| true);
        objects.entry(resource.clone()).or_insert_with(start).clone()
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
            for quota in quotas.list(Some(change.object().namespace())) {
                queue.iter().for_each(|queue| queue.add(ObjectKey::of(&quota.object)));
            }
        });
        cache
    }
}
