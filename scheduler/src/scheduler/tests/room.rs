//! Pods for which others have to go.

use super::*;
use crate::preemption::DefaultPreemption;
use crate::testing::pod_with;
use std::time::Duration;

fn important(name: &str, cpu: &str) -> PodInfo {
    let containers = serde_json::json!([{"name": "c", "resources": {"requests": {"cpu": cpu}}}]);
    pod_with(name, serde_json::json!({"priority": 10, "containers": containers}))
}

/// Two nodes that low pods fill, and one that wants one of them for itself.
fn full() -> (State, Instant) {
    let profile = Profile::builder("default-scheduler")
        .plugin(crate::plugins::NodeResourcesFit::default(), 1)
        .plugin(DefaultPreemption::default(), 0);
    let (mut state, now) = (of_profile(profile.build()), Instant::now());
    for name in ["a", "b"] {
        state.node_seen(node(name, "4", &[]), now);
        state.pod_seen(pod(&format!("low-{name}"), "4").on(name), now);
        state.pod_seen(pod(&format!("done-{name}"), "0").on(name), now);
    }
    state.pod_seen(important("high", "4"), now);
    (state, now)
}

fn victim(state: &mut State, now: Instant) -> String {
    match turn(state, now) {
        Some(Turn::Refused(queued, why)) => {
            assert_eq!((&*queued.pod.name, why.victims.len()), ("high", 1));
            why.victims[0].uid.to_string()
        }
        _ => panic!("somebody has to go"),
    }
}

fn going(uid: &str) -> PodInfo {
    let on = uid.trim_start_matches("low-");
    PodInfo { deleting: true, preempted: true, ..pod(uid, "4") }.on(on)
}

#[tokio::test(start_paused = true)]
async fn nobody_else_has_to_go_while_room_is_made() {
    let (mut state, now) = full();
    let first = victim(&mut state, now);
    // Something happens that may help, and the back-off ends: the snapshot still shows the victim.
    let later = now + Duration::from_secs(30);
    state.pod_gone("done-a", later);
    assert!(turn(&mut state, later).is_none());
    state.room_asked_for("high", later);
    assert!(turn(&mut state, later).is_none(), "the victim is not seen to go");
    state.pod_seen(going(&first), later);
    match turn(&mut state, later) {
        Some(Turn::Refused(_, why)) => assert!(why.victims.is_empty(), "{}", why.message),
        _ => panic!("what has happened meanwhile counts"),
    }
    assert!(turn(&mut state, later).is_none(), "it waits for the room that was made");
    state.pod_gone(&first, later);
    assert!(matches!(turn(&mut state, later), Some(Turn::Placed(_))), "and not for a back-off");
}

#[tokio::test(start_paused = true)]
async fn a_victim_that_goes_before_it_was_asked_for_is_enough() {
    let (mut state, now) = full();
    let first = victim(&mut state, now);
    let later = now + Duration::from_secs(30);
    state.pod_gone(&first, later);
    assert!(turn(&mut state, later).is_none(), "the rest is being asked for");
    state.room_asked_for("high", later);
    assert!(matches!(turn(&mut state, later), Some(Turn::Placed(_))));
}

#[tokio::test(start_paused = true)]
async fn room_that_could_not_be_made_is_looked_for_again() {
    let (mut state, now) = full();
    victim(&mut state, now);
    state.no_room("high", now);
    victim(&mut state, now + Duration::from_secs(30));
    state.pod_gone("high", now);
    state.room_asked_for("high", now);
    assert!(turn(&mut state, now + Duration::from_secs(60)).is_none());
}

#[tokio::test(start_paused = true)]
async fn a_victim_that_is_gone_before_it_is_chosen_is_not_waited_for() {
    let (mut state, now) = full();
    state.engine.all_rooms = true;
    let Some(Turn::MakeRoom(queued, why, mut rooms)) = turn(&mut state, now) else {
        panic!("extenders are to be asked");
    };
    rooms.truncate(1);
    state.pod_gone(&rooms[0].1.victims[0].uid.clone(), now);
    let chosen = state.room_chosen(queued, why, Ok(rooms), now);
    assert!(matches!(chosen, Some(Turn::Refused(..))));
    state.room_asked_for("high", now);
    let later = now + Duration::from_secs(30);
    assert!(matches!(turn(&mut state, later), Some(Turn::Placed(_))));
}

#[tokio::test(start_paused = true)]
async fn a_broken_promise_does_not_come_back_with_its_own_late_event() {
    let (mut state, now) = full();
    let on = victim(&mut state, now).trim_start_matches("low-").to_owned();
    let promised = |state: &State| state.engine.nominated.node("high").map(ToString::to_string);
    let says = |node: &str| PodInfo { nominated_node_name: node.into(), ..important("high", "4") };
    assert_eq!(promised(&state), Some(on.clone()));
    state.no_room("high", now);
    state.pod_seen(says(&on), now);
    assert_eq!(promised(&state), None);
    // What others write counts, and that they take it back.
    let other = if on == "a" { "b" } else { "a" };
    state.pod_seen(says(other), now);
    assert_eq!(promised(&state).as_deref(), Some(other));
    state.pod_seen(says(""), now);
    assert_eq!(promised(&state), None);
}

/// The same, its victim seen to go.
fn waiting() -> (State, Instant, String) {
    let (mut state, now) = full();
    let first = victim(&mut state, now);
    state.room_asked_for("high", now);
    state.pod_seen(going(&first), now);
    (state, now + Duration::from_secs(30), first)
}

#[tokio::test(start_paused = true)]
async fn who_goes_for_others_is_nothing_to_a_pod_that_waits_for_its_own_victims() {
    let (mut state, later, own) = waiting();
    let other = if own == "low-a" { "low-b" } else { "low-a" };
    state.pod_seen(going(other), later);
    state.pod_gone(other, later);
    assert!(turn(&mut state, later).is_none(), "the room there is not its own");
    state.pod_gone(&own, later);
    let Some(Turn::Placed(together)) = turn(&mut state, later) else { panic!("room was made") };
    assert_eq!(format!("low-{}", together[0].1.node), own, "on the node it was promised");
}

#[tokio::test(start_paused = true)]
async fn a_node_that_comes_helps_a_pod_that_waits_for_its_victims() {
    let (mut state, later, own) = waiting();
    state.node_seen(node("c", "2", &[]), later);
    assert!(turn(&mut state, later).is_none(), "it is too small");
    state.node_seen(node("d", "4", &[]), later);
    let Some(Turn::Placed(together)) = turn(&mut state, later) else { panic!("there is room") };
    assert_eq!(&*together[0].1.node, "d");
    state.pod_gone(&own, later);
    assert!(turn(&mut state, later).is_none() && state.engine.nominated.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_still_has_no_node_waits_on_for_its_victims() {
    let (mut state, later, own) = waiting();
    // Somebody who is no victim goes, and leaves too little.
    state.pod_gone("done-a", later);
    match turn(&mut state, later) {
        Some(Turn::Refused(queued, why)) => {
            assert!(why.victims.is_empty(), "{}", why.message);
            assert_eq!(why.nominated.as_deref(), Some(&own["low-".len()..]));
            assert_eq!(&*queued.pod.name, "high");
        }
        _ => panic!("it is tried"),
    }
    let end = later + Duration::from_secs(30);
    let other = if own == "low-a" { "low-b" } else { "low-a" };
    state.pod_seen(going(other), end);
    state.pod_gone(other, end);
    assert!(turn(&mut state, end).is_none());
    state.pod_gone(&own, end);
    assert!(matches!(turn(&mut state, end), Some(Turn::Placed(_))));
}

#[tokio::test(start_paused = true)]
async fn room_on_a_node_that_is_no_more_is_made_elsewhere() {
    let (mut state, later, own) = waiting();
    state.node_gone(&own["low-".len()..], later);
    let next = victim(&mut state, later);
    assert_ne!(next, own);
}
