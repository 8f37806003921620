mod extended;
mod random;
mod room;

use super::state::Turn;
use super::*;
use crate::testing::{node, pod};
use windlass_core::clock::Seeded;

fn of_profile(profile: Profile) -> State {
    let profile = Arc::new(profile);
    State::new(profile.clone().into(), Queue::new(profile), Extenders::default())
}

fn state() -> (State, Instant) {
    let profile = Profile::builder("default-scheduler")
        .plugin(crate::plugins::NodeResourcesFit::default(), 1)
        .build();
    let (mut state, now) = (of_profile(profile), Instant::now());
    state.node_seen(node("a", "4", &[]), now);
    (state, now)
}

fn turn(state: &mut State, now: Instant) -> Option<Turn> {
    state.turn(&Seeded::new(7), now)
}

fn placed(state: &mut State, now: Instant) -> crate::QueuedPod {
    match turn(state, now) {
        Some(Turn::Placed(mut together)) => {
            assert_eq!((&*together[0].1.node, together.len()), ("a", 1));
            together.remove(0).0
        }
        _ => panic!("there is room"),
    }
}

#[tokio::test(start_paused = true)]
async fn assumed_pods_take_room_until_they_are_forgotten() {
    let (mut state, now) = state();
    for name in ["p", "q"] {
        state.pod_seen(pod(name, "3"), now);
    }
    let first = placed(&mut state, now);
    assert!(matches!(turn(&mut state, now), Some(Turn::Refused(_, why))
        if why.message == "0/1 nodes are available: 1 Insufficient cpu."));
    state.forget(first, now);
    assert!(turn(&mut state, now).is_none() && !state.engine.snapshot.has_pod("p"));
    let later = now + std::time::Duration::from_secs(1);
    placed(&mut state, later);
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_ended_while_it_was_bound_is_not_tried_again() {
    let (mut state, now) = state();
    state.pod_seen(pod("p", "3"), now);
    let queued = placed(&mut state, now);
    state.pod_gone("p", now);
    state.forget(queued, now);
    assert!(state.queue.next_due().is_none() && state.queue.pop().is_none());
    assert_eq!(state.engine.snapshot.requested(crate::CPU), &[0]);
}

#[tokio::test(start_paused = true)]
async fn what_was_held_for_a_pod_that_ended_helps_others_when_it_is_let_go() {
    let (mut state, now) = state();
    state.pod_seen(pod("p", "3"), now);
    let queued = placed(&mut state, now);
    state.pod_gone("p", now);
    state.pod_seen(pod("q", "5"), now);
    assert!(matches!(turn(&mut state, now), Some(Turn::Refused(..))));
    let later = now + std::time::Duration::from_secs(20);
    assert!(turn(&mut state, later).is_none());
    state.forget(queued, later);
    assert!(matches!(turn(&mut state, later), Some(Turn::Refused(..))), "it is tried again");
}

#[tokio::test(start_paused = true)]
async fn a_pod_whose_end_was_asked_for_is_not_tried_again() {
    let (mut state, now) = state();
    state.pod_seen(pod("p", "3"), now);
    let queued = placed(&mut state, now);
    state.pod_seen(PodInfo { deleting: true, ..pod("p", "3") }, now);
    state.forget(queued, now);
    assert!(state.queue.next_due().is_none() && state.queue.pop().is_none());
    assert_eq!(state.engine.snapshot.requested(crate::CPU), &[0]);
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_another_one_bound_keeps_its_place() {
    let (mut state, now) = state();
    state.pod_seen(pod("p", "3"), now);
    let queued = placed(&mut state, now);
    state.pod_seen(pod("p", "3").on("a"), now);
    state.forget(queued, now);
    assert_eq!(state.engine.snapshot.requested(crate::CPU), &[3000]);
    assert!(state.queue.next_due().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_changed_while_it_was_bound_is_tried_as_it_is_now() {
    let (mut state, now) = state();
    state.pod_seen(pod("p", "3"), now);
    let queued = placed(&mut state, now);
    state.pod_seen(pod("p", "2"), now);
    assert!(turn(&mut state, now).is_none(), "it has a place");
    state.forget(queued, now);
    let again = placed(&mut state, now + std::time::Duration::from_secs(1));
    assert_eq!(*again.pod, pod("p", "2"));
}

#[tokio::test(start_paused = true)]
async fn a_node_that_only_lives_wakes_nobody() {
    let (mut state, now) = state();
    state.pod_seen(pod("p", "3").on("a"), now);
    state.pod_seen(pod("q", "3"), now);
    assert!(matches!(turn(&mut state, now), Some(Turn::Refused(..))));
    let later = now + std::time::Duration::from_secs(60);
    state.node_seen(node("a", "4", &[]), later);
    state.pod_seen(pod("p", "3").on("a"), later);
    assert!(turn(&mut state, later).is_none());
    state.pod_seen(pod("p", "1").on("a"), later);
    placed(&mut state, later);
}

#[test]
fn sidecars_and_init_containers_count_as_they_run() {
    let spec = serde_json::json!({
        "initContainers": [
            {"name": "side", "restartPolicy": "Always", "resources": {"requests": {"cpu": "1"}}},
            {"name": "init", "resources": {"requests": {"cpu": "4"}}}],
        "containers": [{"name": "c", "resources": {"requests": {"cpu": "2"}}}]});
    let pod = crate::testing::pod_with("p", spec);
    assert!(pod.requests.contains(&(crate::snapshot::CPU, 5000)), "{:?}", pod.requests);
}

#[test]
fn a_pod_that_is_resized_counts_with_the_most_of_what_it_asks_for_and_has() {
    let cpu = |cpu: &str| serde_json::json!({"requests": {"cpu": cpu}});
    let requested = |asks: &str, has: &str, allocated: &str, reason: &str| {
        let pod = serde_json::json!({
            "metadata": {"name": "p", "namespace": "default", "uid": "p"},
            "spec": {"containers": [{"name": "c", "resources": cpu(asks)}],
                "initContainers": [{"name": "s", "restartPolicy": "Always", "resources": cpu("1")}]},
            "status": {
                "conditions": [{"type": "PodResizePending", "status": "True", "reason": reason}],
                "initContainerStatuses": [{"name": "s", "resources": cpu("1500m")}],
                "containerStatuses": [{"name": "c", "resources": cpu(has),
                    "allocatedResources": {"cpu": allocated}}]}});
        let pod = Object::from_wire(pod.to_string().into()).expect("an object");
        let pod = PodInfo::new(&pod).expect("a pod");
        let all = [&pod.requests, &pod.non_zero_requests];
        all.map(|all| all.iter().find(|(id, _)| *id == crate::CPU).map_or(0, |(_, cpu)| *cpu))
    };
    for (asks, has, allocated, reason, expected) in [
        ("1", "1", "1", "", 2500),
        ("1", "3", "1", "", 4500),
        ("1", "2", "4", "Deferred", 5500),
        ("6", "2", "2", "Deferred", 7500),
        ("6", "2", "2", "Infeasible", 3500),
    ] {
        assert_eq!(requested(asks, has, allocated, reason), [expected; 2], "{asks} {has} {reason}");
    }
}

fn in_gang(name: &str, group: &str) -> PodInfo {
    let spec = serde_json::json!({"schedulingGroup": {"podGroupName": group},
        "containers": [{"name": "c", "resources": {"requests": {"cpu": "1"}}}]});
    crate::testing::pod_with(name, spec)
}

fn group(name: &str, min_count: u32) -> Arc<Object> {
    let group = serde_json::json!({"metadata": {"name": name, "namespace": "default"},
        "spec": {"schedulingPolicy": {"gang": {"minCount": min_count}}}});
    Arc::new(Object::from_wire(group.to_string().into()).expect("an object"))
}

fn gang_state() -> (State, Instant) {
    let profile = Profile::builder("default-scheduler")
        .plugin(crate::plugins::NodeResourcesFit::default(), 1)
        .plugin(crate::gang::GangScheduling, 0);
    let (mut state, now) = (of_profile(profile.build()), Instant::now());
    state.node_seen(node("a", "4", &[]), now);
    (state, now)
}

/// How many got nodes in each turn, and the messages of those that did not.
fn turns(state: &mut State, now: Instant) -> (Vec<usize>, Vec<String>) {
    let (mut placed, mut refused) = (vec![], vec![]);
    while let Some(turn) = turn(state, now) {
        match turn {
            Turn::Placed(together) => placed.push(together.len()),
            Turn::Refused(_, why) => refused.push(why.message),
            Turn::Consult(..) | Turn::MakeRoom(..) => panic!("there are no extenders"),
        }
    }
    (placed, refused)
}

#[tokio::test(start_paused = true)]
async fn a_gang_gets_nodes_together_once_all_are_there() {
    let (mut state, now) = gang_state();
    state.pod_seen(in_gang("p0", "g"), now);
    assert_eq!(turns(&mut state, now).1, ["waiting for pod group \"g\" to appear"]);
    let later = now + std::time::Duration::from_secs(20);
    state.object_seen(&crate::gang::POD_GROUPS, &group("g", 3), later);
    state.pod_seen(in_gang("p1", "g"), later);
    let (placed, refused) = turns(&mut state, later);
    assert_eq!((placed, refused.len()), (vec![], 2));
    state.pod_seen(in_gang("p2", "g"), later);
    assert_eq!(turns(&mut state, later), (vec![3], vec![]));
    assert_eq!(state.engine.snapshot.requested(crate::CPU), &[3000]);
    // The rest of it may come one by one.
    state.pod_seen(in_gang("p3", "g"), later);
    assert_eq!(turns(&mut state, later), (vec![1], vec![]));
}

#[tokio::test(start_paused = true)]
async fn of_a_gang_that_does_not_fit_no_pod_holds_a_node() {
    let (mut state, now) = gang_state();
    for (name, min_count) in [("large", 5), ("small", 2)] {
        state.object_seen(&crate::gang::POD_GROUPS, &group(name, min_count), now);
        for n in 0..min_count {
            state.pod_seen(in_gang(&format!("{name}{n}"), name), now);
        }
    }
    let (placed, refused) = turns(&mut state, now);
    assert_eq!((placed, refused.len()), (vec![2], 5));
    assert!(refused.iter().any(|m| m == "only 4 of 5 pods of the gang have room"), "{refused:?}");
    assert_eq!(state.engine.snapshot.requested(crate::CPU), &[2000]);
    let later = now + std::time::Duration::from_secs(20);
    state.node_seen(node("b", "3", &[]), later);
    assert_eq!(turns(&mut state, later), (vec![5], vec![]));
}

#[tokio::test(start_paused = true)]
async fn a_large_gang_is_looked_at_once_a_turn() {
    const MANY: u32 = 1000;
    let (mut state, now) = gang_state();
    state.object_seen(&crate::gang::POD_GROUPS, &group("g", MANY), now);
    let mut refused = 0;
    for n in 0..MANY {
        state.pod_seen(in_gang(&format!("p{n}"), "g"), now);
        let (placed, messages) = turns(&mut state, now);
        assert!(placed.is_empty(), "one node has no room for all");
        refused += messages.len();
    }
    // Each alone when it came, and all together at the last one.
    assert_eq!(refused as u32, 2 * MANY - 1);
}

#[tokio::test(start_paused = true)]
async fn those_of_a_gang_that_were_tried_back_off_when_it_grows() {
    let (mut state, now) = gang_state();
    state.object_seen(&crate::gang::POD_GROUPS, &group("g", 5), now);
    (0..5).for_each(|n| state.pod_seen(in_gang(&format!("p{n}"), "g"), now));
    let (placed, refused) = turns(&mut state, now);
    assert_eq!((placed, refused.len(), state.queue.counts()), (vec![], 5, [0, 0, 5]));
    state.pod_seen(in_gang("p5", "g"), now);
    assert_eq!(state.queue.counts(), [1, 5, 0]);
}
