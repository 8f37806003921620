//! What the objects say, ready to be asked. A new one is made when one of them changes.

use super::builtin::builtin;
use super::counts::{Counts, SchemaStats};
use super::level::{Limit, Queuing, WhenFull};
use super::permit::Room;
use super::schema::Matcher;
use super::shares::{Borrower, Bounds, Shares, Smoothed, divide, lend};
use crate::authorization::Attributes;
use http::HeaderValue;
use parking_lot::Mutex;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::time::Instant;
use windlass_core::apis::flowcontrol::v1::{FlowSchemaSpec, PriorityLevelConfigurationSpec};
use windlass_core::scheme::FLOWSCHEMAS;

/// The FlowSchema, one of those that are always there, for what no other takes.
const CATCH_ALL: &str = "catch-all";

/// The objects as they are known, by name, each with its uid.
#[derive(Clone, Default)]
pub(super) struct Objects {
    pub(super) schemas: BTreeMap<String, (FlowSchemaSpec, String)>,
    pub(super) levels: BTreeMap<String, (PriorityLevelConfigurationSpec, String)>,
}

/// FlowSchemas in the order in which they are asked, and the levels.
pub(crate) struct Config {
    pub(super) schemas: Vec<Arc<Schema>>,
    pub(super) levels: Vec<Arc<PriorityLevel>>,
}

/// One FlowSchema.
pub(crate) struct Schema {
    pub(crate) name: String,
    pub(crate) uid: HeaderValue,
    pub(super) matcher: Matcher,
    pub(crate) level: Arc<PriorityLevel>,
    pub(crate) counts: Arc<Counts>,
}

/// One priority level.
pub(crate) struct PriorityLevel {
    pub(crate) name: String,
    pub(crate) uid: HeaderValue,
    pub(crate) bounds: Bounds,
    pub(crate) exempt: bool,
    full: WhenFull,
    pub(super) room: Arc<Room>,
    asked: Mutex<Smoothed>,
}

/// What metrics show of a level.
pub(crate) struct LevelStats {
    pub(crate) name: String,
    pub(crate) bounds: Bounds,
    pub(crate) seats: u32,
    pub(crate) seats_in_use: u32,
    pub(crate) executing: u32,
    pub(crate) waiting: usize,
}

// === impl Objects ===

impl Objects {
    /// Those that every cluster begins with; only the ones that must be there when `mandatory`.
    pub(super) fn builtin(mandatory: bool) -> Self {
        let mut objects = Self::default();
        for one in builtin().into_iter().filter(|one| one.mandatory || !mandatory) {
            let name = one.name.to_owned();
            if one.resource == FLOWSCHEMAS {
                objects.schemas.insert(name, (read(one.spec), String::new()));
            } else {
                objects.levels.insert(name, (read(one.spec), String::new()));
            }
        }
        objects
    }

    /// With those that must be there.
    fn complete(&self) -> Self {
        let mut all = Self::builtin(true);
        all.schemas.extend(self.schemas.clone());
        all.levels.extend(self.levels.clone());
        all
    }
}

fn read<T: DeserializeOwned>(spec: serde_json::Value) -> T {
    serde_json::from_value(spec).expect("the table of built-in objects is well-formed")
}

// === impl Config ===

impl Config {
    /// Reads the objects. Levels that there were before keep their requests.
    pub(super) fn new(
        objects: &Objects,
        seats: u32,
        start: Instant,
        before: Option<&Self>,
    ) -> Self {
        let objects = objects.complete();
        let shares: Vec<_> = objects.levels.values().map(|(spec, _)| shares(spec)).collect();
        let bounds = divide(seats, &shares);
        let levels = objects.levels.iter().zip(bounds);
        let levels: Vec<_> = levels
            .map(|((name, (spec, uid)), bounds)| {
                let before = before.and_then(|config| config.level(name));
                Arc::new(PriorityLevel::new(name, spec, uid, bounds, start, before))
            })
            .collect();
        let mut config = Self { schemas: Vec::new(), levels };
        let schemas = objects.schemas.iter();
        config.schemas =
            schemas.filter_map(|(name, object)| config.schema(name, object, before)).collect();
        // Of the same precedence the one that comes first by name: the map has them in that order.
        config.schemas.sort_by_key(|schema| schema.matcher.precedence);
        config
    }

    fn level(&self, name: &str) -> Option<&Arc<PriorityLevel>> {
        self.levels.iter().find(|level| level.name == name)
    }

    /// None when its level is not there: it takes no requests.
    fn schema(
        &self,
        name: &str,
        (spec, uid): &(FlowSchemaSpec, String),
        before: Option<&Self>,
    ) -> Option<Arc<Schema>> {
        let level = self.level(&spec.priority_level_configuration.name)?.clone();
        let known = before.and_then(|config| {
            config.schemas.iter().find(|s| s.name == name && s.level.name == level.name)
        });
        Some(Arc::new(Schema {
            name: name.to_owned(),
            uid: HeaderValue::from_str(uid).unwrap_or(HeaderValue::from_static("")),
            matcher: Matcher::new(spec),
            counts: known.map(|schema| schema.counts.clone()).unwrap_or_default(),
            level,
        }))
    }

    /// The schema that a request belongs to: the last resort for a user that none takes, as one in no group is.
    pub(super) fn classify(&self, attributes: &Attributes<'_>) -> Option<&Arc<Schema>> {
        let mut schemas = self.schemas.iter();
        let taking = schemas.find(|schema| schema.matcher.takes(attributes));
        taking.or_else(|| self.schemas.iter().find(|schema| schema.name == CATCH_ALL))
    }

    /// Lends seats anew by what was asked for since the last time.
    pub(super) fn lend(&self) {
        let borrowers: Vec<_> = self.levels.iter().map(|level| level.borrower()).collect();
        for (level, seats) in self.levels.iter().zip(lend(&borrowers)) {
            level.set_seats(seats);
        }
    }
}

/// What a level's object says about its seats.
fn shares(spec: &PriorityLevelConfigurationSpec) -> Shares {
    let count = |number: Option<i32>| u32::try_from(number.unwrap_or_default()).unwrap_or_default();
    match (&spec.limited, &spec.exempt) {
        (Some(limited), _) => Shares {
            nominal: limited.nominal_concurrency_shares.map_or(30, |shares| count(Some(shares))),
            lendable: count(limited.lendable_percent),
            borrowing: limited.borrowing_limit_percent.map(|percent| count(Some(percent))),
        },
        (None, Some(exempt)) => Shares {
            nominal: count(exempt.nominal_concurrency_shares),
            lendable: count(exempt.lendable_percent),
            borrowing: None,
        },
        (None, None) => Shares::default(),
    }
}

/// What a level's object says about requests that find no seat.
fn when_full(spec: &PriorityLevelConfigurationSpec) -> WhenFull {
    if spec.type_ == "Exempt" {
        return WhenFull::Exempt;
    }
    let response = spec.limited.as_ref().and_then(|limited| limited.limit_response.as_ref());
    let queuing = response.filter(|response| response.type_ == "Queue");
    let Some(queuing) = queuing.and_then(|response| response.queuing.as_ref()) else {
        return WhenFull::Reject;
    };
    let at_most = |number: Option<i32>, usual: u16| {
        number.map_or(usual, |number| u16::try_from(number.max(1)).unwrap_or(u16::MAX))
    };
    WhenFull::Queue(Queuing {
        // As many as validation lets in.
        queues: at_most(queuing.queues, 64).min(10_000),
        hand: at_most(queuing.hand_size, 8),
        length: at_most(queuing.queue_length_limit, 50).into(),
    })
}

// === impl PriorityLevel ===

impl PriorityLevel {
    fn new(
        name: &str,
        spec: &PriorityLevelConfigurationSpec,
        uid: &str,
        bounds: Bounds,
        start: Instant,
        before: Option<&Arc<Self>>,
    ) -> Self {
        let full = when_full(spec);
        let limit = Limit { seats: bounds.nominal, full };
        let room = match before {
            Some(before) => {
                before.room.with(|level, now| ((), level.set_limit(now, limit)));
                before.room.clone()
            }
            None => Room::new(limit, start),
        };
        Self {
            name: name.to_owned(),
            uid: HeaderValue::from_str(uid).unwrap_or(HeaderValue::from_static("")),
            bounds,
            exempt: full == WhenFull::Exempt,
            full,
            room,
            asked: Mutex::new(before.map(|level| *level.asked.lock()).unwrap_or_default()),
        }
    }

    fn borrower(&self) -> Borrower {
        let demand =
            self.room.with(|level, now| (level.take_demand(now), smallvec::SmallVec::new()));
        let mut asked = self.asked.lock();
        *asked = asked.then(demand);
        Borrower { bounds: self.bounds, exempt: self.exempt, asked: *asked }
    }

    fn set_seats(&self, seats: u32) {
        // A level with seats of its own is never left without any until the next time.
        let seats = seats.max(self.bounds.nominal.min(1));
        let limit = Limit { seats, full: self.full };
        self.room.with(|level, now| ((), level.set_limit(now, limit)));
    }

    pub(super) fn stats(&self) -> LevelStats {
        let all = |level: &super::level::Level<_>| LevelStats {
            name: self.name.clone(),
            bounds: self.bounds,
            seats: level.limit().seats,
            seats_in_use: level.seats_in_use(),
            executing: level.executing(),
            waiting: level.waiting(),
        };
        self.room.with(|level, _| (all(level), smallvec::SmallVec::new()))
    }
}

// === impl Schema ===

impl Schema {
    pub(super) fn stats(&self) -> SchemaStats {
        self.counts.stats(&self.name, &self.level.name)
    }
}
