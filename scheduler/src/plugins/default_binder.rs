//! Binds through the API: what comes while a binding travels goes together after it.

use crate::framework::{Bind, Extensions, Placement, Plugin, Reach};
use crate::{PodClass, PodInfo, Snapshot};
use async_trait::async_trait;
use futures::future::join_all;
use parking_lot::Mutex;
use serde_json::{Map, Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, SemaphorePermit, oneshot};
use tokio::time::{Instant, sleep, timeout};
use windlass_core::client::{Action, Client, ClientExt, Key, Operation, WriteOptions};
use windlass_core::meta::Reason;
use windlass_core::workqueue::Backoff;
use windlass_core::{Error, Object, scheme};

/// A transaction binds no more pods.
const MOST: usize = 128;
/// One transaction at a time is best: who comes meanwhile joins the next. When one takes longer, others go beside it.
const PATIENCE: Duration = Duration::from_millis(100);
/// So many of these at most.
const BESIDE: usize = 7;
/// What has no answer by then has none.
const ANSWER: Duration = Duration::from_secs(30);
/// So many bindings travel by themselves at once.
const POSTS: usize = 64;
/// A server without transactions is asked again after so long: it may have been replaced, or the right been given.
const ASK_AGAIN: Duration = Duration::from_secs(5 * 60);
/// For so long it is asked what became of a binding without an answer.
const LOOK_FOR: Duration = Duration::from_secs(2 * 60);
const LOOKS: Backoff = Backoff { first: Duration::from_millis(200), max: Duration::from_secs(10) };

/// Binds pods: those that are ready at the same time in one transaction, each as a `Binding` posted to its pod where the
/// server has no transactions. One that is refused does not keep the others from their nodes.
pub struct DefaultBinder {
    client: Arc<dyn Client>,
    waiting: Mutex<Vec<Waiting>>,
    /// Held by who sends for all that wait.
    sending: Semaphore,
    /// By those who do so while that one takes long.
    beside: Semaphore,
    posts: Semaphore,
    one_by_one: Mutex<OneByOne>,
}

/// Whether bindings go by themselves.
#[derive(Clone, Copy)]
enum OneByOne {
    No,
    Until(Instant),
    Always,
}

struct Waiting {
    placement: Placement,
    done: oneshot::Sender<Result<(), Error>>,
}

impl DefaultBinder {
    /// Binds through this client.
    #[must_use]
    pub fn new(client: Arc<dyn Client>) -> Self {
        Self {
            client,
            waiting: Mutex::default(),
            sending: Semaphore::new(1),
            beside: Semaphore::new(BESIDE),
            posts: Semaphore::new(POSTS),
            one_by_one: OneByOne::No.into(),
        }
    }

    /// The same, each binding by itself.
    #[must_use]
    pub fn one_by_one(client: Arc<dyn Client>) -> Self {
        Self { one_by_one: OneByOne::Always.into(), ..Self::new(client) }
    }

    fn is_one_by_one(&self) -> bool {
        match *self.one_by_one.lock() {
            OneByOne::No => false,
            OneByOne::Until(when) => Instant::now() < when,
            OneByOne::Always => true,
        }
    }

    fn next(&self) -> Vec<Waiting> {
        let mut waiting = self.waiting.lock();
        let count = waiting.len().min(MOST);
        waiting.drain(..count).collect()
    }

    async fn transact(&self, operations: Vec<Operation>) -> Result<(), Error> {
        in_time(self.client.transact(operations, &WriteOptions::default())).await.map(drop)
    }

    async fn send(&self, batch: Vec<Waiting>) {
        if batch.len() > 1 {
            let operations = batch.iter().map(|one| operation(&one.placement)).collect();
            match self.transact(operations).await {
                Ok(()) => {
                    // Who does not wait any more needs no word.
                    batch.into_iter().for_each(|one| drop(one.done.send(Ok(()))));
                    return;
                }
                // Of an object that is not there it says which operation means it.
                Err(error) if has_none(&error) => {
                    tracing::info!("the server has no transactions: pods are bound one by one");
                    *self.one_by_one.lock() = OneByOne::Until(Instant::now() + ASK_AGAIN);
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

    /// Alone, or with those that are ready just now.
    async fn bind_once(&self, placement: &Placement) -> Result<(), Error> {
        if self.is_one_by_one() {
            return self.post(placement).await;
        }
        let (done, mut word) = oneshot::channel();
        self.waiting.lock().push(Waiting { placement: placement.clone(), done });
        loop {
            let turn = tokio::select! {
                biased;
                bound = &mut word => {
                    return bound.unwrap_or_else(|_| Err(unknown()));
                }
                turn = self.turn() => turn,
            };
            // Those that are ready just now come along.
            tokio::task::yield_now().await;
            let batch = self.next();
            if batch.is_empty() {
                // Another one sends it, beside this one.
                drop(turn);
                return word.await.unwrap_or_else(|_| Err(unknown()));
            }
            self.send(batch).await;
        }
    }

    /// The turn to send for all that wait.
    async fn turn(&self) -> SemaphorePermit<'_> {
        let late = async {
            sleep(PATIENCE).await;
            self.beside.acquire().await
        };
        let turn = tokio::select! {
            biased;
            turn = self.sending.acquire() => turn,
            turn = late => turn,
        };
        turn.expect("it is never closed")
    }

    async fn post(&self, placement: &Placement) -> Result<(), Error> {
        let pod = &placement.pod;
        let key = Key::new(scheme::PODS, &*pod.namespace, &*pod.name).subresource("binding");
        let body = binding(placement).to_string().into();
        let _slot = self.posts.acquire().await.expect("it is never closed");
        in_time(self.client.create(&key, body, &WriteOptions::default())).await.map(drop)
    }
}

/// Looks whether a pod is on its node, which `error` doubts. While that can't be known it is not answered.
pub(crate) async fn look(
    client: &dyn Client,
    placement: &Placement,
    error: Error,
) -> Result<(), Error> {
    let key = Key::new(scheme::PODS, &*placement.pod.namespace, &*placement.pod.name);
    let deadline = Instant::now() + LOOK_FOR;
    for attempt in 0.. {
        match client.get(&key).await {
            Ok(pod) if is_bound(&pod, placement) => return Ok(()),
            Err(unsure) if is_unsure(&unsure) && Instant::now() < deadline => {
                sleep(LOOKS.wait(attempt)).await;
            }
            _ => break,
        }
    }
    Err(error)
}

async fn in_time<T>(call: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let none = |_| Err(Error::Transport("no answer in time".into()));
    timeout(ANSWER, call).await.unwrap_or_else(none)
}

/// Who sent it for others was stopped.
fn unknown() -> Error {
    Error::Transport("whether the pod was bound is not known".into())
}

/// Whether the server has no transactions, or none for this user. Of a group that it does not know it says, by who asks,
/// that it is not there or that it is forbidden; what is about one operation says which.
fn has_none(error: &Error) -> bool {
    let none = matches!(
        error.reason(),
        Some(Reason::NotFound | Reason::Forbidden | Reason::MethodNotAllowed)
    );
    none && !error.to_string().starts_with("operations[")
}

/// Whether what was asked for may have been done.
fn is_unsure(error: &Error) -> bool {
    let reasons =
        [Reason::Timeout, Reason::ServerTimeout, Reason::InternalError, Reason::ServiceUnavailable];
    matches!(error, Error::Transport(_)) || error.reason().is_some_and(|r| reasons.contains(&r))
}

fn is_bound(pod: &Object, placement: &Placement) -> bool {
    let bound = PodInfo::new(pod);
    bound.is_ok_and(|pod| pod.uid == placement.pod.uid && pod.node_name == placement.node)
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
        match self.bind_once(placement).await {
            // What was done is done, also when the answer got lost.
            Err(error) if error.is_conflict() || is_unsure(&error) => {
                look(&*self.client, placement, error).await
            }
            other => other,
        }
    }
}
