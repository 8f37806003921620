use super::*;
use crate::NodeImage;
use crate::framework::{MAX_SCORE, Normalization, Score};
use crate::plugins::simulated_profile;
use crate::testing::{node, pod_with};
use serde_json::json;
use windlass_core::apis::core::v1::Taint;
use windlass_core::clock::Seeded;

/// Draws from a seed.
struct Draw(Seeded);

impl Draw {
    fn below(&self, limit: u64) -> u64 {
        self.0.next() % limit
    }

    fn node(&self, n: u64) -> crate::NodeInfo {
        let zone = format!("z{}", self.below(3));
        let cpu = (2 + self.below(4)).to_string();
        let mut node = node(&format!("n{n}"), &cpu, &[("zone", &zone)]);
        node.unschedulable = self.below(12) == 0;
        node.images = (0..3)
            .filter(|_| self.below(3) == 0)
            .map(|n| NodeImage { names: vec![format!("i{n}:latest").into()], size: 400 << 20 })
            .collect();
        if self.below(4) == 0 {
            let effect = ["NoSchedule", "PreferNoSchedule"][self.below(2) as usize];
            node.taints =
                vec![Taint { key: "t".into(), effect: effect.into(), ..Taint::default() }];
        }
        node
    }

    /// One of a few kinds of pods.
    fn pod(&self, n: u64) -> Arc<PodInfo> {
        let cpu = ["100m", "500m", "1", "1500m"][self.below(4) as usize];
        let mut spec =
            json!({"containers": [{"name": "c", "resources": {"requests": {"cpu": cpu}}}]});
        spec["containers"][0]["image"] = ["i0", "i1", "none"][self.below(3) as usize].into();
        match self.below(4) {
            0 => {
                let preference = json!({"matchExpressions": [{"key": "zone", "operator": "In", "values": ["z1"]}]});
                spec["affinity"]["nodeAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"] =
                    json!([{"weight": 10, "preference": preference}]);
            }
            1 => spec["tolerations"] = json!([{"key": "t", "operator": "Exists"}]),
            _ => {}
        }
        Arc::new(pod_with(&format!("p{n}"), spec))
    }
}

/// Whether an answer is what asking all plugins anew gives: a node with the highest score, or none when none is left.
fn check(engine: &Engine, pod: &Arc<PodInfo>, profile: &Profile, found: Option<NodeId>, at: &str) {
    let mut cycle = Cycle::new(pod, &engine.snapshot);
    let feasible = cycle.filter(profile).expect("no plugin refuses them all");
    let nodes: Vec<NodeId> = feasible.nodes().iter().collect();
    let Some(found) = found else { return assert!(nodes.is_empty(), "{at}: there is room") };
    let place = nodes.binary_search(&found).unwrap_or_else(|_| panic!("{at}: not feasible"));
    let scores = cycle.score(profile, &nodes);
    assert_eq!(Some(&scores[place]), scores.iter().max(), "{at}: not the best");
}

#[test]
fn what_is_mended_is_as_good_as_new() {
    let profile = Arc::new(simulated_profile());
    for seed in 0..40 {
        let draw = Draw(Seeded::new(seed));
        let mut engine = Engine::new(profile.snapshot());
        (0..8 + draw.below(60)).for_each(|n| engine.snapshot.set_node(draw.node(n)));
        for step in 0..300 {
            let at = format!("seed {seed}, step {step}");
            match draw.below(20) {
                0 => engine.snapshot.set_node(draw.node(draw.below(80))),
                1 => engine.snapshot.remove_node(&format!("n{}", draw.below(80))),
                2..6 => engine.snapshot.remove_pod(&format!("p{}", draw.below(step + 1))),
                _ => {
                    let pod = draw.pod(step);
                    let found = engine.place(&pod, &profile, &draw.0).ok();
                    check(&engine, &pod, &profile, found, &at);
                    if let Some(node) = found {
                        engine.snapshot.place(pod, node);
                    }
                }
            }
        }
    }
}

/// A score that looks at all nodes.
struct Far;

impl crate::framework::Plugin for Far {
    fn name(&self) -> &'static str {
        "Far"
    }

    fn extensions(self: Arc<Self>) -> crate::framework::Extensions {
        crate::framework::Extensions { score: Some(self), ..Default::default() }
    }
}

impl Score for Far {
    fn score(&self, cycle: &Cycle<'_>, nodes: &[NodeId], scores: &mut [i64]) {
        for (score, node) in scores.iter_mut().zip(nodes) {
            *score = cycle.snapshot.pods_on(*node).len() as i64;
        }
    }

    fn normalization(&self) -> Normalization {
        Normalization::ByHighestReversed
    }
}

#[test]
fn plugins_that_look_far_have_their_say_beside_kept_answers() {
    let profile = Profile::builder("test")
        .plugin(crate::plugins::NodeResourcesFit::default(), 1)
        .plugin(Far, 3)
        .build();
    let profile = Arc::new(profile);
    let draw = Draw(Seeded::new(5));
    let mut engine = Engine::new(profile.snapshot());
    (0..10).for_each(|n| engine.snapshot.set_node(node(&format!("n{n}"), "8", &[])));
    for step in 0..60 {
        let pod = draw.pod(step);
        let found = engine.place(&pod, &profile, &draw.0).ok();
        check(&engine, &pod, &profile, found, &format!("step {step}"));
        engine.snapshot.place(pod, found.expect("room"));
    }
    let most = (0..10).map(|id| engine.snapshot.pods_on(id).len()).max();
    assert!(most <= Some(8), "they are spread, {most:?}; a score is at most {MAX_SCORE}");
}

/// Counts how often it is asked.
#[derive(Default)]
struct Asked(std::sync::atomic::AtomicUsize);

impl crate::framework::Plugin for Asked {
    fn name(&self) -> &'static str {
        "Asked"
    }

    fn extensions(self: Arc<Self>) -> crate::framework::Extensions {
        crate::framework::Extensions { filter: Some(self), ..Default::default() }
    }

    fn reach(&self, _: &crate::PodClass, _: &Snapshot) -> crate::framework::Reach {
        crate::framework::Reach::Node
    }
}

impl crate::framework::Filter for Asked {
    fn filter(&self, _: &Cycle<'_>, feasible: &mut Feasible) {
        self.0.fetch_add(feasible.nodes().len(), std::sync::atomic::Ordering::Relaxed);
    }
}

#[test]
fn an_object_of_another_resource_leaves_answers_about_nodes_as_they_are() {
    let asked = Arc::new(Asked::default());
    let profile = Arc::new(Profile::builder("test").shared(asked.clone(), 0, |at| at).build());
    let mut engine = Engine::new(profile.snapshot());
    engine.snapshot.set_node(node("n0", "4", &[]));
    let pod = Arc::new(pod_with("p", json!({"containers": []})));
    let place = |engine: &mut Engine| {
        engine.place(&pod, &profile, &Seeded::new(3)).expect("there is room");
        asked.0.load(std::sync::atomic::Ordering::Relaxed)
    };
    place(&mut engine);
    place(&mut engine);
    let before = place(&mut engine);
    let object = crate::testing::pod_object("other", json!({"containers": []}));
    engine.snapshot.set_object(&windlass_core::scheme::REPLICASETS, &object);
    assert_eq!(place(&mut engine), before);
}

#[test]
fn an_image_that_is_pulled_leaves_what_is_known_of_other_nodes_as_it_is() {
    let asked = Arc::new(Asked::default());
    let profile = Profile::builder("test").shared(asked.clone(), 0, |at| at);
    let profile = Arc::new(profile.plugin(crate::plugins::ImageLocality, 1).build());
    let mut engine = Engine::new(profile.snapshot());
    let with = |n: u32, images: &[&str]| {
        let images =
            images.iter().map(|name| NodeImage { names: vec![(*name).into()], size: 900 << 20 });
        crate::NodeInfo { images: images.collect(), ..node(&format!("n{n}"), "4", &[]) }
    };
    for n in 0..100 {
        engine.snapshot.set_node(with(n, if n == 0 { &["own:1"] } else { &[] }));
    }
    let spec = json!({"containers": [{"name": "c", "image": "own:1"}]});
    let pod = Arc::new(pod_with("p", spec));
    let place = |engine: &mut Engine| {
        let found = engine.place(&pod, &profile, &Seeded::new(3)).ok();
        check(engine, &pod, &profile, found, "after a pull");
        // The check itself has asked about all nodes.
        asked.0.swap(0, std::sync::atomic::Ordering::Relaxed) - 100
    };
    for _ in 0..3 {
        place(&mut engine);
    }
    engine.snapshot.set_node(with(7, &["other:1"]));
    assert_eq!(place(&mut engine), 1, "of another image");
    (1..60).for_each(|n| engine.snapshot.set_node(with(n, &["own:1"])));
    place(&mut engine);
    engine.snapshot.set_node(with(60, &["own:1"]));
    assert_eq!(place(&mut engine), 1, "of its own image");
}

#[test]
fn promises_that_are_tried_change_nothing() {
    let profile = Arc::new(simulated_profile());
    let mut engine = Engine::new(profile.snapshot());
    for name in ["a", "b"] {
        engine.snapshot.set_node(node(name, "4", &[]));
    }
    let promised = Arc::new(crate::testing::pod("promised", "2"));
    engine.nominated.set(&promised, "a".into());
    let before = engine.snapshot.version();
    for n in 0..10 {
        let pod = Arc::new(crate::testing::pod(&format!("p{n}"), "3"));
        let found = engine.place(&pod, &profile, &Seeded::new(n)).expect("b has room");
        assert_eq!(&**engine.snapshot.name(found), "b");
    }
    assert!(engine.snapshot.version() == before);
}

/// Counts the pods that are put on nodes, for tries too.
#[derive(Clone, Default)]
struct Moves(Arc<std::sync::atomic::AtomicUsize>);

impl crate::framework::Columns for Moves {
    fn fork(&self) -> Box<dyn crate::framework::Columns> {
        Box::new(self.clone())
    }

    fn pod_added(&mut self, _: &Snapshot, _: NodeId, _: &Arc<PodInfo>) {
        self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    }
}

#[test]
fn promises_on_other_nodes_cost_nothing() {
    let profile = Arc::new(simulated_profile());
    let mut engine = Engine::new(profile.snapshot());
    let prioritized = |name: &str, cpu: &str, priority: i32| {
        let containers = json!([{"name": "c", "resources": {"requests": {"cpu": cpu}}}]);
        pod_with(name, json!({"priority": priority, "containers": containers}))
    };
    for n in 0..300 {
        engine.snapshot.set_node(node(&format!("n{n}"), "4", &[]));
        let filling = prioritized(&format!("low{n}"), "4", if n == 7 { 0 } else { 20 });
        engine.snapshot.set_pod(Arc::new(filling.on(&format!("n{n}"))));
        if n != 7 {
            let promised = Arc::new(prioritized(&format!("p{n}"), "4", 10));
            engine.nominated.set(&promised, format!("n{n}").into());
        }
    }
    let moves = Moves::default();
    engine.snapshot.attach(Box::new(moves.clone()));
    moves.0.store(0, std::sync::atomic::Ordering::Relaxed);
    let high = Arc::new(prioritized("high", "4", 10));
    let why = engine.place(&high, &profile, &Seeded::new(1)).expect_err("all is full");
    assert_eq!((why.nominated.as_deref(), why.victims.len()), (Some("n7"), 1));
    let count = moves.0.load(std::sync::atomic::Ordering::Relaxed);
    assert!(count < 10, "{count} pods were put on nodes");
}
