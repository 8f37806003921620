//! From two points to what is used in between.

use super::sample::Point;

/// What is used, and over which time that was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Usage {
    /// When, in milliseconds of the epoch.
    pub(super) at: i64,
    /// For how long processor time was counted, in milliseconds.
    pub(super) window: i64,
    /// Billionths of a core.
    pub(super) cpu: u64,
    /// Bytes.
    pub(super) memory: u64,
}

/// The usage that shows in a new point after an old one. None while it can't be told: a rate needs two points of the
/// same life, or one and when it began.
pub(super) fn usage(new: &Point, old: Option<&Point>) -> Option<Usage> {
    let begun = Point { at: new.started, ..Point::default() };
    let same = old.filter(|old| old.started == new.started && old.cpu <= new.cpu);
    let from = same.or((new.started > 0).then_some(&begun))?;
    let window = new.at - from.at;
    let nanos = u128::from(new.cpu.checked_sub(from.cpu)?);
    if window <= 0 || new.memory == 0 {
        return None;
    }
    let cpu = nanos * 1000 / u128::from(window.unsigned_abs());
    Some(Usage {
        at: new.at,
        window,
        cpu: u64::try_from(cpu).unwrap_or(u64::MAX),
        memory: new.memory,
    })
}
