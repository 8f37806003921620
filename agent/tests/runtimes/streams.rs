//! Exec, attach and terminals.

use super::support::{DEADLINE, FOR_EVER, Node, ended, parent_of};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use windlass_agent::runtime::testing::Subject;
use windlass_agent::runtime::{AttachRequest, Error, ExecRequest, Session};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exec_leaves_nothing_in_the_shim() {
    let Some(oci) = Node::oci().await else { return };
    let pod = oci.pod(|_| {}).await;
    let id = oci.start(&pod, FOR_EVER, |_| {}).await;
    let shim = parent_of(oci.pid(&id).await);
    let descriptors = || std::fs::read_dir(format!("/proc/{shim}/fd")).expect("a shim").count();
    let children = || std::fs::read_to_string(format!("/proc/{shim}/task/{shim}/children"));
    oci.sh(&id, "true").await;
    let before = descriptors();
    for _ in 0..10 {
        assert_eq!(oci.sh(&id, "echo hi").await, "hi\n");
        let missing = ExecRequest { command: vec!["missing".into()], ..ExecRequest::default() };
        match oci.runtime().exec(&id, missing).await {
            Err(Error::Start(words)) => {
                assert_eq!(words, "exec: \"missing\": executable file not found in $PATH");
            }
            other => panic!("expected a start error, got {:?}", other.map(|_| ())),
        }
    }
    // Each exec's connection may still be on its way out; this one comes after them.
    oci.sh(&id, "true").await;
    assert!(descriptors() <= before + 2, "{before} before, {} after", descriptors());
    assert_eq!(children().expect("a shim").split_whitespace().count(), 1);
    oci.runtime().remove_sandbox(&pod).await.expect("remove");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_is_killed_with_its_session() {
    let Some(oci) = Node::oci().await else { return };
    let pod = oci.pod(|_| {}).await;
    let id = oci.start(&pod, FOR_EVER, |_| {}).await;
    let command = vec!["sh".into(), "-c".into(), "echo $$; exec sleep 1000".into()];
    let request = ExecRequest { command, ..ExecRequest::default() };
    let mut session = oci.runtime().exec(&id, request).await.expect("exec");
    let mut line = [0; 16];
    let n = session.stdout.as_mut().expect("output").read(&mut line).await.expect("read");
    let inside = String::from_utf8_lossy(&line[..n]).trim().to_string();
    let shim = parent_of(oci.pid(&id).await);
    let children = std::fs::read_to_string(format!("/proc/{shim}/task/{shim}/children"));
    let children = children.expect("a shim");
    let outside = children.split_whitespace().map(|p| p.parse::<u32>().expect("a pid"));
    let namespaced = |pid: &u32| {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let line =
            status.lines().find_map(|l| l.strip_prefix("NSpid:")).unwrap_or_default().to_string();
        line.split_whitespace().last() == Some(inside.as_str())
    };
    let pid = outside.into_iter().find(namespaced).expect("a program");
    drop(session);
    ended(pid).await;
    oci.runtime().remove_sandbox(&pod).await.expect("remove");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn terminals_have_a_size() {
    let Some(node) = Node::oci().await else { return };
    terminals_have_a_size_on(node).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn terminals_have_a_size_on_containerd() {
    let Some(node) = Node::containerd().await else { return };
    terminals_have_a_size_on(node).await;
}

async fn terminals_have_a_size_on(node: Node) {
    let pod = node.pod(|_| {}).await;
    let id = node.start(&pod, "read x; stty size; tty", |c| (c.tty, c.stdin) = (true, true)).await;
    let all = AttachRequest { stdin: true, stdout: true, stderr: true };
    let main = node.runtime().attach(&id, all).await.expect("attach");
    main.resize.send((100, 40)).await.expect("resize");
    let request = ExecRequest {
        command: vec!["sh".into(), "-c".into(), "read x; stty size; tty; exit 4".into()],
        tty: true,
        stdin: true,
        timeout: Some(DEADLINE),
    };
    let session = node.runtime().exec(&id, request).await.expect("exec");
    session.resize.send((90, 30)).await.expect("resize");
    assert!(session.stderr.is_none());
    // The sizes go another way than the input: an exchange in between makes sure of the order.
    node.sh(&id, "true").await;
    let (text, code) = converse(session).await;
    assert!(text.contains("30 90") && text.contains("/dev/pts/"), "{text}");
    assert_eq!(code, 4);
    let (text, code) = converse(main).await;
    assert!(text.contains("40 100") && text.contains("/dev/pts/"), "{text}");
    assert_eq!(code, 0);
    node.runtime().remove_sandbox(&pod).await.expect("remove");
}

async fn converse(mut session: Session) -> (String, i32) {
    let mut stdin = session.stdin.take().expect("input");
    stdin.write_all(b"go\n").await.expect("write");
    let mut text = String::new();
    let mut out = session.stdout.take().expect("output");
    let read = out.read_to_string(&mut text);
    tokio::time::timeout(DEADLINE, read).await.expect("in time").expect("read");
    (text, session.exit.await.expect("an end").expect("a code"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn input_that_nobody_reads_blocks_nothing() {
    let Some(node) = Node::oci().await else { return };
    input_that_nobody_reads_blocks_nothing_on(node).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn input_that_nobody_reads_blocks_nothing_on_containerd() {
    let Some(node) = Node::containerd().await else { return };
    input_that_nobody_reads_blocks_nothing_on(node).await;
}

async fn input_that_nobody_reads_blocks_nothing_on(node: Node) {
    let pod = node.pod(|_| {}).await;
    let id = node.start(&pod, FOR_EVER, |c| (c.stdin, c.stdin_once) = (true, true)).await;
    let input = AttachRequest { stdin: true, ..AttachRequest::default() };
    let mut session = node.runtime().attach(&id, input).await.expect("attach");
    let mut stdin = session.stdin.take().expect("input");
    let much = vec![b'x'; 1 << 20];
    let written = tokio::time::timeout(Duration::from_millis(300), stdin.write_all(&much)).await;
    assert!(written.is_err(), "nobody reads it");
    drop((stdin, session));
    assert_eq!(node.sh(&id, "echo alive").await, "alive\n");
    node.runtime().stop_container(&id, Duration::ZERO).await.expect("stop");
    node.runtime().remove_sandbox(&pod).await.expect("remove");
}
