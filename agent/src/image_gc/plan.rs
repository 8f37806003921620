//! Which images go.

use super::ImageGcPolicy;
use crate::eviction::Level;
use crate::images::{ImageId, ImageStatus};
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// What is known of the images here, from one look to the next.
#[derive(Debug, Default)]
pub(super) struct Records {
    all: BTreeMap<ImageId, Record>,
    /// Since when is looked.
    since: Option<Timestamp>,
}

#[derive(Debug)]
struct Record {
    /// `None` of what was here at the first look: nobody knows for how long.
    first_seen: Option<Timestamp>,
    last_used: Option<Timestamp>,
    size: u64,
    pinned: bool,
}

/// An image that may go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    pub(super) id: ImageId,
    pub(super) size: u64,
    /// When it was used last, or came.
    idle_since: Option<Timestamp>,
}

// === impl Records ===

impl Records {
    /// Takes note of what is here, and which of it containers have.
    pub(super) fn note(
        &mut self,
        images: Vec<ImageStatus>,
        used: &BTreeSet<ImageId>,
        now: Timestamp,
    ) {
        let first_seen = self.since.map(|_| now);
        self.since.get_or_insert(now);
        let mut old = std::mem::take(&mut self.all);
        for ImageStatus { id, size, pinned, .. } in images {
            let known = old.remove(&id);
            let (first_seen, last_used) =
                known.map_or((first_seen, None), |record| (record.first_seen, record.last_used));
            let last_used = if used.contains(&id) { Some(now) } else { last_used };
            self.all.insert(id, Record { first_seen, last_used, size, pinned });
        }
    }

    /// Those that may go, the one that was used least recently first.
    pub(super) fn candidates(&self, policy: &ImageGcPolicy, now: Timestamp) -> Vec<Candidate> {
        let old_enough =
            |record: &Record| record.first_seen.is_none_or(|at| at + policy.minimum_age <= now);
        let mut all: Vec<_> = self
            .all
            .iter()
            .filter(|(_, r)| !r.pinned && r.last_used != Some(now) && old_enough(r))
            .map(|(id, r)| (r.last_used, r.first_seen, id, r.size))
            .collect();
        all.sort();
        let candidate = |(last_used, first_seen, id, size): (_, _, &ImageId, _)| {
            let idle_since = Option::max(last_used, first_seen);
            Candidate { id: id.clone(), size, idle_since }
        };
        all.into_iter().map(candidate).collect()
    }

    /// Those of them that were not used for too long. None before that long was looked.
    pub(super) fn outdated(
        &self,
        candidates: &[Candidate],
        policy: &ImageGcPolicy,
        now: Timestamp,
    ) -> Vec<Candidate> {
        let Some(maximum) = policy.maximum_age else { return Vec::new() };
        let older = |at: Option<Timestamp>| at.is_none_or(|at| longer(at, now, maximum));
        if !self.since.is_some_and(|at| longer(at, now, maximum)) {
            return Vec::new();
        }
        candidates.iter().filter(|c| older(c.idle_since)).cloned().collect()
    }

    /// One that is gone.
    pub(super) fn forget(&mut self, id: &ImageId) {
        self.all.remove(id);
    }
}

fn longer(from: Timestamp, to: Timestamp, than: Duration) -> bool {
    let than = SignedDuration::try_from(than).unwrap_or(SignedDuration::MAX);
    to.duration_since(from) > than
}

/// How many bytes must go; `None` when there is room.
pub(super) fn excess(policy: &ImageGcPolicy, disk: Level) -> Option<u64> {
    let high = policy.high_threshold_percent;
    if high == 100 || disk.capacity <= 0 {
        return None;
    }
    let (available, capacity) =
        (i128::from(disk.available.clamp(0, disk.capacity)), i128::from(disk.capacity));
    let used_percent = 100 - available * 100 / capacity;
    if used_percent < i128::from(high) {
        return None;
    }
    let wanted = capacity * i128::from(100 - policy.low_threshold_percent.min(100)) / 100;
    Some(u64::try_from(wanted - available).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_000_000 + second).expect("a time")
    }

    fn image(name: &str, size: u64) -> ImageStatus {
        ImageStatus { id: ImageId(name.into()), size, ..ImageStatus::default() }
    }

    fn used(names: &[&str]) -> BTreeSet<ImageId> {
        names.iter().map(|name| ImageId((*name).into())).collect()
    }

    fn names(candidates: &[Candidate]) -> Vec<&str> {
        candidates.iter().map(|candidate| candidate.id.0.as_str()).collect()
    }

    #[test]
    fn the_least_recently_used_goes_first_and_what_is_used_or_pinned_stays() {
        let policy = ImageGcPolicy::default();
        let all = || {
            let pinned = ImageStatus { pinned: true, ..image("pinned", 9) };
            vec![image("a", 1), image("b", 2), image("never", 3), image("used", 4), pinned]
        };
        let mut records = Records::default();
        records.note(all(), &used(&["a", "b", "used"]), at(0));
        records.note(all(), &used(&["a", "used"]), at(10));
        records.note(all(), &used(&["used"]), at(20));
        let found = records.candidates(&policy, at(20));
        assert_eq!(names(&found), ["never", "b", "a"]);
        assert_eq!(found[1].size, 2);
    }

    #[test]
    fn what_came_just_now_stays_but_what_was_here_before_may_go() {
        let policy = ImageGcPolicy::default();
        let mut records = Records::default();
        records.note(vec![image("old", 1)], &used(&[]), at(0));
        let both = || vec![image("old", 1), image("new", 1)];
        records.note(both(), &used(&[]), at(10));
        assert_eq!(names(&records.candidates(&policy, at(129))), ["old"]);
        records.note(both(), &used(&[]), at(130));
        assert_eq!(names(&records.candidates(&policy, at(130))), ["old", "new"]);
    }

    #[test]
    fn what_was_not_used_for_too_long_goes_but_not_soon_after_a_start() {
        let hour = Duration::from_secs(3600);
        let policy = ImageGcPolicy { maximum_age: Some(hour), ..ImageGcPolicy::default() };
        let mut records = Records::default();
        let mut look = |second, of: &[&str]| {
            records.note(vec![image("a", 1), image("b", 1)], &used(of), at(second));
            let candidates = records.candidates(&policy, at(second));
            names(&records.outdated(&candidates, &policy, at(second))).join(",")
        };
        assert_eq!(look(0, &["b"]), "");
        assert_eq!(look(3600, &["b"]), "", "nobody knows yet when it was used");
        assert_eq!(look(3601, &[]), "a");
        assert_eq!(look(7200, &[]), "a");
        assert_eq!(look(7201, &[]), "a,b");
        let never = ImageGcPolicy { maximum_age: None, ..policy.clone() };
        let candidates = records.candidates(&never, at(9000));
        assert!(records.outdated(&candidates, &never, at(9000)).is_empty());
    }

    #[test]
    fn a_full_disk_is_emptied_to_the_low_threshold() {
        let policy = ImageGcPolicy::default();
        let disk = |available| Level { available, capacity: 1000 };
        assert_eq!(excess(&policy, disk(160)), None);
        assert_eq!(excess(&policy, disk(150)), Some(50));
        assert_eq!(excess(&policy, disk(0)), Some(200));
        assert_eq!(excess(&policy, Level::default()), None, "nobody knows");
        let off = ImageGcPolicy { high_threshold_percent: 100, ..policy };
        assert_eq!(excess(&off, disk(0)), None);
    }

    #[test]
    fn thresholds_must_leave_something_between_them() {
        let of = |low_threshold_percent, high_threshold_percent| {
            let policy = ImageGcPolicy::default();
            ImageGcPolicy { low_threshold_percent, high_threshold_percent, ..policy }.check()
        };
        assert_eq!(of(80, 85), Ok(()));
        assert_eq!(of(85, 85), Err(super::super::ImageGcError::Order { low: 85, high: 85 }));
        assert_eq!(of(80, 101), Err(super::super::ImageGcError::Range(101)));
    }
}
