//! Static pods.

use super::*;
use crate::runtime::fake::Steady;

const NAME: &str = "web-n1";

fn manifest(image: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: web}}\nspec:\n  terminationGracePeriodSeconds: 1\n  containers:\n  - {{name: c, image: {image}, imagePullPolicy: IfNotPresent}}\n"
    )
}

fn write(node: &TestNode, image: &str) {
    // As editors do: a file beside it takes its place.
    let folder = node.root.path().join("manifests");
    std::fs::create_dir_all(&folder).expect("a folder");
    std::fs::write(folder.join(".web.yaml"), manifest(image)).expect("written");
    std::fs::rename(folder.join(".web.yaml"), folder.join("web.yaml")).expect("renamed");
}

fn runs(pod: &Value) -> bool {
    pod["status"]["phase"] == "Running" && container_id(pod).is_string()
}

fn container_id(pod: &Value) -> &Value {
    &pod["status"]["containerStatuses"][0]["containerID"]
}

#[tokio::test(start_paused = true)]
async fn a_static_pod_follows_its_file_and_has_a_mirror() {
    let node = TestNode::start(Steady).await;
    write(&node, "busybox:1");
    let first = node.until(NAME, runs).await;
    let meta = &first["metadata"];
    assert_eq!(meta["annotations"]["kubernetes.io/config.source"], "file");
    let hash = &meta["annotations"]["kubernetes.io/config.mirror"];
    assert_eq!(hash, &meta["annotations"]["kubernetes.io/config.hash"]);
    assert_ne!(hash, &meta["uid"], "the mirror is an object of its own");
    assert_eq!(meta["ownerReferences"][0]["name"], "n1");
    // Who takes away the mirror does not end the pod.
    node.api.remove("pods", "default", NAME);
    let again = node.until(NAME, runs).await;
    assert_eq!(container_id(&again), container_id(&first));
    // Another content is another pod, which starts when the old one has ended.
    write(&node, "busybox:1.0");
    let other = node.until(NAME, |pod| {
        runs(pod) && pod["metadata"]["annotations"]["kubernetes.io/config.mirror"] != *hash
    });
    let other = other.await;
    assert_ne!(container_id(&other), container_id(&first));
    std::fs::remove_file(node.root.path().join("manifests/web.yaml")).expect("removed");
    node.until_gone(NAME).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    let runtime: &dyn Runtime = &node.runtime;
    assert!(runtime.list_sandboxes().await.expect("lists").is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_restarted_agent_finds_its_static_pods() {
    let node = TestNode::start(Steady).await;
    write(&node, "busybox:1");
    let before = node.until(NAME, runs).await;
    node.shutdown.cancel();
    let second = Shutdown::new();
    node.start_agent(&second, None).await;
    node.api.put("pods", pod("b", &json!({})));
    node.until("b", runs).await;
    let after = node.api.read("pods", "default", NAME);
    assert_eq!(container_id(&before), container_id(&after));
    second.cancel();
}

#[tokio::test(start_paused = true)]
async fn a_folder_that_cant_be_read_ends_no_static_pod() {
    let node = TestNode::start(Steady).await;
    write(&node, "busybox:1");
    let before = node.until(NAME, runs).await;
    node.shutdown.cancel();
    let (folder, away) = (node.root.path().join("manifests"), node.root.path().join("away"));
    std::fs::rename(&folder, &away).expect("renamed");
    std::fs::write(&folder, "no folder").expect("written");
    let second = Shutdown::new();
    node.start_agent(&second, None).await;
    // Pods of the API need not wait for it.
    node.api.put("pods", pod("b", &json!({})));
    node.until("b", runs).await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    let still = async || {
        let runtime: &dyn Runtime = &node.runtime;
        let all = runtime.list_containers().await.expect("lists");
        let full = |id: &str| format!("fake://{id}");
        all.iter().any(|c| *container_id(&before) == *full(&c.id.0))
    };
    assert!(still().await, "it was ended");
    let mirror = node.api.read("pods", "default", NAME);
    assert_eq!(mirror["metadata"]["uid"], before["metadata"]["uid"], "the mirror stays");
    std::fs::remove_file(&folder).expect("removed");
    std::fs::rename(&away, &folder).expect("renamed");
    // Known again, it follows its file, and the folder that has its name.
    node.until(NAME, runs).await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(still().await, "it was ended");
    std::fs::rename(&folder, &away).expect("renamed");
    node.until_gone(NAME).await;
    write(&node, "busybox:1");
    node.until(NAME, runs).await;
    second.cancel();
}
