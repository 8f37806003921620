//! How much a pod and the pods there like to be together.

use super::InterPodAffinity;
use crate::PodTerm;
use crate::framework::{Cycle, MAX_SCORE, PreScore, Score};
use crate::plugins::company::{Company, Liking};
use crate::snapshot::{NodeId, Topology};

/// Sums by place, for each topology that a term names.
#[derive(Default)]
struct Sums<'a> {
    by_key: Vec<(&'a str, &'a Topology, Vec<i64>)>,
}

impl PreScore for InterPodAffinity {
    fn pre_score(&self, cycle: &mut Cycle<'_>, _: &[NodeId]) -> bool {
        let Some(company) = cycle.snapshot.columns::<Company>() else { return false };
        let terms = cycle.pod.pod_terms.as_ref();
        let prefers = terms.is_some_and(|t| t.preferred.len() + t.anti_preferred.len() > 0);
        let heard = !self.args.ignore_preferred_terms_of_existing_pods && !company.liked.is_empty();
        prefers || heard
    }
}

impl Score for InterPodAffinity {
    fn score(&self, cycle: &Cycle<'_>, nodes: &[NodeId], scores: &mut [i64]) {
        let Some(company) = cycle.snapshot.columns::<Company>() else { return };
        let mut sums = Sums::default();
        self.own(company, cycle, &mut sums);
        self.theirs(company, cycle, &mut sums);
        sums.add_to(nodes, scores);
        normalize(scores);
    }
}

impl InterPodAffinity {
    /// What the pod likes and dislikes.
    fn own<'a>(&self, company: &'a Company, cycle: &Cycle<'a>, sums: &mut Sums<'a>) {
        let Some(terms) = &cycle.pod.pod_terms else { return };
        let likes = terms.preferred.iter().map(|(weight, term)| (*weight, term));
        let dislikes = terms.anti_preferred.iter().map(|(weight, term)| (-*weight, term));
        for (weight, term) in likes.chain(dislikes) {
            for group in company.groups.meant(term, &company.namespaces) {
                sums.count(cycle, term, &group.nodes, weight);
            }
        }
    }

    /// What the pods there like and dislike.
    fn theirs<'a>(&self, company: &'a Company, cycle: &Cycle<'a>, sums: &mut Sums<'a>) {
        let labels = company.namespaces.get(&cycle.pod.namespace);
        for held in company.liked.about(cycle.pod, labels) {
            let weight = match held.role {
                Liking::Required => self.args.hard_pod_affinity_weight,
                Liking::Preferred(weight) => weight,
            };
            if weight != 0 {
                sums.count(cycle, &held.term, &held.nodes, weight);
            }
        }
    }
}

// === impl Sums ===

impl<'a> Sums<'a> {
    fn count<'n>(
        &mut self,
        cycle: &Cycle<'a>,
        term: &'a PodTerm,
        nodes: impl IntoIterator<Item = (&'n NodeId, &'n u32)>,
        weight: i32,
    ) {
        let key = &*term.topology_key;
        let known = self.by_key.iter().position(|(other, ..)| *other == key);
        let at = match known {
            Some(at) => at,
            None => {
                let Some(topology) = cycle.snapshot.topology(key) else { return };
                self.by_key.push((key, topology, vec![0; topology.len()]));
                self.by_key.len() - 1
            }
        };
        let (_, topology, sums) = &mut self.by_key[at];
        for (node, count) in nodes {
            if let Some(sum) = sums.get_mut(topology.of(*node) as usize) {
                *sum += i64::from(weight) * i64::from(*count);
            }
        }
    }

    fn add_to(&self, nodes: &[NodeId], scores: &mut [i64]) {
        for (_, topology, sums) in &self.by_key {
            for (score, node) in scores.iter_mut().zip(nodes) {
                *score += sums.get(topology.of(*node) as usize).copied().unwrap_or(0);
            }
        }
    }
}

/// The least liked node gets nothing, the most liked all.
fn normalize(scores: &mut [i64]) {
    let (least, most) = (scores.iter().min().copied(), scores.iter().max().copied());
    let (Some(least), Some(most)) = (least, most) else { return };
    let range = (most - least) as f64;
    for score in scores {
        let share = if most > least { (*score - least) as f64 / range } else { 0.0 };
        *score = (MAX_SCORE as f64 * share) as i64;
    }
}
