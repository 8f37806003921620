//! Who must go on which node: tried out on the snapshot, which is as before afterwards.

use super::Budgets;
use crate::PodInfo;
use crate::framework::{Cycle, Failed, Feasible};
use crate::snapshot::{NodeId, NodeSet};
use std::cmp::Reverse;
use std::sync::Arc;

/// So many nodes are tried at once at most: what is taken out must be put back.
const AT_ONCE: usize = 512;

/// A node on which room can be made.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    pub(crate) node: NodeId,
    /// Who must go, the most important first.
    pub(crate) victims: Vec<Arc<PodInfo>>,
    /// How many of them exceed a budget.
    pub(crate) violations: usize,
}

/// Reasons with the number of nodes they stand for.
type Reasons = Vec<(String, usize)>;

pub(super) struct DryRun<'a, 'b> {
    failed: &'a mut Failed<'b>,
    found: Vec<Candidate>,
    reasons: Reasons,
}

/// A node of which all lower pods were taken.
struct Emptied {
    node: NodeId,
    pods: Vec<Arc<PodInfo>>,
}

/// A node that takes its pods back.
struct Refilling {
    candidate: Candidate,
    /// Those not asked about yet, the next one last, each with whether its end exceeds a budget.
    rest: Vec<(Arc<PodInfo>, bool)>,
}

impl<'a, 'b> DryRun<'a, 'b> {
    pub(super) fn new(failed: &'a mut Failed<'b>) -> Self {
        Self { failed, found: Vec::new(), reasons: Vec::new() }
    }

    /// Tries nodes, in this order, until so many candidates are found. Says what was found, and why nothing was on the other
    /// nodes. Pods that are promised nodes count as there: on the nodes that are tried, and on all when a plugin looks
    /// beyond single nodes.
    pub(super) fn run(mut self, nodes: &[NodeId], wanted: usize) -> (Vec<Candidate>, Reasons) {
        let outer = self.failed.snapshot.begin_trial();
        if self.failed.profile.looks_far(self.failed.pod, self.failed.snapshot) {
            let all = self.failed.snapshot.nodes().clone();
            self.beside_promises(&all, |this| this.try_nodes(nodes, wanted, 1));
        } else {
            self.try_nodes(nodes, wanted, wanted.min(AT_ONCE));
        }
        self.failed.snapshot.end_trial(outer);
        (self.found, self.reasons)
    }

    fn beside_promises(&mut self, on: &NodeSet, what: impl FnOnce(&mut Self)) {
        let Failed { pod, snapshot, nominated, .. } = &mut *self.failed;
        let promises = nominated.heeded_by(pod, snapshot, on);
        // Those of a larger try are there already, and are no more heeded.
        for (node, other) in &promises {
            self.failed.snapshot.place(other.clone(), *node);
        }
        what(self);
        for (_, other) in &promises {
            self.failed.snapshot.remove_pod(&other.uid);
        }
    }

    fn try_nodes(&mut self, nodes: &[NodeId], wanted: usize, at_once: usize) {
        for some in nodes.chunks(at_once) {
            let on = some.iter().copied().collect();
            self.beside_promises(&on, |this| this.try_together(some));
            let kind = |candidate: &Candidate| candidate.violations == 0;
            if self.found.len() >= wanted && self.found.iter().any(kind) {
                return;
            }
        }
    }

    fn try_together(&mut self, nodes: &[NodeId]) {
        let emptied: Vec<Emptied> = nodes.iter().map(|node| self.empty(*node)).collect();
        let fits = self.fits(nodes.iter().copied().collect(), true);
        let mut refilling = Vec::new();
        for emptied in emptied {
            match fits.contains(emptied.node) {
                true => refilling.push(self.begin(emptied)),
                false => self.put_back(emptied.node, &emptied.pods),
            }
        }
        while refilling.iter().any(|node| !node.rest.is_empty()) {
            self.round(&mut refilling);
        }
        for Refilling { mut candidate, .. } in refilling {
            self.put_back(candidate.node, &candidate.victims);
            if !candidate.victims.is_empty() {
                candidate.victims.sort_by_key(importance);
                self.found.push(candidate);
            }
        }
    }

    fn empty(&mut self, node: NodeId) -> Emptied {
        let priority = self.failed.pod.priority;
        // Of those that are promised nodes only pods that are no lower are there.
        let lower = self.failed.snapshot.pods_on(node).iter();
        let lower = lower.filter(|pod| pod.priority < priority);
        let mut pods: Vec<Arc<PodInfo>> = lower.cloned().collect();
        pods.sort_by_key(importance);
        pods.iter().for_each(|pod| self.failed.snapshot.lift(pod, node));
        Emptied { node, pods }
    }

    fn put_back(&mut self, node: NodeId, pods: &[Arc<PodInfo>]) {
        pods.iter().for_each(|pod| self.failed.snapshot.put_back(pod, node));
    }

    /// Those first whose end exceeds a budget, then the others, each in the order of importance.
    fn begin(&self, Emptied { node, pods }: Emptied) -> Refilling {
        let exceeding = match self.failed.snapshot.columns::<Budgets>() {
            Some(budgets) => budgets.exceeded_by(&pods),
            None => vec![false; pods.len()],
        };
        let mut rest: Vec<_> = pods.into_iter().zip(exceeding).collect();
        rest.sort_by_key(|(_, exceeds)| !exceeds);
        rest.reverse();
        Refilling { candidate: Candidate { node, victims: Vec::new(), violations: 0 }, rest }
    }

    /// Each node takes one pod back; where the pod to place fits no more, that one must go.
    fn round(&mut self, refilling: &mut [Refilling]) {
        let mut asked = NodeSet::default();
        let mut back: Vec<Option<(Arc<PodInfo>, bool)>> = Vec::with_capacity(refilling.len());
        for node in refilling.iter_mut() {
            let next = node.rest.pop();
            if let Some((pod, _)) = &next {
                self.failed.snapshot.put_back(pod, node.candidate.node);
                asked.set(node.candidate.node, true);
            }
            back.push(next);
        }
        let fits = self.fits(asked, false);
        for (node, next) in refilling.iter_mut().zip(back) {
            if let Some((pod, exceeds)) = next
                && !fits.contains(node.candidate.node)
            {
                self.failed.snapshot.lift(&pod, node.candidate.node);
                node.candidate.victims.push(pod);
                node.candidate.violations += usize::from(exceeds);
            }
        }
    }

    fn fits(&mut self, nodes: NodeSet, tell: bool) -> NodeSet {
        let mut cycle = Cycle::new(self.failed.pod, self.failed.snapshot);
        match cycle.filter_among(self.failed.profile, nodes) {
            Ok(feasible) => {
                if tell {
                    let refusals = feasible.refusals().iter();
                    let said = refusals.map(|said| (said.reason.to_string(), said.nodes.len()));
                    self.reasons.extend(said);
                }
                Feasible::into_nodes(feasible)
            }
            Err(_) => NodeSet::default(),
        }
    }
}

/// Sorts the most important pod first: by priority, then who runs longer.
fn importance(pod: &Arc<PodInfo>) -> (Reverse<i32>, i64) {
    (Reverse(pod.priority), pod.started.unwrap_or(i64::MAX))
}
