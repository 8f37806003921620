//! One informer for all who ask for the same.

use super::Informer;
use crate::client::{Client, ListOptions, Scope};
use crate::component::Shutdown;
use crate::object::View;
use crate::scheme::GroupVersionResource;
use parking_lot::Mutex;
use rustc_hash::FxHashMap;
use std::any::{Any, TypeId};
use std::sync::Arc;

/// Makes informers and runs them. Clones are the same factory.
#[derive(Clone)]
pub struct InformerFactory {
    client: Arc<dyn Client>,
    shutdown: Shutdown,
    informers: Arc<Mutex<FxHashMap<Asked, Arc<dyn Any + Send + Sync>>>>,
}

#[derive(PartialEq, Eq, Hash)]
struct Asked {
    resource: GroupVersionResource,
    field_selector: String,
    view: TypeId,
}

impl InformerFactory {
    /// Informers read through `client` and stop with `shutdown`.
    #[must_use]
    pub fn new(client: Arc<dyn Client>, shutdown: Shutdown) -> Self {
        Self { client, shutdown, informers: Arc::default() }
    }

    /// The client they read through.
    #[must_use]
    pub fn client(&self) -> Arc<dyn Client> {
        self.client.clone()
    }

    /// The informer over all objects of a resource with the view `V`: the same one for all who ask. It
    /// runs from the first time on. Needs a tokio runtime.
    #[must_use]
    pub fn informer<V: View>(&self, resource: GroupVersionResource) -> Arc<Informer<V>> {
        self.filtered(resource, "")
    }

    /// The same over the objects that a field selector takes: the agent's own pods, say.
    #[must_use]
    pub fn filtered<V: View>(
        &self,
        resource: GroupVersionResource,
        field_selector: &str,
    ) -> Arc<Informer<V>> {
        let asked = Asked {
            resource: resource.clone(),
            field_selector: field_selector.into(),
            view: TypeId::of::<V>(),
        };
        let mut informers = self.informers.lock();
        let shared = informers.entry(asked).or_insert_with(|| {
            let options =
                ListOptions { field_selector: field_selector.into(), ..Default::default() };
            self.start(Informer::<V>::new(Scope::all(resource), options))
        });
        let shared = shared.clone().downcast::<Informer<V>>();
        shared.expect("the type is part of what it is filed under")
    }

    fn start<V: View>(&self, informer: Informer<V>) -> Arc<Informer<V>> {
        let informer = Arc::new(informer);
        let (running, client, shutdown) =
            (informer.clone(), self.client.clone(), self.shutdown.clone());
        tokio::spawn(async move { running.run(client, shutdown).await });
        informer
    }
}
