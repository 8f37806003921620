//! Asks other servers, and remembers what they said.

mod cache;
mod exchange;
mod servers;
mod silent;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hickory_proto::op::{Message, Query, ResponseCode};
use hickory_proto::rr::Name;
use parking_lot::Mutex;
use thiserror::Error;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use windlass_core::clock::Random;

use self::cache::Cache;
pub use self::servers::{Forward, Servers};
use self::silent::Silent;
use crate::dns::metrics::Metrics;

/// One server has so long for an answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// A client waits no longer than that for an answer of whichever server.
const DEADLINE: Duration = Duration::from_secs(5);
/// Questions on their way at once. More are refused.
const IN_FLIGHT: usize = 1024;

/// Why other servers gave no answer.
#[derive(Debug, Error)]
pub enum UpstreamError {
    /// There is nobody to ask.
    #[error("no name server is known to ask: see /etc/resolv.conf")]
    NoServer,
    /// Too many questions are on their way.
    #[error("{IN_FLIGHT} questions are on their way already")]
    Busy,
    /// None answered in time.
    #[error("no answer in time")]
    Silent,
    /// The last one failed.
    #[error("{server}: {source}")]
    Failed {
        /// Who.
        server: SocketAddr,
        /// How.
        source: std::io::Error,
    },
}

/// Other servers, and what they said lately.
pub(super) struct Upstream {
    forward: Forward,
    own: Vec<SocketAddr>,
    silent: Silent,
    cache: Mutex<Cache>,
    in_flight: Semaphore,
    random: Arc<dyn Random>,
    metrics: Metrics,
}

// === impl Upstream ===

impl Upstream {
    /// Asks the servers of `forward`, but never `own`: that would be this one.
    pub(super) fn new(
        forward: Forward,
        own: Vec<SocketAddr>,
        random: Arc<dyn Random>,
        metrics: Metrics,
    ) -> Self {
        let (cache, in_flight) = (Mutex::default(), Semaphore::new(IN_FLIGHT));
        Self { forward, own, silent: Silent::default(), cache, in_flight, random, metrics }
    }

    /// What is still remembered, with what is left of its time.
    pub(super) fn cached(&self, query: &Query) -> Option<Message> {
        let found = self.cache.lock().get(query);
        let counter = if found.is_some() { &self.metrics.hits } else { &self.metrics.misses };
        counter.inc();
        found
    }

    /// Asks the servers for the name in turn until one answers; those that were silent lately come last.
    pub(super) async fn resolve(&self, query: &Query) -> Result<Message, UpstreamError> {
        let _permit = self.in_flight.try_acquire().map_err(|_| UpstreamError::Busy)?;
        let servers = self.servers_for(&query.name).await;
        let asked = timeout(DEADLINE, self.ask(&servers, query)).await;
        let answer = asked.unwrap_or(Err(UpstreamError::Silent));
        match &answer {
            Ok(answer) => self.cache.lock().put(query, answer),
            Err(_) => {
                self.metrics.forward_failures.inc();
            }
        }
        answer
    }

    async fn servers_for(&self, name: &Name) -> Vec<SocketAddr> {
        let mut servers = self.forward.servers_for(name).await;
        servers.retain(|server| !self.own.contains(server));
        self.silent.put_last(&mut servers);
        servers
    }

    async fn ask(&self, servers: &[SocketAddr], query: &Query) -> Result<Message, UpstreamError> {
        let mut last = UpstreamError::NoServer;
        for &server in servers {
            let id = self.random.next() as u16;
            self.metrics.forwards.inc();
            let answer = timeout(PATIENCE, exchange::exchange(server, query, id)).await;
            self.silent.note(server, matches!(answer, Ok(Ok(_))));
            match answer {
                Ok(Ok(answer)) if is_final(&answer) => return Ok(answer),
                Ok(Ok(answer)) => {
                    let code = answer.metadata.response_code;
                    let source = std::io::Error::other(code.to_string());
                    last = UpstreamError::Failed { server, source };
                }
                Ok(Err(source)) => last = UpstreamError::Failed { server, source },
                Err(_) => last = UpstreamError::Silent,
            }
        }
        Err(last)
    }
}

/// Whether another server need not be asked.
fn is_final(answer: &Message) -> bool {
    matches!(answer.metadata.response_code, ResponseCode::NoError | ResponseCode::NXDomain)
}
