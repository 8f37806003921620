//! However the state was reached, packets meet what the policies say, and the state is the one
//! that a full resync would make.

use std::net::IpAddr;

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::json;

use super::entry;
use super::oracle::*;
use crate::model::{NamespacedName, Protocol};
use crate::policy::{Packet, PolicyState, PolicyTracker};

#[derive(Clone, Debug)]
pub(crate) enum Step {
    Pod(Pod),
    PodGone(usize, usize),
    Team(usize, usize),
    Policy(Policy),
    PolicyGone(usize, usize),
}

fn some(count: usize) -> impl Strategy<Value = Option<usize>> {
    proptest::option::of(0..count)
}

fn any_pod() -> impl Strategy<Value = Pod> {
    let parts = (0..2_usize, 0..4_usize, 0..2_usize, any::<bool>());
    let rare = proptest::bool::weighted(0.1);
    (parts, rare, proptest::bool::weighted(0.1), select(vec![80, 8080])).prop_map(
        |((namespace, name, app, here), host_network, over, web)| Pod {
            namespace,
            name,
            app,
            here,
            host_network,
            over,
            web,
        },
    )
}

fn any_rules() -> impl Strategy<Value = Option<Vec<Rule>>> {
    let peer = prop_oneof![
        some(2).prop_map(Peer::Pods),
        (some(2), some(2)).prop_map(|(team, app)| Peer::Namespaces(team, app)),
        any::<bool>().prop_map(Peer::Block),
    ];
    let port = prop_oneof![
        select(vec![Protocol::Tcp, Protocol::Udp, Protocol::Sctp]).prop_map(Port::All),
        select(vec![(80, 80), (80, 90), (85, 443)])
            .prop_map(|(first, last)| Port::Range(first, last)),
        Just(Port::Web),
    ];
    let rule = (proptest::collection::vec(peer, 0..3), proptest::collection::vec(port, 0..3))
        .prop_map(|(peers, ports)| Rule { peers, ports });
    proptest::option::of(proptest::collection::vec(rule, 0..3))
}

fn any_policy() -> impl Strategy<Value = Policy> {
    (0..2_usize, 0..3_usize, some(2), any_rules(), any_rules()).prop_map(
        |(namespace, name, app, ingress, egress)| {
            // Neither would mean ingress, by default.
            let neither = ingress.is_none() && egress.is_none();
            let ingress = if neither { Some(Vec::new()) } else { ingress };
            Policy { namespace, name, app, ingress, egress }
        },
    )
}

pub(crate) fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => any_pod().prop_map(Step::Pod),
        1 => (0..2_usize, 0..4_usize).prop_map(|(namespace, name)| Step::PodGone(namespace, name)),
        1 => (0..2_usize, 0..2_usize).prop_map(|(namespace, team)| Step::Team(namespace, team)),
        3 => any_policy().prop_map(Step::Policy),
        1 => (0..2_usize, 0..3_usize).prop_map(|(namespace, name)| Step::PolicyGone(namespace, name)),
    ]
}

pub(crate) fn tell(step: &Step, tracker: &mut PolicyTracker) {
    let name = |namespace: usize, name| NamespacedName::new(NAMESPACES[namespace], name);
    match step {
        Step::Pod(pod) => tracker.pod_applied(entry(&pod.object())),
        Step::PodGone(namespace, pod) => {
            tracker.pod_deleted(&name(*namespace, format!("pod-{pod}")));
        }
        Step::Team(namespace, team) => tracker.namespace_applied(&entry(
            &json!({"metadata": {"name": NAMESPACES[*namespace], "labels": {"team": TEAMS[*team]}}}),
        )),
        Step::Policy(policy) => tracker.policy_applied(&entry(&policy.object())),
        Step::PolicyGone(namespace, policy) => {
            tracker.policy_deleted(&name(*namespace, format!("policy-{policy}")));
        }
    }
}

impl World {
    fn step(&mut self, step: &Step) {
        match step.clone() {
            Step::Pod(pod) => {
                self.pods.retain(|old| (old.namespace, old.name) != (pod.namespace, pod.name));
                self.pods.push(pod);
            }
            Step::PodGone(namespace, name) => {
                self.pods.retain(|old| (old.namespace, old.name) != (namespace, name));
            }
            Step::Team(namespace, team) => self.teams[namespace] = team,
            Step::Policy(policy) => {
                self.policies
                    .retain(|old| (old.namespace, old.name) != (policy.namespace, policy.name));
                self.policies.push(policy);
            }
            Step::PolicyGone(namespace, name) => {
                self.policies.retain(|old| (old.namespace, old.name) != (namespace, name));
            }
        }
    }

    fn tell(&self, tracker: &mut PolicyTracker) {
        let teams = (0..2).map(|namespace| Step::Team(namespace, self.teams[namespace]));
        let policies = self.policies.iter().cloned().map(Step::Policy);
        let pods = self.pods.iter().cloned().map(Step::Pod);
        policies.chain(pods).chain(teams).for_each(|step| tell(&step, tracker));
    }
}

fn packets() -> impl Iterator<Item = Packet> {
    let ips =
        || (0..8).map(|last| IpAddr::from([10, 0, 0, last])).chain([IpAddr::from([192, 0, 2, 1])]);
    let ports =
        [(Protocol::Tcp, 80), (Protocol::Tcp, 443), (Protocol::Tcp, 8080), (Protocol::Udp, 80)];
    ips().flat_map(move |source| {
        ips().flat_map(move |destination| {
            ports.map(|(protocol, port)| Packet { source, destination, protocol, port })
        })
    })
}

proptest! {
    #[test]
    fn packets_meet_what_the_policies_say(changes in proptest::collection::vec(proptest::collection::vec(any_step(), 1..5), 1..12)) {
        let mut world = World::default();
        let (mut tracker, mut state) = (PolicyTracker::new("here"), PolicyState::default());
        World::default().tell(&mut tracker);
        for change in changes {
            for step in &change {
                world.step(step);
                tell(step, &mut tracker);
            }
            state.apply(&tracker.take());
            prop_assert!(tracker.take().is_empty());
            for packet in packets() {
                prop_assert_eq!(state.allows(&packet), world.allows(&packet), "{:?}", packet);
            }
            let mut of_snapshot = PolicyState::default();
            of_snapshot.apply(&tracker.snapshot());
            prop_assert_eq!(&of_snapshot, &state);
            let (mut anew, mut fresh) = (PolicyTracker::new("here"), PolicyState::default());
            world.tell(&mut anew);
            fresh.apply(&anew.take());
            prop_assert_eq!(fresh.len(), state.len(), "as much as a full resync would make");
        }
    }
}
