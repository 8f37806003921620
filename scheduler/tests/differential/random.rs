//! Random clusters from a seed: small, and full of cases.

use serde_json::{Value, json};
use windlass_core::clock::{Random, Seeded};

pub(crate) struct Dice(Seeded);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Seeded::new(seed))
    }

    pub(crate) fn below(&self, n: u64) -> u64 {
        (self.0.next() >> 11) % n
    }

    pub(crate) fn chance(&self, percent: u64) -> bool {
        self.below(100) < percent
    }

    pub(crate) fn pick<'a, T: ?Sized>(&self, from: &[&'a T]) -> &'a T {
        from[self.below(from.len() as u64) as usize]
    }

    fn many<T>(&self, most: u64, mut make: impl FnMut() -> T) -> Vec<T> {
        (0..self.below(most + 1)).map(|_| make()).collect()
    }
}

const KEYS: [&str; 4] = ["zone", "kubernetes.io/hostname", "rack", "topology.kubernetes.io/zone"];

pub(crate) fn node(dice: &Dice, name: &str) -> Value {
    let mut labels = serde_json::Map::new();
    for key in ["zone", "topology.kubernetes.io/zone"] {
        if dice.chance(85) {
            labels.insert(key.into(), dice.pick(&["a", "b", "c"]).into());
        }
    }
    if dice.chance(90) {
        labels.insert("kubernetes.io/hostname".into(), name.into());
    }
    if dice.chance(50) {
        labels.insert("rack".into(), dice.pick(&["1", "2", "3", "4"]).into());
    }
    let taints = dice.many(2, || taint(dice));
    let images: Vec<Value> = (0..3)
        .filter(|_| dice.chance(40))
        .map(|n| json!({"names": [format!("i{n}:latest")], "sizeBytes": (n + 1) * 300_000_000_i64}))
        .collect();
    let mut allocatable = json!({"cpu": dice.pick(&["2", "4", "8"]), "memory": dice.pick(&["4Gi", "16Gi"]),
        "pods": dice.pick(&["3", "110"])});
    if dice.chance(40) {
        allocatable["x.io/gpu"] = dice.pick(&["1", "4"]).into();
    }
    json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels},
        "spec": {"unschedulable": dice.chance(8), "taints": taints},
        "status": {"allocatable": allocatable, "images": images}})
}

fn taint(dice: &Dice) -> Value {
    let effects = ["NoSchedule", "PreferNoSchedule", "PreferNoSchedule", "NoExecute"];
    json!({"key": dice.pick(&["k", "l"]), "value": dice.pick(&["v", "w"]), "effect": dice.pick(&effects)})
}

pub(crate) fn pod(dice: &Dice, name: &str, node: Option<&str>) -> Value {
    let mut labels = serde_json::Map::new();
    for (key, values) in [("app", &["x", "y"]), ("tier", &["1", "2"])] {
        if dice.chance(75) {
            labels.insert(key.into(), dice.pick(&values[..]).into());
        }
    }
    let mut metadata = json!({"name": name, "namespace": dice.pick(&["one", "two"]), "uid": name,
        "labels": labels});
    if node.is_some() && dice.chance(10) {
        metadata["deletionTimestamp"] = "2026-01-01T00:00:00Z".into();
    }
    if dice.chance(40) {
        let kind = dice.pick(&["ReplicaSet", "Job"]);
        metadata["ownerReferences"] = json!([{"apiVersion": "v1", "kind": kind, "name": "owner",
            "uid": "o", "controller": true}]);
    }
    let (containers, mut inits) = (containers(dice, "c"), Vec::new());
    if dice.chance(25) {
        inits = self::containers(dice, "i");
        for init in inits.iter_mut().filter(|_| dice.chance(50)) {
            init["restartPolicy"] = "Always".into();
        }
    }
    let status = resizing(dice, &containers, &inits);
    let mut spec = json!({"containers": containers, "initContainers": inits, "affinity": affinity(dice),
        "topologySpreadConstraints": dice.many(2, || spread(dice)),
        "tolerations": dice.many(2, || toleration(dice))});
    if dice.chance(15) {
        spec["nodeSelector"] = json!({"zone": dice.pick(&["a", "b"])});
    }
    if dice.chance(50) {
        spec["topologySpreadConstraints"] = json!([]);
    }
    if dice.chance(10) {
        spec["overhead"] = json!({"cpu": "250m", "memory": "100Mi"});
    }
    spec["volumes"] = json!(dice.many(if dice.chance(30) { 2 } else { 0 }, || disk(dice)));
    if let Some(node) = node {
        spec["nodeName"] = node.into();
    }
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec, "status": status})
}

fn containers(dice: &Dice, kind: &str) -> Vec<Value> {
    let mut all = dice.many(2, || container(dice));
    for (n, container) in all.iter_mut().enumerate() {
        container["name"] = format!("{kind}{n}").into();
    }
    all
}

/// Some containers have something else than they ask for.
fn resizing(dice: &Dice, containers: &[Value], inits: &[Value]) -> Value {
    if dice.chance(80) {
        return json!({});
    }
    let statuses = |of: &[Value]| -> Vec<Value> {
        let status = |container: &Value| {
            let amount = || json!({"cpu": dice.pick(&["0", "700m", "2"])});
            let mut status = json!({"name": container["name"], "image": "", "imageID": "", "ready": true, "restartCount": 0});
            if dice.chance(70) {
                status["resources"] = json!({"requests": amount()});
            }
            if dice.chance(70) {
                status["allocatedResources"] = amount();
            }
            status
        };
        of.iter().map(status).collect()
    };
    let reason = dice.pick(&["Infeasible", "Deferred", "Deferred"]);
    json!({"containerStatuses": statuses(containers), "initContainerStatuses": statuses(inits),
        "conditions": [{"type": "PodResizePending", "status": "True", "reason": reason}]})
}

fn disk(dice: &Dice) -> Value {
    let (name, read) = (dice.pick(&["d", "e"]), dice.chance(50));
    let disk = match dice.below(4) {
        0 => json!({"gcePersistentDisk": {"pdName": name, "readOnly": read}}),
        1 => json!({"awsElasticBlockStore": {"volumeID": name, "readOnly": read}}),
        2 => json!({"iscsi": {"iqn": name, "lun": 0, "targetPortal": "t", "readOnly": read}}),
        _ => {
            let monitors = [["m", "n"], ["n", "o"], ["o", "p"]][dice.below(3) as usize];
            json!({"rbd": {"monitors": monitors, "image": name, "readOnly": read}})
        }
    };
    let mut volume = disk;
    volume["name"] = "v".into();
    volume
}

fn container(dice: &Dice) -> Value {
    let mut requests = serde_json::Map::new();
    for (name, amounts) in [("cpu", ["0", "500m", "1"]), ("memory", ["0", "1Gi", "3Gi"])] {
        if dice.chance(70) {
            requests.insert(name.into(), dice.pick(&amounts).into());
        }
    }
    if dice.chance(10) {
        requests.insert("x.io/gpu".into(), "1".into());
    }
    let port = || {
        let ip = dice.pick(&["", "0.0.0.0", "10.0.0.1", "::"]);
        json!({"containerPort": 80, "hostPort": 80 + dice.below(2), "hostIP": ip,
            "protocol": dice.pick(&["TCP", "UDP"])})
    };
    let ports: Vec<Value> = if dice.chance(20) { dice.many(2, port) } else { Vec::new() };
    json!({"name": "c", "image": dice.pick(&["i0", "i1:latest", "i2", "none"]),
        "resources": {"requests": requests}, "ports": ports})
}

fn toleration(dice: &Dice) -> Value {
    match dice.below(3) {
        0 => json!({"operator": "Exists"}),
        1 => json!({"key": dice.pick(&["k", "l"]), "operator": "Exists",
            "effect": dice.pick(&["NoSchedule", "PreferNoSchedule"])}),
        _ => json!({"key": dice.pick(&["k", "l"]), "value": dice.pick(&["v", "w"])}),
    }
}

fn selector(dice: &Dice) -> Value {
    match dice.below(6) {
        0 => json!({}),
        1 => {
            json!({"matchExpressions": [{"key": "app", "operator": dice.pick(&["Exists", "DoesNotExist"])}]})
        }
        2 => {
            json!({"matchExpressions": [{"key": "tier", "operator": dice.pick(&["In", "NotIn"]), "values": ["1", "3"]}]})
        }
        3 => Value::Null,
        _ => json!({"matchLabels": {"app": dice.pick(&["x", "y"])}}),
    }
}

fn term(dice: &Dice) -> Value {
    let mut term = json!({"topologyKey": dice.pick(&KEYS), "labelSelector": selector(dice)});
    if dice.chance(25) {
        term["namespaces"] = json!([dice.pick(&["one", "two"])]);
    }
    if dice.chance(25) {
        let labels = if dice.chance(50) { json!({}) } else { json!({"team": "red"}) };
        term["namespaceSelector"] = json!({"matchLabels": labels});
    }
    if dice.chance(15) && !term["labelSelector"].is_null() {
        term[dice.pick(&["matchLabelKeys", "mismatchLabelKeys"])] = json!(["tier"]);
    }
    term
}

fn weighted(dice: &Dice) -> Value {
    json!({"weight": 1 + dice.below(100), "podAffinityTerm": term(dice)})
}

fn affinity(dice: &Dice) -> Value {
    let sometimes = |make: &dyn Fn() -> Value| match dice.chance(25) {
        true => json!(dice.many(2, make)),
        false => json!([]),
    };
    let preference = || json!({"weight": 1 + dice.below(9), "preference": node_term(dice)});
    let mut node =
        json!({"preferredDuringSchedulingIgnoredDuringExecution": sometimes(&preference)});
    if dice.chance(20) {
        let terms = dice.many(2, || node_term(dice));
        node["requiredDuringSchedulingIgnoredDuringExecution"] =
            json!({"nodeSelectorTerms": terms});
    }
    let pods = || {
        json!({"requiredDuringSchedulingIgnoredDuringExecution": sometimes(&|| term(dice)),
            "preferredDuringSchedulingIgnoredDuringExecution": sometimes(&|| weighted(dice))})
    };
    json!({"nodeAffinity": node, "podAffinity": pods(), "podAntiAffinity": pods()})
}

fn node_term(dice: &Dice) -> Value {
    let expression = || match dice.below(4) {
        0 => json!({"key": "rack", "operator": dice.pick(&["Gt", "Lt"]), "values": ["2"]}),
        1 => json!({"key": dice.pick(&KEYS), "operator": dice.pick(&["Exists", "DoesNotExist"])}),
        _ => json!({"key": "zone", "operator": dice.pick(&["In", "NotIn"]), "values": ["a", "b"]}),
    };
    json!({"matchExpressions": dice.many(2, expression)})
}

fn spread(dice: &Dice) -> Value {
    let mut spread = json!({"maxSkew": 1 + dice.below(3), "topologyKey": dice.pick(&KEYS),
        "whenUnsatisfiable": dice.pick(&["DoNotSchedule", "ScheduleAnyway"]), "labelSelector": selector(dice)});
    let policies = ["Honor", "Ignore"];
    for policy in ["nodeAffinityPolicy", "nodeTaintsPolicy"] {
        if dice.chance(40) {
            spread[policy] = dice.pick(&policies).into();
        }
    }
    if dice.chance(30) {
        spread["minDomains"] = (1 + dice.below(4)).into();
    }
    if dice.chance(20) && !spread["labelSelector"].is_null() {
        spread["matchLabelKeys"] = json!(["tier"]);
    }
    spread
}
