//! Scaling in the middle of a rollout: each set in proportion to its size, so that the risk stays spread.

use super::Rollout;
use crate::deployment::model;
use crate::support::owner::name_of;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use windlass_core::apis::apps::v1::ReplicaSet;

impl Rollout<'_> {
    pub(super) fn scale_in_proportion(&mut self) {
        let wanted = model::wanted(self.deployment);
        if let Some(name) = self.only_one() {
            self.scale_named(&BTreeMap::from([(name, wanted)]));
        } else if self.new.as_ref().is_some_and(|new| self.is_saturated(new)) {
            self.scale_old(|_| 0);
        } else if !model::is_recreate(self.deployment) {
            let sizes = self.shares();
            self.scale_named(&sizes);
        }
    }

    /// The one set that has pods; when none has, the new one or else the youngest.
    fn only_one(&self) -> Option<String> {
        let active: Vec<_> = self.all().filter(|set| model::size(set) > 0).collect();
        let one = match active.as_slice() {
            [] => self.new.as_ref().or(self.old.last()),
            [one] => Some(*one),
            _ => None,
        };
        one.map(|set| name_of(&set.metadata).to_owned())
    }

    fn is_saturated(&self, new: &ReplicaSet) -> bool {
        let wanted = model::wanted(self.deployment);
        let noted = model::number::<i32>(&new.metadata, model::DESIRED);
        model::size(new) == wanted && noted == Some(wanted) && model::available(new) == wanted
    }

    /// New sizes of the sets that have pods.
    fn shares(&self) -> BTreeMap<String, i32> {
        let wanted = model::wanted(self.deployment);
        let allowed = if wanted > 0 { wanted + model::max_surge(self.deployment) } else { 0 };
        let mut active: Vec<_> = self.all().filter(|set| model::size(set) > 0).collect();
        let to_add = allowed - active.iter().map(|set| model::size(set)).sum::<i32>();
        // The largest first; of equal ones the newer when growing, the older when shrinking.
        if to_add > 0 {
            active.reverse();
        }
        active.sort_by_key(|set| Reverse(model::size(set)));
        let mut added = 0;
        let mut sizes: Vec<(String, i32)> = active
            .iter()
            .map(|set| {
                let share = self.share(set, to_add, to_add - added);
                added += share;
                (name_of(&set.metadata).to_owned(), model::size(set) + share)
            })
            .collect();
        if let Some((_, first)) = sizes.first_mut() {
            *first = (*first + to_add - added).max(0);
        }
        sizes.into_iter().collect()
    }

    /// What a set gains or loses, `left` at most.
    fn share(&self, set: &ReplicaSet, to_add: i32, left: i32) -> i32 {
        let fraction = self.fraction(set);
        match to_add.cmp(&0) {
            std::cmp::Ordering::Equal => 0,
            std::cmp::Ordering::Greater => fraction.min(left),
            std::cmp::Ordering::Less => fraction.max(left),
        }
    }

    fn fraction(&self, set: &ReplicaSet) -> i32 {
        let wanted = model::wanted(self.deployment);
        if wanted == 0 {
            return -model::size(set);
        }
        let status = self.deployment.status.as_ref().and_then(|status| status.replicas);
        let was = model::number::<i32>(&set.metadata, model::MAX).filter(|max| *max > 0).or(status);
        let Some(was) = was.filter(|was| *was > 0) else { return 0 };
        let will = f64::from(wanted + model::max_surge(self.deployment));
        // At most the range of an i32, as all three numbers are.
        #[allow(clippy::cast_possible_truncation)]
        let size = (f64::from(model::size(set)) * will / f64::from(was)).round() as i32;
        size - model::size(set)
    }

    fn scale_named(&mut self, sizes: &BTreeMap<String, i32>) {
        let to = |set: &ReplicaSet| sizes.get(name_of(&set.metadata)).copied();
        let mut sets = std::mem::take(&mut self.old);
        let old = sets.len();
        sets.extend(self.new.take());
        for set in &mut sets {
            if let Some(to) = to(set) {
                self.scale(set, to);
            }
        }
        self.new = sets.drain(old..).next();
        self.old = sets;
    }
}
