//! Ranges of keys, put together where they touch.

use bytes::Bytes;
use std::collections::BTreeMap;

/// Ranges that do not overlap, from start to end; `None` is up to the last key.
#[derive(Default)]
pub(super) struct Intervals(BTreeMap<Bytes, Option<Bytes>>);

// === impl Intervals ===

impl Intervals {
    pub(super) fn add(&mut self, mut start: Bytes, mut end: Option<Bytes>) {
        if end.as_ref().is_some_and(|end| *end <= start) {
            return;
        }
        // From the last that may overlap backwards.
        while let Some((other, its_end)) = self.last_before(end.as_ref()) {
            if its_end.as_ref().is_some_and(|its_end| *its_end < start) {
                break;
            }
            self.0.remove(&other);
            end = end.zip(its_end).map(|(a, b)| a.max(b));
            start = start.min(other);
        }
        self.0.insert(start, end);
    }

    fn last_before(&self, end: Option<&Bytes>) -> Option<(Bytes, Option<Bytes>)> {
        let found = match end {
            Some(end) => self.0.range(..=end.clone()).next_back(),
            None => self.0.last_key_value(),
        };
        found.map(|(start, end)| (start.clone(), end.clone()))
    }

    pub(super) fn contains(&self, key: &Bytes) -> bool {
        let below = self.0.range(..=key.clone()).next_back();
        below.is_some_and(|(_, end)| end.as_ref().is_none_or(|end| key < end))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&Bytes, Option<&Bytes>)> {
        self.0.iter().map(|(start, end)| (start, end.as_ref()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn intervals(ranges: &[(&'static str, Option<&'static str>)]) -> Intervals {
        let mut all = Intervals::default();
        for (start, end) in ranges {
            all.add((*start).into(), end.map(Into::into));
        }
        all
    }

    #[test]
    fn ranges_that_touch_become_one() {
        let all =
            intervals(&[("a", Some("c")), ("x", Some("z")), ("c", Some("d")), ("b", Some("y"))]);
        assert_eq!(all.0, BTreeMap::from([("a".into(), Some("z".into()))]));
    }

    #[test]
    fn a_range_without_an_end_takes_all_behind() {
        let all = intervals(&[("m", Some("n")), ("x", Some("z")), ("k", None), ("p", Some("q"))]);
        assert_eq!(all.0, BTreeMap::from([("k".into(), None)]));
        assert!(
            all.contains(&"zz".into()) && all.contains(&"k".into()) && !all.contains(&"j".into())
        );
    }

    #[test]
    fn the_end_is_outside_and_an_empty_range_is_none() {
        let all = intervals(&[("a", Some("b")), ("z", Some("c"))]);
        assert!(
            all.contains(&"a".into()) && !all.contains(&"b".into()) && !all.contains(&"z".into())
        );
    }
}
