//! Sandboxes and containers.

use super::{Pod, Program, Subject, status};
use crate::runtime::{ContainerId, ContainerState, Error, SandboxId};
use std::time::Duration;

pub(super) async fn sandboxes_come_and_go(subject: &dyn Subject) {
    let pod = Pod::new(subject).await;
    let runtime = subject.runtime();
    let listed = runtime.list_sandboxes().await.expect("list");
    let mine = listed.iter().find(|s| s.id == pod.id).expect("is listed");
    assert!(mine.ready);
    assert_eq!(mine.config.name, "pod");
    for _ in 0..2 {
        runtime.stop_sandbox(&pod.id).await.expect("stop, also twice");
    }
    let listed = runtime.list_sandboxes().await.expect("list");
    assert!(listed.iter().any(|s| s.id == pod.id && !s.ready), "listed, not ready");
    for _ in 0..2 {
        runtime.remove_sandbox(&pod.id).await.expect("remove, also twice");
    }
    let unknown = SandboxId("unknown".into());
    runtime.stop_sandbox(&unknown).await.expect("nothing to stop");
    runtime.remove_sandbox(&unknown).await.expect("nothing to remove");
}

pub(super) async fn output_and_exit_code(subject: &dyn Subject) {
    let mut pod = Pod::new(subject).await;
    let id = pod.create(subject, Program::Prints, |_| {}).await;
    let made = pod.status(&id).await.expect("is listed");
    assert_eq!(made.state, ContainerState::Created);
    pod.runtime.start_container(&id).await.expect("start");
    assert_eq!(pod.exited(&id).await, (3, "Error".to_string()));
    let log = std::fs::read_to_string(&made.log_path).expect("has a log");
    let texts = |stream: &str| -> Vec<String> {
        let lines = log.lines().map(|l| l.splitn(4, ' ').collect::<Vec<_>>());
        let mine = lines.filter(|l| l.len() == 4 && l[1] == stream && l[2] == "F");
        mine.map(|l| l[3].to_string()).collect()
    };
    assert_eq!(texts("stdout"), ["out", "second"], "{log}");
    assert_eq!(texts("stderr"), ["err"], "{log}");
    pod.remove().await;
}

pub(super) async fn success_is_completed(subject: &dyn Subject) {
    let mut pod = Pod::new(subject).await;
    let id = pod.run(subject, Program::Succeeds).await;
    assert_eq!(pod.exited(&id).await, (0, "Completed".to_string()));
    pod.remove().await;
}

pub(super) async fn what_runs_uses_something(subject: &dyn Subject) {
    let pod = Pod::new(subject).await;
    let id = pod.run(subject, Program::RunsUntilTerm).await;
    let all = pod.runtime.usage().await.expect("usage");
    let mine = all.iter().find(|usage| usage.id == pod.id).expect("a sandbox that is ready");
    let used = mine.containers.get(&id).expect("a container that runs");
    assert!(used.working_set > 0 && used.working_set <= used.memory, "{used:?}");
    assert!(mine.pod.memory >= used.working_set && mine.pod.cpu >= used.cpu, "{mine:?}");
    pod.remove().await;
}

pub(super) async fn a_missing_program_is_a_start_error(subject: &dyn Subject) {
    let pod = Pod::new(subject).await;
    let id = pod.create(subject, Program::Missing, |_| {}).await;
    let words = match pod.runtime.start_container(&id).await {
        Err(Error::Start(words)) => words,
        other => panic!("expected a start error, got {other:?}"),
    };
    assert_eq!(
        words,
        "exec: \"/no/such/program\": stat /no/such/program: no such file or directory"
    );
    match pod.status(&id).await.expect("is listed").state {
        ContainerState::Exited { exit_code, reason, .. } => {
            assert_eq!((exit_code, reason.as_str()), (128, "StartError"));
        }
        state => panic!("could not start, listed as {state:?}"),
    }
    pod.remove().await;
}

pub(super) async fn stopping_asks_first(subject: &dyn Subject) {
    let mut pod = Pod::new(subject).await;
    let id = pod.run(subject, Program::RunsUntilTerm).await;
    ready_for_signals(&pod, &id).await;
    let grace = Duration::from_secs(20);
    pod.runtime.stop_container(&id, grace).await.expect("stop");
    assert_eq!(pod.exited(&id).await, (5, "Error".to_string()));
    pod.runtime.stop_container(&id, grace).await.expect("nothing left to stop");
    pod.remove().await;
}

pub(super) async fn stopping_kills_in_the_end(subject: &dyn Subject) {
    let mut pod = Pod::new(subject).await;
    let id = pod.run(subject, Program::IgnoresTerm).await;
    ready_for_signals(&pod, &id).await;
    pod.runtime.stop_container(&id, Duration::from_millis(100)).await.expect("stop");
    assert_eq!(pod.exited(&id).await, (137, "Error".to_string()));
    pod.remove().await;
}

/// A shell that has just started has not set its traps: one that runs another program has.
async fn ready_for_signals(pod: &Pod, id: &ContainerId) {
    let request =
        crate::runtime::ExecRequest { command: Program::Succeeds.command(), ..Default::default() };
    let session = pod.runtime.exec(id, request).await.expect("exec");
    let code = session.exit.await.expect("an end").expect("a code");
    assert_eq!(code, 0);
}

pub(super) async fn removing_ends_what_runs(subject: &dyn Subject) {
    let pod = Pod::new(subject).await;
    let id = pod.run(subject, Program::IgnoresTerm).await;
    pod.runtime.start_container(&id).await.expect("runs already");
    for _ in 0..2 {
        pod.runtime.remove_container(&id).await.expect("remove, also twice");
    }
    assert!(pod.status(&id).await.is_none());
    let again = pod.run(subject, Program::IgnoresTerm).await;
    let runtime = pod.runtime.clone();
    pod.remove().await;
    assert!(status(&*runtime, &again).await.is_none(), "removed with its sandbox");
}

pub(super) async fn an_unknown_container_is_no_trouble(subject: &dyn Subject) {
    let runtime = subject.runtime();
    let unknown = ContainerId("0".repeat(64));
    runtime.stop_container(&unknown, Duration::ZERO).await.expect("nothing to stop");
    runtime.remove_container(&unknown).await.expect("nothing to remove");
    assert!(matches!(runtime.start_container(&unknown).await, Err(Error::NotFound(_))));
}

pub(super) async fn everything_is_found_again(subject: &mut dyn Subject) {
    let pod = Pod::new(subject).await;
    let runs = pod.run(subject, Program::IgnoresTerm).await;
    let made = pod.create(subject, Program::Succeeds, |c| c.name = "second".into()).await;
    let before = pod.status(&runs).await.expect("is listed");
    let id = pod.id.clone();
    drop(pod);
    subject.reopen().await;
    let runtime = subject.runtime();
    let after = status(&*runtime, &runs).await.expect("is listed again");
    assert_eq!(after.state, before.state, "still the same process");
    assert_eq!((after.name, after.log_path), (before.name, before.log_path));
    let made = status(&*runtime, &made).await.expect("is listed again");
    assert_eq!(made.state, ContainerState::Created);
    let listed = runtime.list_sandboxes().await.expect("list");
    assert!(listed.iter().any(|s| s.id == id && s.ready));
    runtime.stop_container(&runs, Duration::ZERO).await.expect("stop");
    let ended = status(&*runtime, &runs).await.expect("is listed").state;
    assert!(matches!(ended, ContainerState::Exited { exit_code: 137, .. }), "{ended:?}");
    runtime.remove_sandbox(&id).await.expect("remove");
}
