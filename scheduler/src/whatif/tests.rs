use super::*;
use crate::testing::{node, pod_with};
use serde_json::json;
use windlass_core::Object;

fn pod(name: &str, cpu: &str, priority: i32) -> PodInfo {
    let containers = json!([{"name": "c", "resources": {"requests": {"cpu": cpu}}}]);
    pod_with(name, json!({"priority": priority, "containers": containers}))
}

fn shared(name: &str, cpu: &str, priority: i32) -> Arc<PodInfo> {
    Arc::new(pod(name, cpu, priority))
}

fn simulation(pods: &[PodInfo]) -> Simulation {
    let mut snapshot = Snapshot::default();
    ["a", "b"].iter().for_each(|name| snapshot.set_node(node(name, "4", &[("zone", name)])));
    pods.iter().for_each(|pod| snapshot.set_pod(Arc::new(pod.clone())));
    Simulation::new(snapshot)
}

/// Who is where.
fn places(simulation: &Simulation) -> Vec<String> {
    let snapshot = simulation.snapshot();
    let on = |id| {
        let mut names: Vec<_> =
            snapshot.pods_on(id).iter().map(|pod| pod.name.to_string()).collect();
        names.sort();
        format!("{}: {}", snapshot.name(id), names.join(" "))
    };
    let mut all: Vec<_> = snapshot.nodes().iter().map(on).collect();
    all.sort();
    all
}

#[test]
fn what_fits_what_does_not_and_why() {
    let mut simulation = simulation(&[]);
    let pods = (0..3).map(|n| shared(&format!("p{n}"), "3", 0));
    let outcome = simulation.place(pods);
    assert_eq!((outcome.placed.len(), outcome.unschedulable.len()), (2, 1));
    let why = outcome.unschedulable[0].1.reasons();
    assert_eq!(why, "0/2 nodes are available: 2 Insufficient cpu.");
}

#[test]
fn a_node_is_drained_and_all_is_as_before_when_undone() {
    let mut simulation = simulation(&[pod("p", "1", 0).on("a"), pod("q", "1", 0).on("a")]);
    let before = places(&simulation);
    let mark = simulation.mark();
    let outcome = simulation.drain("a");
    assert!(outcome.is_smooth());
    assert_eq!(places(&simulation), ["a: ", "b: p q"]);
    assert_eq!(simulation.place([shared("r", "3", 0)]).unschedulable.len(), 1);
    simulation.add_nodes([node("c", "4", &[])]);
    assert_eq!(simulation.place([shared("s", "3", 0)]).node_of("s").map(|n| &**n), Some("c"));
    simulation.undo(mark);
    assert_eq!(places(&simulation), before);
    let attempted = simulation.attempt(|simulation| simulation.remove_node("a").placed.len());
    assert_eq!((attempted, places(&simulation)), (2, before));
}

#[test]
fn those_that_must_go_are_placed_anew() {
    let mut simulation = simulation(&[pod("low", "3", 0).on("a"), pod("mid", "4", 5).on("b")]);
    let outcome = simulation.place([shared("high", "4", 10)]);
    assert_eq!(outcome.node_of("high").map(|node| &**node), Some("a"));
    assert_eq!((outcome.preempted.len(), &*outcome.preempted[0].pod.name), (1, "low"));
    assert_eq!(&*outcome.unschedulable[0].0.name, "low");
    assert_eq!(places(&simulation), ["a: high", "b: mid"]);
}

#[test]
fn it_is_explained_node_by_node() {
    let mut cordoned = node("b", "4", &[]);
    cordoned.unschedulable = true;
    let mut simulation = simulation(&[]);
    simulation.add_nodes([cordoned]);
    let explained = simulation.explain(&pod("p", "1", 0));
    assert_eq!(&*explained.nodes[0].node, "a");
    assert!(explained.nodes[0].fits() && explained.nodes[0].total() > 0);
    let [(plugin, reason)] = explained.nodes[1].refusals.as_slice() else { panic!("one") };
    assert_eq!((*plugin, &**reason), ("NodeUnschedulable", "node(s) were unschedulable"));
}

#[test]
fn gangs_are_whole_here_too() {
    let profile = Profile::builder("test")
        .plugin(crate::plugins::NodeResourcesFit::default(), 1)
        .plugin(GangScheduling, 0);
    let mut simulation =
        Simulation::with_profile(simulation(&[]).snapshot().clone(), Arc::new(profile.build()));
    let group = json!({"metadata": {"name": "g", "namespace": "default"},
        "spec": {"schedulingPolicy": {"gang": {"minCount": 3}}}});
    let group = Arc::new(Object::from_wire(group.to_string().into()).expect("an object"));
    simulation.set_object(&crate::gang::POD_GROUPS, &group);
    let member = |name: &str, cpu: &str| {
        let spec = json!({"schedulingGroup": {"podGroupName": "g"},
            "containers": [{"name": "c", "resources": {"requests": {"cpu": cpu}}}]});
        Arc::new(pod_with(name, spec))
    };
    let all = |cpu: &'static str| (0..3).map(move |n| member(&format!("p{n}"), cpu));
    let outcome = simulation.place(all("3"));
    assert_eq!((outcome.placed.len(), outcome.unschedulable.len()), (0, 3));
    assert_eq!(places(&simulation), ["a: ", "b: "]);
    assert_eq!(simulation.place(all("2")).placed.len(), 3);
}

#[test]
fn who_has_a_gate_another_scheduler_or_an_end_is_not_placed() {
    let with = |name: &str, spec: serde_json::Value| {
        let mut all = json!({"containers": []});
        all.as_object_mut().expect("one").extend(spec.as_object().expect("one").clone());
        Arc::new(pod_with(name, all))
    };
    let ends = PodInfo { deleting: true, ..pod("ends", "1", 0) };
    let profile = |name: &str| {
        let profile = Profile::builder(name).plugin(crate::plugins::SchedulingGates, 0);
        profile.plugin(crate::plugins::NodeName, 0)
    };
    let bound_to_b = crate::plugins::NodeAffinity::new(
        serde_json::from_value(json!({"addedAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [
                {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["b"]}]}]}}}))
        .expect("arguments"),
    );
    let profiles = [profile("one").build(), profile("two").plugin(bound_to_b, 0).build()];
    let profiles = Profiles::new(profiles.into_iter().map(Arc::new).collect()).expect("two");
    let snapshot = simulation(&[ends.clone().on("a")]).snapshot().clone();
    let mut simulation = Simulation::with_profile(snapshot, profiles);
    let outcome = simulation.place([
        with("gated", json!({"schedulingGates": [{"name": "x"}]})),
        with("other", json!({"schedulerName": "three"})),
        with("second", json!({"schedulerName": "two"})),
        Arc::new(ends),
    ]);
    let why = outcome.unschedulable.iter().map(|(pod, why)| (&*pod.name, &*why.message));
    let why: Vec<_> = why.collect();
    assert_eq!(
        why,
        [
            ("gated", "waiting for scheduling gates: [\"x\"]"),
            ("other", "no profile for schedulerName \"three\"")
        ]
    );
    let placed = outcome.placed.iter().map(|placed| (&*placed.pod.name, &*placed.node));
    assert_eq!(placed.collect::<Vec<_>>(), [("second", "b")]);
    assert!(simulation.drain("a").placed.is_empty(), "it ends anyway");
}

#[test]
fn the_pods_of_emptied_nodes_go_in_turn_with_others() {
    let mut simulation = simulation(&[pod("low", "4", 0).on("a"), pod("b", "1", 0).on("b")]);
    let mut pods = vec![shared("high", "3", 10)];
    pods.extend(simulation.empty("a"));
    let outcome = simulation.place(pods);
    assert_eq!(outcome.node_of("high").map(|node| &**node), Some("b"));
    assert_eq!(&*outcome.unschedulable[0].0.name, "low");
    assert!(simulation.empty("none").is_empty());
}

#[test]
fn a_device_is_given_to_one() {
    let mut simulation = simulation(&[]);
    let object = |json: serde_json::Value| {
        Arc::new(Object::from_wire(json.to_string().into()).expect("an object"))
    };
    use windlass_core::scheme;
    let class = object(json!({"metadata": {"name": "gpu"}, "spec": {}}));
    simulation.set_object(&scheme::DEVICECLASSES, &class);
    let pool = json!({"name": "a", "generation": 1, "resourceSliceCount": 1});
    let slice =
        object(json!({"metadata": {"name": "s"}, "spec": {"driver": "x.io", "nodeName": "a",
        "pool": pool, "devices": [{"name": "one"}]}}));
    simulation.set_object(&scheme::RESOURCESLICES, &slice);
    let request = json!({"name": "r", "exactly": {"deviceClassName": "gpu"}});
    let user = |name: &str| {
        let claim = json!({"name": "gpu", "resourceClaimName": name});
        Arc::new(pod_with(name, json!({"containers": [], "resourceClaims": [claim]})))
    };
    for name in ["p", "q"] {
        let claim = object(json!({"metadata": {"name": name, "namespace": "default", "uid": name},
            "spec": {"devices": {"requests": [request]}}}));
        simulation.set_object(&scheme::RESOURCECLAIMS, &claim);
    }
    for _ in 0..2 {
        let mark = simulation.mark();
        let outcome = simulation.place([user("p"), user("q")]);
        assert_eq!((outcome.placed.len(), outcome.unschedulable.len()), (1, 1));
        simulation.undo(mark);
    }
}

#[test]
fn a_workload_is_as_many_pods_as_it_says() {
    let template = json!({"metadata": {"labels": {"app": "web"}},
        "spec": {"containers": [{"name": "c", "resources": {"requests": {"cpu": "1"}}}]}});
    let web = json!({"kind": "Deployment", "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"replicas": 3, "template": template}});
    let pods = pods_of(&web).expect("pods");
    assert_eq!(pods.iter().map(|pod| &*pod.name).collect::<Vec<_>>(), ["web-0", "web-1", "web-2"]);
    assert!(Arc::ptr_eq(&pods[0].class, &pods[2].class));
    assert_eq!((&*pods[0].namespace, &*pods[0].labels[0].1), ("shop", "web"));
    assert!(
        pods_of(&json!({"kind": "Service", "metadata": {"name": "s"}})).expect("none").is_empty()
    );
    assert!(pods_of(&json!({"kind": "Pod", "metadata": {"name": "p"}})).is_err(), "it has no spec");
}
