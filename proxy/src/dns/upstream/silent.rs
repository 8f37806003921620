//! Servers that gave no answer lately.

use std::net::SocketAddr;
use std::time::Duration;

use parking_lot::Mutex;
use rustc_hash::FxHashMap;
use tokio::time::Instant;

/// So long others are asked first.
const PAUSE: Duration = Duration::from_secs(30);

/// Remembers who was silent: a question waits for a dead server once in a while, and not each time.
#[derive(Debug, Default)]
pub(super) struct Silent {
    until: Mutex<FxHashMap<SocketAddr, Instant>>,
}

// === impl Silent ===

impl Silent {
    /// Notes whether a server answered.
    pub(super) fn note(&self, server: SocketAddr, answered: bool) {
        let mut until = self.until.lock();
        if answered {
            until.remove(&server);
        } else {
            until.insert(server, Instant::now() + PAUSE);
        }
    }

    /// Puts those that were silent lately behind the others; they are still asked when no other answers.
    pub(super) fn put_last(&self, servers: &mut [SocketAddr]) {
        let (now, mut until) = (Instant::now(), self.until.lock());
        until.retain(|_, until| *until > now);
        servers.sort_by_key(|server| until.contains_key(server));
    }
}
