//! Pods that ask for other resources while they run.

use super::*;
use crate::runtime::fake::Steady;

/// A pod whose container asks for so much, and may have as much.
fn sized(name: &str, cpu: &str, memory: &str, policy: &Value) -> Value {
    let list = json!({"cpu": cpu, "memory": memory});
    let own = json!({"requests": list, "limits": list});
    pod(
        name,
        &json!({"containers": [{"name": "c", "image": "busybox:1", "imagePullPolicy": "IfNotPresent",
        "resources": own, "resizePolicy": policy}]}),
    )
}

fn ask(node: &TestNode, name: &str, cpu: &str, memory: &str) {
    let mut pod = node.api.read("pods", "default", name);
    let list = json!({"cpu": cpu, "memory": memory});
    pod["spec"]["containers"][0]["resources"] = json!({"requests": list, "limits": list});
    node.api.put("pods", pod);
}

fn shown(pod: &Value) -> (&Value, &Value, &Value) {
    let status = &pod["status"]["containerStatuses"][0];
    (
        &status["resources"]["limits"]["cpu"],
        &status["allocatedResources"]["cpu"],
        &status["restartCount"],
    )
}

fn pending(pod: &Value) -> Option<&Value> {
    let conditions = pod["status"]["conditions"].as_array();
    conditions.into_iter().flatten().find(|c| c["type"] == "PodResizePending")
}

async fn limits(node: &TestNode) -> (Option<i64>, Option<i64>) {
    let runtime: &dyn Runtime = &node.runtime;
    let all = runtime.list_containers().await.expect("lists");
    let last = all.into_iter().max_by_key(|c| c.attempt).expect("one");
    (last.resources.cpu_quota, last.resources.memory_limit)
}

#[tokio::test(start_paused = true)]
async fn a_container_gets_other_limits_while_it_runs() {
    let node = TestNode::start(Steady).await;
    node.api.put("pods", sized("a", "500m", "64Mi", &json!([])));
    node.until("a", |pod| pod["status"]["phase"] == "Running").await;
    assert_eq!(limits(&node).await, (Some(50_000), Some(64 << 20)));
    ask(&node, "a", "1", "128Mi");
    let seen = node.until("a", |pod| shown(pod).0 == "1").await;
    assert_eq!(shown(&seen), (&json!("1"), &json!("1"), &json!(0)));
    assert_eq!(limits(&node).await, (Some(100_000), Some(128 << 20)));
    let runtime: &dyn Runtime = &node.runtime;
    let sandboxes = runtime.list_sandboxes().await.expect("lists");
    assert_eq!(sandboxes[0].config.resources.cpu_quota, Some(100_000), "the pod's group too");
}

#[tokio::test(start_paused = true)]
async fn a_container_that_wants_so_is_started_again_for_it() {
    let node = TestNode::start(Steady).await;
    let policy = json!([{"resourceName": "memory", "restartPolicy": "RestartContainer"},
        {"resourceName": "cpu", "restartPolicy": "NotRequired"}]);
    node.api.put("pods", sized("a", "500m", "64Mi", &policy));
    node.until("a", |pod| pod["status"]["phase"] == "Running").await;
    ask(&node, "a", "1", "64Mi");
    let seen = node.until("a", |pod| shown(pod).0 == "1").await;
    assert_eq!(shown(&seen).2, 0, "its cpu is not worth a restart");
    ask(&node, "a", "1", "128Mi");
    node.until("a", |pod| {
        shown(pod).2 == 1 && pod["status"]["containerStatuses"][0]["ready"] == true
    })
    .await;
    assert_eq!(limits(&node).await, (Some(100_000), Some(128 << 20)));
    assert_eq!(node.api.messages("Killing"), ["Container c resize requires restart"]);
}

#[tokio::test(start_paused = true)]
async fn a_resize_waits_for_room_and_is_never_done_without() {
    let node = TestNode::start(Steady).await;
    // The node has two cores.
    node.api.put("pods", sized("a", "500m", "64Mi", &json!([])));
    node.api.put("pods", sized("b", "1", "64Mi", &json!([])));
    for name in ["a", "b"] {
        node.until(name, |pod| pod["status"]["phase"] == "Running").await;
    }
    ask(&node, "a", "3", "64Mi");
    let seen = node.until("a", |pod| pending(pod).is_some()).await;
    let why = pending(&seen).expect("it is there");
    assert_eq!((&why["status"], &why["reason"]), (&json!("True"), &json!("Infeasible")));
    assert_eq!(
        why["message"],
        "Node didn't have enough capacity: cpu, requested: 3000, capacity: 2000"
    );
    ask(&node, "a", "1500m", "64Mi");
    let seen = node.until("a", |pod| pending(pod).is_some_and(|c| c["reason"] == "Deferred")).await;
    assert_eq!(
        pending(&seen).expect("it is there")["message"],
        "Node didn't have enough resource: cpu, requested: 1500, used: 1000, capacity: 2000"
    );
    assert_eq!(shown(&seen), (&json!("500m"), &json!("500m"), &json!(0)));
    node.api.delete_pod("b", node.env.clock.now(), 1);
    let seen = node.until("a", |pod| pending(pod).is_none() && shown(pod).0 == "1500m").await;
    assert_eq!(shown(&seen), (&json!("1500m"), &json!("1500m"), &json!(0)));
}
