//! Containers outlive the agent, and leave nothing behind.

use super::support::{DEADLINE, FOR_EVER, Oci, ended, kill, parent_of, wait};
use std::io::BufRead;
use std::path::Path;
use std::process::{Command, Stdio};
use windlass_agent::runtime::testing::Subject;
use windlass_agent::runtime::{ContainerId, ContainerState, Event, ExecRequest};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_end_that_nobody_saw_is_found() {
    let Some(mut oci) = Oci::new().await else { return };
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
    let Some(oci) = Oci::new().await else { return };
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
    let Some(oci) = Oci::new().await else { return };
    let before = oci.traces();
    for round in 0..3 {
        let pod = oci.pod(|p| p.share_process_namespace = round == 1).await;
        oci.start(&pod, FOR_EVER, |_| {}).await;
        oci.run(&pod, "exit 1", |_| {}).await;
        let second = oci.start(&pod, FOR_EVER, |c| c.name = "second".into()).await;
        let command = vec!["sleep".into(), "1000".into()];
        let request = ExecRequest { command, ..ExecRequest::default() };
        drop(oci.runtime().exec(&second, request).await.expect("exec"));
        oci.runtime().remove_sandbox(&pod).await.expect("remove");
    }
    assert_eq!(oci.traces(), before);
}

/// Where the agent that is going to be killed has its state.
const FOLDER: &str = "WINDLASS_TEST_FOLDER";
const CGROUP: &str = "WINDLASS_TEST_CGROUP";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn containers_outlive_a_killed_agent() {
    let Some(mut oci) = Oci::new().await else { return };
    oci.runtime = None;
    let mut agent = Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", "lifecycle::an_agent", "--ignored", "--nocapture"])
        .env(FOLDER, &oci.folder)
        .env(CGROUP, &oci.cgroup)
        .stdout(Stdio::piped())
        .spawn()
        .expect("an agent");
    let lines = std::io::BufReader::new(agent.stdout.take().expect("output")).lines();
    let said = |l: String| Some(l.split_once("started ")?.1.to_string());
    let said = lines.map_while(Result::ok).find_map(said);
    let id = ContainerId(said.expect("the agent says what it started"));
    agent.kill().expect("kill");
    agent.wait().expect("wait");
    oci.open().await;
    let pid = oci.pid(&id).await;
    // The container answers the first signal in its log, and the second by ending.
    oci.sh(&id, "kill -USR1 1; kill -TERM 1").await;
    ended(pid).await;
    let mut events = oci.runtime().events();
    if let ContainerState::Running { .. } = oci.state(&id).await {
        wait(&mut events, Event::Exited(id.clone())).await;
    }
    let state = oci.state(&id).await;
    assert!(matches!(state, ContainerState::Exited { exit_code: 6, .. }), "{state:?}");
    let log = std::fs::read_to_string(oci.folder.join("0.log")).expect("a log");
    let texts: Vec<_> = log.lines().filter_map(|l| l.splitn(4, ' ').nth(3)).collect();
    assert_eq!(texts, ["ready", "still here"], "its log goes on");
    let pod = oci.runtime().list_sandboxes().await.expect("list").remove(0).id;
    oci.runtime().remove_sandbox(&pod).await.expect("remove");
}

/// The agent of the test above, in a process of its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "is started by another test"]
async fn an_agent() {
    let Ok(folder) = std::env::var(FOLDER) else { return };
    let mut oci = Oci::at(Path::new(&folder), std::env::var(CGROUP).expect("a cgroup")).await;
    oci.open().await;
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
