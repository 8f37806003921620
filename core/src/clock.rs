//! Time and chance, injected. No library reads the system's clock or a global generator itself.

use jiff::Timestamp;
use parking_lot::Mutex;
use rand::{RngCore, SeedableRng, rngs::SmallRng};
use std::sync::Arc;

/// Tells the time of day. Waiting is `tokio::time`'s.
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> Timestamp;
}

/// Gives random numbers.
pub trait Random: Send + Sync {
    /// The next one, all bits random.
    fn next(&self) -> u64;
}

/// The clock of the machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

/// A clock that goes with `tokio::time`: virtual when that is paused.
#[derive(Clone, Copy, Debug)]
pub struct TokioClock {
    epoch: Timestamp,
    start: tokio::time::Instant,
}

/// Random numbers from a seed: the same each time.
#[derive(Debug)]
pub struct Seeded(Mutex<SmallRng>);

/// Time and chance together, as parts take them. Cheap to clone.
#[derive(Clone)]
pub struct Env {
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The generator.
    pub random: Arc<dyn Random>,
}

// === impl SystemClock ===

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

// === impl TokioClock ===

impl TokioClock {
    /// A clock that shows `epoch` now. Needs a tokio runtime.
    #[must_use]
    pub fn starting_at(epoch: Timestamp) -> Self {
        Self { epoch, start: tokio::time::Instant::now() }
    }
}

impl Clock for TokioClock {
    fn now(&self) -> Timestamp {
        let passed = jiff::SignedDuration::try_from(self.start.elapsed());
        passed.ok().and_then(|passed| self.epoch.checked_add(passed).ok()).unwrap_or(Timestamp::MAX)
    }
}

// === impl Seeded ===

impl Seeded {
    /// The generator that this seed gives.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(Mutex::new(SmallRng::seed_from_u64(seed)))
    }
}

impl Random for Seeded {
    fn next(&self) -> u64 {
        self.0.lock().next_u64()
    }
}

// === impl Env ===

impl Env {
    /// The machine's clock, and numbers seeded by the operating system.
    #[must_use]
    pub fn system() -> Self {
        let seed = uuid::Uuid::new_v4().as_u64_pair().0;
        Self { clock: Arc::new(SystemClock), random: Arc::new(Seeded::new(seed)) }
    }

    /// Virtual time from a fixed day, and numbers from a seed. Needs a tokio runtime.
    #[must_use]
    pub fn simulated(seed: u64) -> Self {
        let epoch = Timestamp::constant(1_767_225_600, 0);
        let clock = Arc::new(TokioClock::starting_at(epoch));
        Self { clock, random: Arc::new(Seeded::new(seed)) }
    }

    /// A random UUID (version 4, RFC 9562).
    #[must_use]
    pub fn uuid(&self) -> String {
        let bits = (u128::from(self.random.next()) << 64) | u128::from(self.random.next());
        uuid::Builder::from_random_bytes(bits.to_be_bytes()).into_uuid().to_string()
    }

    /// A random suffix for a name: `len` of the characters Kubernetes uses (no vowels, no look-alikes).
    #[must_use]
    pub fn suffix(&self, len: usize) -> String {
        const ALPHABET: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
        let pick = |_| char::from(ALPHABET[(self.random.next() % ALPHABET.len() as u64) as usize]);
        (0..len).map(pick).collect()
    }
}

impl std::fmt::Debug for Env {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Env").field("now", &self.clock.now()).finish_non_exhaustive()
    }
}
