//! Picks endpoints: round robin, and affinity by client address.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use parking_lot::Mutex;
use rustc_hash::FxHashMap;
use tokio::time::Instant;

/// Client addresses that are remembered at most; the oldest choice makes room.
const MAX_REMEMBERED: usize = 1 << 16;

/// The endpoints of one listener. May be updated while connections are being balanced.
#[derive(Debug, Default)]
pub(super) struct Balancer {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    endpoints: Vec<SocketAddr>,
    next: usize,
    affinity: Option<Duration>,
    remembered: FxHashMap<IpAddr, Remembered>,
}

#[derive(Debug)]
struct Remembered {
    endpoint: SocketAddr,
    last_used: Instant,
}

// === impl Balancer ===

impl Balancer {
    /// Replaces the endpoints; clients stay with theirs as long as it is among them.
    pub(super) fn update(&self, endpoints: Vec<SocketAddr>, affinity_seconds: Option<u32>) {
        let mut state = self.state.lock();
        state.affinity = affinity_seconds.map(|seconds| Duration::from_secs(u64::from(seconds)));
        state.remembered.retain(|_, remembered| {
            affinity_seconds.is_some() && endpoints.contains(&remembered.endpoint)
        });
        state.endpoints = endpoints;
    }

    /// The endpoint for a client's next connection; `None` when there is none.
    pub(super) fn pick(&self, client: IpAddr) -> Option<SocketAddr> {
        let mut state = self.state.lock();
        match state.affinity {
            None => state.round_robin(),
            Some(timeout) => state.sticky(client, timeout, Instant::now()),
        }
    }

    /// Whether an endpoint still serves.
    pub(super) fn has(&self, endpoint: SocketAddr) -> bool {
        self.state.lock().endpoints.contains(&endpoint)
    }

    /// Forgets what a client is bound to, after its endpoint did not answer.
    pub(super) fn forget(&self, client: IpAddr) {
        self.state.lock().remembered.remove(&client);
    }

    /// How many endpoints there are to try.
    pub(super) fn len(&self) -> usize {
        self.state.lock().endpoints.len()
    }
}

// === impl State ===

impl State {
    fn round_robin(&mut self) -> Option<SocketAddr> {
        let endpoint = *self.endpoints.get(self.next % self.endpoints.len().max(1))?;
        self.next = self.next.wrapping_add(1);
        Some(endpoint)
    }

    fn sticky(&mut self, client: IpAddr, timeout: Duration, now: Instant) -> Option<SocketAddr> {
        let remembered = self
            .remembered
            .get_mut(&client)
            .filter(|found| now.duration_since(found.last_used) < timeout);
        if let Some(remembered) = remembered {
            remembered.last_used = now;
            return Some(remembered.endpoint);
        }
        let endpoint = self.round_robin()?;
        self.make_room(timeout, now);
        self.remembered.insert(client, Remembered { endpoint, last_used: now });
        Some(endpoint)
    }

    fn make_room(&mut self, timeout: Duration, now: Instant) {
        if self.remembered.len() < MAX_REMEMBERED {
            return;
        }
        self.remembered.retain(|_, remembered| now.duration_since(remembered.last_used) < timeout);
        if self.remembered.len() >= MAX_REMEMBERED {
            let oldest = self
                .remembered
                .iter()
                .min_by_key(|(_, remembered)| remembered.last_used)
                .map(|(ip, _)| *ip);
            oldest.map(|ip| self.remembered.remove(&ip));
        }
    }
}
