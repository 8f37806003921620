//! Random runs from seeds: nodes and pods come and go, bindings fail. What must hold always is looked at after each step.

use super::*;
use crate::gang::{GangScheduling, POD_GROUPS};
use crate::preemption::DefaultPreemption;
use crate::testing::{node, pod_with};
use serde_json::json;
use std::collections::BTreeMap;
use std::time::Duration;
use windlass_core::clock::Random;

const GANG: usize = 4;

/// The cluster as an API server would know it.
struct World {
    state: State,
    random: Seeded,
    now: Instant,
    nodes: Vec<String>,
    /// Pods with the node they are bound to.
    pods: BTreeMap<String, (PodInfo, Option<String>)>,
    made: u64,
}

impl World {
    fn new(seed: u64) -> Self {
        let profile = Profile::builder("default-scheduler")
            .plugin(crate::plugins::PrioritySort, 0)
            .plugin(crate::plugins::NodeUnschedulable, 0)
            .plugin(crate::plugins::NodeResourcesFit::default(), 1)
            .plugin(crate::plugins::BalancedAllocation::default(), 1)
            .plugin(DefaultPreemption::default(), 0)
            .plugin(GangScheduling, 0)
            .build();
        let mut state = of_profile(profile);
        let now = Instant::now();
        for n in 0..50 {
            state.object_seen(&POD_GROUPS, &super::group(&format!("g{n}"), GANG as u32), now);
        }
        let (nodes, pods) = (Vec::new(), BTreeMap::new());
        Self { state, random: Seeded::new(seed), now, nodes, pods, made: 0 }
    }

    fn below(&self, limit: usize) -> usize {
        (self.random.next() % limit as u64) as usize
    }

    fn add_node(&mut self, cpu: usize) {
        self.made += 1;
        let name = format!("n{}", self.made);
        self.state.node_seen(node(&name, &cpu.to_string(), &[]), self.now);
        self.nodes.push(name);
    }

    /// A node fails: it goes, and with it its pods.
    fn lose_node(&mut self) {
        if self.nodes.len() < 3 {
            return;
        }
        let gone = self.nodes.swap_remove(self.below(self.nodes.len()));
        self.state.node_gone(&gone, self.now);
        let lost: Vec<String> = self
            .pods
            .iter()
            .filter(|(_, (_, on))| *on == Some(gone.clone()))
            .map(|(uid, _)| uid.clone())
            .collect();
        lost.iter().for_each(|uid| self.end_pod(uid));
    }

    fn add_pod(&mut self, group: Option<usize>) {
        self.made += 1;
        let uid = format!("p{}", self.made);
        let cpu = format!("{}00m", 1 + self.below(20));
        let priority = if group.is_some() { 5 } else { self.below(3) * 5 };
        let mut spec = json!({"priority": priority,
            "containers": [{"name": "c", "resources": {"requests": {"cpu": cpu}}}]});
        if let Some(group) = group {
            spec["schedulingGroup"]["podGroupName"] = format!("g{group}").into();
        }
        let pod = pod_with(&uid, spec);
        self.state.pod_seen(pod.clone(), self.now);
        self.pods.insert(uid, (pod, None));
    }

    fn end_pod(&mut self, uid: &str) {
        self.pods.remove(uid);
        self.state.pod_gone(uid, self.now);
    }

    /// All turns there are now; one binding in `fails` does.
    fn schedule(&mut self, fails: usize) {
        while let Some(turn) = self.state.turn(&self.random, self.now) {
            match turn {
                Turn::Placed(together) => self.bind(together, fails),
                Turn::Refused(queued, why) => {
                    for victim in &why.victims {
                        assert!(why.nominated.is_some());
                        self.end_pod(&victim.uid);
                    }
                    self.state.room_asked_for(&queued.pod.uid, self.now);
                }
                Turn::Consult(..) | Turn::MakeRoom(..) => panic!("there are no extenders"),
            }
            self.check();
        }
    }

    fn bind(&mut self, together: smallvec::SmallVec<[state::Placed; 1]>, fails: usize) {
        let gang = &*together[0].0.pod.pod_group;
        if !gang.is_empty() {
            let bound = self
                .pods
                .values()
                .filter(|(pod, on)| *pod.pod_group == *gang && on.is_some())
                .count();
            assert!(bound + together.len() >= GANG, "{gang} is not whole");
        }
        for (queued, placement) in together {
            let uid = queued.pod.uid.to_string();
            if fails > 0 && self.below(fails) == 0 {
                self.state.forget(queued, self.now);
            } else if let Some((pod, on)) = self.pods.get_mut(&uid) {
                *on = Some(placement.node.to_string());
                let bound = pod.clone().on(&placement.node);
                self.state.pod_seen(bound, self.now);
            }
        }
    }

    /// No node is overcommitted.
    fn check(&self) {
        let snapshot = &self.state.engine.snapshot;
        let (has, used) = (snapshot.allocatable(crate::CPU), snapshot.requested(crate::CPU));
        for id in snapshot.nodes().iter() {
            let sum: i64 = snapshot.pods_on(id).iter().map(|pod| cpu_of(pod)).sum();
            assert_eq!(sum, used[id as usize], "the columns are the sums of the pods");
            assert!(sum <= has[id as usize], "{} is overcommitted", snapshot.name(id));
        }
    }

    fn step(&mut self) {
        match self.below(12) {
            0 => self.add_node(4),
            1 => self.lose_node(),
            2..4 => {
                let uid = self.pods.keys().nth(self.below(self.pods.len().max(1))).cloned();
                uid.into_iter().for_each(|uid| self.end_pod(&uid));
            }
            4 => {
                let group = self.below(50);
                (0..GANG).for_each(|_| self.add_pod(Some(group)));
            }
            _ => self.add_pod(None),
        }
        self.now += Duration::from_millis(self.below(3000) as u64);
        self.schedule(5);
        self.check();
    }
}

fn cpu_of(pod: &PodInfo) -> i64 {
    pod.requests.iter().find(|(resource, _)| *resource == crate::CPU).map_or(0, |(_, cpu)| *cpu)
}

#[tokio::test(start_paused = true)]
async fn no_node_is_overcommitted_gangs_are_whole_and_no_pod_is_lost() {
    for seed in 0..25 {
        let mut world = World::new(seed);
        (0..5).for_each(|_| world.add_node(4));
        (0..200).for_each(|_| world.step());
        // Failures end, and there is room for all: all get a node, but for the rests of gangs.
        (0..100).for_each(|_| world.add_node(16));
        for _ in 0..40 {
            world.now += Duration::from_secs(20);
            world.schedule(0);
        }
        let mut members: BTreeMap<&str, usize> = BTreeMap::new();
        for (pod, _) in world.pods.values() {
            *members.entry(&pod.pod_group).or_default() += 1;
        }
        for (uid, (pod, on)) in &world.pods {
            let whole = pod.pod_group.is_empty() || members[&*pod.pod_group] >= GANG;
            assert!(on.is_some() || !whole, "seed {seed}: {uid} was lost");
        }
    }
}
