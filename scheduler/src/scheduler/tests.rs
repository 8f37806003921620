use super::state::Turn;
use super::*;
use crate::testing::{node, pod};
use windlass_core::clock::Seeded;

fn state() -> (State, Instant) {
    let profile =
        Profile::builder("default-scheduler").plugin(crate::plugins::NodeResourcesFit, 1).build();
    let (mut state, now) = (State::new(Arc::new(profile)), Instant::now());
    state.node_seen(node("a", "4", &[]), now);
    (state, now)
}

fn turn(state: &mut State, now: Instant) -> Option<Turn> {
    state.turn(&Seeded::new(7), now)
}

fn placed(state: &mut State, now: Instant) -> crate::QueuedPod {
    match turn(state, now) {
        Some(Turn::Placed(queued, placement)) => {
            assert_eq!(&*placement.node, "a");
            queued
        }
        _ => panic!("there is room"),
    }
}

#[tokio::test(start_paused = true)]
async fn assumed_pods_take_room_until_they_are_forgotten() {
    let (mut state, now) = state();
    for name in ["p", "q"] {
        state.pod_seen(pod(name, "3"), false, now);
    }
    let first = placed(&mut state, now);
    assert!(matches!(turn(&mut state, now), Some(Turn::Refused(_, why))
        if why.message == "0/1 nodes are available: 1 Insufficient cpu."));
    state.forget(first, now);
    assert!(turn(&mut state, now).is_none() && !state.snapshot.has_pod("p"));
    let later = now + std::time::Duration::from_secs(1);
    placed(&mut state, later);
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_ended_while_it_was_bound_is_not_tried_again() {
    let (mut state, now) = state();
    state.pod_seen(pod("p", "3"), false, now);
    let queued = placed(&mut state, now);
    state.pod_gone("p", now);
    state.forget(queued, now);
    assert!(state.queue.next_due().is_none() && state.queue.pop().is_none());
    assert_eq!(state.snapshot.requested(crate::CPU), &[0]);
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_another_one_bound_keeps_its_place() {
    let (mut state, now) = state();
    state.pod_seen(pod("p", "3"), false, now);
    let queued = placed(&mut state, now);
    state.pod_seen(pod("p", "3").on("a"), false, now);
    state.forget(queued, now);
    assert_eq!(state.snapshot.requested(crate::CPU), &[3000]);
    assert!(state.queue.next_due().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_changed_while_it_was_bound_is_tried_as_it_is_now() {
    let (mut state, now) = state();
    state.pod_seen(pod("p", "3"), false, now);
    let queued = placed(&mut state, now);
    state.pod_seen(pod("p", "2"), false, now);
    assert!(turn(&mut state, now).is_none(), "it has a place");
    state.forget(queued, now);
    let again = placed(&mut state, now + std::time::Duration::from_secs(1));
    assert_eq!(*again.pod, pod("p", "2"));
}

#[tokio::test(start_paused = true)]
async fn a_node_that_only_lives_wakes_nobody() {
    let (mut state, now) = state();
    state.pod_seen(pod("p", "3").on("a"), false, now);
    state.pod_seen(pod("q", "3"), false, now);
    assert!(matches!(turn(&mut state, now), Some(Turn::Refused(..))));
    let later = now + std::time::Duration::from_secs(60);
    state.node_seen(node("a", "4", &[]), later);
    state.pod_seen(pod("p", "3").on("a"), false, later);
    assert!(turn(&mut state, later).is_none());
    state.pod_seen(pod("p", "1").on("a"), false, later);
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
fn demands_that_no_plugin_looks_at_are_known() {
    let wish = serde_json::json!({"containers": [], "topologySpreadConstraints":
        [{"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway"}]});
    assert!(crate::testing::pod_with("p", wish).ignored.is_empty());
    let term = serde_json::json!({"topologyKey": "kubernetes.io/hostname", "labelSelector": {}});
    let demand = serde_json::json!({"containers": [],
        "affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}},
        "topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}],
        "volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "c"}}]});
    assert_eq!(
        crate::testing::pod_with("p", demand).ignored,
        [
            "required pod anti-affinity",
            "topology spread constraints",
            "where the volumes of its claims are"
        ]
    );
}
