//! What a node does when its machine goes down.

use super::*;
use crate::runtime::fake::Script;

/// Takes as many seconds to end as its first argument says, or does not end by itself.
struct Slow;

impl Director for Slow {
    fn container(&self, config: &ContainerConfig) -> Script {
        Script { on_term: (says(config) == "quick").then_some(0), ..Script::default() }
    }

    fn exec(&self, _: &ContainerConfig, _: &[String]) -> Script {
        Script::default()
    }
}

#[tokio::test(start_paused = true)]
async fn pods_end_in_order_before_the_node_does() {
    let node = TestNode::start(Slow).await;
    let of = |says: &str, priority: i32| {
        json!({"priority": priority, "containers": [
            {"name": "c", "image": "busybox:1", "imagePullPolicy": "IfNotPresent", "args": [says]}]})
    };
    node.api.put("pods", pod("web", &of("slow", 0)));
    node.api.put("pods", pod("dns", &of("quick", 2_000_000_000)));
    for name in ["web", "dns"] {
        node.until(name, |pod| pod["status"]["phase"] == "Running").await;
    }
    let begin = node.env.clock.now();
    node.down.end_pods().await;
    let took = node.env.clock.now().duration_since(begin).as_secs();
    assert_eq!(took, 20, "the one that does not end has all the time of its group");
    for name in ["web", "dns"] {
        let seen = node.until(name, |pod| pod["status"]["phase"] == "Failed").await;
        assert_eq!(seen["status"]["reason"], "Terminated", "{name}");
        let words = "Pod was terminated in response to imminent node shutdown.";
        assert_eq!(seen["status"]["message"], words);
    }
    node.api.put("pods", pod("late", &of("quick", 0)));
    let seen = node.until("late", |pod| pod["status"]["phase"] == "Failed").await;
    assert_eq!(seen["status"]["reason"], "NodeShutdown");
    let ready = node.api.until("nodes", "", "n1", |node| {
        let conditions = node.and_then(|node| node["status"]["conditions"].as_array());
        conditions.into_iter().flatten().any(|c| c["type"] == "Ready" && c["status"] == "False")
    });
    tokio::time::timeout(DEADLINE, ready).await.expect("the node says so");
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_ends_already_gets_no_longer_than_the_others() {
    let node = TestNode::start(Slow).await;
    let spec = json!({"terminationGracePeriodSeconds": 300, "containers": [
        {"name": "c", "image": "busybox:1", "imagePullPolicy": "IfNotPresent", "args": ["slow"]}]});
    node.api.put("pods", pod("web", &spec));
    node.until("web", |pod| pod["status"]["phase"] == "Running").await;
    node.api.delete_pod("web", node.env.clock.now(), 300);
    tokio::time::sleep(Duration::from_secs(5)).await;
    let begin = node.env.clock.now();
    node.down.end_pods().await;
    node.until_gone("web").await;
    let took = node.env.clock.now().duration_since(begin).as_secs();
    assert!((20..25).contains(&took), "it took {took} s");
}
