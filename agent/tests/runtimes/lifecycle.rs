//! Containers outlive the agent, and leave nothing behind.

use super::support::{DEADLINE, FOR_EVER, Kind, Node, ended, kill, parent_of, wait};
use futures::StreamExt;
use std::io::BufRead;
use std::path::Path;
use std::process::{Command, Stdio};
use windlass_agent::runtime::testing::Subject;
use windlass_agent::runtime::{ContainerId, ContainerState, Event, ExecRequest};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_end_that_nobody_saw_is_found() {
    let Some(mut oci) = Node::oci().await else { return };
    let pod = oci.pod(|_| {}).await;
    let id = oci.start(&pod, "echo early; sleep 1; echo late; exit 9", |_| {}).await;
    let before = oci.state(&id).await;
    let (pid, shim) = (oci.pid(&id).await, parent_of(oci.pid(&id).await));
    oci.runtime = None;
    ended(pid).await;
    ended(shim).await;
    oci.open().await;
    let ContainerState::Running { started_at: before, .. } = before else { panic!("it ran") };
    match oci.state(&id).await {
        ContainerState::Exited { started_at, finished_at, exit_code, reason, .. } => {
            assert_eq!((exit_code, reason.as_str()), (9, "Error"));
            assert_eq!(started_at, Some(before));
            assert!(finished_at > before);
        }
        state => panic!("expected it to have ended, it is {state:?}"),
    }
    let all = oci.runtime().list_containers().await.expect("list");
    let log = std::fs::read_to_string(&all[0].log_path).expect("has a log");
    assert!(log.contains(" F early\n") && log.contains(" F late\n"), "{log}");
    oci.runtime().remove_sandbox(&pod).await.expect("remove");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_container_ends_with_its_shim() {
    let Some(oci) = Node::oci().await else { return };
    let pod = oci.pod(|_| {}).await;
    let id = oci.start(&pod, FOR_EVER, |_| {}).await;
    let mut events = oci.runtime().events();
    let pid = oci.pid(&id).await;
    kill(parent_of(pid));
    wait(&mut events, Event::Exited(id.clone())).await;
    ended(pid).await;
    let state = oci.state(&id).await;
    assert!(matches!(state, ContainerState::Exited { exit_code: 137, .. }), "{state:?}");
    oci.runtime().remove_sandbox(&pod).await.expect("remove");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_left_behind() {
    let Some(node) = Node::oci().await else { return };
    nothing_is_left_behind_on(node).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_left_behind_on_containerd() {
    let Some(node) = Node::containerd().await else { return };
    nothing_is_left_behind_on(node).await;
}

async fn nothing_is_left_behind_on(node: Node) {
    let before = node.traces();
    for round in 0..3 {
        let pod = node.pod(|p| p.share_process_namespace = round == 1).await;
        node.start(&pod, FOR_EVER, |_| {}).await;
        node.run(&pod, "exit 1", |_| {}).await;
        let second = node.start(&pod, FOR_EVER, |c| c.name = "second".into()).await;
        let command = vec!["sleep".into(), "1000".into()];
        let request = ExecRequest { command, ..ExecRequest::default() };
        drop(node.runtime().exec(&second, request).await.expect("exec"));
        node.runtime().remove_sandbox(&pod).await.expect("remove");
    }
    node.shims_end().await;
    assert_eq!(node.traces(), before);
}

/// How many pods come and go in the test below.
const PODS: &str = "WINDLASS_TEST_PODS";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_pods_leave_nothing() {
    let Some(node) = Node::oci().await else { return };
    many_pods_leave_nothing_on(node).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_pods_leave_nothing_on_containerd() {
    let Some(node) = Node::containerd().await else { return };
    many_pods_leave_nothing_on(node).await;
}

async fn many_pods_leave_nothing_on(node: Node) {
    let count = std::env::var(PODS).map_or(16, |n| n.parse().expect("a number"));
    let before = node.traces();
    let one = async |n: usize| {
        let group = format!("kubepods/pod-{n}");
        let pod = node.pod(|p| p.cgroup_parent = group).await;
        let ends = node.start(&pod, "exit 0", |_| {}).await;
        let runs = node.start(&pod, FOR_EVER, |c| c.name = "second".into()).await;
        node.runtime().stop_container(&runs, std::time::Duration::ZERO).await.expect("stop");
        node.runtime().remove_container(&ends).await.expect("remove");
        node.runtime().remove_sandbox(&pod).await.expect("remove");
    };
    futures::stream::iter(0..count).for_each_concurrent(4, one).await;
    node.shims_end().await;
    assert_eq!(node.traces(), before, "mounts, cgroups, processes, files");
    let left = node.runtime().list_sandboxes().await.expect("list");
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_containerd_is_met_again() {
    let Some(mut node) = Node::containerd().await else { return };
    let pod = node.pod(|_| {}).await;
    let stays = node.start(&pod, "echo early; read x; echo late", |c| c.stdin = true).await;
    let ends = node.start(&pod, "read x; exit 7", |c| c.stdin = true).await;
    let (pid, log) = (node.pid(&stays).await, node.pid(&ends).await);
    let mut events = node.runtime().events();
    let daemon = node.daemon.as_mut().expect("its own");
    daemon.kill();
    // One ends while containerd is away: its shim keeps how.
    kill(log);
    ended(log).await;
    node.daemon.as_mut().expect("its own").start_again();
    wait(&mut events, Event::Exited(ends.clone())).await;
    let state = node.state(&ends).await;
    assert!(matches!(state, ContainerState::Exited { exit_code: 137, .. }), "{state:?}");
    assert_eq!(node.pid(&stays).await, pid, "the other one was left alone");
    assert_eq!(node.sh(&stays, "echo alive").await, "alive\n");
    node.runtime().remove_sandbox(&pod).await.expect("remove");
}

/// Where the agent that is going to be killed has its state.
const FOLDER: &str = "WINDLASS_TEST_FOLDER";
const CGROUP: &str = "WINDLASS_TEST_CGROUP";
const ADDRESS: &str = "WINDLASS_TEST_CONTAINERD";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn containers_outlive_a_killed_agent() {
    let Some(node) = Node::oci().await else { return };
    containers_outlive_a_killed_agent_on(node).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn containers_outlive_a_killed_agent_on_containerd() {
    let Some(node) = Node::containerd().await else { return };
    containers_outlive_a_killed_agent_on(node).await;
}

async fn containers_outlive_a_killed_agent_on(mut node: Node) {
    node.runtime = None;
    let mut agent = Command::new(std::env::current_exe().expect("this test"));
    if let Kind::Containerd(address) = &node.kind {
        agent.env(ADDRESS, address);
    }
    let mut agent = agent
        .args(["--exact", "lifecycle::an_agent", "--ignored", "--nocapture"])
        .env(FOLDER, &node.folder)
        .env(CGROUP, &node.cgroup)
        .stdout(Stdio::piped())
        .spawn()
        .expect("an agent");
    let lines = std::io::BufReader::new(agent.stdout.take().expect("output")).lines();
    let said = |l: String| Some(l.split_once("started ")?.1.to_string());
    let said = lines.map_while(Result::ok).find_map(said);
    let id = ContainerId(said.expect("the agent says what it started"));
    agent.kill().expect("kill");
    agent.wait().expect("wait");
    node.open().await;
    let pid = node.pid(&id).await;
    // The container answers the first signal in its log, and the second by ending.
    node.sh(&id, "kill -USR1 1; kill -TERM 1").await;
    ended(pid).await;
    let mut events = node.runtime().events();
    if let ContainerState::Running { .. } = node.state(&id).await {
        wait(&mut events, Event::Exited(id.clone())).await;
    }
    let state = node.state(&id).await;
    assert!(matches!(state, ContainerState::Exited { exit_code: 6, .. }), "{state:?}");
    let log = std::fs::read_to_string(node.folder.join("0.log")).expect("a log");
    let texts: Vec<_> = log.lines().filter_map(|l| l.splitn(4, ' ').nth(3)).collect();
    assert_eq!(texts, ["ready", "still here"], "its log goes on");
    let pod = node.runtime().list_sandboxes().await.expect("list").remove(0).id;
    node.runtime().remove_sandbox(&pod).await.expect("remove");
}

/// The agent of the test above, in a process of its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "is started by another test"]
async fn an_agent() {
    let Ok(folder) = std::env::var(FOLDER) else { return };
    let kind = std::env::var(ADDRESS).map_or(Kind::Oci, |a| Kind::Containerd(a.into()));
    let cgroup = std::env::var(CGROUP).expect("a cgroup");
    let mut oci = Node::at(Path::new(&folder), cgroup, kind);
    oci.open().await;
    oci.find_image().await;
    let pod = oci.pod(|_| {}).await;
    let script = "trap 'echo still here' USR1; trap 'exit 6' TERM; echo ready; while :; do sleep 1000 & wait; done";
    let log = oci.folder.join("0.log");
    let id = oci.start(&pod, script, |c| c.log_path = log.clone()).await;
    // Once this has run, the traps are set.
    oci.sh(&id, "true").await;
    println!("started {}", id.0);
    tokio::time::sleep(DEADLINE).await;
    panic!("nobody killed this agent");
}
