use super::*;
use crate::framework::{Engine, Profile, Unschedulable};
use crate::plugins::{NodeAffinity, NodeResourcesFit};
use crate::testing::{node, pod_with};
use serde_json::json;
use windlass_core::Object;
use windlass_core::clock::Seeded;
use windlass_core::scheme::PODDISRUPTIONBUDGETS;

fn profile() -> Arc<Profile> {
    let profile = Profile::builder("test")
        .plugin(NodeAffinity::default(), 1)
        .plugin(NodeResourcesFit::default(), 1);
    Arc::new(profile.plugin(DefaultPreemption::default(), 0).build())
}

fn pod(name: &str, cpu: &str, priority: i32) -> PodInfo {
    pod_with(
        name,
        json!({"priority": priority, "containers": [{"name": "c", "resources": {"requests": {"cpu": cpu}}}]}),
    )
}

fn engine(nodes: usize, pods: &[PodInfo]) -> Engine {
    let mut engine = Engine::new(profile().snapshot());
    (0..nodes).for_each(|n| engine.snapshot.set_node(node(&format!("n{n}"), "4", &[])));
    pods.iter().for_each(|pod| engine.snapshot.set_pod(Arc::new(pod.clone())));
    engine
}

fn refused(engine: &mut Engine, pod: PodInfo) -> Unschedulable {
    let before: Vec<i64> = engine.snapshot.requested(crate::CPU).to_vec();
    let why = engine.place(&Arc::new(pod), &profile(), &Seeded::new(3)).expect_err("no room");
    assert_eq!(engine.snapshot.requested(crate::CPU), before, "the snapshot is as before");
    why
}

fn victims(why: &Unschedulable) -> (Option<&str>, Vec<&str>) {
    (why.nominated.as_deref(), why.victims.iter().map(|pod| &*pod.name).collect())
}

#[test]
fn as_few_as_possible_go_and_the_least_important() {
    let pods = [pod("a", "1", 1).on("n0"), pod("b", "1", 2).on("n0"), pod("c", "2", 3).on("n0")];
    let why = refused(&mut engine(1, &pods), pod("p", "1", 10));
    assert_eq!(victims(&why), (Some("n0"), vec!["a"]));
    assert_eq!(why.message, "0/1 nodes are available: 1 Insufficient cpu.");
    let why = refused(&mut engine(1, &pods), pod("p", "2", 10));
    assert_eq!(victims(&why), (Some("n0"), vec!["b", "a"]));
}

#[test]
fn the_node_where_it_hurts_least() {
    let pods = [pod("a", "4", 5).on("n0"), pod("b", "4", 2).on("n1"), pod("c", "4", 7).on("n2")];
    assert_eq!(
        victims(&refused(&mut engine(3, &pods), pod("p", "3", 10))),
        (Some("n1"), vec!["b"])
    );
    let old = PodInfo { started: Some(100), ..pod("old", "4", 1).on("n0") };
    let young = PodInfo { started: Some(200), ..pod("young", "4", 1).on("n1") };
    let why = refused(&mut engine(2, &[old, young]), pod("p", "3", 10));
    assert_eq!(victims(&why), (Some("n1"), vec!["young"]));
}

#[test]
fn budgets_are_kept_where_another_node_will_do() {
    let guarded = |name: &str, on: &str| {
        let mut guarded = pod(name, "4", 1).on(on);
        let labels = Box::new([("app".into(), "db".into())]);
        guarded.class = Arc::new(PodClass { labels, ..(*guarded.class).clone() });
        guarded
    };
    let mut engine = engine(2, &[guarded("db", "n0"), pod("web", "4", 5).on("n1")]);
    let budget = json!({"metadata": {"name": "b", "namespace": "default"},
        "spec": {"selector": {"matchLabels": {"app": "db"}}}, "status": {"disruptionsAllowed": 0}});
    let budget = Arc::new(Object::from_wire(budget.to_string().into()).expect("an object"));
    engine.snapshot.set_object(&PODDISRUPTIONBUDGETS, &budget);
    assert_eq!(victims(&refused(&mut engine, pod("p", "3", 10))), (Some("n1"), vec!["web"]));
    engine.snapshot.remove_object(&PODDISRUPTIONBUDGETS, &budget);
    assert_eq!(victims(&refused(&mut engine, pod("p", "3", 10))), (Some("n0"), vec!["db"]));
}

#[test]
fn nobody_goes_in_vain_and_it_is_said_why() {
    let pods = [pod("a", "2", 1).on("n0"), pod("b", "3", 10).on("n0"), pod("c", "4", 10).on("n1")];
    let why = refused(&mut engine(2, &pods), pod("p", "2", 10));
    assert_eq!(victims(&why), (None, vec![]));
    assert_eq!(
        why.message,
        "0/2 nodes are available: 2 Insufficient cpu. preemption: 0/2 nodes are available: \
         1 Insufficient cpu, 1 No preemption victims found for incoming pod."
    );
    let choosy = json!({"priority": 10, "nodeSelector": {"zone": "x"}, "containers": []});
    assert_eq!(
        refused(&mut engine(2, &pods), pod_with("p", choosy)).message,
        "0/2 nodes are available: 2 node(s) didn't match Pod's node affinity/selector. \
         preemption: 0/2 nodes are available: 2 Preemption is not helpful for scheduling."
    );
    let meek = json!({"priority": 10, "preemptionPolicy": "Never",
        "containers": [{"name": "c", "resources": {"requests": {"cpu": "4"}}}]});
    let why = refused(&mut engine(1, &[pod("a", "4", 1).on("n0")]), pod_with("p", meek));
    assert!(why.message.ends_with("preemption: not eligible due to preemptionPolicy=Never."));
}

#[test]
fn a_promise_is_heeded_by_those_not_greater() {
    let mut engine = engine(1, &[]);
    let promised = Arc::new(pod("high", "3", 10));
    engine.nominated.set(&promised, "n0".into());
    let why = refused(&mut engine, pod("low", "2", 5));
    assert_eq!(victims(&why), (None, vec![]));
    let (profile, random) = (profile(), Seeded::new(1));
    assert!(engine.place(&Arc::new(pod("higher", "2", 11)), &profile, &random).is_ok());
    assert!(engine.place(&promised, &profile, &random).is_ok());
    for name in ["x", "y", "z"] {
        let small = Arc::new(pod(name, "1", 5));
        let placed = engine.place(&small, &profile, &random);
        assert_eq!(placed.is_ok(), name == "x", "{name}");
        if let Ok(node) = placed {
            engine.snapshot.place(small, node);
        }
    }
}

#[test]
fn only_who_was_ended_to_make_room_is_waited_for() {
    let leaving = |preempted| PodInfo { deleting: true, preempted, ..pod("a", "1", 1).on("n0") };
    let high = || PodInfo { nominated_node_name: "n0".into(), ..pod("p", "3", 10) };
    let others = [leaving(true), pod("b", "3", 1).on("n0")];
    let why = refused(&mut engine(1, &others), high());
    assert_eq!(victims(&why), (Some("n0"), vec![]));
    let others = [leaving(false), pod("b", "3", 1).on("n0")];
    let why = refused(&mut engine(1, &others), high());
    assert_eq!(victims(&why), (Some("n0"), vec!["b"]));
}

#[test]
fn the_condition_says_who_was_ended_to_make_room() {
    let ended_by = |reason: &str| {
        let condition = json!({"type": "DisruptionTarget", "status": "True", "reason": reason});
        let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "uid": "p"},
            "spec": {"containers": []}, "status": {"conditions": [condition]}});
        let pod = Object::from_wire(pod.to_string().into()).expect("an object");
        PodInfo::new(&pod).expect("a pod").preempted
    };
    assert!(ended_by("PreemptionByScheduler") && !ended_by("EvictionByEvictionAPI"));
}
