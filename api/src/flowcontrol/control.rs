//! The objects followed, and requests let in.

use super::config::{Config, LevelStats, Objects, Schema};
use super::counts::SchemaStats;
use super::permit::Permit;
use super::watches::{Watches, Watching};
use super::width::Work;
use crate::authorization::Attributes;
use parking_lot::{Mutex, RwLock};
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::time::Instant;
use windlass_core::apis::flowcontrol::v1::{FlowSchema, PriorityLevelConfiguration};
use windlass_core::cache::{Change, InformerFactory};
use windlass_core::client::ListOptions;
use windlass_core::component::Ready;
use windlass_core::request::ResourceTarget;
use windlass_core::scheme::{FLOWSCHEMAS, PRIORITYLEVELCONFIGURATIONS};

/// How often seats are lent anew, when requests arrive.
const LENDING: Duration = Duration::from_secs(10);

/// How much may be done at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlowOptions {
    /// Seats of all levels together.
    pub seats: u32,
    /// How long a request waits for its seats at most.
    pub patience: Duration,
    /// How many watches there are at once at most.
    pub watches: usize,
}

/// Decides who is served when not all can be. Follows no objects until it is told to: until then it goes by those
/// that every cluster begins with.
pub struct FlowControl {
    options: FlowOptions,
    start: Instant,
    /// Makes it unknown outside which flows share queues.
    seed: u64,
    objects: Mutex<Objects>,
    config: RwLock<Arc<Config>>,
    /// When seats are lent anew, in milliseconds after the start.
    next_lending: AtomicU64,
    watches: Arc<Watches>,
}

/// The FlowSchema that took a request.
pub(crate) type SchemaRef = Arc<Schema>;

/// A request that was not let in.
pub(crate) struct Refused {
    /// Its FlowSchema, when one takes it.
    pub(crate) schema: Option<Arc<Schema>>,
}

// === impl FlowOptions ===

impl Default for FlowOptions {
    /// Kubernetes' own: 600 seats, a quarter of a minute; 100,000 watches.
    fn default() -> Self {
        Self { seats: 600, patience: Duration::from_secs(15), watches: 100_000 }
    }
}

// === impl FlowControl ===

impl FlowControl {
    /// Goes by the built-in objects. `seed` should be random.
    #[must_use]
    pub fn new(options: FlowOptions, seed: u64) -> Arc<Self> {
        let (start, objects) = (Instant::now(), Objects::builtin(false));
        let config = Config::new(&objects, options.seats, start, None);
        Arc::new(Self {
            options,
            start,
            seed,
            objects: Mutex::new(objects),
            config: RwLock::new(Arc::new(config)),
            // The limit is far away in milliseconds.
            next_lending: AtomicU64::new(LENDING.as_millis() as u64),
            watches: Arc::new(Watches::new(options.watches)),
        })
    }

    /// Goes by the objects there are, from informers. What is returned is set once each of them is complete. To be
    /// called once, when the built-in objects were made.
    pub fn follow(self: &Arc<Self>, informers: &InformerFactory) -> [Ready; 2] {
        let schemas = informers.informer::<FlowSchema>(FLOWSCHEMAS);
        let levels = informers.informer::<PriorityLevelConfiguration>(PRIORITYLEVELCONFIGURATIONS);
        *self.objects.lock() = Objects::builtin(false);
        let control = self.clone();
        schemas.on_change(move |change| {
            let object = change.object();
            let (name, uid) = (object.name().to_owned(), object.header().uid.to_string());
            control.change(|objects| match (change, &change.entry().view.spec) {
                (Change::Deleted(_), _) | (_, None) => drop(objects.schemas.remove(&name)),
                (_, Some(spec)) => drop(objects.schemas.insert(name, (spec.clone(), uid))),
            });
        });
        let control = self.clone();
        levels.on_change(move |change| {
            let object = change.object();
            let (name, uid) = (object.name().to_owned(), object.header().uid.to_string());
            control.change(|objects| match (change, &change.entry().view.spec) {
                (Change::Deleted(_), _) | (_, None) => drop(objects.levels.remove(&name)),
                (_, Some(spec)) => drop(objects.levels.insert(name, (spec.clone(), uid))),
            });
        });
        [schemas.synced(), levels.synced()]
    }

    fn change(&self, change: impl FnOnce(&mut Objects)) {
        let mut objects = self.objects.lock();
        change(&mut objects);
        let before = self.config.read().clone();
        let config = Config::new(&objects, self.options.seats, self.start, Some(&before));
        *self.config.write() = Arc::new(config);
    }

    /// Lets a request in when its turn comes. `work` is asked only of one that is not exempt: none when there is no
    /// place where it could wait.
    pub(crate) async fn admit(
        &self,
        attributes: &Attributes<'_>,
        work: impl FnOnce() -> Option<Work>,
    ) -> Result<(Permit, SchemaRef), Refused> {
        let config = self.config.read().clone();
        self.lend_when_due(&config);
        let Some(schema) = config.classify(attributes) else {
            return Err(Refused { schema: None });
        };
        let level = &schema.level;
        let work = if level.exempt { Some(Work::One) } else { work() };
        let Some(work) = work else {
            schema.counts.refused("concurrency-limit", Duration::ZERO);
            return Err(Refused { schema: Some(schema.clone()) });
        };
        let flow = self.hash(&schema.name, schema.matcher.flow(attributes));
        let width = work.width(level.bounds.nominal);
        let arrived = Instant::now();
        let admitted = level.room.admit(flow, width, self.options.patience).await;
        let waited = arrived.elapsed();
        match admitted {
            Ok(permit) => {
                let held = schema.counts.dispatched(waited);
                Ok((permit.timed(held), schema.clone()))
            }
            Err(why) => {
                schema.counts.refused(why, waited);
                Err(Refused { schema: Some(schema.clone()) })
            }
        }
    }

    /// Charges a request that was let in for work that showed when it was read.
    pub(crate) fn charge(&self, permit: &mut Permit, schema: &Schema, work: &Work) {
        if !schema.level.exempt {
            permit.widen(work.width(schema.level.bounds.nominal));
        }
    }

    fn hash(&self, schema: &str, flow: &str) -> u64 {
        let mut hasher = std::hash::DefaultHasher::new();
        (self.seed, schema, flow).hash(&mut hasher);
        hasher.finish()
    }

    /// At most one of those who find that it is time does it.
    fn lend_when_due(&self, config: &Config) {
        let due = self.next_lending.load(Ordering::Relaxed);
        // The limit is far away.
        let now = self.start.elapsed().as_millis() as u64;
        if now < due {
            return;
        }
        let next = now + LENDING.as_millis() as u64;
        let won =
            self.next_lending.compare_exchange(due, next, Ordering::AcqRel, Ordering::Relaxed);
        if won.is_ok() {
            config.lend();
        }
    }

    /// Counts a watch until what is returned is dropped. None when there are too many.
    pub(crate) fn watching(
        &self,
        target: &ResourceTarget,
        options: &ListOptions,
    ) -> Option<Watching> {
        self.watches.begin(target, options)
    }

    /// How many hear of a write.
    pub(crate) fn hearing(&self, target: &ResourceTarget) -> usize {
        self.watches.hearing(target)
    }

    /// How many watches there are.
    #[must_use]
    pub fn watches(&self) -> usize {
        self.watches.count()
    }

    /// How the levels are.
    pub(crate) fn levels(&self) -> Vec<LevelStats> {
        let config = self.config.read().clone();
        config.levels.iter().map(|level| level.stats()).collect()
    }

    /// What was counted for each FlowSchema.
    pub(crate) fn schemas(&self) -> Vec<SchemaStats> {
        let config = self.config.read().clone();
        config.schemas.iter().map(|schema| schema.stats()).collect()
    }
}
