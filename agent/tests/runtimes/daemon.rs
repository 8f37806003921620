//! A containerd of a test's own.

use super::support::kill;
use std::io::BufRead;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

/// How long it may take to start, on a busy machine.
const START: Duration = Duration::from_secs(60);

/// It ends, with all it runs, when this is dropped.
pub(crate) struct Daemon {
    folder: PathBuf,
    pub(crate) address: PathBuf,
    child: Child,
}

impl Daemon {
    /// Starts one below `folder`; `None` where there is none.
    pub(crate) fn start(folder: &Path) -> Option<Self> {
        let folder = folder.join("containerd");
        std::fs::create_dir(&folder).expect("a folder");
        let at = |name: &str| folder.join(name).display().to_string();
        let config = format!(
            "version = 2\nroot = \"{}\"\nstate = \"{}\"\n\
             disabled_plugins = [\"io.containerd.grpc.v1.cri\"]\n[grpc]\naddress = \"{}\"\n",
            at("root"),
            at("state"),
            at("sock"),
        );
        std::fs::write(folder.join("config.toml"), config).expect("a file");
        let child = Self::spawn(&folder)?;
        Some(Self { address: folder.join("sock"), folder, child })
    }

    fn spawn(folder: &Path) -> Option<Child> {
        let mut child = Command::new("containerd")
            .arg("--config")
            .arg(folder.join("config.toml"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|e| eprintln!("skipped: containerd can't be started: {e}"))
            .ok()?;
        let lines = std::io::BufReader::new(child.stderr.take().expect("a log")).lines();
        let (ready, is_ready) = mpsc::channel();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                if line.contains("containerd successfully booted") {
                    ready.send(()).ok();
                }
            }
        });
        is_ready.recv_timeout(START).expect("containerd starts");
        Some(child)
    }

    /// Ends it without a word; its shims go on.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("kill");
        self.child.wait().expect("wait");
    }

    /// Starts it again.
    pub(crate) fn start_again(&mut self) {
        self.child = Self::spawn(&self.folder).expect("starts again");
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
        // A test that failed leaves shims, and what they mounted.
        let folder = self.folder.display().to_string();
        for process in std::fs::read_dir("/proc").into_iter().flatten().filter_map(Result::ok) {
            let line = std::fs::read(process.path().join("cmdline")).unwrap_or_default();
            let pid = process.file_name().to_str().and_then(|n| n.parse().ok());
            if let Some(pid) = pid.filter(|_| String::from_utf8_lossy(&line).contains(&folder)) {
                kill(pid);
            }
        }
        let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        let points = mounts.lines().filter_map(|l| l.split(' ').nth(4));
        for point in points.filter(|p| p.starts_with(&folder)) {
            rustix::mount::unmount(point, rustix::mount::UnmountFlags::DETACH).ok();
        }
    }
}
