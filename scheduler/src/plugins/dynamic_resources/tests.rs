//! Who gets which devices, case by case.

use super::*;
use crate::framework::Profile;
use crate::testing::{node, pod_with};
use serde_json::{Value, json};
use windlass_core::Object;
use windlass_core::scheme::GroupVersionResource;

/// Stands for CEL: an expression is the name of a device.
struct ByName;

impl DeviceSelectors for ByName {
    fn matches(&self, expression: &str, _: &str, device: &Device) -> Result<bool, String> {
        Ok(device.name == expression)
    }
}

struct Shop {
    plugin: Arc<DynamicResources>,
    profile: Profile,
    snapshot: Snapshot,
}

impl Shop {
    fn new(selectors: Option<Arc<dyn DeviceSelectors>>) -> Self {
        let profile = Profile::builder("test")
            .plugin(DynamicResources::new(None, selectors.clone()), 0)
            .build();
        let mut snapshot = profile.snapshot();
        for name in ["a", "b"] {
            snapshot.set_node(node(name, "4", &[]));
        }
        let plugin = Arc::new(DynamicResources::new(None, selectors));
        Self { plugin, profile, snapshot }.class("gpu", json!({}))
    }

    fn with(mut self, resource: &GroupVersionResource, object: &Value) -> Self {
        let object = Object::from_wire(object.to_string().into()).expect("an object");
        self.snapshot.set_object(resource, &Arc::new(object));
        self
    }

    fn class(self, name: &str, spec: Value) -> Self {
        self.with(&scheme::DEVICECLASSES, &json!({"metadata": {"name": name}, "spec": spec}))
    }

    /// The only slice of a node's pool.
    fn slice(self, node: &str, devices: Value) -> Self {
        let pool = json!({"name": node, "generation": 1, "resourceSliceCount": 1});
        let spec = json!({"driver": "x.io", "nodeName": node, "pool": pool, "devices": devices});
        self.with(&scheme::RESOURCESLICES, &json!({"metadata": {"name": node}, "spec": spec}))
    }

    fn claim(self, name: &str, devices: Value, status: Value) -> Self {
        let metadata = json!({"name": name, "namespace": "default", "uid": name});
        let claim = json!({"metadata": metadata, "spec": {"devices": devices}, "status": status});
        self.with(&scheme::RESOURCECLAIMS, &claim)
    }

    fn asks(self, name: &str, exactly: Value) -> Self {
        let mut request = json!({"deviceClassName": "gpu"});
        let more = exactly.as_object().expect("an object").clone();
        request.as_object_mut().expect("an object").extend(more);
        self.claim(name, json!({"requests": [{"name": "r", "exactly": request}]}), json!({}))
    }

    fn places(&self, pod: &PodInfo) -> Result<Vec<&str>, String> {
        let mut cycle = Cycle::new(pod, &self.snapshot);
        let left = cycle.filter(&self.profile).map_err(|(_, reason)| reason.to_string())?;
        let names: Vec<_> = left.nodes().iter().map(|id| &**self.snapshot.name(id)).collect();
        if names.is_empty() { Err(left.message(2)) } else { Ok(names) }
    }

    /// Puts a pod on a node; says what it gets there.
    fn reserve(&mut self, pod: &PodInfo, node: &str) -> Result<Vec<String>, Reason> {
        let (pod, id) = (Arc::new(pod.clone()), self.snapshot.id(node).expect("a node"));
        // Whoever asks tells who evaluates expressions.
        self.plugin.pre_filter(&mut Cycle::new(&pod, &self.snapshot))?;
        self.snapshot.place(pod.clone(), id);
        let placement = Placement { pod, node: node.into(), id };
        self.plugin.assumed(&placement, &self.snapshot);
        self.plugin.reserve(&placement)?;
        let decisions = self.plugin.decisions.lock();
        let all = decisions.chosen[&placement.pod.uid].iter().flat_map(|all| &all.results);
        Ok(all.map(|result| format!("{}={}", result.request, result.device)).collect())
    }

    fn give_back(&mut self, pod: &PodInfo) {
        self.snapshot.remove_pod(&pod.uid);
        self.plugin.decisions.lock().chosen.remove(&pod.uid);
    }

    /// What a pod would get on a node.
    fn gets(&mut self, pod: &PodInfo, node: &str) -> Result<Vec<String>, Reason> {
        let gets = self.reserve(pod, node);
        self.give_back(pod);
        gets
    }
}

fn user(name: &str, claims: &[&str]) -> PodInfo {
    let claim = |name: &&str| json!({"name": name, "resourceClaimName": name});
    let claims: Vec<_> = claims.iter().map(claim).collect();
    pod_with(name, json!({"containers": [], "resourceClaims": claims}))
}

fn devices(names: &[&str]) -> Value {
    names.iter().map(|name| json!({"name": name})).collect()
}

fn none(reason: &str) -> Result<Vec<&'static str>, String> {
    Err(format!("0/2 nodes are available: 2 {reason}."))
}

#[test]
fn a_pod_goes_where_there_are_enough_devices() {
    let shop = Shop::new(None).slice("a", devices(&["1"])).slice("b", devices(&["1", "2"]));
    let mut shop =
        shop.asks("two", json!({"count": 2})).asks("all", json!({"allocationMode": "All"}));
    assert_eq!(shop.places(&user("p", &["two"])), Ok(vec!["b"]));
    assert_eq!(shop.places(&user("q", &["all"])), Ok(vec!["a", "b"]));
    assert_eq!(shop.gets(&user("p", &["two"]), "b"), Ok(vec!["r=1".into(), "r=2".into()]));
    let shop = shop.asks("three", json!({"count": 3}));
    assert_eq!(shop.places(&user("r", &["three"])), none("cannot allocate all claims"));
    let why = shop.places(&user("s", &["missing"]));
    assert_eq!(why, Err("resourceclaim \"missing\" not found".into()));
}

#[test]
fn devices_that_others_have_are_not_to_be_had() {
    let result = json!({"request": "r", "driver": "x.io", "pool": "a", "device": "1"});
    let here = json!({"key": "metadata.name", "operator": "In", "values": ["a"]});
    let allocation = json!({"devices": {"results": [result]},
        "nodeSelector": {"nodeSelectorTerms": [{"matchFields": [here]}]}});
    let shop = Shop::new(None).slice("a", devices(&["1"])).asks("mine", json!({}));
    let shop = shop.claim("other", json!({}), json!({"allocation": allocation}));
    assert_eq!(shop.places(&user("p", &["mine"])), none("cannot allocate all claims"));
    assert_eq!(shop.places(&user("q", &["other"])), Ok(vec!["a"]), "shared, where it is");
    let shop = shop.asks("admin", json!({"adminAccess": true}));
    assert_eq!(shop.places(&user("r", &["admin"])), Ok(vec!["a"]));
}

#[test]
fn what_was_reserved_is_taken_at_once() {
    let shop = Shop::new(None).slice("a", devices(&["1", "2"]));
    let mut shop = shop.asks("one", json!({})).asks("two", json!({})).asks("three", json!({}));
    assert_eq!(shop.reserve(&user("p", &["one"]), "a"), Ok(vec!["r=1".into()]));
    assert_eq!(shop.reserve(&user("q", &["two"]), "a"), Ok(vec!["r=2".into()]));
    let third = user("r", &["three"]);
    assert_eq!(shop.places(&third), none("cannot allocate all claims"));
    assert_eq!(shop.gets(&third, "a"), Err("no device was found for it there".into()));
    shop.give_back(&user("p", &["one"]));
    assert_eq!(shop.reserve(&third, "a"), Ok(vec!["r=1".into()]));
}

#[test]
fn what_is_written_and_not_seen_yet_nobody_else_gets() {
    let shop = Shop::new(None).slice("a", devices(&["1"]));
    let mut shop = shop.asks("one", json!({})).asks("two", json!({}));
    shop.reserve(&user("p", &["one"]), "a").expect("it is free");
    // The pod goes in the moment in which it is bound.
    shop.snapshot.remove_pod("p");
    let why = "its devices were taken by another pod";
    assert_eq!(shop.gets(&user("q", &["two"]), "a"), Err(why.into()));
}

#[test]
fn pods_that_share_a_claim_go_where_its_devices_are() {
    let shop = Shop::new(None).slice("a", devices(&["1"])).slice("b", devices(&["1"]));
    let mut shop = shop.asks("shared", json!({}));
    shop.reserve(&user("p", &["shared"]), "b").expect("it is free");
    let second = user("q", &["shared"]);
    assert_eq!(shop.places(&second), Ok(vec!["b"]));
    assert_eq!(shop.reserve(&second, "b"), Ok(vec!["r=1".into()]));
    shop.give_back(&user("p", &["shared"]));
    assert_eq!(shop.places(&user("r", &["shared"])), Ok(vec!["b"]), "one still has them");
    shop.give_back(&second);
    assert_eq!(shop.places(&user("r", &["shared"])), Ok(vec!["a", "b"]));
}

#[test]
fn gangs_and_those_beside_promises_see_what_others_get() {
    let shop = Shop::new(None).slice("a", devices(&["1", "2"])).slice("b", devices(&["1"]));
    let names: Vec<String> = (0..4).map(|n| format!("c{n}")).collect();
    let shop = names.iter().fold(shop, |shop, name| shop.asks(name, json!({})));
    let pods: Vec<_> = names.iter().map(|name| Arc::new(user(name, &[name]))).collect();
    let (profile, mut engine) =
        (Arc::new(shop.profile), crate::framework::Engine::new(shop.snapshot));
    let random = windlass_core::clock::Seeded::new(1);
    assert!(engine.place_together(&pods, 4, &profile, &random).placed.is_empty());
    let three = engine.place_together(&pods[..3], 3, &profile, &random).placed;
    let on_b = three.iter().filter(|(_, id)| &**engine.snapshot.name(*id) == "b").count();
    assert_eq!((three.len(), on_b), (3, 1), "each has its own");
    for (at, id) in three {
        let placement =
            Placement { pod: pods[at].clone(), node: engine.snapshot.name(id).clone(), id };
        shop.plugin.assumed(&placement, &engine.snapshot);
        shop.plugin.reserve(&placement).expect("what was found is what it gets");
    }
    let [last, spare] = [0, 1].map(|n| engine.snapshot.id(["a", "b"][n]).expect("a node"));
    for pod in ["c0", "c1", "c2"] {
        engine.snapshot.remove_pod(pod);
    }
    // Of three devices two are promised, on both nodes.
    engine.nominated.set(&pods[0], "a".into());
    engine.nominated.set(&pods[1], "b".into());
    assert_eq!(engine.place(&pods[2], &profile, &random).ok(), Some(last));
    engine.snapshot.place(pods[2].clone(), last);
    assert!(engine.place(&pods[3], &profile, &random).is_err(), "the others are promised");
    engine.nominated.remove("c1");
    assert_eq!(engine.place(&pods[3], &profile, &random).ok(), Some(spare));
}

#[test]
fn a_try_leaves_devices_with_whom_they_are() {
    let shop = Shop::new(None).slice("a", devices(&["1", "2"]));
    let mut shop = shop.asks("one", json!({})).asks("two", json!({}));
    let (p, q) = (user("p", &["one"]), user("q", &["two"]));
    let before = [shop.reserve(&p, "a"), shop.reserve(&q, "a")];
    let [p, q] = [&p, &q].map(|pod| shop.snapshot.pod(&pod.uid).expect("placed").clone());
    let outer = shop.snapshot.begin_trial();
    [&p, &q].iter().for_each(|pod| shop.snapshot.lift(pod, 0));
    [&q, &p].iter().for_each(|pod| shop.snapshot.put_back(pod, 0));
    shop.snapshot.end_trial(outer);
    let columns = shop.snapshot.columns::<Devices>().expect("attached");
    let after = [&p, &q].map(|pod| {
        let all = columns.chosen(pod).expect("they have theirs");
        Ok(all.iter().flat_map(|one| &one.results).map(|r| format!("r={}", r.device)).collect())
    });
    assert_eq!(before, after);
}

#[test]
fn expressions_need_someone_who_evaluates_them() {
    let cel = json!({"selectors": [{"cel": {"expression": "2"}}]});
    let shop = |selectors| {
        let shop = Shop::new(selectors).slice("a", devices(&["1"])).slice("b", devices(&["2"]));
        shop.asks("mine", cel.clone()).class("second", cel.clone())
    };
    let why = "devices are selected by CEL, and this scheduler was given nothing that evaluates it";
    // Where there is no device there is nothing to evaluate it for.
    assert_eq!(shop(None).places(&user("p", &["mine"])), none(why));
    let shop = shop(Some(Arc::new(ByName)));
    assert_eq!(shop.places(&user("p", &["mine"])), Ok(vec!["b"]));
    let shop = shop.asks("class", json!({"deviceClassName": "second"}));
    assert_eq!(shop.places(&user("p", &["class"])), Ok(vec!["b"]));
    let shop = shop.asks("class", json!({"deviceClassName": "none"}));
    let why = "device class \"none\" of request r does not exist";
    assert_eq!(shop.places(&user("p", &["class"])), none(why));
}

#[test]
fn constraints_alternatives_and_taints_are_heeded() {
    let on =
        |name: &str, board: &str| json!({"name": name, "attributes": {"board": {"string": board}}});
    let shop = Shop::new(None).slice("a", json!([on("1", "x"), on("2", "y"), on("3", "y")]));
    let shop = shop.slice("b", json!([on("1", "x"), on("2", "y")]));
    let pair = |constraint: &str| {
        json!({"requests": [{"name": "r", "exactly": {"deviceClassName": "gpu", "count": 2}}],
            "constraints": [{"requests": ["r"], constraint: "x.io/board"}]})
    };
    let mut shop = shop.claim("same", pair("matchAttribute"), json!({}));
    assert_eq!(shop.places(&user("p", &["same"])), Ok(vec!["a"]));
    assert_eq!(shop.gets(&user("p", &["same"]), "a"), Ok(vec!["r=2".into(), "r=3".into()]));
    let shop = shop.claim("other", pair("distinctAttribute"), json!({}));
    assert_eq!(shop.places(&user("q", &["other"])), Ok(vec!["a", "b"]));
    let sub =
        |name: &str, count: u32| json!({"name": name, "deviceClassName": "gpu", "count": count});
    let first =
        json!({"requests": [{"name": "r", "firstAvailable": [sub("many", 3), sub("few", 1)]}]});
    let mut shop = shop.claim("either", first, json!({}));
    assert_eq!(shop.gets(&user("r", &["either"]), "b"), Ok(vec!["r/few=1".into()]));
    let taint = json!([{"key": "k", "value": "v", "effect": "NoSchedule"}]);
    let shop = Shop::new(None).slice("b", json!([{"name": "1", "taints": taint}]));
    let shop = shop.asks("mine", json!({}));
    assert_eq!(shop.places(&user("s", &["mine"])), none("cannot allocate all claims"));
    let shop = shop.asks("mine", json!({"tolerations": [{"key": "k", "operator": "Exists"}]}));
    assert_eq!(shop.places(&user("s", &["mine"])), Ok(vec!["b"]));
}

#[test]
fn a_pool_counts_when_all_of_it_is_there() {
    let slice = |name: &str, generation: u32, count: u32| {
        let pool = json!({"name": "p", "generation": generation, "resourceSliceCount": count});
        json!({"metadata": {"name": name}, "spec": {"driver": "x.io", "allNodes": true, "pool": pool,
            "devices": [{"name": name}]}})
    };
    let shop =
        Shop::new(None).asks("mine", json!({})).with(&scheme::RESOURCESLICES, &slice("1", 1, 2));
    assert_eq!(shop.places(&user("p", &["mine"])), none("cannot allocate all claims"));
    let shop = shop.with(&scheme::RESOURCESLICES, &slice("2", 1, 2));
    assert_eq!(shop.places(&user("p", &["mine"])), Ok(vec!["a", "b"]));
    let mut shop = shop.with(&scheme::RESOURCESLICES, &slice("3", 2, 1));
    assert_eq!(shop.gets(&user("p", &["mine"]), "b"), Ok(vec!["r=3".into()]));
}

#[test]
fn devices_share_counters_until_these_are_used_up() {
    let part = |name: &str, memory: &str| {
        json!({"name": name, "consumesCounters": [
            {"counterSet": "gpu", "counters": {"memory": {"value": memory}}}]})
    };
    let shop = |parts: Value| {
        let pool = json!({"name": "a", "generation": 1, "resourceSliceCount": 2});
        let counters = json!([{"name": "gpu", "counters": {"memory": {"value": "40Gi"}}}]);
        let counters = json!({"metadata": {"name": "counters"}, "spec": {"driver": "x.io",
            "nodeName": "a", "pool": pool, "sharedCounters": counters}});
        let devices = json!({"metadata": {"name": "devices"}, "spec": {"driver": "x.io",
            "nodeName": "a", "pool": pool, "devices": parts}});
        let shop = Shop::new(None).with(&scheme::RESOURCESLICES, &counters);
        shop.with(&scheme::RESOURCESLICES, &devices)
    };
    let parts = json!([part("small-1", "10Gi"), part("large", "30Gi"), part("small-2", "10Gi")]);
    let full = shop(parts).asks("three", json!({"count": 3})).asks("two", json!({"count": 2}));
    assert_eq!(full.places(&user("p", &["three"])), none("cannot allocate all claims"));
    assert_eq!(full.places(&user("p", &["two"])), Ok(vec!["a"]));
    // Who has the large one leaves room for one of the small ones.
    let result = json!({"request": "r", "driver": "x.io", "pool": "a", "device": "large"});
    let had = json!({"allocation": {"devices": {"results": [result]}}});
    let full = full.claim("had", json!({}), had).asks("one", json!({}));
    assert_eq!(full.places(&user("p", &["two"])), none("cannot allocate all claims"));
    assert_eq!(full.places(&user("p", &["one"])), Ok(vec!["a"]));
    let unknown = json!([{"name": "d", "consumesCounters": [{"counterSet": "none",
        "counters": {"memory": {"value": "1"}}}]}]);
    let shop = shop(unknown).asks("one", json!({}));
    assert_eq!(shop.places(&user("p", &["one"])), none("cannot allocate all claims"));
}

#[test]
fn a_pod_that_goes_helps_when_it_had_claims() {
    let plugin = DynamicResources::new(None, None);
    let spec = serde_json::json!({"containers": [{"name": "c"}],
        "resourceClaims": [{"name": "c", "resourceClaimName": "c"}]});
    let claiming = Arc::new(crate::testing::pod_with("claiming", spec));
    let plain = Arc::new(crate::testing::pod("plain", "1"));
    assert!(plugin.may_help(&ClusterEvent::PodDeleted(claiming.clone()), &claiming));
    assert!(!plugin.may_help(&ClusterEvent::PodDeleted(plain), &claiming));
}
