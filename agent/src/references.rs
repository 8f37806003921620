//! The ConfigMaps, Secrets and other objects that pods of this node name: each is watched alone, while a
//! pod needs it, so that a change reaches the pod without anyone asking.

use jiff::Timestamp;
use parking_lot::Mutex;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;
use windlass_core::Object;
use windlass_core::cache::{HeaderOnly, Informer};
use windlass_core::client::{Client, ListOptions, Scope};
use windlass_core::component::Shutdown;
use windlass_core::scheme::GroupVersionResource;

/// How long to wait for the first answer about an object.
const FIRST_ANSWER: Duration = Duration::from_secs(10);

/// No token is asked for anew sooner than this.
const SHORTEST_LIFE: Duration = Duration::from_secs(10);

/// Called with a pod's uid when an object it names has changed.
pub(crate) type Notify = Arc<dyn Fn(&str) + Send + Sync>;

/// No answer came in time. Retry.
#[derive(Debug, thiserror::Error)]
#[error("timed out waiting for the API server's answer about {0}")]
pub(crate) struct NoAnswer(String);

/// The objects that pods name.
pub(crate) struct References {
    client: Arc<dyn Client>,
    notify: Notify,
    shutdown: Shutdown,
    held: Mutex<HashMap<Place, Held>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Place {
    resource: GroupVersionResource,
    namespace: Option<String>,
    name: String,
}

struct Held {
    informer: Arc<Informer<HeaderOnly>>,
    users: Arc<Mutex<HashSet<String>>>,
    stop: Shutdown,
}

impl References {
    pub(crate) fn new(client: Arc<dyn Client>, notify: Notify, shutdown: Shutdown) -> Self {
        Self { client, notify, shutdown, held: Mutex::default() }
    }

    /// The object as it is now, for the pod with this uid, which is told of its changes from now on. An empty
    /// namespace means one of the cluster's objects.
    ///
    /// # Errors
    /// When the API server can't be asked.
    pub(crate) async fn get(
        &self,
        uid: &str,
        resource: GroupVersionResource,
        namespace: &str,
        name: &str,
    ) -> Result<Option<Arc<Object>>, NoAnswer> {
        let place = Place {
            resource,
            namespace: Some(namespace.to_owned()).filter(|n| !n.is_empty()),
            name: name.to_owned(),
        };
        let informer = self.hold(uid, place);
        let synced = informer.synced();
        if tokio::time::timeout(FIRST_ANSWER, synced.wait()).await.is_err() {
            return Err(NoAnswer(format!("\"{name}\"")));
        }
        Ok(informer.get(namespace, name).map(|entry| entry.object.clone()))
    }

    fn hold(&self, uid: &str, place: Place) -> Arc<Informer<HeaderOnly>> {
        let mut held = self.held.lock();
        let held = held.entry(place.clone()).or_insert_with(|| self.start(place));
        held.users.lock().insert(uid.to_owned());
        held.informer.clone()
    }

    fn start(&self, place: Place) -> Held {
        let options = ListOptions {
            field_selector: format!("metadata.name={}", place.name),
            ..ListOptions::default()
        };
        let scope = Scope { resource: place.resource, namespace: place.namespace };
        let informer = Arc::new(Informer::new(scope, options));
        let users = Arc::<Mutex<HashSet<String>>>::default();
        let (notify, told, synced) = (self.notify.clone(), users.clone(), informer.synced());
        informer.on_change(move |_| {
            // What is there at first is the answer to the question, not a change.
            if synced.is_set() {
                told.lock().iter().for_each(|uid| notify(uid));
            }
        });
        let stop = self.shutdown.child_token();
        let (running, client, stopped) = (informer.clone(), self.client.clone(), stop.clone());
        tokio::spawn(async move { running.run(client, stopped).await });
        Held { informer, users, stop }
    }

    /// A pod is gone: what only it needed is watched no longer.
    pub(crate) fn release(&self, uid: &str) {
        self.held.lock().retain(|_, held| {
            let mut users = held.users.lock();
            users.remove(uid);
            if users.is_empty() {
                held.stop.cancel();
            }
            !users.is_empty()
        });
    }
}

impl Drop for References {
    fn drop(&mut self) {
        self.held.lock().values().for_each(|held| held.stop.cancel());
    }
}

/// A time a pod's token must be renewed at, before that it expires.
///
/// Never at once: where the clocks of node and server differ, a new token may seem to have expired already.
pub(crate) fn renewal(now: Timestamp, expires: Timestamp) -> Timestamp {
    let life = Duration::try_from(expires.duration_since(now)).unwrap_or_default();
    now + life.mul_f64(0.8).max(SHORTEST_LIFE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_renewed_in_time_and_not_at_once() {
        let at = |second| Timestamp::from_second(second).unwrap();
        assert_eq!(renewal(at(0), at(1000)), at(800));
        assert_eq!(renewal(at(1000), at(0)), at(1010));
    }
}
