//! Pods that ask for other resources while they run.

use super::*;
use crate::runtime::fake::{Script, Steady};

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

#[tokio::test(start_paused = true)]
async fn a_restart_for_a_resize_is_no_end_of_the_pod() {
    let node = TestNode::start(Steady).await;
    let policy = json!([{"resourceName": "memory", "restartPolicy": "RestartContainer"}]);
    let mut wanted = sized("a", "500m", "64Mi", &policy);
    wanted["spec"]["restartPolicy"] = json!("OnFailure");
    node.api.put("pods", wanted);
    node.until("a", |pod| pod["status"]["phase"] == "Running").await;
    let begin = node.env.clock.now();
    for (memory, starts) in [("128Mi", 1), ("256Mi", 2)] {
        ask(&node, "a", "500m", memory);
        // It ends well when it is asked to.
        let seen = node.until("a", |pod| {
            let again =
                shown(pod).2 == starts && pod["status"]["containerStatuses"][0]["ready"] == true;
            again || pod["status"]["phase"] == "Succeeded"
        });
        assert_eq!(seen.await["status"]["phase"], "Running");
    }
    assert_eq!(limits(&node).await, (Some(50_000), Some(256 << 20)));
    let took = node.env.clock.now().duration_since(begin).as_secs();
    assert!(took < 10, "no back-off: {took} s");
    let runtime: &dyn Runtime = &node.runtime;
    let sandboxes = runtime.list_sandboxes().await.expect("lists");
    assert_eq!(sandboxes[0].config.resources.memory_limit, Some(256 << 20), "the pod's group too");
}

#[tokio::test(start_paused = true)]
async fn what_was_given_counts_after_a_restart_not_what_is_asked_for() {
    let node = TestNode::start(Steady).await;
    // The node has two cores.
    node.api.put("pods", sized("a", "500m", "64Mi", &json!([])));
    node.api.put("pods", sized("b", "1", "64Mi", &json!([])));
    for name in ["a", "b"] {
        node.until(name, |pod| pod["status"]["phase"] == "Running").await;
    }
    ask(&node, "a", "1500m", "64Mi");
    node.until("a", |pod| pending(pod).is_some_and(|c| c["reason"] == "Deferred")).await;
    node.shutdown.cancel();
    let second = Shutdown::new();
    node.start_agent(&second, None).await;
    node.api.put("pods", sized("c", "500m", "64Mi", &json!([])));
    let seen = node
        .until("c", |pod| ["Running", "Failed"].map(Value::from).contains(&pod["status"]["phase"]));
    let seen = seen.await;
    assert_eq!(seen["status"]["phase"], "Running", "{}", seen["status"]["message"]);
    second.cancel();
}

/// Uses 100 MiB.
struct Full;

impl Director for Full {
    fn container(&self, _: &ContainerConfig) -> Script {
        Script { on_term: Some(0), memory: 100 << 20, ..Script::default() }
    }

    fn exec(&self, _: &ContainerConfig, _: &[String]) -> Script {
        Script::default()
    }
}

#[tokio::test(start_paused = true)]
async fn no_limit_is_set_below_what_is_used() {
    let node = TestNode::start(Full).await;
    node.api.put("pods", sized("a", "500m", "128Mi", &json!([])));
    node.until("a", |pod| pod["status"]["phase"] == "Running").await;
    ask(&node, "a", "1", "64Mi");
    let failed = |pod: &Value| {
        let conditions = pod["status"]["conditions"].as_array();
        let mut all = conditions.into_iter().flatten();
        all.find(|c| c["type"] == "PodResizeInProgress" && c["reason"] == "Error").cloned()
    };
    let seen = node.until("a", |pod| failed(pod).is_some()).await;
    let words = "below current usage (104857600)";
    assert_eq!(
        failed(&seen).expect("it is there")["message"],
        format!(
            "cannot decrease memory limits: [attempting to set pod memory limit (67108864) {words}, \
             attempting to set container \"c\" memory limit (67108864) {words}]"
        )
    );
    assert_eq!(limits(&node).await, (Some(50_000), Some(128 << 20)), "nothing was written");
    ask(&node, "a", "1", "104Mi");
    node.until("a", |pod| shown(pod).0 == "1" && failed(pod).is_none()).await;
    assert_eq!(limits(&node).await, (Some(100_000), Some(104 << 20)));
}
