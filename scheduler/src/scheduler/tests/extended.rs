//! What happens while extenders are asked.

use super::*;
use crate::config::Configuration;
use crate::extender::{Consulted, Refused};
use std::time::Duration;

/// One extender, which is concerned with all pods; tests answer for it.
async fn extended() -> (State, Instant) {
    let file = serde_json::json!({"apiVersion": "kubescheduler.config.k8s.io/v1",
        "kind": "KubeSchedulerConfiguration",
        "extenders": [{"urlPrefix": "http://127.0.0.1:1", "filterVerb": "filter"}]});
    let configuration = Configuration::new(file).expect("valid");
    let profile = Profile::builder("default-scheduler")
        .plugin(crate::plugins::NodeResourcesFit::default(), 1);
    let mut state = of_profile(profile.build());
    state.extenders = Extenders::new(configuration.extenders()).await.expect("valid");
    let now = Instant::now();
    state.node_seen(node("a", "4", &[]), now);
    state.pod_seen(pod("p", "1"), now);
    (state, now)
}

fn refused_all() -> Result<Consulted, String> {
    let refused = Refused { node: "a".into(), reason: "it says so".into(), for_good: false };
    Ok(Consulted { nodes: Vec::new(), refused: vec![refused] })
}

fn consult(state: &mut State, now: Instant) -> Option<crate::QueuedPod> {
    match turn(state, now)? {
        Turn::Consult(queued, _) => Some(queued),
        _ => panic!("the extender is to be asked"),
    }
}

#[tokio::test(start_paused = true)]
async fn what_happens_meanwhile_counts_for_the_pod() {
    let (mut state, now) = extended().await;
    let queued = consult(&mut state, now).expect("a turn");
    state.node_seen(node("b", "4", &[]), now);
    let turn = state.consulted(queued, refused_all(), &Seeded::new(1), now);
    assert!(matches!(turn, Some(Turn::Refused(..))));
    assert!(consult(&mut state, now).is_none(), "it backs off");
    let later = now + Duration::from_secs(1);
    assert!(consult(&mut state, later).is_some(), "and is tried again, for b came");
}

#[tokio::test(start_paused = true)]
async fn what_happened_before_does_not() {
    let (mut state, now) = extended().await;
    state.node_seen(node("b", "4", &[]), now);
    let queued = consult(&mut state, now).expect("a turn");
    state.consulted(queued, refused_all(), &Seeded::new(1), now);
    assert!(consult(&mut state, now + Duration::from_secs(20)).is_none());
}
