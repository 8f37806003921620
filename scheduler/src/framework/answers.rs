//! Answers for equal pods: made once, then mended where nodes changed.

use super::cycle::{rate, scale};
use super::profile::Enabled;
use super::tournament::{Tournament, draw, key};
use super::{Cycle, Normalization, Profile, Reach, Reason};
use crate::snapshot::{NodeId, NodeSet, Version};
use crate::{PodClass, PodInfo, Snapshot};
use rustc_hash::{FxHashMap, FxHashSet};
use smallvec::SmallVec;
use std::sync::Arc;

/// Scores kept at the same time, over all answers: 8 bytes each and some.
const SCORES: usize = 1 << 20;
/// Classes remembered that were asked about once.
const SEEN: usize = 1 << 12;

/// The answers for the classes asked about last.
#[derive(Default)]
pub(super) struct Answers {
    by_class: FxHashMap<Key, Answer>,
    seen: FxHashSet<Key>,
    clock: u64,
}

/// Addresses of a profile and a class. An answer holds both, so nobody else gets them.
type Key = (usize, usize);

/// What the plugins that look at single nodes say about all nodes.
pub(super) struct Answer {
    class: Arc<PodClass>,
    profile: Arc<Profile>,
    used: u64,
    reaches: Reaches,
    stamps: Stamps,
    version: Version,
    fits: NodeSet,
    /// Weighted scores that are final, by node.
    fixed: Vec<i64>,
    scaled: Vec<Scaled>,
    /// The whole game, when no plugin looks further than at nodes.
    game: Tournament,
    seed: u64,
}

/// How far each plugin of a profile looks, in their order.
pub(super) type Reaches = SmallVec<[Reach; 32]>;

/// The stamps of plugins that look at other nodes, each with its place in the profile.
type Stamps = SmallVec<[(usize, u64); 1]>;

/// Scores whose weight depends on the highest, or that are made anew when others are not.
struct Scaled {
    plugin: usize,
    how: Normalization,
    weight: i64,
    raw: Vec<i64>,
    highest: i64,
    at_highest: usize,
}

/// Why a plugin wants the pod on no node, with its name.
pub(super) type Refused = (&'static str, Reason);

// === impl Answers ===

impl Answers {
    /// The answer for a pod's class, up to date; none at the first question about a class, which may stay the only one.
    pub(super) fn get(
        &mut self,
        pod: &PodInfo,
        profile: &Arc<Profile>,
        snapshot: &Snapshot,
        seed: u64,
    ) -> Option<Result<&mut Answer, Refused>> {
        let key = (Arc::as_ptr(profile) as usize, Arc::as_ptr(&pod.class) as usize);
        self.clock += 1;
        if !self.by_class.contains_key(&key) {
            if self.seen.insert(key) {
                if self.seen.len() > SEEN {
                    self.seen.clear();
                }
                return None;
            }
            self.make_room(snapshot.capacity());
            self.by_class.insert(key, Answer::new(pod, profile));
        }
        let answer = self.by_class.get_mut(&key).expect("it was there or was put in");
        answer.used = self.clock;
        match answer.refresh(pod, snapshot, seed) {
            Ok(()) => Some(Ok(answer)),
            Err(refused) => {
                answer.reaches.clear();
                Some(Err(refused))
            }
        }
    }

    fn make_room(&mut self, nodes: usize) {
        while self.by_class.len() >= (SCORES / nodes.max(1)).clamp(4, 256) {
            let oldest = self.by_class.iter().min_by_key(|(_, answer)| answer.used);
            let Some(oldest) = oldest.map(|(key, _)| *key) else { return };
            self.by_class.remove(&oldest);
        }
    }
}

// === impl Answer ===

impl Answer {
    fn new(pod: &PodInfo, profile: &Arc<Profile>) -> Self {
        Self {
            class: pod.class.clone(),
            profile: profile.clone(),
            used: 0,
            reaches: Reaches::new(),
            stamps: Stamps::new(),
            version: Version::default(),
            fits: NodeSet::default(),
            fixed: Vec::new(),
            scaled: Vec::new(),
            game: Tournament::default(),
            seed: 0,
        }
    }

    /// Whether some plugin looks at the whole cluster for this class: the game alone does not decide then.
    pub(super) fn is_local(&self) -> bool {
        self.reaches.iter().all(|reach| *reach != Reach::Cluster)
    }

    /// The nodes that pass the filters that look at single nodes.
    pub(super) fn fits(&self) -> &NodeSet {
        &self.fits
    }

    /// The best node that `allowed` lets the pod on; only for one that [is local](Self::is_local).
    pub(super) fn best(&mut self, mut allowed: impl FnMut(NodeId) -> bool) -> Option<NodeId> {
        let mut aside: SmallVec<[(NodeId, u64); 4]> = SmallVec::new();
        let found = loop {
            match self.game.best() {
                Some(node) if !allowed(node) => {
                    aside.push((node, self.game.key(node)));
                    self.game.set(node, 0);
                }
                other => break other,
            }
        };
        aside.into_iter().for_each(|(node, key)| self.game.set(node, key));
        found
    }

    /// The weighted scores of the plugins that look at single nodes.
    pub(super) fn scores(&self, nodes: &[NodeId]) -> Vec<i64> {
        let mut total: Vec<i64> = nodes.iter().map(|node| self.fixed[*node as usize]).collect();
        for scaled in &self.scaled {
            let raw = || nodes.iter().map(|node| scaled.raw[*node as usize]);
            let highest = raw().max().unwrap_or_default();
            for (sum, raw) in total.iter_mut().zip(raw()) {
                *sum += scaled.weight * scale(raw, highest, scaled.how);
            }
        }
        total
    }

    /// The plugins that look further.
    pub(super) fn looking_far(&self) -> impl Iterator<Item = &Enabled> + Clone {
        let all = self.profile.plugins().iter().zip(&self.reaches);
        all.filter(|(_, reach)| **reach == Reach::Cluster).map(|(enabled, _)| enabled)
    }

    fn refresh(&mut self, pod: &PodInfo, snapshot: &Snapshot, seed: u64) -> Result<(), Refused> {
        let reaches = reaches(&self.profile, &self.class, snapshot);
        let stamps = stamps(&self.profile, &reaches, &self.class, snapshot);
        let same = reaches == self.reaches && self.fixed.len() == snapshot.capacity();
        let stale: Stamps = stamps.iter().filter(|s| !self.stamps.contains(s)).copied().collect();
        // Which nodes it refuses must be asked of all.
        let only_scores = stale.iter().all(|(at, _)| {
            let at = &self.profile.plugins()[*at].at;
            at.pre_filter.is_none() && at.filter.is_none()
        });
        let changed = if same && only_scores { self.changed(snapshot) } else { None };
        (self.reaches, self.stamps) = (reaches, stamps);
        match changed {
            Some(changed) => {
                if !changed.is_empty() {
                    self.mend(pod, snapshot, &changed)?;
                }
                if !stale.is_empty() {
                    self.rate_again(pod, snapshot, &stale);
                }
            }
            None => self.make(pod, snapshot, seed)?,
        }
        self.version = snapshot.version();
        Ok(())
    }

    /// Scores of these plugins are made anew.
    fn rate_again(&mut self, pod: &PodInfo, snapshot: &Snapshot, stale: &Stamps) {
        let profile = self.profile.clone();
        let nodes: Vec<NodeId> = self.fits.iter().collect();
        let mut scores = vec![0; nodes.len()];
        let mut cycle = Cycle::new(pod, snapshot);
        for (at, _) in stale {
            let Some(scaled) = self.scaled.iter_mut().find(|scaled| scaled.plugin == *at) else {
                continue;
            };
            if !rate(&mut cycle, &profile.plugins()[*at], &nodes, &mut scores) {
                scores.fill(0);
            }
            nodes.iter().zip(&scores).for_each(|(id, score)| scaled.raw[*id as usize] = *score);
            scaled.measure(&self.fits);
        }
        self.play();
    }

    /// The nodes to look at again; none when these are so many that all may be.
    fn changed(&self, snapshot: &Snapshot) -> Option<SmallVec<[NodeId; 8]>> {
        let most = snapshot.capacity() / 4 + 16;
        let mut changed: SmallVec<[NodeId; 8]> =
            snapshot.changed_since(self.version)?.take(most + 1).collect();
        if changed.len() > most {
            return None;
        }
        changed.sort_unstable();
        changed.dedup();
        Some(changed)
    }

    fn make(&mut self, pod: &PodInfo, snapshot: &Snapshot, seed: u64) -> Result<(), Refused> {
        self.seed = seed;
        self.fixed.clear();
        self.fixed.resize(snapshot.capacity(), 0);
        self.scaled.clear();
        for (at, enabled) in self.profile.plugins().iter().enumerate() {
            let how = enabled.at.score.as_ref().map(|score| score.normalization());
            let reach = self.reaches[at];
            if let Some(how) = how
                && is_local(reach)
                && (how != Normalization::Final || reach == Reach::Nodes)
            {
                let raw = vec![0; snapshot.capacity()];
                let weight = enabled.weight;
                let scaled = Scaled { plugin: at, how, weight, raw, highest: 0, at_highest: 0 };
                self.scaled.push(scaled);
            }
        }
        self.fits = self.look(pod, snapshot, snapshot.nodes().clone())?;
        self.scaled.iter_mut().for_each(|scaled| scaled.measure(&self.fits));
        self.play();
        Ok(())
    }

    fn mend(
        &mut self,
        pod: &PodInfo,
        snapshot: &Snapshot,
        changed: &[NodeId],
    ) -> Result<(), Refused> {
        let before: SmallVec<[i64; 4]> = self.scaled.iter().map(|scaled| scaled.highest).collect();
        for id in changed.iter().filter(|id| self.fits.contains(**id)) {
            self.scaled.iter_mut().for_each(|scaled| scaled.leave(*id));
        }
        let there = changed.iter().copied().filter(|id| snapshot.nodes().contains(*id));
        let fit = self.look(pod, snapshot, there.collect())?;
        for id in changed {
            self.fits.set(*id, fit.contains(*id));
        }
        for scaled in &mut self.scaled {
            fit.iter().for_each(|id| scaled.enter(id));
            if scaled.at_highest == 0 {
                scaled.measure(&self.fits);
            }
        }
        let rescaled = self.scaled.iter().zip(before).any(|(scaled, was)| scaled.highest != was);
        if rescaled {
            self.play();
        } else if self.is_local() {
            for id in changed {
                let key = self.key(*id);
                self.game.set(*id, key);
            }
        }
        Ok(())
    }

    /// Asks the plugins about these nodes: which fit, and into the columns their scores.
    fn look(
        &mut self,
        pod: &PodInfo,
        snapshot: &Snapshot,
        nodes: NodeSet,
    ) -> Result<NodeSet, Refused> {
        let profile = self.profile.clone();
        let reaches = &self.reaches;
        let local = || {
            let all = profile.plugins().iter().enumerate();
            all.filter(|(at, _)| is_local(reaches[*at]))
        };
        let mut cycle = Cycle::new(pod, snapshot);
        let feasible = cycle.narrow(local().map(|(_, enabled)| enabled), nodes)?;
        let nodes: SmallVec<[NodeId; 8]> = feasible.nodes().iter().collect();
        nodes.iter().for_each(|id| self.fixed[*id as usize] = 0);
        let mut scores: SmallVec<[i64; 8]> = SmallVec::from_elem(0, nodes.len());
        for (at, enabled) in local() {
            if !rate(&mut cycle, enabled, &nodes, &mut scores) {
                scores.fill(0);
            }
            let by_node = nodes.iter().map(|id| *id as usize).zip(&scores);
            match self.scaled.iter_mut().find(|scaled| scaled.plugin == at) {
                Some(scaled) => by_node.for_each(|(id, score)| scaled.raw[id] = *score),
                None => by_node.for_each(|(id, score)| self.fixed[id] += enabled.weight * score),
            }
        }
        Ok(feasible.into_nodes())
    }

    fn play(&mut self) {
        if self.is_local() {
            let mut game = std::mem::take(&mut self.game);
            game.fill((0..self.fixed.len()).map(|id| self.key(id as NodeId)));
            self.game = game;
        }
    }

    fn key(&self, id: NodeId) -> u64 {
        if !self.fits.contains(id) {
            return 0;
        }
        let scaled =
            self.scaled.iter().map(|s| s.weight * scale(s.raw[id as usize], s.highest, s.how));
        key(self.fixed[id as usize] + scaled.sum::<i64>(), draw(self.seed, id))
    }
}

// === impl Scaled ===

impl Scaled {
    fn measure(&mut self, fits: &NodeSet) {
        self.highest = fits.iter().map(|id| self.raw[id as usize]).max().unwrap_or_default();
        self.at_highest = fits.iter().filter(|id| self.raw[*id as usize] == self.highest).count();
    }

    fn leave(&mut self, id: NodeId) {
        if self.raw[id as usize] == self.highest {
            self.at_highest -= 1;
        }
    }

    fn enter(&mut self, id: NodeId) {
        let raw = self.raw[id as usize];
        match raw.cmp(&self.highest) {
            std::cmp::Ordering::Less => {}
            std::cmp::Ordering::Equal => self.at_highest += 1,
            std::cmp::Ordering::Greater => (self.highest, self.at_highest) = (raw, 1),
        }
    }
}

pub(super) fn reaches(profile: &Profile, class: &PodClass, snapshot: &Snapshot) -> Reaches {
    let reach = |enabled: &Enabled| match enabled.at {
        ref at if at.pre_filter.is_none() && at.filter.is_none() && at.score.is_none() => {
            Reach::Nothing
        }
        _ => enabled.plugin.reach(class, snapshot),
    };
    profile.plugins().iter().map(reach).collect()
}

fn stamps(profile: &Profile, reaches: &Reaches, class: &PodClass, snapshot: &Snapshot) -> Stamps {
    let of_others = reaches.iter().enumerate().filter(|(_, reach)| **reach == Reach::Nodes);
    let stamp = |at: usize| profile.plugins()[at].plugin.stamp(class, snapshot);
    of_others.map(|(at, _)| (at, stamp(at))).collect()
}

pub(super) fn is_local(reach: Reach) -> bool {
    matches!(reach, Reach::Node | Reach::Nodes)
}
