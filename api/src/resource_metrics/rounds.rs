//! Asking all agents, again and again while somebody reads.

use super::Inner;
use super::sample::Sample;
use crate::registry::Loopback;
use crate::storage::ReadVersion;
use futures::{StreamExt, stream};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};
use windlass_core::client::Scope;
use windlass_core::scheme::NODES;

/// From one round to the next.
const RESOLUTION: Duration = Duration::from_secs(15);
/// The second sample of a node comes so long after the first.
const SECOND: Duration = Duration::from_secs(1);
/// Rounds go on for so long after somebody read.
const LINGER: Duration = Duration::from_secs(300);
/// How many agents are asked at once.
const AT_ONCE: usize = 32;
/// How long one of them may take.
const ANSWER: Duration = Duration::from_secs(3);
/// How long the first reader waits: for two samples of every agent that answers soon.
const FIRST: Duration = Duration::from_secs(4);

/// Whether somebody reads.
#[derive(Default)]
pub(super) struct Demand {
    asked: Option<Instant>,
    runs: bool,
}

// === impl Inner ===

impl Inner {
    /// Somebody reads: rounds go on, or begin. Returns when there is something to read, or won't be soon.
    pub(super) async fn awake(self: &Arc<Self>, objects: &Loopback) {
        let mut filled = self.filled.subscribe();
        {
            let mut demand = self.demand.lock();
            demand.asked = Some(Instant::now());
            if !std::mem::replace(&mut demand.runs, true) {
                self.filled.send_replace(false);
                let (this, objects) = (self.clone(), objects.clone());
                tokio::spawn(async move {
                    let shutdown = this.shutdown.clone();
                    shutdown.run_until_cancelled(this.rounds(objects)).await;
                });
            }
        }
        // Late is no error: what is not known is left out.
        timeout(FIRST, filled.wait_for(|filled| *filled)).await.ok();
    }

    async fn rounds(self: Arc<Self>, objects: Loopback) {
        while !self.rests() {
            self.round(&objects).await;
            self.filled.send_replace(true);
            sleep(RESOLUTION).await;
        }
    }

    /// Whether nobody has read for long: then all is forgotten.
    fn rests(&self) -> bool {
        let mut demand = self.demand.lock();
        let rests = demand.asked.is_none_or(|asked| asked.elapsed() > LINGER);
        if rests {
            demand.runs = false;
            *self.history.write() = Default::default();
        }
        rests
    }

    async fn round(&self, objects: &Loopback) {
        let nodes = match objects.list_at(&Scope::all(NODES), ReadVersion::Any).await {
            Ok(nodes) => nodes.iter().map(|node| node.name().to_owned()).collect(),
            Err(status) => return tracing::warn!(%status, "nodes can't be listed"),
        };
        let nodes = self.history.write().order(nodes);
        let all = stream::iter(nodes);
        all.for_each_concurrent(AT_ONCE, async |node| {
            if self.sample(objects, &node).await {
                sleep(SECOND).await;
                self.sample(objects, &node).await;
            }
        })
        .await;
    }

    /// Asks one agent; whether that was its first sample.
    async fn sample(&self, objects: &Loopback, node: &str) -> bool {
        let now = self.clock.now().as_millisecond();
        let read = timeout(ANSWER, self.source.read(objects, node)).await;
        let read = read.unwrap_or_else(|_| Err(format!("no answer within {} s", ANSWER.as_secs())));
        match read.and_then(|text| Sample::parse(&text, now)) {
            Ok(sample) => self.history.write().put(node, sample),
            Err(error) => {
                tracing::debug!(node, error, "what a node uses is not known");
                self.history.write().fail(node);
                false
            }
        }
    }
}
