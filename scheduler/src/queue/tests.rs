use super::*;
use crate::framework::Plugin;
use crate::plugins::{NodeResourcesFit, PrioritySort, SchedulingGates, TaintToleration};
use crate::testing::{node, pod, pod_with};
use serde_json::json;

fn queue() -> Queue {
    let profile = Profile::builder("test")
        .plugin(SchedulingGates, 0)
        .plugin(PrioritySort, 0)
        .plugin(NodeResourcesFit::default(), 1)
        .plugin(TaintToleration, 1);
    Queue::new(Arc::new(profile.build()))
}

fn popped(queue: &mut Queue) -> Vec<String> {
    std::iter::from_fn(|| queue.pop()).map(|queued| queued.pod.name.to_string()).collect()
}

fn refused(queue: &mut Queue, plugin: &'static str, now: Instant) {
    let queued = queue.pop().expect("a pod");
    queue.park(queued, &Unschedulable { plugins: vec![plugin], ..Unschedulable::default() }, now);
}

#[tokio::test(start_paused = true)]
async fn priority_first_then_age() {
    let (mut queue, now) = (queue(), Instant::now());
    for (name, priority) in [("a", 0), ("b", 5), ("c", 0), ("d", 5)] {
        let spec = json!({"containers": [], "priority": priority});
        queue.add(Arc::new(pod_with(name, spec)), now);
    }
    assert_eq!(popped(&mut queue), ["b", "d", "a", "c"]);
}

#[tokio::test(start_paused = true)]
async fn who_was_tried_goes_behind_those_that_wait() {
    let (mut queue, now) = (queue(), Instant::now());
    for name in ["parked", "retried", "new"] {
        queue.add(Arc::new(pod(name, "1")), now);
    }
    refused(&mut queue, "NodeResourcesFit", now);
    let second = queue.pop().expect("a pod");
    queue.retry(second, now);
    queue.wake(&ClusterEvent::PodDeleted(Arc::new(pod("gone", "1"))), now);
    queue.advance(now + Duration::from_secs(1));
    assert_eq!(popped(&mut queue), ["new", "parked", "retried"]);
}

#[tokio::test(start_paused = true)]
async fn an_event_wakes_only_what_it_may_help() {
    let (mut queue, now) = (queue(), Instant::now());
    queue.add(Arc::new(pod("big", "6")), now);
    refused(&mut queue, "NodeResourcesFit", now);
    let later = now + Duration::from_secs(60);
    queue.wake(&ClusterEvent::NodeAdded(Arc::new(node("small", "4", &[]))), later);
    assert_eq!(popped(&mut queue), [""; 0]);
    queue.wake(&ClusterEvent::NodeAdded(Arc::new(node("large", "8", &[]))), later);
    assert_eq!(popped(&mut queue), ["big"]);
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_failed_waits_before_it_is_tried_again() {
    let (mut queue, now) = (queue(), Instant::now());
    queue.add(Arc::new(pod("p", "1")), now);
    refused(&mut queue, "NodeResourcesFit", now);
    queue.wake(&ClusterEvent::PodDeleted(Arc::new(pod("gone", "1"))), now);
    assert_eq!(queue.next_due(), Some(now + Duration::from_secs(1)));
    queue.advance(now);
    assert_eq!(popped(&mut queue), [""; 0]);
    queue.advance(now + Duration::from_secs(1));
    assert_eq!(popped(&mut queue), ["p"]);
}

#[tokio::test(start_paused = true)]
async fn parked_pods_are_tried_again_in_the_end() {
    let (mut queue, now) = (queue(), Instant::now());
    queue.add(Arc::new(pod("p", "1")), now);
    refused(&mut queue, "TaintToleration", now);
    assert_eq!(queue.next_due(), Some(now + FLUSH_AFTER));
    queue.advance(now + FLUSH_AFTER);
    assert_eq!(popped(&mut queue), ["p"]);
}

#[tokio::test(start_paused = true)]
async fn gates_keep_a_pod_out_until_they_are_open() {
    let (mut queue, now) = (queue(), Instant::now());
    let gated = json!({"containers": [], "schedulingGates": [{"name": "x"}]});
    queue.add(Arc::new(pod_with("p", gated)), now);
    assert_eq!((popped(&mut queue), queue.next_due()), (vec![], None));
    let open = pod_with("p", json!({"containers": []}));
    assert!(queue.changes(&open));
    queue.add(Arc::new(open), now);
    assert_eq!(popped(&mut queue), ["p"]);
}

#[tokio::test(start_paused = true)]
async fn no_event_and_no_time_leads_past_a_gate() {
    let (mut queue, now) = (queue(), Instant::now());
    let gated = |gates: serde_json::Value| {
        let spec = json!({"containers": [], "schedulingGates": gates});
        Arc::new(pod_with("p", spec))
    };
    queue.add(gated(json!([{"name": "x"}, {"name": "y"}])), now);
    let other = Arc::new(pod("other", "1"));
    queue.wake(&ClusterEvent::PodUpdated { old: other.clone(), new: other }, now);
    queue.advance(now + 2 * FLUSH_AFTER);
    assert_eq!(popped(&mut queue), [""; 0]);
    queue.add(gated(json!([{"name": "y"}])), now);
    assert_eq!(popped(&mut queue), [""; 0]);
    queue.add(gated(json!([])), now);
    assert_eq!(popped(&mut queue), ["p"]);
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_changes_while_it_is_active_is_placed_as_it_is() {
    let (mut queue, now) = (queue(), Instant::now());
    queue.add(Arc::new(pod("p", "1")), now);
    assert!(!queue.changes(&pod("p", "1")));
    let changed = pod("p", "2");
    assert!(queue.changes(&changed));
    queue.add(Arc::new(changed.clone()), now);
    assert_eq!(queue.pop().map(|queued| (*queued.pod).clone()), Some(changed));
    assert!(queue.pop().is_none());
}

#[tokio::test(start_paused = true)]
async fn another_pod_opens_no_gate() {
    let gated = pod_with("p", json!({"containers": [], "schedulingGates": [{"name": "x"}]}));
    let helps = |other: &PodInfo| {
        let (old, new) = (Arc::new(other.clone()), Arc::new(other.clone()));
        SchedulingGates.may_help(&ClusterEvent::PodUpdated { old, new }, &gated)
    };
    assert!(helps(&gated) && !helps(&pod("other", "1")));
    assert!(!SchedulingGates.hears(&ClusterEvent::NodeAdded(Arc::new(node("a", "4", &[])))));
}

#[tokio::test(start_paused = true)]
async fn pods_of_one_cause_are_not_asked_when_nobody_hears() {
    let (mut queue, now) = (queue(), Instant::now());
    for (name, plugin) in [("p", "NodeResourcesFit"), ("q", "TaintToleration"), ("r", "Gone")] {
        queue.add(Arc::new(pod(name, "1")), now);
        refused(&mut queue, plugin, now);
    }
    let later = now + Duration::from_secs(60);
    queue.wake(&ClusterEvent::PodDeleted(Arc::new(pod("gone", "1"))), later);
    assert_eq!(popped(&mut queue), ["p"], "no plugin that refused the others hears of it");
    queue.wake(&ClusterEvent::NodeAdded(Arc::new(node("a", "4", &[]))), later);
    assert_eq!(popped(&mut queue), ["q"]);
    assert_eq!(queue.counts(), [0, 0, 1]);
    queue.remove("r");
    assert_eq!(queue.counts(), [0, 0, 0]);
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_is_held_back_has_no_turn_until_it_is_let_go() {
    let (mut queue, now) = (queue(), Instant::now());
    queue.add(Arc::new(pod("p", "1")), now);
    queue.hold("p", Hold::NoTurn);
    refused(&mut queue, "NodeResourcesFit", now);
    let later = now + Duration::from_secs(60);
    let victim = PodInfo { preempted: true, ..pod("victim", "1") };
    queue.wake(&ClusterEvent::PodDeleted(Arc::new(victim)), later);
    queue.loosen("p", later);
    assert_eq!(popped(&mut queue), [""; 0], "nothing has happened that helps it");
    queue.hold("p", Hold::NoTurn);
    queue.wake(&ClusterEvent::NodeAdded(Arc::new(node("a", "4", &[]))), later);
    assert_eq!(popped(&mut queue), [""; 0]);
    queue.loosen("p", later);
    assert_eq!(popped(&mut queue), ["p"], "the node has");
}
