//! Exec and attach.

use super::{DEADLINE, Pod, Program, Subject};
use crate::runtime::{AttachRequest, ContainerId, Error, ExecRequest, Session};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

pub(super) async fn exec_has_streams_and_a_code(subject: &dyn Subject) {
    let pod = Pod::new(subject).await;
    let id = pod.run(subject, Program::IgnoresTerm).await;
    let mut session = exec(&pod, &id, Program::Prints, |_| {}).await;
    let (out, err) = (session.stdout.take(), session.stderr.take());
    assert_eq!(text(out).await, "out\nsecond\n");
    assert_eq!(text(err).await, "err\n");
    assert_eq!(code(session).await.expect("a code"), 3);
    pod.remove().await;
}

pub(super) async fn exec_reads_its_input(subject: &dyn Subject) {
    let pod = Pod::new(subject).await;
    let id = pod.run(subject, Program::IgnoresTerm).await;
    let mut session = exec(&pod, &id, Program::Copies, |r| r.stdin = true).await;
    let mut stdin = session.stdin.take().expect("has an input");
    stdin.write_all(b"some text").await.expect("write");
    stdin.shutdown().await.expect("shutdown");
    drop(stdin);
    let out = session.stdout.take();
    assert_eq!(text(out).await, "some text");
    assert_eq!(code(session).await.expect("a code"), 0);
    pod.remove().await;
}

pub(super) async fn exec_has_a_limit(subject: &dyn Subject) {
    let pod = Pod::new(subject).await;
    let id = pod.run(subject, Program::IgnoresTerm).await;
    let limit = |r: &mut ExecRequest| r.timeout = Some(Duration::from_millis(100));
    let session = exec(&pod, &id, Program::IgnoresTerm, limit).await;
    assert!(matches!(code(session).await, Err(Error::Failed(_))), "it takes too long");
    pod.remove().await;
}

pub(super) async fn exec_of_nothing_there(subject: &dyn Subject) {
    let pod = Pod::new(subject).await;
    let id = pod.run(subject, Program::IgnoresTerm).await;
    let request =
        |program: Program| ExecRequest { command: program.command(), ..ExecRequest::default() };
    let missing = pod.runtime.exec(&id, request(Program::Missing)).await;
    assert!(matches!(missing, Err(Error::Start(_))), "no program");
    let unknown = ContainerId("0".repeat(64));
    let nowhere = pod.runtime.exec(&unknown, request(Program::Succeeds)).await;
    assert!(matches!(nowhere, Err(Error::NotFound(_))), "no container");
    pod.remove().await;
}

pub(super) async fn attached_input_ends(subject: &dyn Subject) {
    let mut pod = Pod::new(subject).await;
    let id = pod
        .create(subject, Program::Copies, |c| {
            c.stdin = true;
            c.stdin_once = true;
        })
        .await;
    pod.runtime.start_container(&id).await.expect("start");
    let all = AttachRequest { stdin: true, stdout: true, stderr: true };
    let mut session = pod.runtime.attach(&id, all).await.expect("attach");
    let mut stdin = session.stdin.take().expect("has an input");
    stdin.write_all(b"one line\n").await.expect("write");
    stdin.shutdown().await.expect("shutdown");
    drop(stdin);
    let out = session.stdout.take();
    assert_eq!(text(out).await, "one line\n");
    assert_eq!(pod.exited(&id).await, (0, "Completed".to_string()));
    let log = std::fs::read_to_string(pod.status(&id).await.expect("is listed").log_path);
    assert!(log.expect("has a log").ends_with(" stdout F one line\n"));
    pod.remove().await;
}

async fn exec(
    pod: &Pod,
    id: &ContainerId,
    program: Program,
    change: impl FnOnce(&mut ExecRequest),
) -> Session {
    let mut request = ExecRequest { command: program.command(), ..ExecRequest::default() };
    change(&mut request);
    pod.runtime.exec(id, request).await.expect("exec")
}

async fn text(stream: Option<Box<dyn tokio::io::AsyncRead + Send + Unpin>>) -> String {
    let mut text = String::new();
    let read = async { stream.expect("has this stream").read_to_string(&mut text).await };
    tokio::time::timeout(DEADLINE, read).await.expect("the stream ends").expect("read");
    text
}

async fn code(session: Session) -> crate::runtime::Result<i32> {
    let ended = tokio::time::timeout(DEADLINE, session.exit).await.expect("it ends");
    ended.expect("says how it ended")
}
