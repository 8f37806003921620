//! Images as volumes.

use super::support::Node;
use windlass_agent::runtime::Mount;
use windlass_agent::runtime::testing::Subject;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_image_is_a_volume() {
    let Some(node) = Node::oci().await else { return };
    an_image_is_a_volume_on(node).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_image_is_a_volume_on_containerd() {
    let Some(node) = Node::containerd().await else { return };
    an_image_is_a_volume_on(node).await;
}

async fn an_image_is_a_volume_on(node: Node) {
    let (runtime, place) = (node.runtime(), node.folder.join("volume/mount"));
    for _ in 0..2 {
        runtime.mount_image(&node.image, &place).await.expect("mount");
    }
    let pod = node.pod(|_| {}).await;
    let script = "exec 2>/dev/null; test -f /data/bin/busybox && ! /data/bin/busybox true && ! touch /data/x; echo $?";
    let (_, _, seen) = node
        .run(&pod, script, |config| {
            let (source, target) = (place.clone(), "/data".into());
            let mount = Mount { source, target, read_only: true, ..Mount::default() };
            config.mounts = vec![Mount { no_exec: true, ..mount }];
        })
        .await;
    assert_eq!(seen, "0");
    runtime.remove_sandbox(&pod).await.expect("remove");
    // The files stay when the image goes.
    runtime.remove_image(&node.image.0).await.expect("remove");
    assert!(place.join("bin/busybox").is_file());
    for _ in 0..2 {
        runtime.unmount_image(&place).await.expect("unmount");
    }
    assert_eq!(std::fs::read_dir(&place).expect("a folder").count(), 0);
    runtime.mount_image(&node.image, &place).await.expect_err("there is none");
}
