//! From what was seen to what the node shows, and which threshold it acts on.

use super::threshold::{Eviction, Signal, Threshold};
use jiff::Timestamp;
use std::collections::{BTreeMap, HashMap};

/// What the node runs short of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pressure {
    pub(crate) memory: bool,
    pub(crate) disk: bool,
    pub(crate) pid: bool,
}

/// How much there is of something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Level {
    pub(crate) available: i64,
    pub(crate) capacity: i64,
}

/// What was seen; what can't be seen is left out.
pub(crate) type Levels = BTreeMap<Signal, Level>;

const DISK: [Signal; 4] = [
    Signal::NodefsAvailable,
    Signal::NodefsInodesFree,
    Signal::ImagefsAvailable,
    Signal::ImagefsInodesFree,
];

/// What is remembered from one look to the next.
#[derive(Debug, Default)]
pub(super) struct Memory {
    /// Since when each threshold is crossed, by its place.
    crossed: HashMap<usize, Timestamp>,
    /// When each signal was too low last.
    seen: HashMap<Signal, Timestamp>,
}

/// What follows from a look.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Decision {
    pub(super) pressure: Pressure,
    /// What a pod goes for now.
    pub(super) act: Option<Crossed>,
}

/// A threshold, and what there was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Crossed {
    pub(super) threshold: Threshold,
    pub(super) level: Level,
}

/// Decides. Memory comes first: the kernel acts there.
pub(super) fn decide(
    memory: &mut Memory,
    eviction: &Eviction,
    levels: &Levels,
    now: Timestamp,
) -> Decision {
    let mut due = Vec::new();
    for (place, threshold) in eviction.thresholds.iter().enumerate() {
        let level = levels.get(&threshold.signal).copied();
        let low = level.filter(|level| level.available < threshold.amount.of(level.capacity));
        let Some(level) = low else {
            memory.crossed.remove(&place);
            continue;
        };
        memory.seen.insert(threshold.signal, now);
        let since = *memory.crossed.entry(place).or_insert(now);
        let grace = threshold.grace.unwrap_or_default();
        if since + grace <= now {
            due.push(Crossed { threshold: *threshold, level });
        }
    }
    due.sort_by_key(|crossed| (crossed.threshold.signal, crossed.threshold.grace.is_some()));
    let recent = |signal| {
        let seen = memory.seen.get(&signal);
        seen.is_some_and(|at| *at == now || *at + eviction.pressure_transition > now)
    };
    let pressure = Pressure {
        memory: recent(Signal::MemoryAvailable),
        disk: DISK.into_iter().any(recent),
        pid: recent(Signal::PidAvailable),
    };
    Decision { pressure, act: due.into_iter().next() }
}

#[cfg(test)]
mod tests {
    use super::super::threshold::Amount;
    use super::*;
    use std::time::Duration;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_000_000 + second).expect("a time")
    }

    fn with(thresholds: Vec<Threshold>) -> Eviction {
        Eviction { thresholds, ..Eviction::default() }
    }

    fn low(signal: Signal, grace: Option<u64>) -> Threshold {
        Threshold { signal, amount: Amount::Absolute(100), grace: grace.map(Duration::from_secs) }
    }

    fn levels(all: &[(Signal, i64)]) -> Levels {
        let level = |available| Level { available, capacity: 1000 };
        all.iter().map(|(signal, available)| (*signal, level(*available))).collect()
    }

    #[test]
    fn pressure_lasts_for_a_while_after_it_was_seen() {
        let (mut memory, eviction) =
            (Memory::default(), with(vec![low(Signal::MemoryAvailable, None)]));
        let mut look = |second, available| {
            let levels = levels(&[(Signal::MemoryAvailable, available)]);
            let decided = decide(&mut memory, &eviction, &levels, at(second));
            (decided.pressure.memory, decided.act.is_some())
        };
        assert_eq!(look(0, 100), (false, false), "just enough");
        assert_eq!(look(10, 99), (true, true));
        assert_eq!(look(20, 500), (true, false));
        assert_eq!(look(309, 500), (true, false));
        assert_eq!(look(310, 500), (false, false));
    }

    #[test]
    fn a_soft_threshold_waits_for_its_grace_from_the_first_time_on() {
        let (mut memory, eviction) =
            (Memory::default(), with(vec![low(Signal::PidAvailable, Some(30))]));
        let mut look = |second, available| {
            let levels = levels(&[(Signal::PidAvailable, available)]);
            let decided = decide(&mut memory, &eviction, &levels, at(second));
            (decided.pressure.pid, decided.act.is_some())
        };
        assert_eq!(look(0, 50), (true, false));
        assert_eq!(look(20, 150), (true, false), "it is over: the grace begins anew");
        assert_eq!(look(30, 50), (true, false));
        assert_eq!(look(60, 50), (true, true));
    }

    #[test]
    fn memory_comes_first_and_what_cant_be_seen_is_no_pressure() {
        let eviction = with(vec![
            low(Signal::NodefsInodesFree, None),
            low(Signal::MemoryAvailable, None),
            low(Signal::PidAvailable, None),
        ]);
        let seen = levels(&[(Signal::NodefsInodesFree, 1), (Signal::MemoryAvailable, 1)]);
        let decided = decide(&mut Memory::default(), &eviction, &seen, at(0));
        assert_eq!(decided.pressure, Pressure { memory: true, disk: true, pid: false });
        let act = decided.act.expect("something").threshold.signal;
        assert_eq!(act, Signal::MemoryAvailable);
    }
}
