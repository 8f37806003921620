//! A brake: when many nodes fall silent at once it is more likely the network than the nodes, and pods are left where
//! they are (Kubernetes documentation, "Rate limits on eviction").

use jiff::Timestamp;
use std::collections::BTreeMap;
use std::time::Duration;

/// One node in so many seconds; and in a large zone of which most are silent.
const NORMAL: i64 = 10;
const CAREFUL: i64 = 100;
/// A zone with more nodes is large.
const LARGE: usize = 50;

/// How many nodes of a zone work, and how many don't.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Count {
    pub(super) ready: usize,
    pub(super) not_ready: usize,
}

/// How it is with a zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Normal,
    Partial,
    Full,
}

/// When pods of a node may be driven out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// Now.
    Now,
    /// After this time, if it is still as it is then.
    After(Duration),
    /// Not before nodes work again.
    Never,
}

/// When the last node of each zone had its turn.
#[derive(Debug, Default)]
pub(super) struct Turns(BTreeMap<String, Timestamp>);

// === impl Count ===

impl Count {
    fn state(self) -> State {
        let all = self.ready + self.not_ready;
        match () {
            () if self.ready == 0 && self.not_ready > 0 => State::Full,
            // 55 %, without fractions.
            () if self.not_ready > 2 && self.not_ready * 20 >= all * 11 => State::Partial,
            () => State::Normal,
        }
    }
}

/// Seconds between two nodes of a zone; none: no node has its turn.
pub(super) fn period(zones: &BTreeMap<String, Count>, zone: &str) -> Option<i64> {
    let count = zones.get(zone).copied().unwrap_or_default();
    if zones.values().all(|count| count.state() == State::Full) {
        return None;
    }
    match count.state() {
        State::Partial if count.ready + count.not_ready > LARGE => Some(CAREFUL),
        State::Partial => None,
        // If only this zone is silent, the others can take its pods.
        State::Normal | State::Full => Some(NORMAL),
    }
}

// === impl Turns ===

impl Turns {
    /// Whether a node of a zone has its turn. If so it is taken.
    pub(super) fn take(&mut self, zone: &str, period: Option<i64>, now: Timestamp) -> Turn {
        let Some(period) = period else { return Turn::Never };
        let since = self.0.get(zone).map(|last| now.as_second() - last.as_second());
        match since.filter(|since| *since < period) {
            Some(since) => {
                Turn::After(Duration::from_secs(u64::try_from(period - since).unwrap_or(0)))
            }
            None => {
                self.0.insert(zone.to_owned(), now);
                Turn::Now
            }
        }
    }
}
