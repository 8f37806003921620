//! What a container may do, sees and gets.

use super::support::{FOR_EVER, Node};
use std::path::Path;
use windlass_agent::runtime::testing::Subject;
use windlass_agent::runtime::{ContainerConfig, Mount, Resources, Seccomp};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rights_and_mounts() {
    let Some(node) = Node::oci().await else { return };
    rights_and_mounts_on(node).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rights_and_mounts_on_containerd() {
    let Some(node) = Node::containerd().await else { return };
    rights_and_mounts_on(node).await;
}

async fn rights_and_mounts_on(node: Node) {
    let pod = node.pod(|p| p.resolv_conf = Some("nameserver 192.0.2.1\n".into())).await;
    let plain = node.run(&pod, "id -u; id -G; cat /etc/resolv.conf; echo $HOSTNAME $FROM_IMAGE; grep -h Cap /proc/self/status | head -0; pwd", |_| {});
    assert_eq!(plain.await.2, "0\n0\nnameserver 192.0.2.1\npod yes\n/");
    let user = node.run(&pod, "id -u; id -G; touch /x 2>/dev/null || echo refused", |c| {
        c.security.run_as_user = Some(33);
        c.security.run_as_group = Some(7);
        c.security.supplemental_groups = vec![99];
        c.security.no_new_privileges = true;
    });
    assert_eq!(user.await.2, "33\n7 50 99\nrefused");
    let shared = node.folder.join("shared");
    std::fs::create_dir(&shared).expect("a folder");
    std::fs::write(shared.join("file"), "from the node").expect("a file");
    let mounts = node.run(
        &pod,
        "cat /data/file; echo; cat /one; echo; echo x >/data/new; (echo x >/one) 2>/dev/null || echo read-only; touch /y 2>/dev/null || echo no root; pwd",
        |c| {
            c.security.read_only_root = true;
            c.working_dir = Some("/not/yet/there".into());
            let mount = |source: &Path, target: &str, read_only| Mount {
                source: source.into(),
                target: target.into(),
                read_only,
                ..Mount::default()
            };
            c.mounts = vec![
                mount(&shared, "/data", false),
                mount(&shared.join("file"), "/one", true),
            ];
        },
    );
    let text = "from the node\nfrom the node\nread-only\nno root\n/not/yet/there";
    assert_eq!(mounts.await.2, text);
    assert_eq!(std::fs::read_to_string(shared.join("new")).expect("written"), "x\n");
    let script = "hostname changed && hostname; [ -e /dev/kmsg ] && echo devices";
    let privileged = node.run(&pod, script, |c| c.security.privileged = true);
    assert_eq!(privileged.await.2, "changed\ndevices");
    node.runtime().remove_sandbox(&pod).await.expect("remove");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits_hold() {
    let Some(node) = Node::oci().await else { return };
    limits_hold_on(node).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits_hold_on_containerd() {
    let Some(node) = Node::containerd().await else { return };
    limits_hold_on(node).await;
}

async fn limits_hold_on(node: Node) {
    let pod = node.pod(|p| p.resources.cpu_shares = Some(512)).await;
    let limit = |c: &mut ContainerConfig| c.resources.memory_limit = Some(32 << 20);
    let seen = "cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>/dev/null; true";
    assert_eq!(node.run(&pod, seen, limit).await.2, (32 << 20).to_string());
    let hungry = "exec dd if=/dev/zero of=/dev/null bs=200M count=1";
    let (code, reason, _) = node.run(&pod, hungry, limit).await;
    assert_eq!((code, reason.as_str()), (137, "OOMKilled"));
    node.runtime().remove_sandbox(&pod).await.expect("remove");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn containers_of_a_pod_share_what_it_says() {
    let Some(node) = Node::oci().await else { return };
    containers_of_a_pod_share_what_it_says_on(node).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn containers_of_a_pod_share_what_it_says_on_containerd() {
    let Some(node) = Node::containerd().await else { return };
    containers_of_a_pod_share_what_it_says_on(node).await;
}

async fn containers_of_a_pod_share_what_it_says_on(node: Node) {
    let pod = node.pod(|p| p.share_process_namespace = true).await;
    let first = node.start(&pod, "touch /dev/shm/here; while :; do sleep 1000; done", |_| {}).await;
    let second = node.start(&pod, FOR_EVER, |c| c.name = "second".into()).await;
    node.sh(&first, "true").await;
    let seen = node
        .sh(
            &second,
            "exec 2>/dev/null; ls /dev/shm; cat /proc/*/cmdline | tr '\\0' ' ' || cat /proc/*/cmdline",
        )
        .await;
    assert!(seen.starts_with("here\n") && seen.contains("touch"), "{seen}");
    node.runtime().remove_sandbox(&pod).await.expect("remove");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn filters_of_system_calls_hold() {
    let Some(node) = Node::oci().await else { return };
    filters_of_system_calls_hold_on(node).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn filters_of_system_calls_hold_on_containerd() {
    let Some(node) = Node::containerd().await else { return };
    filters_of_system_calls_hold_on(node).await;
}

async fn filters_of_system_calls_hold_on(node: Node) {
    let pod = node.pod(|_| {}).await;
    let with = |seccomp: Seccomp| move |c: &mut ContainerConfig| c.security.seccomp = seccomp;
    // A new user namespace needs no capability: only a filter keeps one from it.
    let script = "busybox grep Seccomp: /proc/self/status; busybox unshare -U true 2>/dev/null && echo made; \
        busybox grep NoNewPrivs /proc/self/status";
    let seen = async |seccomp| node.run(&pod, script, with(seccomp)).await.2.replace('\t', " ");
    assert_eq!(seen(Seccomp::Unconfined).await, "Seccomp: 0\nmade\nNoNewPrivs: 0");
    assert_eq!(seen(Seccomp::RuntimeDefault).await, "Seccomp: 2\nNoNewPrivs: 0");
    let file = node.folder.join("profile.json");
    let profile = r#"{"defaultAction": "SCMP_ACT_ALLOW",
        "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO"}]}"#;
    std::fs::write(&file, profile).expect("written");
    let script = "busybox mkdir /new 2>/dev/null || echo forbidden; echo x >/file && echo written";
    let (_, _, text) = node.run(&pod, script, with(Seccomp::Localhost(file))).await;
    assert_eq!(text, "forbidden\nwritten");
    let strict = |c: &mut ContainerConfig| {
        c.security.seccomp = Seccomp::RuntimeDefault;
        c.security.run_as_user = Some(33);
        c.security.no_new_privileges = true;
    };
    // What is run later in a container is filtered too, and keeps no right that the filter took to load.
    let script =
        "busybox grep -E 'Cap(Prm|Eff)|Seccomp:' /proc/self/status | busybox tr '\\t\\n' '  '";
    let id = node.start(&pod, FOR_EVER, strict).await;
    let further = node.sh(&id, script).await;
    assert_eq!(further, "CapPrm: 0000000000000000 CapEff: 0000000000000000 Seccomp: 2 ");
    let id = node.start(&pod, FOR_EVER, with(Seccomp::RuntimeDefault)).await;
    let (further, first) =
        (node.sh(&id, script).await, node.sh(&id, &script.replace("self", "1")).await);
    assert_eq!(further, first);
    assert!(further.ends_with("Seccomp: 2 "), "{further}");
    node.runtime().remove_sandbox(&pod).await.expect("remove");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits_change_while_a_container_runs() {
    let Some(node) = Node::oci().await else { return };
    limits_change_while_a_container_runs_on(node).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits_change_while_a_container_runs_on_containerd() {
    let Some(node) = Node::containerd().await else { return };
    limits_change_while_a_container_runs_on(node).await;
}

async fn limits_change_while_a_container_runs_on(mut node: Node) {
    let of = |cores: i64, memory: i64| Resources {
        cpu_shares: Some(1024),
        cpu_quota: Some(cores * 100_000),
        cpu_period: Some(100_000),
        memory_limit: Some(memory << 20),
        ..Resources::default()
    };
    let pod = node.pod(|p| p.resources = of(1, 64)).await;
    let id = node.start(&pod, FOR_EVER, |c| c.resources = of(1, 64)).await;
    let pid = node.pid(&id).await;
    node.runtime().update_sandbox(&pod, of(2, 128)).await.expect("the pod gets more");
    node.runtime().update_container(&id, of(2, 128)).await.expect("it gets more");
    let seen = "cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/cpu/cpu.cfs_quota_us \
        /sys/fs/cgroup/memory.max 2>/dev/null; cut -d' ' -f1 /sys/fs/cgroup/cpu.max 2>/dev/null; true";
    let words = node.sh(&id, seen).await;
    let mut words: Vec<&str> = words.split_whitespace().collect();
    words.sort_unstable();
    assert_eq!(words, ["134217728", "200000"]);
    node.reopen().await;
    assert_eq!(node.pid(&id).await, pid, "it went on");
    let all = node.runtime().list_containers().await.expect("list");
    assert_eq!(all[0].resources.memory_limit, Some(128 << 20), "and that is known after a restart");
    node.runtime().remove_sandbox(&pod).await.expect("remove");
}
