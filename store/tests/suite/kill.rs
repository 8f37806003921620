//! `kill -9` under concurrent writers, and a disk that is full: in a child process.

use crate::common::{files, keys, open, put, small};
use futures::future::join_all;
use std::collections::HashSet;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use windlass_store::{Embedded, EmbeddedOptions, Error, Read};

/// Names the child's directory; set in the child only.
const DIR: &str = "WINDLASS_STORE_CHILD_DIR";
/// Set by those who want more than a few rounds.
const ROUNDS: &str = "WINDLASS_STORE_KILLS";

fn child_dir() -> Option<PathBuf> {
    std::env::var_os(DIR).map(PathBuf::from)
}

/// Arguments that run one of the tests of this file, in a child.
fn arguments(test: &str) -> [&str; 4] {
    [test, "--exact", "--nocapture", "--ignored"]
}

fn start(test: &str, dir: &Path) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(arguments(test)).env(DIR, dir).stdout(Stdio::piped());
    command.spawn().unwrap()
}

/// Reports a key that was acknowledged.
fn report(key: &str) {
    let mut out = std::io::stdout().lock();
    out.write_all(format!("\nacknowledged {key}\n").as_bytes()).unwrap();
    out.flush().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the child of another test"]
async fn child_writes_for_ever() {
    let Some(dir) = child_dir() else { return };
    let store = Embedded::open(small(&dir)).unwrap();
    let run = store.current_revision().await.unwrap();
    let (store, value) = (&store, "x".repeat(100));
    let value = &value;
    join_all((0..8).map(|writer| async move {
        for i in 0.. {
            let key = format!("{run}-{writer}-{i}");
            put(store, &key, value).await.unwrap();
            report(&key);
        }
    }))
    .await;
}

/// Every write that was acknowledged before the process was killed is there afterwards.
#[tokio::test]
async fn nothing_acknowledged_is_lost_by_a_kill() {
    let rounds = std::env::var(ROUNDS).map_or(6, |rounds| rounds.parse().unwrap());
    let dir = tempfile::tempdir().unwrap();
    let mut acknowledged = HashSet::new();
    for round in 0..rounds {
        let mut child = start("kill::child_writes_for_ever", dir.path());
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let mut reported = lines.by_ref().filter_map(acknowledged_key);
        acknowledged.extend(reported.by_ref().take(100 + round * 77 % 400));
        child.kill().unwrap();
        child.wait().unwrap();
        // Those it had reported before it died count as well.
        acknowledged.extend(reported);
        let store = Embedded::open(small(dir.path())).unwrap();
        let there: HashSet<String> = keys(&store).await.into_iter().collect();
        let lost: Vec<_> = acknowledged.difference(&there).collect();
        assert!(lost.is_empty(), "round {round} lost {lost:?}");
    }
    assert!(acknowledged.len() > 100 * rounds, "{}", acknowledged.len());
}

/// The key of a line, if it is whole.
fn acknowledged_key(line: String) -> Option<String> {
    let key = line.strip_prefix("acknowledged ")?;
    (key.split('-').count() == 3).then(|| key.to_owned())
}

#[tokio::test]
#[ignore = "the child of another test"]
async fn child_on_a_full_disk() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Some(dir) = child_dir() else { return };
    let store = open(&dir);
    let value = "x".repeat(1000);
    let (mut count, mut refused) = (0, None);
    while refused.is_none() {
        match put(&store, &format!("key-{count:03}"), &value).await {
            Ok(_) => count += 1,
            Err(error) => refused = Some(error),
        }
        assert!(count < 1000, "the limit is not in force");
    }
    assert!(matches!(refused, Some(Error::Io { .. })), "{refused:?}");
    assert_eq!(store.current_revision().await.unwrap(), count + 1);
    assert_eq!(keys(&store).await.len() as u64, count);
    // What is smaller may still fit; what does not is refused again, not half written.
    put(&store, "big", &value.repeat(20)).await.unwrap_err();
    let hard = getrlimit(Resource::Fsize).maximum;
    setrlimit(Resource::Fsize, Rlimit { current: hard, maximum: hard }).unwrap();
    let revision = put(&store, "later", &value).await.unwrap();
    assert_eq!(revision, count + 2);
    drop(store);
    let store = open(&dir);
    assert_eq!(keys(&store).await.len() as u64, count + 1);
    assert_eq!(store.current_revision().await.unwrap(), revision);
    report("full-disk-survived");
}

/// A commit that finds no room is refused; reading goes on, and writing too once there is room. The limit on
/// the length of files stands for the full disk: it also writes the part for which there is room.
#[test]
fn a_full_disk_refuses_and_recovers() {
    let dir = tempfile::tempdir().unwrap();
    let script = "trap '' XFSZ; ulimit -S -f 64; exec \"$0\" \"$@\"";
    let mut command = Command::new("sh");
    command.args(["-c", script]).arg(std::env::current_exe().unwrap());
    command.args(arguments("kill::child_on_a_full_disk")).env(DIR, dir.path());
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("acknowledged full-disk-survived"), "{output:?}");
}

/// The directory belongs to one store at a time, and to its owner alone.
#[tokio::test]
async fn a_directory_has_one_store() {
    use std::os::unix::fs::PermissionsExt;
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("data");
    let store = open(&dir);
    put(&store, "a", "1").await.unwrap();
    let second = Embedded::open(EmbeddedOptions::new(&dir)).err();
    assert!(matches!(second, Some(Error::Locked(_))), "{second:?}");
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&dir), 0o700);
    for file in files(&dir, "") {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
    store.close().await.unwrap();
    assert!(matches!(put(&store, "b", "1").await, Err(Error::Closed)));
    assert!(matches!(store.current_revision().await, Err(Error::Closed)));
    // It is free as soon as the first is closed, not only when it is dropped.
    assert_eq!(keys(&open(&dir)).await, ["a"]);
    store.close().await.unwrap();
}
