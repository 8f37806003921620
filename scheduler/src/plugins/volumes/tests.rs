//! What the plugins for volumes say, case by case.

use crate::framework::{Cycle, Placement, Profile, Reserve};
use crate::plugins::{
    NodeVolumeLimits, VolumeBinding, VolumeBindingArgs, VolumeRestrictions, VolumeZone,
};
use crate::testing::{node, pod_with};
use crate::{PodInfo, Snapshot};
use serde_json::{Value, json};
use std::sync::Arc;
use windlass_core::Object;
use windlass_core::scheme::{self, GroupVersionResource};

struct Shop {
    profile: Profile,
    snapshot: Snapshot,
}

impl Shop {
    /// Two nodes, each in its zone.
    fn new() -> Self {
        let profile = Profile::builder("test")
            .plugin(VolumeRestrictions, 0)
            .plugin(NodeVolumeLimits, 0)
            .plugin(VolumeBinding::new(None, &VolumeBindingArgs::default()), 0)
            .plugin(VolumeZone, 0)
            .build();
        let mut snapshot = profile.snapshot();
        for (name, zone) in [("a", "x"), ("b", "y")] {
            let labels = [("topology.kubernetes.io/zone", zone), ("host", name)];
            snapshot.set_node(node(name, "4", &labels));
        }
        Self { profile, snapshot }
    }

    fn with(mut self, resource: &GroupVersionResource, object: &Value) -> Self {
        let object = Object::from_wire(object.to_string().into()).expect("an object");
        self.snapshot.set_object(resource, &Arc::new(object));
        self
    }

    fn class(self, waits: bool, provisioner: &str, more: Value) -> Self {
        let mode = if waits { "WaitForFirstConsumer" } else { "Immediate" };
        let class = json!({"metadata": {"name": "c"}, "provisioner": provisioner, "volumeBindingMode": mode});
        self.with(&scheme::STORAGECLASSES, &merged(class, more))
    }

    fn claim(self, name: &str, volume: &str, spec: Value) -> Self {
        let notes = match volume {
            "" => json!({}),
            _ => json!({"pv.kubernetes.io/bind-completed": "yes"}),
        };
        let all = json!({"storageClassName": "c", "volumeName": volume, "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "2Gi"}}});
        let metadata =
            json!({"name": name, "namespace": "default", "uid": name, "annotations": notes});
        let claim = json!({"metadata": metadata, "spec": merged(all, spec)});
        self.with(&scheme::PERSISTENTVOLUMECLAIMS, &claim)
    }

    /// A volume that the node with this name can use; empty: all.
    fn volume(self, name: &str, size: &str, host: &str, more: Value) -> Self {
        let mut spec = json!({"storageClassName": "c", "capacity": {"storage": size},
            "accessModes": ["ReadWriteOnce"]});
        if !host.is_empty() {
            let expression = json!({"key": "host", "operator": "In", "values": [host]});
            spec["nodeAffinity"] =
                json!({"required": {"nodeSelectorTerms": [{"matchExpressions": [expression]}]}});
        }
        let volume =
            json!({"metadata": {"name": name}, "spec": spec, "status": {"phase": "Available"}});
        self.with(&scheme::PERSISTENTVOLUMES, &merged(volume, more))
    }

    fn running(mut self, pod: PodInfo, node: &str) -> Self {
        self.snapshot.set_pod(Arc::new(pod.on(node)));
        self
    }

    /// The nodes that are left, or why there is none.
    fn places(&self, pod: &PodInfo) -> Result<Vec<&str>, String> {
        let mut cycle = Cycle::new(pod, &self.snapshot);
        let left = cycle.filter(&self.profile).map_err(|(_, reason)| reason.to_string())?;
        let names: Vec<_> = left.nodes().iter().map(|id| &**self.snapshot.name(id)).collect();
        if names.is_empty() { Err(left.message(2)) } else { Ok(names) }
    }
}

fn merged(mut to: Value, more: Value) -> Value {
    let to_map = to.as_object_mut().expect("an object");
    for (key, value) in more.as_object().expect("an object") {
        match to_map.get_mut(key) {
            Some(old) if old.is_object() && value.is_object() => {
                *old = merged(old.take(), value.clone());
            }
            _ => drop(to_map.insert(key.clone(), value.clone())),
        }
    }
    to
}

fn user(name: &str, claims: &[&str]) -> PodInfo {
    let volume =
        |claim: &&str| json!({"name": claim, "persistentVolumeClaim": {"claimName": claim}});
    let volumes: Vec<_> = claims.iter().map(volume).collect();
    pod_with(name, json!({"containers": [], "volumes": volumes}))
}

fn all(reason: &str) -> Result<Vec<&'static str>, String> {
    Err(format!("0/2 nodes are available: 2 {reason}."))
}

#[test]
fn a_pod_goes_where_its_volume_is() {
    let shop = Shop::new().claim("data", "v", json!({})).volume("v", "2Gi", "b", json!({}));
    assert_eq!(shop.places(&user("p", &["data"])), Ok(vec!["b"]));
    let lost = Shop::new().claim("data", "v", json!({}));
    let why = lost.places(&user("p", &["data"]));
    assert_eq!(why, Err("persistentvolume \"v\" not found".into()));
    let far = shop.volume("v", "2Gi", "c", json!({}));
    assert_eq!(
        far.places(&user("p", &["data"])),
        all("node(s) didn't match PersistentVolume's node affinity")
    );
}

#[test]
fn claims_that_are_not_ready_are_said() {
    for (shop, why) in [
        (Shop::new(), "persistentvolumeclaim \"data\" not found"),
        (
            Shop::new().claim("data", "", json!({})),
            "pod has unbound immediate PersistentVolumeClaims",
        ),
        (
            Shop::new().class(false, "p", json!({})).claim("data", "", json!({})),
            "pod has unbound immediate PersistentVolumeClaims",
        ),
    ] {
        assert_eq!(shop.places(&user("p", &["data"])), Err(why.into()));
    }
    let scratch =
        pod_with("p", json!({"containers": [], "volumes": [{"name": "tmp", "ephemeral": {}}]}));
    let why =
        "waiting for ephemeral volume controller to create the persistentvolumeclaim \"p-tmp\"";
    assert_eq!(Shop::new().places(&scratch), Err(why.into()));
    let foreign = Shop::new().class(true, "p", json!({})).claim("p-tmp", "", json!({}));
    let why = "PVC default/p-tmp was not created for pod default/p (pod is not owner)";
    assert_eq!(foreign.places(&scratch), Err(why.into()));
}

#[test]
fn waiting_claims_take_the_smallest_volume_that_fits() {
    let none = "kubernetes.io/no-provisioner";
    let shop = Shop::new().class(true, none, json!({})).claim("data", "", json!({}));
    let pod = user("p", &["data"]);
    let conflict = "node(s) didn't find available persistent volumes to bind";
    assert_eq!(shop.places(&pod), all(conflict));
    let shop = shop.volume("small", "1Gi", "a", json!({})).volume("large", "4Gi", "b", json!({}));
    assert_eq!(shop.places(&pod), Ok(vec!["b"]));
    // One volume is not enough for two claims, two on one node are.
    let shop = shop.claim("more", "", json!({"resources": {"requests": {"storage": "3Gi"}}}));
    let two = user("q", &["data", "more"]);
    assert_eq!(shop.places(&two), all(conflict));
    let shop = shop.volume("middle", "2Gi", "b", json!({}));
    assert_eq!(shop.places(&two), Ok(vec!["b"]));
    // Set aside for a claim, it is for no other; and the claim takes no other.
    let aside =
        json!({"spec": {"claimRef": {"namespace": "default", "name": "more", "uid": "more"}}});
    let shop = shop.volume("large", "4Gi", "a", aside);
    assert_eq!(shop.places(&user("r", &["more"])), Ok(vec!["a"]));
    assert_eq!(shop.places(&two), all(conflict));
}

#[test]
fn volumes_are_made_where_the_class_and_the_space_allow() {
    let zone = json!({"allowedTopologies": [{"matchLabelExpressions": [
        {"key": "topology.kubernetes.io/zone", "values": ["y"]}]}]});
    let pod = user("p", &["data"]);
    let shop = Shop::new().class(true, "x.io/p", zone).claim("data", "", json!({}));
    assert_eq!(shop.places(&pod), Ok(vec!["b"]));
    let shop = Shop::new().class(true, "x.io/p", json!({})).claim("data", "", json!({}));
    let shop = shop.with(
        &scheme::CSIDRIVERS,
        &json!({"metadata": {"name": "x.io/p"}, "spec": {"storageCapacity": true}}),
    );
    assert_eq!(shop.places(&pod), all("node(s) did not have enough free storage"));
    let space = |capacity: &str| {
        json!({"metadata": {"name": "s", "namespace": "default"}, "storageClassName": "c", "capacity": capacity,
            "nodeTopology": {"matchLabels": {"host": "a"}}})
    };
    let shop = shop.with(&scheme::CSISTORAGECAPACITIES, &space("1Gi"));
    assert_eq!(shop.places(&pod), all("node(s) did not have enough free storage"));
    let shop = shop.with(&scheme::CSISTORAGECAPACITIES, &space("2Gi"));
    assert_eq!(shop.places(&pod), Ok(vec!["a"]));
}

#[test]
fn what_was_chosen_is_taken_until_it_is_given_back() {
    let none = "kubernetes.io/no-provisioner";
    let binding = VolumeBinding::new(None, &VolumeBindingArgs::default());
    let shop = Shop::new().class(true, none, json!({})).volume("v", "4Gi", "a", json!({}));
    let mut shop = shop.claim("one", "", json!({})).claim("two", "", json!({}));
    let (first, second) = (user("p", &["one"]), user("q", &["two"]));
    let id = shop.snapshot.id("a").expect("a node");
    let placed = |pod: &PodInfo| Placement { pod: Arc::new(pod.clone()), node: "a".into(), id };
    let reserve = |shop: &mut Shop, pod: &PodInfo| {
        shop.snapshot.place(Arc::new(pod.clone()), id);
        binding.assumed(&placed(pod), &shop.snapshot);
        binding.reserve(&placed(pod))
    };
    assert_eq!(shop.places(&second), Ok(vec!["a"]));
    reserve(&mut shop, &first).expect("it is free");
    assert!(shop.places(&second).is_err(), "the next one sees it");
    reserve(&mut shop, &second).expect_err("there is none for it");
    shop.snapshot.remove_pod("q");
    // The first one goes in the moment in which it is bound.
    shop.snapshot.remove_pod("p");
    reserve(&mut shop, &second).expect_err("it was found, and is being bound to another claim");
    shop.snapshot.remove_pod("q");
    binding.unreserve(&placed(&first));
    reserve(&mut shop, &second).expect("it was given back");
}

#[test]
fn what_is_reserved_was_looked_for_by_the_same_turn() {
    let none = "kubernetes.io/no-provisioner";
    let binding = VolumeBinding::new(None, &VolumeBindingArgs::default());
    let shop = Shop::new().class(true, none, json!({})).volume("v", "4Gi", "a", json!({}));
    let mut shop = shop.claim("one", "", json!({}));
    let (pod, id) = (Arc::new(user("p", &["one"])), shop.snapshot.id("a").expect("a node"));
    let placement = Placement { pod: pod.clone(), node: "a".into(), id };
    binding.reserve(&placement).expect_err("nothing was looked for");
    shop.snapshot.place(pod, id);
    binding.assumed(&placement, &shop.snapshot);
    // Another plugin refuses it.
    binding.unreserve(&placement);
    binding.reserve(&placement).expect_err("that was another turn");
    binding.assumed(&placement, &shop.snapshot);
    // Its claim was bound meanwhile.
    let mut shop = shop.claim("one", "v", json!({}));
    shop.snapshot.remove_pod("p");
    binding.assumed(&placement, &shop.snapshot);
    binding.reserve(&placement).expect("it waits for nothing");
    assert!(binding.decisions.lock().chosen["p"].is_empty(), "what was found before is of no use");
}

#[test]
fn zones_of_volumes_are_zones_of_pods() {
    let labels =
        |zone: &str| json!({"metadata": {"labels": {"topology.kubernetes.io/zone": zone}}});
    let pod = user("p", &["data"]);
    for (zone, expected) in [
        ("y", Ok(vec!["b"])),
        ("x__y", Ok(vec!["a", "b"])),
        ("z", all("node(s) had no available volume zone")),
    ] {
        let shop = Shop::new().claim("data", "v", json!({})).volume("v", "2Gi", "", labels(zone));
        assert_eq!(shop.places(&pod), expected, "{zone}");
    }
    let beta = json!({"metadata": {"labels": {"failure-domain.beta.kubernetes.io/zone": "x"}}});
    let shop = Shop::new().claim("data", "v", json!({})).volume("v", "2Gi", "", beta);
    assert_eq!(shop.places(&pod), Ok(vec!["a"]));
}

#[test]
fn disks_and_claims_for_one_pod_are_not_shared() {
    let disk = |name: &str, source: Value| {
        let volume = merged(json!({"name": "v"}), source);
        pod_with(name, json!({"containers": [], "volumes": [volume]}))
    };
    let gce =
        |read_only: bool| json!({"gcePersistentDisk": {"pdName": "d", "readOnly": read_only}});
    let rbd = |monitor: &str| json!({"rbd": {"monitors": [monitor, "m"], "image": "i"}});
    let both = Ok(vec!["a", "b"]);
    for (there, new, expected) in [
        (gce(true), gce(true), both.clone()),
        (gce(true), gce(false), Ok(vec!["b"])),
        (gce(false), gce(true), Ok(vec!["b"])),
        (rbd("1"), rbd("2"), Ok(vec!["b"])),
        (
            json!({"awsElasticBlockStore": {"volumeID": "v"}}),
            json!({"awsElasticBlockStore": {"volumeID": "w"}}),
            both,
        ),
    ] {
        let shop = Shop::new().running(disk("q", there), "a");
        assert_eq!(shop.places(&disk("p", new.clone())), expected, "{new}");
    }
    let alone = json!({"accessModes": ["ReadWriteOncePod"]});
    let shop = Shop::new().claim("data", "v", alone).volume("v", "2Gi", "", json!({}));
    assert_eq!(shop.places(&user("p", &["data"])), Ok(vec!["a", "b"]));
    let shop = shop.running(user("q", &["data"]), "a");
    let reason = "node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode";
    assert_eq!(shop.places(&user("p", &["data"])), all(reason));
}

#[test]
fn nodes_attach_only_so_many_volumes() {
    let limit = |count: u32| {
        json!({"metadata": {"name": "a"}, "spec": {"drivers": [
            {"name": "x.io", "nodeID": "a", "allocatable": {"count": count}}]}})
    };
    let csi = |handle: &str| json!({"spec": {"csi": {"driver": "x.io", "volumeHandle": handle}}});
    let shop = Shop::new().with(&scheme::CSINODES, &limit(1));
    let shop = shop.claim("one", "1", json!({})).volume("1", "2Gi", "", csi("1"));
    let shop = shop.claim("two", "2", json!({})).volume("2", "2Gi", "", csi("2"));
    let shop = shop.running(user("q", &["one"]), "a");
    assert_eq!(shop.places(&user("p", &["two"])), Ok(vec!["b"]));
    assert_eq!(shop.places(&user("p", &["one"])), Ok(vec!["a", "b"]), "it is there already");
    let shop = shop.with(&scheme::CSINODES, &limit(2));
    assert_eq!(shop.places(&user("p", &["two"])), Ok(vec!["a", "b"]));
}
