//! Binds through the API: what comes while a binding travels goes together after it.

use crate::framework::{Bind, Extensions, Placement, Plugin, Reach};
use crate::{PodClass, Snapshot};
use async_trait::async_trait;
use futures::future::join_all;
use parking_lot::Mutex;
use serde_json::{Map, Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::oneshot;
use windlass_core::client::{Action, Client, ClientExt, Key, Operation, WriteOptions};
use windlass_core::{Error, scheme};

/// A transaction binds no more pods.
const MOST: usize = 128;

/// Binds pods: those that are ready at the same time in one transaction, each as a `Binding` posted to its pod where the
/// server has no transactions. One that is refused does not keep the others from their nodes.
pub struct DefaultBinder {
    client: Arc<dyn Client>,
    waiting: Mutex<Vec<Waiting>>,
    /// Held by who sends for all that wait.
    sending: tokio::sync::Mutex<()>,
    one_by_one: AtomicBool,
}

struct Waiting {
    placement: Placement,
    done: oneshot::Sender<Result<(), Error>>,
}

impl DefaultBinder {
    /// Binds through this client.
    #[must_use]
    pub fn new(client: Arc<dyn Client>) -> Self {
        let one_by_one = AtomicBool::new(false);
        Self { client, waiting: Mutex::default(), sending: Default::default(), one_by_one }
    }

    /// The same, each binding by itself.
    #[must_use]
    pub fn one_by_one(client: Arc<dyn Client>) -> Self {
        Self { one_by_one: AtomicBool::new(true), ..Self::new(client) }
    }

    fn next(&self) -> Vec<Waiting> {
        let mut waiting = self.waiting.lock();
        let count = waiting.len().min(MOST);
        waiting.drain(..count).collect()
    }

    async fn send(&self, batch: Vec<Waiting>) {
        if batch.len() > 1 {
            let operations = batch.iter().map(|one| operation(&one.placement)).collect();
            match self.client.transact(operations, &WriteOptions::default()).await {
                Ok(_) => {
                    // Who does not wait any more needs no word.
                    batch.into_iter().for_each(|one| drop(one.done.send(Ok(()))));
                    return;
                }
                // Of an object that is not there it says which operation means it.
                Err(error) if error.is_not_found() && !is_about_one(&error) => {
                    tracing::info!("the server has no transactions: pods are bound one by one");
                    self.one_by_one.store(true, Ordering::Relaxed);
                }
                Err(error) => tracing::debug!(%error, "not bound together, now one by one"),
            }
        }
        join_all(batch.into_iter().map(async |one| {
            // The same for one by one.
            drop(one.done.send(self.post(&one.placement).await));
        }))
        .await;
    }

    async fn post(&self, placement: &Placement) -> Result<(), Error> {
        let pod = &placement.pod;
        let key = Key::new(scheme::PODS, &*pod.namespace, &*pod.name).subresource("binding");
        let body = binding(placement).to_string().into();
        self.client.create(&key, body, &WriteOptions::default()).await.map(drop)
    }
}

fn is_about_one(error: &Error) -> bool {
    error.to_string().starts_with("operations[")
}

fn binding(Placement { pod, node, .. }: &Placement) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Binding",
        "metadata": {"name": pod.name, "namespace": pod.namespace, "uid": pod.uid},
        "target": {"apiVersion": "v1", "kind": "Node", "name": node},
    })
}

fn operation(placement: &Placement) -> Operation {
    let object = match binding(placement) {
        Value::Object(object) => object,
        _ => Map::new(),
    };
    Operation::new(Action::Create, object)
}

impl Plugin for DefaultBinder {
    fn name(&self) -> &'static str {
        "DefaultBinder"
    }

    fn extensions(self: Arc<Self>) -> Extensions {
        Extensions { bind: Some(self), ..Extensions::default() }
    }

    fn reach(&self, _: &PodClass, _: &Snapshot) -> Reach {
        Reach::Nothing
    }
}

#[async_trait]
impl Bind for DefaultBinder {
    async fn bind(&self, placement: &Placement) -> Result<(), Error> {
        if self.one_by_one.load(Ordering::Relaxed) {
            return self.post(placement).await;
        }
        let (done, mut word) = oneshot::channel();
        self.waiting.lock().push(Waiting { placement: placement.clone(), done });
        let sending = self.sending.lock().await;
        loop {
            if let Ok(bound) = word.try_recv() {
                return bound;
            }
            // Those that are ready just now come along.
            tokio::task::yield_now().await;
            let batch = self.next();
            if batch.is_empty() {
                // Who sent it was stopped.
                drop(sending);
                return Err(Error::Transport("whether the pod was bound is not known".into()));
            }
            self.send(batch).await;
        }
    }
}
