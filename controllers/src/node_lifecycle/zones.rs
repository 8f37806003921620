//! A brake: when many nodes fall silent at once it is more likely the network than the nodes, and pods are left where
//! they are (Kubernetes documentation, "Rate limits on eviction").

use crate::context::EvictionRates;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::time::Duration;

/// How many nodes of a zone work, and how many don't.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Count {
    ready: usize,
    not_ready: usize,
}

/// How it is with a zone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Normal,
    /// Most of its nodes are silent; and it is large.
    Partial {
        large: bool,
    },
    Full,
}

/// When pods of a node may be driven out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// Now.
    Now,
    /// After this time, if it is still as it is then.
    After(Duration),
    /// Not before it is better with the zone.
    Held,
    /// All is silent: not even from nodes where that has begun.
    Stopped,
}

/// Nodes of each zone, counted as they change.
#[derive(Debug, Default)]
pub(super) struct Zones {
    zones: BTreeMap<String, Zone>,
    /// How many of them are silent.
    silent: usize,
}

#[derive(Debug, Default)]
struct Zone {
    count: Count,
    state: State,
    /// When the last node had its turn.
    last: Option<Timestamp>,
}

/// A node as a zone counts it: its zone, and whether it works.
pub(super) type Member = (String, bool);

// === impl Count ===

impl Count {
    fn state(self, rates: &EvictionRates) -> State {
        let all = self.ready + self.not_ready;
        let share = self.not_ready as f64 / all.max(1) as f64;
        match () {
            () if self.ready == 0 && self.not_ready > 0 => State::Full,
            () if self.not_ready > 2 && share >= rates.unhealthy_zone_threshold => {
                State::Partial { large: all > rates.large_cluster_size_threshold }
            }
            () => State::Normal,
        }
    }

    fn of(&mut self, works: bool) -> &mut usize {
        if works { &mut self.ready } else { &mut self.not_ready }
    }
}

// === impl Zones ===

impl Zones {
    /// A node came, changed or went. Whether other nodes may have their turn sooner or later by that.
    pub(super) fn change(
        &mut self,
        before: Option<Member>,
        after: Option<Member>,
        rates: &EvictionRates,
    ) -> bool {
        if before == after {
            return false;
        }
        let left = before.is_some_and(|(zone, works)| {
            self.count(zone, rates, |count| {
                let number = count.of(works);
                *number = number.saturating_sub(1);
            })
        });
        let joined = after
            .is_some_and(|(zone, works)| self.count(zone, rates, |count| *count.of(works) += 1));
        left || joined
    }

    fn count(&mut self, name: String, rates: &EvictionRates, add: impl Fn(&mut Count)) -> bool {
        let zone = self.zones.entry(name.clone()).or_default();
        add(&mut zone.count);
        let (before, after) = (zone.state, zone.count.state(rates));
        zone.state = after;
        if zone.count == Count::default() {
            self.zones.remove(&name);
        }
        self.silent += usize::from(after == State::Full);
        self.silent -= usize::from(before == State::Full);
        before != after
    }

    fn is_all_silent(&self) -> bool {
        self.silent > 0 && self.silent == self.zones.len()
    }

    /// Whether a node of a zone has its turn. If it `asks` for one, it is taken.
    pub(super) fn turn(
        &mut self,
        zone: &str,
        asks: bool,
        rates: &EvictionRates,
        now: Timestamp,
    ) -> Turn {
        if self.is_all_silent() {
            return Turn::Stopped;
        }
        let Some(zone) = self.zones.get_mut(zone).filter(|_| asks) else { return Turn::Now };
        let rate = match zone.state {
            State::Partial { large: true } => rates.secondary_node_eviction_rate,
            State::Partial { large: false } => 0.0,
            // If only this zone is silent, the others can take its pods.
            State::Normal | State::Full => rates.node_eviction_rate,
        };
        if rate <= 0.0 {
            return Turn::Held;
        }
        let period = Duration::try_from_secs_f64(1.0 / rate).unwrap_or(Duration::MAX);
        let since = zone.last.map(|last| now.duration_since(last).unsigned_abs());
        match since.and_then(|since| period.checked_sub(since)).filter(|left| !left.is_zero()) {
            Some(left) => Turn::After(left),
            None => {
                zone.last = Some(now);
                Turn::Now
            }
        }
    }
}
