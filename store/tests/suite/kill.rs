//! `kill -9` under concurrent writers, and a disk that is full: in a child process.

use crate::common::{files, keys, open, put, small};
use futures::StreamExt;
use futures::future::join_all;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use windlass_store::{Durability, Embedded, EmbeddedOptions, Error, KeyRange, Read, Watch};

/// Names the child's directory; set in the child only.
const DIR: &str = "WINDLASS_STORE_CHILD_DIR";
/// Set for a child that does not sync.
const BUFFERED: &str = "WINDLASS_STORE_CHILD_BUFFERED";
/// Set by those who want more than a few rounds.
const ROUNDS: &str = "WINDLASS_STORE_KILLS";
/// Tasks that write at the same time, each to keys of its own.
const WRITERS: usize = 8;
/// Keys of a writer: it writes numbers, one after the other, each to the key of its remainder.
const KEYS: u64 = 8;

fn child_dir() -> Option<PathBuf> {
    std::env::var_os(DIR).map(PathBuf::from)
}

/// Arguments that run one of the tests of this file, in a child.
fn arguments(test: &str) -> [&str; 4] {
    [test, "--exact", "--nocapture", "--ignored"]
}

fn child(test: &str, dir: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(arguments(test)).env(DIR, dir).stdout(Stdio::piped());
    command
}

/// Reports what was acknowledged.
fn report(what: &str) {
    let mut out = std::io::stdout().lock();
    out.write_all(format!("\nacknowledged {what};\n").as_bytes()).unwrap();
    out.flush().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the child of another test"]
async fn child_writes_for_ever() {
    let Some(dir) = child_dir() else { return };
    let buffered = std::env::var_os(BUFFERED).is_some();
    let durability = if buffered { Durability::Buffered } else { Durability::Fsync };
    let store = &Embedded::open(EmbeddedOptions { durability, ..small(&dir) }).unwrap();
    join_all((0..WRITERS).map(|writer| async move {
        let written = numbers(store, writer).await.into_iter().flatten().max();
        for number in written.map_or(0, |last| last + 1).. {
            let key = format!("{writer}/{}", number % KEYS);
            put(store, &key, &format!("{number:0100}")).await.unwrap();
            report(&format!("{writer} {number}"));
        }
    }))
    .await;
}

/// The numbers under the keys of a writer.
async fn numbers(store: &Embedded, writer: usize) -> Vec<Option<u64>> {
    let range = KeyRange::prefix(format!("{writer}/"));
    let mut numbers = vec![None; KEYS as usize];
    for kv in store.range(&range, 0, None).await.unwrap().items {
        let number: u64 = std::str::from_utf8(&kv.value).unwrap().parse().unwrap();
        assert_eq!(kv.key, format!("{writer}/{}", number % KEYS));
        assert_eq!(kv.version, number / KEYS + 1);
        numbers[(number % KEYS) as usize] = Some(number);
    }
    numbers
}

/// What a writer left when it wrote all numbers below `count`.
fn left_by(count: u64) -> Vec<Option<u64>> {
    let last = |slot: u64| (0..count).rev().find(|number| number % KEYS == slot);
    (0..KEYS).map(last).collect()
}

/// Runs a child, kills it somewhere, also while it opens the store; notes how many numbers of each
/// writer were acknowledged.
fn run_and_kill(mut child: Child, rng: &mut SmallRng, acknowledged: &mut [u64]) {
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let mut note = |line: String| {
        let Some((writer, number)) = acknowledged_number(&line) else { return false };
        acknowledged[writer] = acknowledged[writer].max(number + 1);
        true
    };
    if rng.random_bool(0.3) {
        std::thread::sleep(Duration::from_micros(rng.random_range(0..60_000)));
    } else {
        let mut count = rng.random_range(1..400);
        while count > 0 {
            count -= usize::from(note(lines.next().expect("the child goes on for ever")));
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();
    // Those it had reported before it died count as well.
    lines.for_each(|line| {
        note(line);
    });
}

/// The writer and the number of a line, if it is whole.
fn acknowledged_number(line: &str) -> Option<(usize, u64)> {
    let (writer, number) =
        line.strip_prefix("acknowledged ")?.strip_suffix(';')?.split_once(' ')?;
    Some((writer.parse().ok()?, number.parse().ok()?))
}

/// Every write that was acknowledged before the process was killed is there afterwards, and of each writer
/// at most the one that was under way: with syncs or without.
#[tokio::test]
async fn nothing_acknowledged_is_lost_by_a_kill() {
    let rounds: u64 = std::env::var(ROUNDS).map_or(8, |rounds| rounds.parse().unwrap());
    let dir = tempfile::tempdir().unwrap();
    let mut acknowledged = vec![0; WRITERS];
    for round in 0..rounds {
        let mut rng = SmallRng::seed_from_u64(round);
        let mut command = child("kill::child_writes_for_ever", dir.path());
        if round % 2 == 1 {
            command.env(BUFFERED, "1");
        }
        run_and_kill(command.spawn().unwrap(), &mut rng, &mut acknowledged);
        let store = Embedded::open(small(dir.path())).unwrap();
        for (writer, count) in acknowledged.iter_mut().enumerate() {
            let found = numbers(&store, writer).await;
            let more = (*count..=*count + 1).find(|count| left_by(*count) == found);
            *count = more.unwrap_or_else(|| panic!("{round}: {count} of {writer}: {found:?}"));
        }
    }
    let count: u64 = acknowledged.iter().sum();
    println!("{count} writes and {rounds} kills");
    assert!(count > 30 * rounds, "{count}");
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
    assert!(text.contains("acknowledged full-disk-survived;"), "{output:?}");
}

/// A file system in memory, for as long as the test runs.
struct Mount(tempfile::TempDir);

impl Mount {
    fn new(bytes: usize) -> rustix::io::Result<Self> {
        let dir = tempfile::tempdir().unwrap();
        let options = std::ffi::CString::new(format!("size={bytes}")).unwrap();
        let flags = rustix::mount::MountFlags::empty();
        rustix::mount::mount("tmpfs", dir.path(), "tmpfs", flags, &*options)?;
        Ok(Self(dir))
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let flags = rustix::mount::UnmountFlags::empty();
        rustix::mount::unmount(self.0.path(), flags).unwrap();
    }
}

/// The same on a real disk of 1 MiB: what was acknowledged is read and watched all the while, and as soon as
/// there is room commits are taken again.
#[tokio::test]
async fn a_real_disk_is_full() {
    let mount = match Mount::new(1 << 20) {
        Ok(mount) => mount,
        Err(error) => {
            eprintln!("SKIPPED a_real_disk_is_full: it needs to be root to mount: {error}");
            assert!(!rustix::process::geteuid().is_root() || std::env::var_os("CI").is_none());
            return;
        }
    };
    let dir = mount.0.path();
    let ballast = dir.join("ballast");
    std::fs::write(&ballast, vec![0; 300 << 10]).unwrap();
    let store = open(&dir.join("data"));
    let mut watch = store.watch(KeyRange::all(), 1).await.unwrap();
    let value = "x".repeat(10_000);
    let mut written = Vec::new();
    let refused = loop {
        let key = format!("key-{:03}", written.len());
        match put(&store, &key, &value).await {
            Ok(_) => written.push(key),
            Err(error) => break error,
        }
        assert!(written.len() < 200, "there is too much room");
    };
    let Error::Io { source, .. } = &refused else { panic!("{refused:?}") };
    assert_eq!(source.raw_os_error(), Some(28), "{refused}");
    assert!(written.len() > 20, "{}", written.len());
    for _ in 0..10 {
        put(&store, "again", &value.repeat(5)).await.unwrap_err();
    }
    assert_eq!(keys(&store).await, written);
    std::fs::remove_file(&ballast).unwrap();
    let revision = put(&store, "later", &value).await.unwrap();
    assert_eq!(revision as usize, written.len() + 2);
    for revision in 2..=revision {
        assert_eq!(crate::common::within(watch.next()).await.unwrap().unwrap().revision, revision);
    }
    written.push("later".into());
    drop((store, watch));
    let store = open(&dir.join("data"));
    assert_eq!(keys(&store).await, written);
    store.close().await.unwrap();
    drop(store);
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
