use super::kinds::builtin;
use super::plan::{Snapshot, plan, same};
use crate::support::testing::{at, cases, entry, merged, pod};
use serde::Deserialize;
use serde_json::{Value, json};
use windlass_core::apis::core::v1::ResourceQuota;
use windlass_core::quota::Source;
use windlass_core::scheme;

fn quota(spec: Value, status: Value) -> ResourceQuota {
    serde_json::from_value(json!({"metadata": {}, "spec": spec, "status": status})).unwrap()
}

/// What is used of `names`, as JSON.
fn used(spec: Value, names: &[&str], snapshot: &Snapshot) -> Value {
    let mut spec = spec;
    spec["hard"] = names.iter().map(|name| ((*name).to_owned(), json!("9"))).collect();
    let (status, _) = plan(&quota(spec, Value::Null), snapshot, at(0));
    json!(status.used)
}

fn container(requests: Value, limits: Value) -> Value {
    json!({"name": "c", "resources": {"requests": requests, "limits": limits}})
}

#[derive(Deserialize)]
struct Case {
    name: String,
    containers: Vec<String>,
    #[serde(default)]
    before: Vec<String>,
    #[serde(default)]
    more: Value,
    used: Vec<String>,
}

fn named(name: &str) -> Value {
    let memory = |size: &str| json!({"memory": size});
    match name {
        "small" => container(json!({"cpu": "100m", "memory": "64Mi"}), memory("128Mi")),
        "large" => container(json!({"cpu": "1", "example.com/gpu": "2"}), json!({"cpu": "2"})),
        _ => {
            merged(container(json!({"cpu": "300m"}), json!({})), json!({"restartPolicy": "Always"}))
        }
    }
}

#[test]
fn pods_use_what_their_containers_ask_for() {
    let names = [
        "pods",
        "cpu",
        "requests.memory",
        "limits.cpu",
        "limits.memory",
        "requests.example.com/gpu",
    ];
    for case in cases::<Case>(include_str!("tests/pods.yaml")) {
        let all =
            |names: &[String]| -> Vec<Value> { names.iter().map(|name| named(name)).collect() };
        let spec =
            json!({"containers": all(&case.containers), "initContainers": all(&case.before)});
        let pods = vec![pod("a", "", json!({"spec": merged(spec, case.more)}))];
        let found = used(json!({}), &names, &Snapshot { pods, ..Snapshot::default() });
        let found: Vec<_> = names.iter().map(|name| found[name].as_str().unwrap()).collect();
        assert_eq!(found, case.used, "{}", case.name);
    }
}

#[test]
fn pods_that_ended_are_objects_only() {
    let spec = json!({"containers": [container(json!({"cpu": "1"}), json!({}))]});
    let ended = json!({"spec": spec, "status": {"phase": "Succeeded"}});
    let going = json!({"spec": spec, "metadata": {"deletionTimestamp": at(10).to_string(), "deletionGracePeriodSeconds": 30}});
    let pods = vec![pod("ended", "", ended), pod("going", "", going)];
    let snapshot = Snapshot { pods, ..Snapshot::default() };
    let hard = json!({"hard": {"pods": "5", "count/pods": "5", "cpu": "5"}});
    let cases = [(0, Some(40), "1"), (39, Some(1), "1"), (40, None, "0"), (99, None, "0")];
    for (now, wanted, running) in cases {
        let (status, again) = plan(&quota(hard.clone(), Value::Null), &snapshot, at(now));
        let wanted_used = json!({"pods": running, "count/pods": "2", "cpu": running});
        assert_eq!(json!(status.used), wanted_used, "after {now} s");
        assert_eq!(again.map(|again| again.as_secs()), wanted, "after {now} s");
    }
}

#[test]
fn scopes_choose_pods() {
    let asks = container(json!({"cpu": "1"}), json!({}));
    let plain = json!({"containers": [{"name": "c"}]});
    let deadline = json!({"containers": [asks], "activeDeadlineSeconds": 5});
    let high = json!({"containers": [asks], "priorityClassName": "high"});
    let term = json!({"topologyKey": "zone", "namespaceSelector": {}});
    let affine = json!({"containers": [asks], "affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}});
    let class = |operator: &str, values: Value| json!({"scopeSelector": {"matchExpressions": [{"scopeName": "PriorityClass", "operator": operator, "values": values}]}});
    let cases = [
        (json!({}), "4", "1"),
        (json!({"scopes": ["Terminating"]}), "1", "0"),
        (json!({"scopes": ["NotTerminating"]}), "3", "0"),
        (json!({"scopes": ["BestEffort"]}), "1", "0"),
        (json!({"scopes": ["NotBestEffort"]}), "3", "0"),
        (json!({"scopes": ["NotBestEffort", "Terminating"]}), "1", "0"),
        (json!({"scopes": ["CrossNamespacePodAffinity"]}), "1", "0"),
        (json!({"scopes": ["PriorityClass"]}), "1", "0"),
        (class("In", json!(["high"])), "1", "0"),
        (class("In", json!(["low"])), "0", "0"),
        (class("NotIn", json!(["low"])), "4", "0"),
        (class("DoesNotExist", Value::Null), "3", "0"),
        (json!({"scopes": ["VolumeAttributesClass"]}), "0", "0"),
    ];
    let all = [plain, deadline, high, affine];
    for (spec, pods_wanted, services_wanted) in cases {
        let pods = all.iter().enumerate();
        let pods = pods.map(|(n, spec)| pod(&format!("p{n}"), "", json!({"spec": spec}))).collect();
        let services = vec![entry(json!({"metadata": {"name": "s"}, "spec": {}}))];
        let snapshot = Snapshot { pods, services, ..Snapshot::default() };
        let found = used(spec.clone(), &["pods", "services"], &snapshot);
        assert_eq!(found, json!({"pods": pods_wanted, "services": services_wanted}), "{spec}");
    }
}

#[test]
fn services_and_claims_use_what_they_are() {
    let service = |spec: Value| entry(json!({"metadata": {"name": "s"}, "spec": spec}));
    let ports = json!([{"port": 1, "nodePort": 30000}, {"port": 2}]);
    let services = vec![
        service(json!({"type": "ClusterIP", "ports": ports})),
        service(json!({"type": "NodePort", "ports": ports})),
        service(json!({"type": "LoadBalancer", "ports": ports})),
        service(
            json!({"type": "LoadBalancer", "ports": ports, "allocateLoadBalancerNodePorts": false}),
        ),
    ];
    let claim = |class: &str, size: &str, set_aside: &str| {
        entry(json!({"metadata": {"name": "c"},
            "spec": {"storageClassName": class, "resources": {"requests": {"storage": size}}},
            "status": {"allocatedResources": {"storage": set_aside}}}))
    };
    let claims = vec![claim("gold", "1Gi", "3Gi"), claim("tin", "2Gi", "0")];
    let objects = [(Source::of(&scheme::CONFIGMAPS), 3)].into_iter().collect();
    let snapshot = Snapshot { services, claims, objects, ..Snapshot::default() };
    let wanted = json!({"count/services": "4", "services": "4", "services.nodeports": "5", "services.loadbalancers": "2",
        "persistentvolumeclaims": "2", "requests.storage": "5Gi", "configmaps": "3", "count/configmaps": "3",
        "gold.storageclass.storage.k8s.io/requests.storage": "3Gi",
        "gold.storageclass.storage.k8s.io/persistentvolumeclaims": "1"});
    let names: Vec<_> = wanted.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(used(json!({}), &names, &snapshot), wanted);
}

#[test]
fn claims_are_counted_in_their_class() {
    let claim = |wants: Value, has: Value| {
        let name = "volumeAttributesClassName";
        entry(
            json!({"metadata": {"name": "c"}, "status": {"currentVolumeAttributesClassName": has},
            "spec": {name: wants, "resources": {"requests": {"storage": "1Gi"}}}}),
        )
    };
    let claims = vec![
        claim(Value::Null, Value::Null),
        claim(json!("gold"), json!("gold")),
        claim(json!("gold"), json!("tin")),
    ];
    let snapshot = Snapshot { claims, ..Snapshot::default() };
    let class = |operator: &str, values: Value| json!({"scopeSelector": {"matchExpressions": [{"scopeName": "VolumeAttributesClass", "operator": operator, "values": values}]}});
    let cases = [
        (json!({}), "3", "3Gi"),
        (json!({"scopes": ["VolumeAttributesClass"]}), "2", "2Gi"),
        (class("In", json!(["gold"])), "2", "2Gi"),
        (class("In", json!(["tin"])), "1", "1Gi"),
        (class("DoesNotExist", Value::Null), "1", "1Gi"),
        (json!({"scopes": ["Terminating"]}), "0", "0"),
    ];
    for (spec, count, size) in cases {
        let found = used(spec.clone(), &["persistentvolumeclaims", "requests.storage"], &snapshot);
        let wanted = json!({"persistentvolumeclaims": count, "requests.storage": size});
        assert_eq!(found, wanted, "{spec}");
    }
}

#[test]
fn devices_are_counted_by_class() {
    let exactly = |class: &str, count: usize| json!({"name": "r", "exactly": {"deviceClassName": class, "count": count}});
    let claim = |requests: Value| {
        entry(json!({"metadata": {"name": "c"}, "spec": {"devices": {"requests": requests}}}))
    };
    let devices = vec![
        claim(json!([exactly("gpu", 2), exactly("nic", 1)])),
        claim(json!([exactly("gpu", 1)])),
    ];
    let snapshot = Snapshot { devices, ..Snapshot::default() };
    let wanted = json!({"gpu.deviceclass.resource.k8s.io/devices": "3",
        "nic.deviceclass.resource.k8s.io/devices": "1", "tpu.deviceclass.resource.k8s.io/devices": "0",
        "count/resourceclaims.resource.k8s.io": "2"});
    let names: Vec<_> = wanted.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(used(json!({}), &names, &snapshot), wanted);
}

#[test]
fn what_is_not_known_stays_as_it_was() {
    let status = json!({"hard": {}, "used": {"configmaps": "7", "secrets": "1", "gone": "1"}});
    let quota = quota(json!({"hard": {"configmaps": "9", "secrets": "9", "other": "1"}}), status);
    let unknown = [Source::of(&scheme::CONFIGMAPS)].into_iter().collect();
    let objects = [(Source::of(&scheme::SECRETS), 0)].into_iter().collect();
    let (status, _) = plan(&quota, &Snapshot { unknown, objects, ..Snapshot::default() }, at(0));
    assert_eq!(json!(status.used), json!({"configmaps": "7", "secrets": "0"}));
    assert_eq!(status.hard, quota.spec.unwrap().hard);
}

#[test]
fn only_what_namespaces_have_is_counted() {
    assert_eq!(builtin("apps", "deployments"), Some(Some(scheme::DEPLOYMENTS)));
    assert_eq!(builtin("", "nodes"), Some(None));
    assert_eq!(builtin("", "bindings"), Some(None));
    assert_eq!(builtin("example.com", "widgets"), None);
}

#[test]
fn a_status_in_another_form_is_the_same() {
    let status = |hard: &str, used: &str| {
        serde_json::from_value(json!({"hard": {"cpu": hard}, "used": {"cpu": used}})).unwrap()
    };
    assert!(same(&status("1", "1000m"), &status("1000m", "1")));
    assert!(!same(&status("1", "1"), &status("1", "2")));
    assert!(!same(&status("1", "1"), &status("2", "1")));
    assert!(!same(&Default::default(), &status("1", "1")));
}
