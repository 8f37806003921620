//! Pods in which extenders have a say: they are asked between two looks at the cluster.

use super::{State, Turn};
use crate::PodInfo;
use crate::extender::{Consulted, NAME, NamedRoom, Refused};
use crate::framework::{Candidates, Feasible, Profile, Unschedulable};
use crate::preemption::{Candidate, choose};
use crate::queue::QueuedPod;
use crate::snapshot::{NodeSet, Snapshot};
use smallvec::smallvec;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::time::Instant;
use windlass_core::clock::Random;
use windlass_core::meta::Str;

impl State {
    /// The first half of a turn: what the plugins leave.
    pub(super) fn consult(
        &mut self,
        queued: QueuedPod,
        profile: &Arc<Profile>,
        now: Instant,
    ) -> Turn {
        match self.engine.candidates(&queued.pod, profile) {
            Ok(Candidates { nodes, scores }) => {
                let score = |at: usize| scores.get(at).copied().unwrap_or(0);
                let name =
                    |(at, id): (usize, &u32)| (self.engine.snapshot.name(*id).clone(), score(at));
                let nodes = nodes.iter().enumerate().map(name).collect();
                self.looks_outside(&queued);
                Turn::Consult(queued, nodes)
            }
            Err(why) => self.refuse(queued, why, now),
        }
    }

    /// The second half: the best of the nodes that extenders left, if it still has room. None: the pod has gone, or has its
    /// turn again.
    pub(in crate::scheduler) fn consulted(
        &mut self,
        mut queued: QueuedPod,
        said: Result<Consulted, String>,
        random: &dyn Random,
        now: Instant,
    ) -> Option<Turn> {
        let pod = self.still_asked(&mut queued, now)?;
        let Consulted { mut nodes, refused } = match said {
            Ok(consulted) => consulted,
            Err(error) => return Some(self.failed(queued, error, now)),
        };
        let profile = self.profiles.of(&pod).clone();
        if nodes.is_empty() {
            let refuse =
                |snapshot: &Snapshot, left: &mut Feasible| refuse(snapshot, left, &refused);
            let why = self.engine.refused_by(&pod, &profile, refuse, random);
            return Some(match why.rooms.is_empty() {
                true => self.refuse(queued, why, now),
                false => self.ask_for_room(queued, why),
            });
        }
        // A draw among equals: the sort keeps the order in which they stand.
        let turn = (random.next() % nodes.len() as u64) as usize;
        nodes.rotate_left(turn);
        nodes.sort_by_key(|(_, score)| std::cmp::Reverse(*score));
        for (name, _) in nodes {
            if let Some(id) = self.engine.snapshot.id(&name)
                && self.engine.fits(&pod, &profile, id)
            {
                self.queue.remove(&pod.uid);
                let placement = self.assume(&pod, id, now);
                return Some(Turn::Placed(smallvec![(queued, placement)]));
            }
        }
        // The cluster has changed meanwhile.
        self.queue.retry(queued, now);
        None
    }

    pub(super) fn ask_for_room(&mut self, queued: QueuedPod, mut why: Unschedulable) -> Turn {
        let named = |room: Candidate| (self.engine.snapshot.name(room.node).clone(), room);
        let rooms = std::mem::take(&mut why.rooms).into_iter().map(named).collect();
        self.looks_outside(&queued);
        Turn::MakeRoom(queued, why, rooms)
    }

    /// What happens while extenders are asked counts for the pod when they leave it no node.
    fn looks_outside(&mut self, queued: &QueuedPod) {
        self.consulting.insert(queued.pod.uid.clone(), queued.pod.clone());
        self.queue.listen(&queued.pod.uid);
    }

    /// Of the nodes that extenders left, the one where it hurts least.
    pub(in crate::scheduler) fn room_chosen(
        &mut self,
        mut queued: QueuedPod,
        mut why: Unschedulable,
        said: Result<Vec<NamedRoom>, String>,
        now: Instant,
    ) -> Option<Turn> {
        self.still_asked(&mut queued, now)?;
        let rooms = match said {
            Ok(rooms) => rooms,
            Err(error) => return Some(self.failed(queued, error, now)),
        };
        let snapshot = &self.engine.snapshot;
        let there = |(name, room): NamedRoom| Some(Candidate { node: snapshot.id(&name)?, ..room });
        let best = choose(rooms.into_iter().filter_map(there).collect());
        why.nominated = best.as_ref().map(|best| snapshot.name(best.node).clone());
        why.victims = best.map(|best| best.victims).unwrap_or_default();
        Some(self.refuse(queued, why, now))
    }

    /// A pod on a node, by their names.
    pub(in crate::scheduler) fn pod_on(&self, node: &str, uid: &str) -> Option<Arc<PodInfo>> {
        let id = self.engine.snapshot.id(node)?;
        self.engine.snapshot.pods_on(id).iter().find(|pod| *pod.uid == *uid).cloned()
    }

    /// The pod as it is now. One that asks for something else by now has its turn again.
    fn still_asked(&mut self, queued: &mut QueuedPod, now: Instant) -> Option<Arc<PodInfo>> {
        let pod = self.consulting.remove(&queued.pod.uid)?;
        if !pod.same_class(&queued.pod) {
            self.queue.add(pod, now);
            return None;
        }
        queued.pod = pod.clone();
        Some(pod)
    }

    fn failed(&mut self, queued: QueuedPod, error: String, now: Instant) -> Turn {
        self.queue.retry(queued.clone(), now);
        Turn::Refused(queued, Unschedulable { message: error, ..Unschedulable::default() })
    }
}

fn refuse(snapshot: &Snapshot, left: &mut Feasible, refused: &[Refused]) {
    let mut sets: BTreeMap<(bool, &str), NodeSet> = BTreeMap::new();
    let id = |node: &Str| snapshot.id(node);
    for (refused, id) in refused.iter().filter_map(|refused| Some((refused, id(&refused.node)?))) {
        sets.entry((refused.for_good, &refused.reason)).or_default().set(id, true);
    }
    left.asking(NAME);
    for ((for_good, reason), mut nodes) in sets {
        nodes.intersect(left.nodes());
        match for_good {
            true => left.refuse_for_good(nodes, reason.to_owned()),
            false => left.refuse(nodes, reason.to_owned()),
        }
    }
}
