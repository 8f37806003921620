use super::*;
use serde_json::{Value, json};

fn pod(containers: Value, init: Value) -> Pod {
    let spec = json!({"containers": containers, "initContainers": init});
    serde_json::from_value(json!({"metadata": {"uid": "u"}, "spec": spec})).expect("a pod")
}

fn one(resources: Value) -> Pod {
    pod(json!([{"name": "c", "resources": resources}]), json!([]))
}

#[test]
fn classes_of_service() {
    let full = json!({"cpu": "1", "memory": "1Gi"});
    for (resources, qos, parent) in [
        (json!({}), Qos::BestEffort, "kubepods/besteffort/podu"),
        (json!({"requests": {"cpu": "1"}}), Qos::Burstable, "kubepods/burstable/podu"),
        (json!({"limits": {"cpu": "1"}}), Qos::Burstable, "kubepods/burstable/podu"),
        (json!({"limits": full}), Qos::Guaranteed, "kubepods/podu"),
        (json!({"limits": full, "requests": full}), Qos::Guaranteed, "kubepods/podu"),
        (
            json!({"limits": full, "requests": {"cpu": "1m", "memory": "1Gi"}}),
            Qos::Burstable,
            "kubepods/burstable/podu",
        ),
    ] {
        let pod = one(resources.clone());
        assert_eq!((super::qos(&pod), cgroup_parent(&pod).as_str()), (qos, parent), "{resources}");
    }
}

#[test]
fn a_pod_asks_for_the_most_it_needs_at_once() {
    let cpu =
        |name: &str, cpu: &str| json!({"name": name, "resources": {"requests": {"cpu": cpu}}});
    let mut side = cpu("side", "100m");
    side["restartPolicy"] = json!("Always");
    let pod = pod(json!([cpu("a", "200m"), cpu("b", "200m")]), json!([side, cpu("big", "1")]));
    assert_eq!(requests(&pod).milli_cpu, 1100);
}

#[test]
fn limits_become_cgroups() {
    let pod = one(json!({"limits": {"cpu": "500m", "memory": "64Mi"}}));
    let made = of_container(&pod, &pod.pod_spec().containers[0], 1 << 30);
    assert_eq!((made.cpu_quota, made.cpu_period), (Some(50_000), Some(100_000)));
    assert_eq!((made.cpu_shares, made.memory_limit), (Some(512), Some(64 << 20)));
    assert_eq!(made.oom_score_adj, Some(-997));
    let none = one(json!({}));
    let made = of_container(&none, &none.pod_spec().containers[0], 1 << 30);
    assert_eq!((made.cpu_quota, made.cpu_shares, made.oom_score_adj), (None, Some(2), Some(1000)));
    let burst = one(json!({"requests": {"memory": "512Mi"}}));
    let made = of_container(&burst, &burst.pod_spec().containers[0], 1 << 30);
    assert_eq!(made.oom_score_adj, Some(500));
}
