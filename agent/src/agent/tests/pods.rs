use super::*;
use crate::runtime::fake::{Script, Steady};

fn condition<'a>(pod: &'a Value, kind: &str) -> &'a str {
    let list = pod["status"]["conditions"].as_array();
    let found = list.into_iter().flatten().find(|c| c["type"] == kind);
    found.and_then(|c| c["status"].as_str()).unwrap_or_default()
}

fn container(pod: &Value) -> &Value {
    &pod["status"]["containerStatuses"][0]
}

#[tokio::test(start_paused = true)]
async fn a_bound_pod_runs_and_is_shown_running() {
    let node = TestNode::start(Steady).await;
    node.api.put("pods", pod("a", &json!({})));
    let seen = node.until("a", |pod| condition(pod, "Ready") == "True").await;
    assert_eq!(seen["status"]["phase"], "Running");
    assert_eq!(seen["status"]["qosClass"], "BestEffort");
    assert_eq!(container(&seen)["restartCount"], 0);
    assert_eq!(container(&seen)["ready"], true);
    assert!(container(&seen)["containerID"].as_str().expect("an id").starts_with("fake://"));
    for kind in ["PodReadyToStartContainers", "Initialized", "ContainersReady", "PodScheduled"] {
        assert_eq!(condition(&seen, kind), "True", "{kind}");
    }
    let ready = node.api.read("nodes", "", "n1");
    assert_eq!(condition(&ready, "Ready"), "True");
}

#[tokio::test(start_paused = true)]
async fn a_deleted_pod_ends_within_its_grace_and_leaves_nothing() {
    let node = TestNode::start(Steady).await;
    node.api.put("pods", pod("a", &json!({})));
    node.until("a", |pod| condition(pod, "Ready") == "True").await;
    node.api.delete_pod("a", node.env.clock.now(), 30);
    node.until_gone("a").await;
    assert_eq!(node.api.messages("Killing"), ["Stopping container c"]);
    // What is left here goes just after the object; the clock moves once all tasks wait.
    tokio::time::sleep(Duration::from_millis(1)).await;
    let runtime: &dyn Runtime = &node.runtime;
    assert!(runtime.list_sandboxes().await.expect("lists").is_empty());
    assert!(!node.root.path().join("pods/uid-a").exists());
    assert!(!node.root.path().join("logs/default_a_uid-a").exists());
}

struct Crashing;

impl Director for Crashing {
    fn container(&self, _: &ContainerConfig) -> Script {
        Script { runs: Some(Duration::ZERO), exit_code: 3, ..Script::default() }
    }

    fn exec(&self, _: &ContainerConfig, _: &[String]) -> Script {
        Script::default()
    }
}

#[tokio::test(start_paused = true)]
async fn a_crashing_container_is_held_back_longer_and_longer() {
    let node = TestNode::start(Crashing).await;
    let begin = node.env.clock.now();
    node.api.put("pods", pod("a", &json!({})));
    for (restarts, wait) in
        [(1, "10s"), (2, "20s"), (3, "40s"), (4, "1m20s"), (5, "2m40s"), (6, "5m0s"), (7, "5m0s")]
    {
        let seen = node
            .until("a", |pod| {
                let state = &container(pod)["state"]["waiting"];
                container(pod)["restartCount"] == restarts && state["reason"] == "CrashLoopBackOff"
            })
            .await;
        let message = format!("back-off {wait} restarting failed container=c pod=a_default(uid-a)");
        assert_eq!(container(&seen)["state"]["waiting"]["message"], message);
        assert_eq!(container(&seen)["lastState"]["terminated"]["exitCode"], 3);
        assert_eq!(seen["status"]["phase"], "Running");
    }
    let took = node.env.clock.now().duration_since(begin).as_secs();
    assert_eq!(took, 10 + 20 + 40 + 80 + 160 + 300);
}

#[tokio::test(start_paused = true)]
async fn a_restarted_agent_finds_what_runs() {
    let node = TestNode::start(Steady).await;
    let first = Shutdown::new();
    node.api.put("pods", pod("a", &json!({})));
    let before = node.until("a", |pod| condition(pod, "Ready") == "True").await;
    node.shutdown.cancel();
    node.start_agent(&first, None).await;
    // A second pod shows that the new agent works.
    node.api.put("pods", pod("b", &json!({})));
    node.until("b", |pod| condition(pod, "Ready") == "True").await;
    let after = node.api.read("pods", "default", "a");
    assert_eq!(container(&before)["containerID"], container(&after)["containerID"]);
    assert_eq!(container(&after)["restartCount"], 0);
    first.cancel();
}

struct Finishing;

impl Director for Finishing {
    fn container(&self, config: &ContainerConfig) -> Script {
        let exit_code = says(config).parse().ok();
        Script {
            runs: exit_code.map(|_| Duration::from_secs(1)),
            exit_code: exit_code.unwrap_or_default(),
            on_term: Some(0),
            ..Script::default()
        }
    }

    fn exec(&self, _: &ContainerConfig, _: &[String]) -> Script {
        Script::default()
    }
}

#[tokio::test(start_paused = true)]
async fn pods_end_as_their_containers_do() {
    let node = TestNode::start(Finishing).await;
    for (name, policy, code, phase, reason) in [
        ("done", "Never", "0", "Succeeded", "Completed"),
        ("failed", "Never", "4", "Failed", "Error"),
        ("onfailure", "OnFailure", "0", "Succeeded", "Completed"),
    ] {
        let container = json!([{"name": "c", "image": "busybox:1", "args": [code]}]);
        node.api.put("pods", pod(name, &json!({"restartPolicy": policy, "containers": container})));
        let seen = node.until(name, |pod| pod["status"]["phase"] == phase).await;
        let state = &seen["status"]["containerStatuses"][0]["state"]["terminated"];
        assert_eq!(state["reason"], reason, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn init_containers_and_sidecars_come_first_in_order() {
    let node = TestNode::start(Finishing).await;
    let spec = json!({
        "restartPolicy": "Never",
        "initContainers": [
            {"name": "one", "image": "busybox:1", "args": ["0"]},
            {"name": "side", "image": "busybox:1", "restartPolicy": "Always"},
            {"name": "two", "image": "busybox:1", "args": ["0"]},
        ],
        "containers": [{"name": "c", "image": "busybox:1", "args": ["0"]}],
    });
    node.api.put("pods", pod("a", &spec));
    let seen = node.until("a", |pod| pod["status"]["phase"] == "Succeeded").await;
    let started = |list: &str, at: usize| {
        let state = &seen["status"][list][at]["state"]["terminated"]["startedAt"];
        state.as_str().expect("it ran").to_owned()
    };
    let order = [
        started("initContainerStatuses", 0),
        started("initContainerStatuses", 1),
        started("initContainerStatuses", 2),
        started("containerStatuses", 0),
    ];
    assert!(order.is_sorted(), "{order:?}");
    assert!(order[0] < order[2] && order[2] < order[3], "{order:?}");
}

#[tokio::test(start_paused = true)]
async fn a_missing_key_holds_a_container_until_it_comes() {
    let node = TestNode::start(Steady).await;
    let data = |data: Value| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "cm", "namespace": "default", "uid": "u"}, "data": data});
    node.api.put("configmaps", data(json!({"other": "x"})));
    let from = json!({"configMapKeyRef": {"name": "cm", "key": "missing"}});
    let env = json!([{"name": "X", "valueFrom": from}]);
    let spec = json!({"containers": [{"name": "c", "image": "busybox:1", "env": env}]});
    node.api.put("pods", pod("a", &spec));
    let waits =
        |pod: &Value| container(pod)["state"]["waiting"]["reason"] == "CreateContainerConfigError";
    let seen = node.until("a", waits).await;
    let message = "couldn't find key missing in ConfigMap default/cm";
    assert_eq!(container(&seen)["state"]["waiting"]["message"], message);
    node.api.put("configmaps", data(json!({"missing": "here"})));
    node.until("a", |pod| condition(pod, "Ready") == "True").await;
}

#[tokio::test(start_paused = true)]
async fn a_volume_follows_its_config_map() {
    let node = TestNode::start(Steady).await;
    let spec = json!({"volumes": [{"name": "v", "configMap": {"name": "cm"}}]});
    node.api.put("pods", pod("a", &spec));
    let data = |value: &str| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "cm", "namespace": "default", "uid": "u"}, "data": {"one": value}});
    node.api.put("configmaps", data("1"));
    node.until("a", |pod| condition(pod, "Ready") == "True").await;
    let file = node.root.path().join("pods/uid-a/volumes/kubernetes.io~configmap/v/one");
    assert_eq!(std::fs::read_to_string(&file).expect("it is there"), "1");
    node.api.put("configmaps", data("2"));
    // The clock moves once all tasks wait: then the change has come through.
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert_eq!(std::fs::read_to_string(&file).expect("it is there"), "2");
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_has_ended_takes_nothing_of_the_node() {
    let node = TestNode::start(Finishing).await;
    let all = format!("{}m", Config::default().machine.milli_cpu);
    let whole_node = |says: &str| {
        json!({"restartPolicy": "Never", "containers": [
            {"name": "c", "image": "busybox:1", "args": [says], "resources": {"requests": {"cpu": all}}}]})
    };
    node.api.put("pods", pod("a", &whole_node("0")));
    node.until("a", |pod| pod["status"]["phase"] == "Succeeded").await;
    node.api.put("pods", pod("b", &whole_node("go on")));
    let seen = node.until("b", |pod| ["Running", "Failed"].contains(&phase(pod))).await;
    assert_eq!(phase(&seen), "Running", "{}", seen["status"]);
    node.api.put("pods", pod("c", &whole_node("go on")));
    let seen = node.until("c", |pod| ["Running", "Failed"].contains(&phase(pod))).await;
    assert_eq!(seen["status"]["reason"], "OutOfcpu", "b has it all");
}

fn phase(pod: &Value) -> &str {
    pod["status"]["phase"].as_str().unwrap_or_default()
}

#[tokio::test(start_paused = true)]
async fn a_node_that_was_taken_for_silent_says_soon_that_it_is_not() {
    let node = TestNode::start(Steady).await;
    let mut shown = node.api.read("nodes", "", "n1");
    for condition in shown["status"]["conditions"].as_array_mut().expect("conditions") {
        condition["status"] = json!("Unknown");
    }
    let begin = node.env.clock.now();
    node.api.put("nodes", shown);
    let again = node.api.until("nodes", "", "n1", |node| {
        let conditions = node.and_then(|node| node["status"]["conditions"].as_array());
        conditions.into_iter().flatten().all(|condition| condition["status"] != "Unknown")
    });
    tokio::time::timeout(DEADLINE, again).await.expect("it says so");
    let took = node.env.clock.now().duration_since(begin).as_secs();
    assert!(took <= 10, "{took} s");
}
