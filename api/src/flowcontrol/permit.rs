//! Waiting for seats, and giving them back.

use super::level::{Arrival, Grant, Level, Limit, Started, Ticket, Width};
use parking_lot::Mutex;
use prometheus_client::metrics::histogram::Histogram;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::Instant;

type Tell = oneshot::Sender<Grant>;

/// A level where requests arrive.
pub(crate) struct Room {
    level: Mutex<Level<Tell>>,
    /// Time is counted from here.
    start: Instant,
}

/// Seats in a level, given back when this is dropped.
#[must_use = "the seats are given back when this is dropped"]
pub struct Permit {
    room: Arc<Room>,
    grant: Option<Grant>,
    /// Where it is noted how long they were held.
    held: Option<Histogram>,
}

/// A request that waits, until it is dropped.
struct Waiting {
    room: Arc<Room>,
    ticket: Ticket,
    turn: oneshot::Receiver<Grant>,
    /// Its turn came, and it knows.
    done: bool,
}

// === impl Room ===

impl Room {
    pub(super) fn new(limit: Limit, start: Instant) -> Arc<Self> {
        Arc::new(Self { level: Mutex::new(Level::new(limit)), start })
    }

    fn now(&self) -> Duration {
        self.start.elapsed()
    }

    /// Does something with the level, and tells those whose turn has come.
    pub(super) fn with<R>(
        self: &Arc<Self>,
        act: impl FnOnce(&mut Level<Tell>, Duration) -> (R, Started<Tell>),
    ) -> R {
        let now = self.now();
        let mut level = self.level.lock();
        let (result, started) = act(&mut level, now);
        tell(&mut level, now, started);
        if let Some(at) = level.alarm(now) {
            tokio::spawn(self.clone().ring(at));
        }
        result
    }

    /// Looks again when time has freed seats.
    async fn ring(self: Arc<Self>, at: Duration) {
        let mut next = Some(at);
        while let Some(at) = next {
            tokio::time::sleep_until(self.start + at).await;
            let now = self.now();
            let mut level = self.level.lock();
            let started = level.settle(now);
            tell(&mut level, now, started);
            next = level.alarm(now);
        }
    }

    /// Seats for a request of a flow, at once or within `patience`.
    ///
    /// # Errors
    /// Why there are none, as metrics show it.
    pub(super) async fn admit(
        self: &Arc<Self>,
        flow: u64,
        width: Width,
        patience: Duration,
    ) -> Result<Permit, &'static str> {
        let mut receiver = None;
        let arrival = self.with(|level, now| {
            level.arrive(now, flow, width, || {
                let (tell, turn) = oneshot::channel();
                receiver = Some(turn);
                tell
            })
        });
        let (ticket, turn) = match (arrival, receiver) {
            (Arrival::Granted(grant), _) => return Ok(self.permit(grant)),
            (Arrival::Waits(ticket), Some(turn)) => (ticket, turn),
            (Arrival::Refused(why), _) => return Err(why),
            (Arrival::Waits(_), None) => return Err("cancelled"),
        };
        let mut waiting = Waiting { room: self.clone(), ticket, turn, done: false };
        match tokio::time::timeout(patience, &mut waiting.turn).await {
            Ok(Ok(grant)) => {
                waiting.done = true;
                Ok(self.permit(grant))
            }
            Ok(Err(_)) => Err("cancelled"),
            Err(_) => Err("time-out"),
        }
    }

    fn permit(self: &Arc<Self>, grant: Grant) -> Permit {
        Permit { room: self.clone(), grant: Some(grant), held: None }
    }
}

// === impl Permit ===

impl Permit {
    /// Notes how long the seats were held, in seconds, when they are given back.
    pub(super) fn timed(mut self, held: Histogram) -> Self {
        self.held = Some(held);
        self
    }

    /// Takes more seats, when the request turns out to make more work than it seemed.
    pub(super) fn widen(&mut self, width: Width) {
        if let Some(grant) = &mut self.grant {
            self.room.with(|level, now| (level.widen(now, grant, width), Started::new()));
        }
    }
}

fn tell(level: &mut Level<Tell>, now: Duration, mut started: Started<Tell>) {
    while let Some((tell, grant)) = started.pop() {
        // Who goes away takes the lock first, and looks whether his turn came.
        if let Err(grant) = tell.send(grant) {
            started.extend(level.finish(now, grant));
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(grant) = self.grant.take() {
            if let Some(held) = &self.held {
                held.observe(grant.held(self.room.now()).as_secs_f64());
            }
            self.room.with(|level, now| ((), level.finish(now, grant)));
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if self.done {
            return;
        }
        let (ticket, turn) = (self.ticket, &mut self.turn);
        self.room.with(|level, now| match turn.try_recv() {
            // Its turn came just now.
            Ok(grant) => ((), level.finish(now, grant)),
            Err(_) => {
                level.cancel(now, ticket);
                ((), level.settle(now))
            }
        });
    }
}
