//! containerd's event stream: which tasks have ended.

use super::client::{Connection, call};
use super::{Inner, tasks};
use crate::runtime::{ContainerId, Event, Result};
use containerd_client::events::TaskExit;
use containerd_client::services::v1::{PublishRequest, SubscribeRequest};
use containerd_client::types::Envelope;
use prost::Message;
use std::sync::{Arc, Weak};
use std::time::Duration;
use tonic::Streaming;

/// That a task has ended.
const EXIT: &str = "/tasks/exit";
/// That somebody listens.
const READY: &str = "/windlass/listening";
/// How long after containerd was lost it is looked for again: at first, and at most.
const AGAIN: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(10));

/// Listens to ends of tasks. What ends after this has returned is heard of.
pub(super) async fn subscribe(connection: &Connection) -> Result<Streaming<Envelope>> {
    let filters = [EXIT, READY].map(|topic| format!("topic==\"{topic}\""));
    let request = SubscribeRequest { filters: filters.into() };
    let mut client = connection.events();
    let subscribed = call("listening to containerd", client.subscribe(request));
    tokio::pin!(subscribed);
    loop {
        // containerd answers with the first event: this one, once it has begun to listen for it.
        let request = PublishRequest {
            topic: READY.into(),
            event: Some(containerd_client::to_any(&TaskExit::default())),
        };
        let mut client = connection.events();
        call("telling containerd an event", client.publish(request)).await?;
        if let Ok(done) = tokio::time::timeout(AGAIN.0, &mut subscribed).await {
            return done;
        }
    }
}

/// Notes what ends, for as long as the runtime is there.
pub(super) async fn listen(inner: Weak<Inner>, mut stream: Streaming<Envelope>) {
    loop {
        match stream.message().await {
            Ok(Some(envelope)) => {
                let Some(inner) = inner.upgrade() else { return };
                take(&inner, &envelope);
                continue;
            }
            Ok(None) => tracing::warn!("containerd ended its stream of events"),
            Err(error) => tracing::warn!(%error, "lost containerd's stream of events"),
        }
        match again(&inner).await {
            Some(new) => stream = new,
            None => return,
        }
    }
}

fn take(inner: &Arc<Inner>, envelope: &Envelope) {
    let mine = envelope.topic == EXIT && envelope.namespace == inner.options.namespace;
    let Some(event) = envelope.event.as_ref().filter(|_| mine) else { return };
    let exit = match TaskExit::decode(event.value.as_slice()) {
        // Of the first process; others are programs that were run in the container.
        Ok(exit) if exit.id == exit.container_id => exit,
        Ok(_) => return,
        Err(error) => return tracing::warn!(%error, "containerd told something malformed"),
    };
    let Ok(entry) = inner.shelf.get(&ContainerId(exit.container_id)) else { return };
    let inner = inner.clone();
    tokio::spawn(async move {
        let ended = tasks::ended(&inner, &entry, exit.exit_status, tasks::time(exit.exited_at));
        if let Err(error) = ended.await {
            tracing::warn!(container = entry.record.id.0, %error, "can't note how a container ended");
        }
    });
}

/// Waits until containerd is back, and finds out what it did meanwhile.
async fn again(inner: &Weak<Inner>) -> Option<Streaming<Envelope>> {
    let mut pause = AGAIN.0;
    loop {
        tokio::time::sleep(pause).await;
        pause = (2 * pause).min(AGAIN.1);
        let inner = inner.upgrade()?;
        match subscribe(&inner.connection).await {
            Ok(stream) => {
                catch_up(&inner).await;
                return Some(stream);
            }
            Err(error) => tracing::debug!(%error, "containerd is not back"),
        }
    }
}

async fn catch_up(inner: &Arc<Inner>) {
    for entry in inner.shelf.filter(|e| e.is_running()) {
        if let Err(error) = tasks::reconcile(inner, &entry).await {
            tracing::warn!(container = entry.record.id.0, %error, "can't see what a container does");
        }
    }
    inner.shelf.publish(Event::Lost);
}
