//! The contract, and more, on real containers. Needs root and a static busybox
//! (`apt-get install busybox-static`); says so and passes where one is missing.

use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::BoxStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use windlass_agent::images::store::ImageStore;
use windlass_agent::images::{ImageId, Images};
use windlass_agent::network::NoNetwork;
use windlass_agent::runtime::oci::{OciOptions, OciRuntime};
use windlass_agent::runtime::testing::{self, Subject};
use windlass_agent::runtime::{
    AttachRequest, ContainerConfig, ContainerId, ContainerState, Error, Event, ExecRequest, Mount,
    Runtime, SandboxConfig, SandboxId, Session,
};

const BUSYBOX: &str = "/bin/busybox";
const DEADLINE: Duration = Duration::from_secs(20);
const IMAGE: &str = "docker.io/library/busybox:test";

struct Oci {
    dir: TempDir,
    images: ImageStore,
    image: ImageId,
    runtime: Option<Arc<OciRuntime>>,
    cgroup: String,
}

impl Oci {
    async fn new() -> Option<Self> {
        if !rustix::process::geteuid().is_root() || !Path::new(BUSYBOX).exists() {
            eprintln!("skipped: needs root and {BUSYBOX}");
            return None;
        }
        let dir = tempfile::tempdir().expect("a folder");
        let archive = dir.path().join("image.tar");
        testing::busybox_archive(Path::new(BUSYBOX), IMAGE, &archive).expect("an image");
        let images = ImageStore::open(dir.path().join("images")).expect("open");
        assert_eq!(images.import_images(&archive).await.expect("import"), [IMAGE]);
        let image = images.image_status("busybox:test").await.expect("look").expect("is here");
        // Tests run at the same time: each has a root cgroup of its own.
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let cgroup = format!("windlass-test-{}-{number}", std::process::id());
        let mut this = Self { dir, images, image: image.id, runtime: None, cgroup };
        this.open().await;
        Some(this)
    }

    async fn open(&mut self) {
        let state = self.dir.path().join("state");
        let mut options = OciOptions::new(state, self.images.clone(), Arc::new(NoNetwork));
        options.helper = env!("CARGO_BIN_EXE_windlass-oci-shim").into();
        options.run_dir = self.dir.path().join("run");
        options.root_cgroup = self.cgroup.clone();
        self.runtime = Some(Arc::new(OciRuntime::open(options).await.expect("open")));
    }
}

#[async_trait]
impl Subject for Oci {
    fn runtime(&self) -> Arc<dyn Runtime> {
        self.runtime.clone().expect("is open")
    }

    fn image(&self) -> ImageId {
        self.image.clone()
    }

    fn log_folder(&self) -> PathBuf {
        tempfile::tempdir_in(self.dir.path()).expect("a folder").keep()
    }

    async fn reopen(&mut self) {
        self.runtime = None;
        self.open().await;
    }
}

impl Drop for Oci {
    /// Cgroups are not in the temporary folder. Those of a test that failed may still be in use, and stay.
    fn drop(&mut self) {
        let Ok(hierarchies) = std::fs::read_dir("/sys/fs/cgroup") else { return };
        for root in
            hierarchies.filter_map(Result::ok).map(|h| h.path()).chain(["/sys/fs/cgroup".into()])
        {
            for group in ["kubepods", "shims", ""] {
                std::fs::remove_dir(root.join(&self.cgroup).join(group)).ok();
            }
        }
    }
}

impl Oci {
    async fn pod(&self, change: impl FnOnce(&mut SandboxConfig)) -> SandboxId {
        let mut config = SandboxConfig {
            name: "pod".into(),
            hostname: "pod".into(),
            cgroup_parent: "kubepods/pod-1".into(),
            ..SandboxConfig::default()
        };
        change(&mut config);
        self.runtime().run_sandbox(config).await.expect("run sandbox").id
    }

    async fn start(
        &self,
        pod: &SandboxId,
        script: &str,
        change: impl FnOnce(&mut ContainerConfig),
    ) -> ContainerId {
        let mut config = ContainerConfig {
            name: "main".into(),
            image: self.image.clone(),
            command: vec!["/bin/sh".into(), "-c".into(), script.into()],
            log_path: self.log_folder().join("0.log"),
            ..ContainerConfig::default()
        };
        change(&mut config);
        let id = self.runtime().create_container(pod, config).await.expect("create");
        self.runtime().start_container(&id).await.expect("start");
        id
    }

    async fn state(&self, id: &ContainerId) -> ContainerState {
        let all = self.runtime().list_containers().await.expect("list");
        all.into_iter().find(|c| c.id == *id).expect("is listed").state
    }

    async fn pid(&self, id: &ContainerId) -> u32 {
        match self.state(id).await {
            ContainerState::Running { pid, .. } => pid,
            state => panic!("expected it to run, it is {state:?}"),
        }
    }

    /// Runs a script to its end in a new container; gives exit code, reason and output.
    async fn run(
        &self,
        pod: &SandboxId,
        script: &str,
        change: impl FnOnce(&mut ContainerConfig),
    ) -> (i32, String, String) {
        let mut events = self.runtime().events();
        let id = self.start(pod, script, change).await;
        wait(&mut events, Event::Exited(id.clone())).await;
        let all = self.runtime().list_containers().await.expect("list");
        let status = all.into_iter().find(|c| c.id == id).expect("is listed");
        let log = std::fs::read_to_string(status.log_path).expect("has a log");
        let lines = log.lines().filter_map(|l| l.splitn(4, ' ').nth(3));
        let text = lines.collect::<Vec<_>>().join("\n");
        match status.state {
            ContainerState::Exited { exit_code, reason, .. } => (exit_code, reason, text),
            state => panic!("expected it to have ended, it is {state:?}"),
        }
    }

    async fn sh(&self, id: &ContainerId, script: &str) -> String {
        let command = vec!["/bin/sh".into(), "-c".into(), script.into()];
        let request = ExecRequest { command, ..ExecRequest::default() };
        let mut session = self.runtime().exec(id, request).await.expect("exec");
        let mut text = String::new();
        session.stdout.take().expect("output").read_to_string(&mut text).await.expect("read");
        session.exit.await.expect("an end").expect("a code");
        text
    }
}

async fn wait(events: &mut BoxStream<'static, Event>, wanted: Event) {
    let told = async { while events.next().await.expect("an event") != wanted {} };
    tokio::time::timeout(DEADLINE, told).await.expect("the event comes");
}

/// Waits for a process that is not a child of this one.
async fn ended(pid: u32) {
    use rustix::process::{Pid, PidfdFlags, pidfd_open};
    let pid = Pid::from_raw(pid.try_into().expect("a pid")).expect("a pid");
    let Ok(fd) = pidfd_open(pid, PidfdFlags::empty()) else { return };
    let wait = move || {
        let mut fds = [rustix::event::PollFd::new(&fd, rustix::event::PollFlags::IN)];
        let limit = rustix::event::Timespec { tv_sec: 20, tv_nsec: 0 };
        rustix::event::poll(&mut fds, Some(&limit)).expect("poll")
    };
    assert_eq!(tokio::task::spawn_blocking(wait).await.expect("a thread"), 1, "it ends");
}

fn parent_of(pid: u32) -> u32 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("a process");
    let line = status.lines().find_map(|l| l.strip_prefix("PPid:")).expect("a parent");
    line.trim().parse().expect("a number")
}

const FOR_EVER: &str = "while :; do sleep 1000; done";

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

fn kill(pid: u32) {
    let pid = rustix::process::Pid::from_raw(pid.try_into().expect("a pid")).expect("a pid");
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("kill");
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

impl Oci {
    /// Mounts, cgroups, processes and files of this runtime.
    fn traces(&self) -> [usize; 4] {
        let dir = self.dir.path().to_string_lossy().into_owned();
        let mounts = std::fs::read_to_string("/proc/self/mountinfo").expect("mounts");
        let groups = ["/sys/fs/cgroup", "/sys/fs/cgroup/memory", "/sys/fs/cgroup/pids"];
        let groups = groups.map(|g| count(&Path::new(g).join(&self.cgroup).join("kubepods")));
        let processes = std::fs::read_dir("/proc").expect("processes").filter_map(Result::ok);
        let processes = processes.filter(|p| {
            let line = std::fs::read(p.path().join("cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&line).contains(&dir)
        });
        [
            mounts.lines().filter(|l| l.contains(&dir)).count(),
            groups.into_iter().sum(),
            processes.count(),
            count(&self.dir.path().join("state")) + count(&self.dir.path().join("run")),
        ]
    }
}

/// How many folders and files are below a folder, two levels deep at most; 0 when it isn't there.
fn count(folder: &Path) -> usize {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    let below = |e: std::fs::DirEntry| std::fs::read_dir(e.path()).map_or(0, Iterator::count);
    entries.filter_map(Result::ok).map(below).sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exec_leaves_nothing_in_the_shim() {
    let Some(oci) = Oci::new().await else { return };
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
    let Some(oci) = Oci::new().await else { return };
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
    let Some(oci) = Oci::new().await else { return };
    let pod = oci.pod(|_| {}).await;
    let id = oci.start(&pod, "read x; stty size; tty", |c| (c.tty, c.stdin) = (true, true)).await;
    let all = AttachRequest { stdin: true, stdout: true, stderr: true };
    let main = oci.runtime().attach(&id, all).await.expect("attach");
    main.resize.send((100, 40)).await.expect("resize");
    let request = ExecRequest {
        command: vec!["sh".into(), "-c".into(), "read x; stty size; tty; exit 4".into()],
        tty: true,
        stdin: true,
        timeout: Some(DEADLINE),
    };
    let session = oci.runtime().exec(&id, request).await.expect("exec");
    session.resize.send((90, 30)).await.expect("resize");
    assert!(session.stderr.is_none());
    // The sizes go another way than the input: an exchange in between makes sure of the order.
    oci.sh(&id, "true").await;
    let (text, code) = converse(session).await;
    assert!(text.contains("30 90") && text.contains("/dev/pts/"), "{text}");
    assert_eq!(code, 4);
    let (text, code) = converse(main).await;
    assert!(text.contains("40 100") && text.contains("/dev/pts/"), "{text}");
    assert_eq!(code, 0);
    oci.runtime().remove_sandbox(&pod).await.expect("remove");
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
async fn rights_and_mounts() {
    let Some(oci) = Oci::new().await else { return };
    let pod = oci.pod(|p| p.resolv_conf = Some("nameserver 192.0.2.1\n".into())).await;
    let plain = oci.run(&pod, "id -u; id -G; cat /etc/resolv.conf; echo $HOSTNAME $FROM_IMAGE; grep -h Cap /proc/self/status | head -0; pwd", |_| {});
    assert_eq!(plain.await.2, "0\n0\nnameserver 192.0.2.1\npod yes\n/");
    let user = oci.run(&pod, "id -u; id -G; touch /x 2>/dev/null || echo refused", |c| {
        c.security.run_as_user = Some(33);
        c.security.run_as_group = Some(7);
        c.security.supplemental_groups = vec![99];
        c.security.no_new_privileges = true;
    });
    assert_eq!(user.await.2, "33\n7 50 99\nrefused");
    let shared = oci.dir.path().join("shared");
    std::fs::create_dir(&shared).expect("a folder");
    std::fs::write(shared.join("file"), "from the node").expect("a file");
    let mounts = oci.run(
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
    let privileged = oci.run(
        &pod,
        "ip link add name d0 type dummy && echo made; [ -e /dev/kmsg ] && echo devices",
        |c| {
            c.security.privileged = true;
        },
    );
    assert!(privileged.await.2.ends_with("devices"));
    oci.runtime().remove_sandbox(&pod).await.expect("remove");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits_hold() {
    let Some(oci) = Oci::new().await else { return };
    let pod = oci.pod(|p| p.resources.cpu_shares = Some(512)).await;
    let limit = |c: &mut ContainerConfig| c.resources.memory_limit = Some(32 << 20);
    let seen = "cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>/dev/null; true";
    assert_eq!(oci.run(&pod, seen, limit).await.2, (32 << 20).to_string());
    let hungry = "exec dd if=/dev/zero of=/dev/null bs=200M count=1";
    let (code, reason, _) = oci.run(&pod, hungry, limit).await;
    assert_eq!((code, reason.as_str()), (137, "OOMKilled"));
    oci.runtime().remove_sandbox(&pod).await.expect("remove");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn containers_of_a_pod_share_what_it_says() {
    let Some(oci) = Oci::new().await else { return };
    let pod = oci.pod(|p| p.share_process_namespace = true).await;
    let first = oci.start(&pod, "touch /dev/shm/here; while :; do sleep 1000; done", |_| {}).await;
    let second = oci.start(&pod, FOR_EVER, |c| c.name = "second".into()).await;
    oci.sh(&first, "true").await;
    let seen = oci
        .sh(
            &second,
            "ls /dev/shm; cat /proc/*/cmdline | tr '\\0' ' ' 2>/dev/null || cat /proc/*/cmdline",
        )
        .await;
    assert!(seen.starts_with("here\n") && seen.contains("touch"), "{seen}");
    oci.runtime().remove_sandbox(&pod).await.expect("remove");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keeps_the_contract() {
    let Some(mut oci) = Oci::new().await else { return };
    testing::contract(&mut oci).await;
}
