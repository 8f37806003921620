//! Images as volumes.

use super::*;
use crate::images::Images;
use crate::runtime::fake::Steady;

fn with_volume(name: &str, image: &str, policy: &str) -> Value {
    let volume = json!([{"name": "v", "image": {"reference": image, "pullPolicy": policy}}]);
    pod(
        name,
        &json!({"volumes": volume, "containers": [{
            "name": "c", "image": "busybox:1", "imagePullPolicy": "IfNotPresent",
            "volumeMounts": [{"name": "v", "mountPath": "/data", "readOnly": true}],
        }]}),
    )
}

fn waits(pod: &Value) -> &Value {
    &pod["status"]["containerStatuses"][0]["state"]["waiting"]["reason"]
}

#[tokio::test(start_paused = true)]
async fn an_image_is_fetched_and_mounted_as_long_as_the_pod_is_there() {
    let node = TestNode::start(Steady).await;
    node.api.put("pods", with_volume("a", "models:1", "IfNotPresent"));
    node.until("a", |pod| pod["status"]["phase"] == "Running").await;
    let mounted = node.runtime.mounted_images();
    let place = node.root.path().join("pods/uid-a/volumes/kubernetes.io~image/v/mount");
    assert_eq!(mounted.keys().collect::<Vec<_>>(), [&place]);
    let words = node.api.messages("Pulled").join("\n");
    assert!(words.contains("Successfully pulled image \"models:1\""), "{words}");
    // The next agent finds it again, and a reboot's as well.
    node.shutdown.cancel();
    for place in mounted.keys() {
        node.runtime.unmount_image(place).await.expect("unmounted");
    }
    let second = Shutdown::new();
    node.start_agent(&second, None).await;
    assert_eq!(node.runtime.mounted_images(), mounted);
    node.api.delete_pod("a", node.env.clock.now(), 1);
    node.until_gone("a").await;
    assert!(node.runtime.mounted_images().is_empty());
    second.cancel();
}

#[tokio::test(start_paused = true)]
async fn an_image_that_does_not_come_keeps_the_container_waiting() {
    let node = TestNode::start(Steady).await;
    node.api.put("pods", with_volume("a", "models:1", "Never"));
    node.until("a", |pod| waits(pod) == "ErrImageNeverPull").await;
    node.runtime.pull_image("models:1", None).await.expect("it comes");
    node.until("a", |pod| pod["status"]["phase"] == "Running").await;
    node.api.put("pods", with_volume("b", "no such name", "Always"));
    node.until("b", |pod| waits(pod) == "InvalidImageName").await;
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_asks_for_users_of_its_own_does_not_run_with_the_nodes() {
    let node = TestNode::start(Steady).await;
    node.api.put("pods", pod("a", &json!({"hostUsers": false})));
    let told = async {
        while node.api.messages("FailedCreatePodSandBox").is_empty() {
            node.api.changed().await;
        }
    };
    tokio::time::timeout(DEADLINE, told).await.expect("it is said");
    let words = node.api.messages("FailedCreatePodSandBox");
    assert!(words[0].contains("hostUsers: false"), "{words:?}");
}
