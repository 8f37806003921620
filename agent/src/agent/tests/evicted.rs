//! Pods that go because they use too much.

use super::*;
use crate::runtime::fake::Steady;

#[tokio::test(start_paused = true)]
async fn a_pod_over_the_limit_of_its_volume_is_evicted() {
    let node = TestNode::start(Steady).await;
    let volume = json!([{"name": "v", "emptyDir": {"sizeLimit": "64Ki"}}]);
    node.api.put("pods", pod("a", &json!({"volumes": volume})));
    node.api.put("pods", pod("b", &json!({"volumes": volume})));
    for name in ["a", "b"] {
        node.until(name, |pod| pod["status"]["phase"] == "Running").await;
    }
    let file = node.root.path().join("pods/uid-a/volumes/kubernetes.io~empty-dir/v/file");
    std::fs::write(file, vec![7; 100 << 10]).expect("written");
    let seen = node.until("a", |pod| pod["status"]["phase"] == "Failed").await;
    let words = "Usage of EmptyDir volume \"v\" exceeds the limit \"64Ki\". ";
    assert_eq!(
        (&seen["status"]["reason"], &seen["status"]["message"]),
        (&json!("Evicted"), &json!(words))
    );
    let conditions = seen["status"]["conditions"].as_array().expect("conditions");
    let target = conditions.iter().find(|c| c["type"] == "DisruptionTarget").expect("it is there");
    assert_eq!(
        (&target["status"], &target["reason"]),
        (&json!("True"), &json!("TerminationByKubelet"))
    );
    assert_eq!(node.api.messages("Evicted"), [words]);
    assert_eq!(node.api.read("pods", "default", "b")["status"]["phase"], "Running");
}
