use super::age::human;
use super::*;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::sync::Arc;
use windlass_core::Object;
use windlass_core::object::{ListMeta, canonical};
use windlass_core::scheme::{GroupVersionKind, Scheme};

const POD: GroupVersionKind = GroupVersionKind::new("", "v1", "Pod");

fn object(value: Value) -> Arc<Object> {
    let json = canonical(value.as_object().expect("an object").clone());
    Arc::new(Object::from_stored(json, 7).expect("canonical"))
}

fn print(gvk: &GroupVersionKind, value: Value, include: IncludeObject) -> Value {
    let options = TableOptions {
        include,
        no_headers: false,
        now: "2026-01-01T01:00:00Z".parse::<Timestamp>().expect("a time"),
    };
    let list = ListMeta { resource_version: "9".into(), ..ListMeta::default() };
    let bytes = table(gvk, &[object(value)], &list, &options).expect("prints");
    serde_json::from_slice(&bytes).expect("JSON")
}

fn row(gvk: &GroupVersionKind, mut value: Value) -> Vec<Value> {
    if value["metadata"].is_null() {
        value["metadata"] = json!({"name": "x"});
    }
    value["metadata"]["creationTimestamp"] = json!("2026-01-01T00:00:00Z");
    let table = print(gvk, value, IncludeObject::None);
    let cells = table["rows"][0]["cells"].as_array().expect("cells").clone();
    assert_eq!(cells.len(), table["columnDefinitions"].as_array().expect("columns").len());
    cells
}

#[test]
fn ages() {
    for (seconds, text) in [
        (-5, "<invalid>"),
        (-1, "0s"),
        (0, "0s"),
        (119, "119s"),
        (120, "2m"),
        (150, "2m30s"),
        (599, "9m59s"),
        (600, "10m"),
        (10_799, "179m"),
        (10_800, "3h"),
        (11_100, "3h5m"),
        (28_800, "8h"),
        (172_799, "47h"),
        (172_800, "2d"),
        (180_000, "2d2h"),
        (691_200, "8d"),
        (63_071_999, "729d"),
        (63_072_000, "2y"),
        (63_244_800, "2y2d"),
        (252_288_000, "8y"),
    ] {
        assert_eq!(human(seconds), text, "{seconds}");
    }
}

#[test]
fn rows_carry_what_was_asked_for() {
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "labels": {"a": "b"}}, "spec": {}});
    let whole = print(&POD, pod.clone(), IncludeObject::Object);
    assert_eq!(whole["kind"], "Table");
    assert_eq!(whole["metadata"]["resourceVersion"], "9");
    assert_eq!(whole["columnDefinitions"][0]["format"], "name");
    assert_eq!(whole["rows"][0]["object"]["metadata"]["resourceVersion"], "7");
    assert_eq!(whole["rows"][0]["object"]["kind"], "Pod");
    let part = print(&POD, pod.clone(), IncludeObject::Metadata);
    assert_eq!(part["rows"][0]["object"]["kind"], "PartialObjectMetadata");
    assert_eq!(part["rows"][0]["object"]["metadata"]["labels"], json!({"a": "b"}));
    assert_eq!(part["rows"][0]["object"].get("spec"), None);
    assert_eq!(print(&POD, pod, IncludeObject::None)["rows"][0]["object"], Value::Null);
}

/// Each case: spec, status, whether it is being deleted; then ready, status and restarts.
#[test]
fn the_states_of_a_pod() {
    let two = json!({"containers": [{"name": "a"}, {"name": "b"}]});
    let one = json!({"containers": [{"name": "a"}]});
    let init =
        json!({"initContainers": [{"name": "i"}, {"name": "j"}], "containers": [{"name": "a"}]});
    let sidecar = json!({"initContainers": [{"name": "i", "restartPolicy": "Always"}], "containers": [{"name": "a"}]});
    let running = |ready: bool| json!({"name": "a", "ready": ready, "started": true, "state": {"running": {}}});
    let cases = [
        (json!(one), json!({"phase": "Pending"}), false, ["0/1", "Pending", "0"]),
        (
            json!(one),
            json!({"phase": "Running", "containerStatuses": [running(true)]}),
            false,
            ["1/1", "Running", "0"],
        ),
        (
            json!(two),
            json!({"phase": "Running", "containerStatuses": [running(true), {"name": "b", "state": {"waiting": {"reason": "CrashLoopBackOff"}}, "restartCount": 3, "lastState": {"terminated": {"finishedAt": "2026-01-01T00:57:00Z"}}}]}),
            false,
            ["1/2", "CrashLoopBackOff", "3 (3m ago)"],
        ),
        (
            json!(one),
            json!({"phase": "Succeeded", "containerStatuses": [{"name": "a", "state": {"terminated": {"reason": "Completed"}}}]}),
            false,
            ["0/1", "Completed", "0"],
        ),
        (
            json!(one),
            json!({"phase": "Failed", "containerStatuses": [{"name": "a", "state": {"terminated": {"exitCode": 3}}}]}),
            false,
            ["0/1", "ExitCode:3", "0"],
        ),
        (
            json!(one),
            json!({"phase": "Failed", "containerStatuses": [{"name": "a", "state": {"terminated": {"signal": 9}}}]}),
            false,
            ["0/1", "Signal:9", "0"],
        ),
        (
            json!(two),
            json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}], "containerStatuses": [{"name": "b", "state": {"terminated": {"reason": "Completed"}}}, running(true)]}),
            false,
            ["1/2", "Running", "0"],
        ),
        (
            json!(two),
            json!({"phase": "Running", "containerStatuses": [{"name": "b", "state": {"terminated": {"reason": "Completed"}}}, running(true)]}),
            false,
            ["1/2", "NotReady", "0"],
        ),
        (
            json!(init),
            json!({"phase": "Pending", "initContainerStatuses": [{"name": "i", "state": {"terminated": {"exitCode": 0}}}, {"name": "j", "state": {"running": {}}}]}),
            false,
            ["0/1", "Init:1/2", "0"],
        ),
        (
            json!(init),
            json!({"phase": "Pending", "initContainerStatuses": [{"name": "i", "state": {"waiting": {"reason": "ErrImagePull"}}}]}),
            false,
            ["0/1", "Init:ErrImagePull", "0"],
        ),
        (
            json!(init),
            json!({"phase": "Failed", "initContainerStatuses": [{"name": "i", "restartCount": 2, "state": {"terminated": {"exitCode": 1}}}]}),
            false,
            ["0/1", "Init:ExitCode:1", "2"],
        ),
        (
            json!(sidecar),
            json!({"phase": "Running", "initContainerStatuses": [{"name": "i", "ready": true, "started": true, "state": {"running": {}}}], "containerStatuses": [running(true)]}),
            false,
            ["2/2", "Running", "0"],
        ),
        (
            json!(one),
            json!({"phase": "Running", "containerStatuses": [running(true)]}),
            true,
            ["1/1", "Terminating", "0"],
        ),
        (
            json!(one),
            json!({"phase": "Running", "reason": "NodeLost"}),
            true,
            ["0/1", "Unknown", "0"],
        ),
        (json!(one), json!({"phase": "Succeeded"}), true, ["0/1", "Succeeded", "0"]),
        (
            json!(one),
            json!({"phase": "Failed", "reason": "Evicted"}),
            false,
            ["0/1", "Evicted", "0"],
        ),
        (
            json!(one),
            json!({"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False", "reason": "SchedulingGated"}]}),
            false,
            ["0/1", "SchedulingGated", "0"],
        ),
    ];
    for (spec, status, deleting, wanted) in cases {
        let mut metadata = json!({"name": "p"});
        if deleting {
            metadata["deletionTimestamp"] = json!("2026-01-01T00:59:00Z");
        }
        let cells = row(&POD, json!({"metadata": metadata, "spec": spec, "status": status}));
        let found: Vec<_> = cells[1..4].iter().map(|cell| cell.as_str().unwrap_or("?")).collect();
        assert_eq!(found, wanted, "{status}");
        assert_eq!(cells[4], "60m");
    }
}

#[test]
fn rows_of_other_kinds() {
    let template = json!({"spec": {"containers": [{"name": "c", "image": "x:1"}, {"name": "d", "image": "y"}]}});
    let cases = [
        (
            ("apps", "Deployment"),
            json!({"spec": {"replicas": 3, "selector": {"matchLabels": {"b": "1", "a": "2"}}, "template": template}, "status": {"readyReplicas": 1, "updatedReplicas": 2}}),
            json!(["x", "1/3", 2, 0, "60m", "c,d", "x:1,y", "a=2,b=1"]),
        ),
        (
            ("batch", "Job"),
            json!({"spec": {"completions": 3, "template": template}, "status": {"succeeded": 1, "startTime": "2026-01-01T00:59:00Z"}}),
            json!(["x", "Running", "1/3", "60s", "60m", "c,d", "x:1,y", "<none>"]),
        ),
        (
            ("batch", "CronJob"),
            json!({"spec": {"schedule": "@daily", "suspend": false}}),
            json!(["x", "@daily", "<none>", "False", 0, "<none>", "60m", "", "", "<none>"]),
        ),
        (
            ("", "Service"),
            json!({"spec": {"type": "NodePort", "clusterIP": "10.0.0.1", "ports": [{"port": 80, "nodePort": 30000, "protocol": "TCP"}, {"port": 81, "protocol": "UDP"}]}}),
            json!(["x", "NodePort", "10.0.0.1", "<none>", "80:30000/TCP,81/UDP", "60m", "<none>"]),
        ),
        (
            ("", "Service"),
            json!({"spec": {"type": "LoadBalancer", "clusterIPs": ["10.0.0.1"]}}),
            json!(["x", "LoadBalancer", "10.0.0.1", "<pending>", "<none>", "60m", "<none>"]),
        ),
        (
            ("", "Service"),
            json!({"spec": {"type": "ExternalName", "externalName": "a.b"}}),
            json!(["x", "ExternalName", "<none>", "a.b", "<none>", "60m", "<none>"]),
        ),
        (
            ("", "Node"),
            json!({"metadata": {"name": "x", "labels": {"node-role.kubernetes.io/worker": ""}}, "spec": {"unschedulable": true}, "status": {"conditions": [{"type": "Ready", "status": "True"}], "nodeInfo": {"kubeletVersion": "v1.36.0"}, "addresses": [{"type": "InternalIP", "address": "10.1.1.1"}]}}),
            json!([
                "x",
                "Ready,SchedulingDisabled",
                "worker",
                "60m",
                "v1.36.0",
                "10.1.1.1",
                "<none>",
                "<unknown>",
                "<unknown>",
                "<unknown>"
            ]),
        ),
        (
            ("", "ConfigMap"),
            json!({"data": {"a": "b"}, "binaryData": {"c": ""}}),
            json!(["x", 2, "60m"]),
        ),
        (
            ("", "PersistentVolumeClaim"),
            json!({"spec": {"volumeName": "v", "storageClassName": "s", "volumeMode": "Filesystem"}, "status": {"phase": "Bound", "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce", "ReadOnlyMany"]}}),
            json!(["x", "Bound", "v", "1Gi", "RWO,ROX", "s", "<unset>", "60m", "Filesystem"]),
        ),
        (
            ("", "ResourceQuota"),
            json!({"status": {"hard": {"pods": "100", "limits.cpu": "2"}, "used": {"pods": "1"}}}),
            json!(["x", "pods: 1/100", "limits.cpu: 0/2", "60m"]),
        ),
        (
            ("policy", "PodDisruptionBudget"),
            json!({"spec": {"minAvailable": 1}, "status": {"disruptionsAllowed": 2}}),
            json!(["x", 1.to_string(), "N/A", 2, "60m"]),
        ),
        (
            ("autoscaling", "HorizontalPodAutoscaler"),
            json!({"spec": {"minReplicas": 1, "maxReplicas": 2, "scaleTargetRef": {"kind": "Deployment", "name": "d"}, "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": {"averageUtilization": 50}}}]}}),
            json!(["x", "Deployment/d", "cpu: <unknown>/50%", "1", 2, 0, "60m"]),
        ),
        (
            ("networking.k8s.io", "Ingress"),
            json!({"spec": {"rules": [{"host": "a.example"}], "tls": [{}]}}),
            json!(["x", "<none>", "a.example", "", "80, 443", "60m"]),
        ),
        (
            ("discovery.k8s.io", "EndpointSlice"),
            json!({"addressType": "IPv4", "ports": [{"port": 80}], "endpoints": [{"addresses": ["1.1.1.1"]}, {"addresses": ["2.2.2.2", "3.3.3.3"]}, {"addresses": ["4.4.4.4"]}]}),
            json!(["x", "IPv4", "80", "1.1.1.1,2.2.2.2,3.3.3.3 + 1 more...", "60m"]),
        ),
        (("rbac.authorization.k8s.io", "Role"), json!({}), json!(["x", "2026-01-01T00:00:00Z"])),
        (
            ("rbac.authorization.k8s.io", "RoleBinding"),
            json!({"roleRef": {"kind": "Role", "name": "r"}, "subjects": [{"kind": "User", "name": "u"}, {"kind": "ServiceAccount", "namespace": "n", "name": "s"}]}),
            json!(["x", "Role/r", "60m", "u", "", "n/s"]),
        ),
        (
            ("", "Event"),
            json!({"type": "Normal", "reason": "Started", "message": "m\n", "involvedObject": {"kind": "Pod", "name": "p"}, "source": {"component": "kubelet", "host": "h"}, "lastTimestamp": "2026-01-01T00:59:00Z", "count": 2}),
            json!([
                "60s",
                "Normal",
                "Started",
                "pod/p",
                "",
                "kubelet, h",
                "m",
                "<unknown>",
                2,
                "x"
            ]),
        ),
        (
            ("networking.k8s.io", "IPAddress"),
            json!({"spec": {"parentRef": {"resource": "services", "namespace": "n", "name": "s"}}}),
            json!(["x", "services/n/s"]),
        ),
        (("example.com", "Gadget"), json!({}), json!(["x", "60m"])),
    ];
    for ((group, kind), value, wanted) in cases {
        let gvk = GroupVersionKind::new(group, "v1", kind);
        assert_eq!(Value::Array(row(&gvk, value)), wanted, "{kind}");
    }
}

#[test]
fn every_kind_prints_an_empty_object() {
    for info in Scheme::builtin().iter() {
        let cells = row(&info.gvk(), json!({}));
        let name = if info.kind == "Event" { cells.last() } else { cells.first() };
        assert_eq!(name, Some(&json!("x")), "{}", info.kind);
    }
}
