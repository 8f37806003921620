//! Images that nothing uses.

use super::*;
use crate::image_gc::ImageGcPolicy;
use crate::images::Images;
use crate::runtime::fake::Steady;

async fn has(runtime: &FakeRuntime, image: &str) -> bool {
    runtime.image_status(image).await.expect("a name").is_some()
}

#[tokio::test(start_paused = true)]
async fn a_full_disk_loses_images_that_nothing_uses_and_the_node_says_when_that_is_too_little() {
    let mut node = TestNode::idle(Steady).await;
    // Any disk that has something on it is too full.
    let usual = ImageGcPolicy::default();
    node.config.image_gc =
        ImageGcPolicy { high_threshold_percent: 1, low_threshold_percent: 0, ..usual };
    node.runtime.keep_images_in(node.root.path());
    let images: &dyn Images = &node.runtime;
    for image in ["old:1", "pinned:1"] {
        images.pull_image(image, None).await.expect("pulled");
    }
    images.pin_image("pinned:1", true).await.expect("pinned");
    node.start_agent(&node.shutdown, None).await;
    node.api.put("pods", pod("a", &json!({})));
    node.until("a", |pod| pod["status"]["phase"] == "Running").await;
    let failed = async {
        while node.api.messages("ImageGCFailed").is_empty() {
            node.api.changed().await;
        }
    };
    tokio::time::timeout(DEADLINE, failed).await.expect("the second look fails too");
    assert!(!has(&node.runtime, "old:1").await);
    assert!(has(&node.runtime, "pinned:1").await && has(&node.runtime, "busybox:1").await);
    let said = node.api.messages("FreeDiskSpaceFailed");
    let found = "but only found 1048576 bytes eligible to free.";
    assert!(said[0].contains(found) || said[1].contains(found), "{said:?}");
}

#[tokio::test(start_paused = true)]
async fn a_node_short_of_disk_for_images_takes_those_away_that_nothing_uses() {
    let mut node = TestNode::idle(Steady).await;
    node.config.eviction.set_hard("imagefs.available<99.99%").expect("a threshold");
    node.runtime.keep_images_in(node.root.path());
    node.start_agent(&node.shutdown, None).await;
    let gone = async {
        while has(&node.runtime, "busybox:1").await {
            node.api.changed().await;
        }
    };
    tokio::time::timeout(DEADLINE, gone).await.expect("it goes");
    let shown = node.api.until("nodes", "", "n1", |node| {
        let shown = node.and_then(|node| node["status"]["conditions"].as_array());
        shown.into_iter().flatten().any(|c| c["type"] == "DiskPressure" && c["status"] == "True")
    });
    tokio::time::timeout(DEADLINE, shown).await.expect("the node says so");
}
