//! Events about objects, for people: `kubectl describe` and `kubectl events` show them.

mod correlate;

use crate::client::{Client, Key, Patch, WriteOptions};
use crate::clock::Env;
use crate::component::Shutdown;
use crate::object::Object;
use crate::scheme;
use correlate::{Correlator, Recorded};
use std::sync::Arc;
use tokio::sync::mpsc;

/// How many events may wait to be written; more are dropped, with a line in the log.
const BACKLOG: usize = 1024;

/// `Normal` or `Warning`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EventType {
    /// As it should be.
    Normal,
    /// Something is wrong.
    Warning,
}

/// Which object an event is about (`v1.ObjectReference`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Reference {
    /// Its API version.
    pub api_version: String,
    /// Its kind.
    pub kind: String,
    /// Its namespace; events of the cluster's objects lie in `default`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its uid.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub uid: String,
    /// Part of it: `spec.containers{web}`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub field_path: String,
}

/// Records events. Never waits and never fails: events are best effort, as in Kubernetes. Equal events are counted
/// up, not written anew; of one object 25 are written at once, then one in five minutes. Clones share one queue.
#[derive(Clone)]
pub struct Recorder {
    queue: mpsc::Sender<Recorded>,
    source: Source,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, serde::Serialize)]
struct Source {
    component: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    host: String,
}

// === impl Reference ===

impl Reference {
    /// To an object.
    #[must_use]
    pub fn to(object: &Object, resource_kind: (&str, &str)) -> Self {
        let header = object.header();
        Self {
            api_version: resource_kind.0.into(),
            kind: resource_kind.1.into(),
            namespace: header.namespace.to_string(),
            name: header.name.to_string(),
            uid: header.uid.to_string(),
            field_path: String::new(),
        }
    }
}

// === impl Recorder ===

impl Recorder {
    /// A recorder that writes in the name of `component` (`kubelet`) on `host` (may be empty) until shutdown. Needs a tokio runtime.
    #[must_use]
    pub fn new(
        client: Arc<dyn Client>,
        env: Env,
        component: &str,
        host: &str,
        shutdown: Shutdown,
    ) -> Self {
        let (queue, recorded) = mpsc::channel(BACKLOG);
        let source = Source { component: component.into(), host: host.into() };
        tokio::spawn(async move {
            shutdown.run_until_cancelled(write_all(client, env, recorded)).await;
        });
        Self { queue, source }
    }

    /// One that writes in the name of another component, through the same queue.
    #[must_use]
    pub fn named(&self, component: &str) -> Self {
        let source = Source { component: component.into(), ..self.source.clone() };
        Self { queue: self.queue.clone(), source }
    }

    /// Records one.
    pub fn event(&self, about: Reference, kind: EventType, reason: &str, message: &str) {
        let recorded = Recorded {
            about,
            kind,
            reason: reason.into(),
            message: message.into(),
            source: self.source.clone(),
        };
        if let Err(error) = self.queue.try_send(recorded) {
            tracing::warn!(%reason, %message, %error, "event dropped");
        }
    }
}

async fn write_all(client: Arc<dyn Client>, env: Env, mut queue: mpsc::Receiver<Recorded>) {
    let mut correlator = Correlator::default();
    while let Some(recorded) = queue.recv().await {
        let now = env.clock.now();
        let Some(write) = correlator.next(recorded, now, &env) else { continue };
        let key = Key::new(scheme::EVENTS, write.namespace, write.name);
        let result = match write.patch {
            None => client.create(&key, write.body, &WriteOptions::default()).await,
            Some(patch) => {
                match client.patch(&key, Patch::merge(&patch), &WriteOptions::default()).await {
                    // It was taken away in the meantime: it begins anew.
                    Err(error) if error.is_not_found() => {
                        client.create(&key, write.body, &WriteOptions::default()).await
                    }
                    other => other,
                }
            }
        };
        if let Err(error) = result {
            tracing::debug!(%key, %error, "event not written");
        }
    }
}
