//! When tokens that are kept in Secrets were last used (KEP-2799): labels of the Secrets say the day, and a ConfigMap since
//! when that is noted. A controller deletes what nobody uses.

use async_trait::async_trait;
use jiff::Timestamp;
use parking_lot::Mutex;
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::Arc;
use tokio::sync::Notify;
use windlass_core::client::{Client, Key, Patch, WriteOptions};
use windlass_core::clock::Clock;
use windlass_core::component::{BoxError, Component, Ready, Shutdown};
use windlass_core::{Object, Result, scheme};

const LAST_USED: &str = "kubernetes.io/legacy-token-last-used";
/// With this label a token is good no longer.
const INVALID_SINCE: &str = "kubernetes.io/legacy-token-invalid-since";
const TRACKING: &str = "kube-apiserver-legacy-service-account-token-tracking";
/// Of more Secrets at once the use is not noted: it will be the next time.
const MOST: usize = 1024;

/// Uses that are to be noted. Authenticators put them in, [`TokenUses::component`] writes them down: no request waits for
/// that. May be shared by many.
#[derive(Debug, Default)]
pub struct TokenUses {
    used: Mutex<BTreeSet<Key>>,
    more: Notify,
}

struct Tracking {
    uses: Arc<TokenUses>,
    client: Arc<dyn Client>,
    clock: Arc<dyn Clock>,
}

/// Whether a Secret is marked as one whose token is good no longer.
pub(super) fn is_marked_invalid(secret: &Object) -> bool {
    secret.header().label(INVALID_SINCE).is_some_and(|since| !since.is_empty())
}

fn day(now: Timestamp) -> String {
    now.strftime("%Y-%m-%d").to_string()
}

// === impl TokenUses ===

impl TokenUses {
    /// The token of a Secret was used; noted once a day.
    pub(super) fn note(&self, secret: &Object, now: Timestamp) {
        if secret.header().label(LAST_USED) == Some(&day(now)) {
            return;
        }
        let mut used = self.used.lock();
        if used.len() < MOST {
            used.insert(Key::new(scheme::SECRETS, secret.namespace(), secret.name()));
            self.more.notify_one();
        }
    }

    /// What writes uses down, through a client that may change Secrets and the ConfigMaps of `kube-system`. One is enough.
    #[must_use]
    pub fn component(
        self: &Arc<Self>,
        client: Arc<dyn Client>,
        clock: Arc<dyn Clock>,
    ) -> Box<dyn Component> {
        Box::new(Tracking { uses: self.clone(), client, clock })
    }
}

// === impl Tracking ===

impl Tracking {
    /// Says since when uses are noted, unless that was said before.
    async fn begin(&self) -> Result<()> {
        let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": TRACKING},
            "data": {"since": day(self.clock.now())}});
        let key = Key::new(scheme::CONFIGMAPS, "kube-system", TRACKING);
        let made = self.client.create(&key, map.to_string().into(), &WriteOptions::default()).await;
        made.map(drop).or_else(|error| if error.is_already_exists() { Ok(()) } else { Err(error) })
    }

    async fn write(&self) {
        let used = std::mem::take(&mut *self.uses.used.lock());
        for secret in used {
            let labels = json!({"metadata": {"labels": {LAST_USED: day(self.clock.now())}}});
            let patch = Patch::merge(&labels);
            match self.client.patch(&secret, patch, &WriteOptions::default()).await {
                Err(error) if !error.is_not_found() => {
                    // The next use notes it again.
                    tracing::warn!(%secret, %error, "use of a kept token not noted");
                }
                _ => {}
            }
        }
    }
}

#[async_trait]
impl Component for Tracking {
    fn name(&self) -> &str {
        "legacy-token-tracking"
    }

    async fn run(self: Box<Self>, ready: Ready, shutdown: Shutdown) -> Result<(), BoxError> {
        if let Err(error) = self.begin().await {
            // What is not said since when is kept: no token is deleted for it.
            tracing::warn!(%error, "not noted since when uses of kept tokens are noted");
        }
        ready.set();
        while shutdown.run_until_cancelled(self.uses.more.notified()).await.is_some() {
            self.write().await;
        }
        Ok(())
    }
}
