use super::*;
use crate::testing::{node, pod};
use crate::{ClusterEvent, PodInfo};

#[tokio::test(start_paused = true)]
async fn assumed_pods_take_room_until_they_are_forgotten() {
    let profile = Arc::new(
        Profile::builder("default-scheduler").plugin(crate::plugins::NodeResourcesFit, 1).build(),
    );
    let mut state = State::new(profile.clone());
    state.snapshot.set_node(&node("a", "4", &[]));
    let (now, random) = (Instant::now(), windlass_core::clock::Seeded::new(7));
    for name in ["p", "q"] {
        state.queue.add(Arc::new(pod(name, "3")), now);
    }
    let first = state.queue.pop().expect("two pods");
    let id =
        Cycle::new(&first.pod, &state.snapshot).place(&profile, &random).expect("room for one");
    assert_eq!(&*state.assume(&first.pod, id).node, "a");
    let second = state.queue.pop().expect("two pods");
    let why = Cycle::new(&second.pod, &state.snapshot)
        .place(&profile, &random)
        .expect_err("no room left");
    state.queue.park(second, &why, now);
    state.forget(first, now);
    let later = now + std::time::Duration::from_secs(1);
    state.queue.advance(later);
    assert_eq!(std::iter::from_fn(|| state.queue.pop()).count(), 2);
    state.queue.wake(&ClusterEvent::PodDeleted, later);
    assert!(!state.snapshot.has_pod("p"));
}

#[test]
fn sidecars_and_init_containers_count_as_they_run() {
    let spec = serde_json::json!({
        "initContainers": [
            {"name": "side", "restartPolicy": "Always", "resources": {"requests": {"cpu": "1"}}},
            {"name": "init", "resources": {"requests": {"cpu": "4"}}}],
        "containers": [{"name": "c", "resources": {"requests": {"cpu": "2"}}}]});
    let PodInfo { requests, .. } = crate::testing::pod_with("p", spec);
    assert!(requests.contains(&(crate::snapshot::CPU, 5000)), "{requests:?}");
}
