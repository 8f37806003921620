//! A runtime of each test's own, on real containers.

use super::daemon::Daemon;
use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::BoxStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::AsyncReadExt;
use windlass_agent::images::ImageId;
use windlass_agent::images::store::ImageStore;
use windlass_agent::network::NoNetwork;
use windlass_agent::runtime::containerd::{ContainerdOptions, ContainerdRuntime};
use windlass_agent::runtime::oci::{OciOptions, OciRuntime};
use windlass_agent::runtime::testing::{self, Subject};
use windlass_agent::runtime::{
    ContainerConfig, ContainerId, ContainerState, Event, ExecRequest, Runtime, SandboxConfig,
    SandboxId,
};

const BUSYBOX: &str = "/bin/busybox";
const IMAGE: &str = "docker.io/library/busybox:test";
/// How long anything may take.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);
/// A shell script that doesn't end.
pub(crate) const FOR_EVER: &str = "while :; do sleep 1000; done";

/// Which runtime.
#[derive(Clone, Debug)]
pub(crate) enum Kind {
    /// Without a daemon.
    Oci,
    /// On a containerd that listens at this socket.
    Containerd(PathBuf),
}

/// A runtime, and what it stands on.
pub(crate) struct Node {
    pub(crate) folder: PathBuf,
    pub(crate) kind: Kind,
    pub(crate) image: ImageId,
    pub(crate) runtime: Option<Arc<dyn Runtime>>,
    pub(crate) cgroup: String,
    pub(crate) daemon: Option<Daemon>,
    _temporary: Option<TempDir>,
}

impl Node {
    /// One without a daemon in a new folder, open; `None` where it can't work.
    pub(crate) async fn oci() -> Option<Self> {
        let dir = usable()?;
        Some(Self::furnish(Kind::Oci, dir, None).await)
    }

    /// One on a containerd of its own.
    pub(crate) async fn containerd() -> Option<Self> {
        let dir = usable()?;
        let daemon = Daemon::start(dir.path())?;
        let kind = Kind::Containerd(daemon.address.clone());
        Some(Self::furnish(kind, dir, Some(daemon)).await)
    }

    async fn furnish(kind: Kind, dir: TempDir, daemon: Option<Daemon>) -> Self {
        // Tests run at the same time: each has a root cgroup of its own.
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let cgroup = format!("windlass-test-{}-{number}", std::process::id());
        let archive = dir.path().join("image.tar");
        testing::busybox_archive(Path::new(BUSYBOX), IMAGE, &archive).expect("an image");
        let mut this = Self::at(dir.path(), cgroup, kind);
        (this._temporary, this.daemon) = (Some(dir), daemon);
        this.open().await;
        let names = this.runtime().import_images(&archive).await.expect("import");
        assert_eq!(names, [IMAGE]);
        this.find_image().await;
        this
    }

    /// One in this folder, not yet open.
    pub(crate) fn at(folder: &Path, cgroup: String, kind: Kind) -> Self {
        Self {
            folder: folder.into(),
            kind,
            image: ImageId::default(),
            runtime: None,
            cgroup,
            daemon: None,
            _temporary: None,
        }
    }

    pub(crate) async fn open(&mut self) {
        self.runtime = Some(match &self.kind {
            Kind::Oci => Arc::new(self.open_oci().await),
            Kind::Containerd(address) => Arc::new(self.open_containerd(address).await),
        });
    }

    pub(crate) async fn find_image(&mut self) {
        let found = self.runtime().image_status(IMAGE).await.expect("look");
        self.image = found.expect("is here").id;
    }

    async fn open_oci(&self) -> OciRuntime {
        let images = ImageStore::open(self.folder.join("images")).expect("open");
        let mut options = OciOptions::new(self.folder.join("state"), images, Arc::new(NoNetwork));
        options.helper = env!("CARGO_BIN_EXE_windlass-oci-shim").into();
        options.run_dir = self.folder.join("run");
        options.root_cgroup = self.cgroup.clone();
        OciRuntime::open(options).await.expect("open")
    }

    async fn open_containerd(&self, address: &Path) -> ContainerdRuntime {
        let state = self.folder.join("state");
        let mut options = ContainerdOptions::new(address, state, Arc::new(NoNetwork));
        options.helper = env!("CARGO_BIN_EXE_windlass-oci-shim").into();
        options.run_dir = self.folder.join("run");
        options.root_cgroup = self.cgroup.clone();
        ContainerdRuntime::open(options).await.expect("open")
    }
}

/// A new folder, where containers can work.
fn usable() -> Option<TempDir> {
    if !rustix::process::geteuid().is_root() || !Path::new(BUSYBOX).exists() {
        eprintln!("skipped: needs root and {BUSYBOX}");
        return None;
    }
    Some(tempfile::tempdir().expect("a folder"))
}

#[async_trait]
impl Subject for Node {
    fn runtime(&self) -> Arc<dyn Runtime> {
        self.runtime.clone().expect("is open")
    }

    fn image(&self) -> ImageId {
        self.image.clone()
    }

    fn log_folder(&self) -> PathBuf {
        tempfile::tempdir_in(&self.folder).expect("a folder").keep()
    }

    async fn reopen(&mut self) {
        self.runtime = None;
        self.open().await;
    }
}

impl Drop for Node {
    /// Cgroups are not in the temporary folder. Shims that are just ending still have theirs for a moment.
    fn drop(&mut self) {
        self.runtime = None;
        drop(self.daemon.take());
        if let Err(error) = testing::remove_cgroup(&self.cgroup) {
            eprintln!("{}: {error}", self.cgroup);
        }
    }
}

impl Node {
    pub(crate) async fn pod(&self, change: impl FnOnce(&mut SandboxConfig)) -> SandboxId {
        let mut config = SandboxConfig {
            name: "pod".into(),
            hostname: "pod".into(),
            cgroup_parent: "kubepods/pod-1".into(),
            ..SandboxConfig::default()
        };
        change(&mut config);
        self.runtime().run_sandbox(config).await.expect("run sandbox").id
    }

    pub(crate) async fn start(
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

    pub(crate) async fn state(&self, id: &ContainerId) -> ContainerState {
        let all = self.runtime().list_containers().await.expect("list");
        all.into_iter().find(|c| c.id == *id).expect("is listed").state
    }

    pub(crate) async fn pid(&self, id: &ContainerId) -> u32 {
        match self.state(id).await {
            ContainerState::Running { pid, .. } => pid,
            state => panic!("expected it to run, it is {state:?}"),
        }
    }

    /// Runs a script to its end in a new container; gives exit code, reason and output.
    pub(crate) async fn run(
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

    pub(crate) async fn sh(&self, id: &ContainerId, script: &str) -> String {
        let command = vec!["/bin/sh".into(), "-c".into(), script.into()];
        let request = ExecRequest { command, ..ExecRequest::default() };
        let mut session = self.runtime().exec(id, request).await.expect("exec");
        let mut text = String::new();
        session.stdout.take().expect("output").read_to_string(&mut text).await.expect("read");
        session.exit.await.expect("an end").expect("a code");
        text
    }
}

impl Node {
    /// Waits for shims whose containers are gone.
    pub(crate) async fn shims_end(&self) {
        let running = self.runtime().list_containers().await.expect("list");
        assert!(running.is_empty(), "all containers are removed");
        for pid in self.processes("containerd-shim") {
            ended(pid).await;
        }
    }

    /// Processes that have the node's folder and this word in their command line.
    fn processes(&self, word: &str) -> Vec<u32> {
        let dir = self.folder.to_string_lossy();
        let all = std::fs::read_dir("/proc").expect("processes").filter_map(Result::ok);
        let mine = all.filter(|p| {
            let line = std::fs::read(p.path().join("cmdline")).unwrap_or_default();
            let line = String::from_utf8_lossy(&line);
            line.contains(&*dir) && line.contains(word)
        });
        mine.filter_map(|p| p.file_name().to_str()?.parse().ok()).collect()
    }

    /// Mounts, cgroups, processes and files of this runtime.
    pub(crate) fn traces(&self) -> [usize; 4] {
        let dir = self.folder.to_string_lossy().into_owned();
        let mounts = std::fs::read_to_string("/proc/self/mountinfo").expect("mounts");
        let groups = ["/sys/fs/cgroup", "/sys/fs/cgroup/memory", "/sys/fs/cgroup/pids"];
        let groups = groups.map(|g| count(&Path::new(g).join(&self.cgroup).join("kubepods")));
        [
            mounts.lines().filter(|l| l.contains(&dir)).count(),
            groups.into_iter().sum(),
            self.processes("").len(),
            count(&self.folder.join("state")) + count(&self.folder.join("run")),
        ]
    }
}

/// How many folders and files are below a folder, two levels deep at most; 0 when it isn't there.
fn count(folder: &Path) -> usize {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    let below = |e: std::fs::DirEntry| std::fs::read_dir(e.path()).map_or(0, Iterator::count);
    entries.filter_map(Result::ok).map(below).sum()
}

pub(crate) async fn wait(events: &mut BoxStream<'static, Event>, wanted: Event) {
    let told = async { while events.next().await.expect("an event") != wanted {} };
    tokio::time::timeout(DEADLINE, told).await.expect("the event comes");
}

/// Waits for a process that is not a child of this one.
pub(crate) async fn ended(pid: u32) {
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

pub(crate) fn parent_of(pid: u32) -> u32 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("a process");
    let line = status.lines().find_map(|l| l.strip_prefix("PPid:")).expect("a parent");
    line.trim().parse().expect("a number")
}

pub(crate) fn kill(pid: u32) {
    let pid = rustix::process::Pid::from_raw(pid.try_into().expect("a pid")).expect("a pid");
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("kill");
}
