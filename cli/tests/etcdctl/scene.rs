//! A server in a directory of its own, and `etcdctl` to speak to it.

use std::io::{BufRead, BufReader, Lines, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Output, Stdio};

const STORE: &str = env!("CARGO_BIN_EXE_windlass-store");

pub(crate) struct Scene {
    dir: tempfile::TempDir,
    server: Option<Running>,
    pub(crate) endpoint: String,
    /// For every call of `etcdctl`.
    pub(crate) flags: Vec<String>,
}

/// A program whose lines are read as they come. Killed at the end.
pub(crate) struct Running {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    stdin: Option<ChildStdin>,
}

/// Whether there is an `etcdctl`; without one there is nothing to test.
pub(crate) fn installed() -> bool {
    let there = Command::new("etcdctl").arg("version").env("ETCDCTL_API", "3").output().is_ok();
    if !there {
        eprintln!("no etcdctl: not tested");
    }
    there
}

/// `windlass-store` to its end.
pub(crate) fn store(args: &[&str]) -> Output {
    Command::new(STORE).args(args).output().unwrap()
}

// === impl Scene ===

impl Scene {
    /// A server of a new directory.
    pub(crate) fn new() -> Self {
        let mut scene = Self::unstarted();
        scene.start("data", &[]);
        scene
    }

    pub(crate) fn unstarted() -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self { dir, server: None, endpoint: String::new(), flags: Vec::new() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Serves a directory, in place of what was served before.
    pub(crate) fn start(&mut self, name: &str, args: &[&str]) {
        let data_dir = self.path(name);
        let mut command = Command::new(STORE);
        command.args(["--listen-client", "127.0.0.1:0", "--data-dir"]).arg(&data_dir).args(args);
        let mut server = Running::start(&mut command);
        let line = server.line();
        assert!(line.starts_with(&format!("Serving {} at http", data_dir.display())), "{line}");
        let url = line.split(' ').next_back().unwrap();
        // A scheme would get into the header `:authority` of `endpoint status`, which HTTP/2 forbids.
        self.endpoint = url.strip_prefix("http://").unwrap_or(url).to_owned();
        self.server = Some(server);
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) {
        self.server = None;
    }

    /// SIGTERM; it must end well.
    pub(crate) fn terminate(&mut self) {
        let mut server = self.server.take().unwrap();
        let pid = server.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        assert!(server.child.wait().unwrap().success());
    }

    pub(crate) fn etcdctl(&self, args: &[&str]) -> Command {
        let mut command = Command::new("etcdctl");
        command.env("ETCDCTL_API", "3").args(["--endpoints", &self.endpoint]);
        command.args(&self.flags).args(args);
        command
    }

    /// What `etcdctl` says; it must end well.
    pub(crate) fn ok(&self, args: &[&str]) -> String {
        let output = self.etcdctl(args).output().unwrap();
        assert!(output.status.success(), "{args:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// What `etcdctl` complains of; it must fail.
    pub(crate) fn fails(&self, args: &[&str]) -> String {
        let output = self.etcdctl(args).output().unwrap();
        assert!(!output.status.success(), "{args:?}: {output:?}");
        String::from_utf8(output.stderr).unwrap()
    }

    /// The same with lines to read.
    pub(crate) fn with_input(&self, args: &[&str], input: &str) -> String {
        let mut command = self.etcdctl(args);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{args:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    pub(crate) fn running(&self, args: &[&str]) -> Running {
        Running::start(&mut self.etcdctl(args))
    }
}

/// A path as an argument.
pub(crate) fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

// === impl Running ===

impl Running {
    fn start(command: &mut Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let stdin = child.stdin.take();
        Self { child, lines, stdin }
    }

    /// The next line.
    pub(crate) fn line(&mut self) -> String {
        self.lines.next().expect("it says something more").unwrap()
    }

    pub(crate) fn lines(&mut self, count: usize) -> Vec<String> {
        (0..count).map(|_| self.line()).collect()
    }

    pub(crate) fn type_in(&mut self, text: &str) {
        self.stdin.as_mut().unwrap().write_all(text.as_bytes()).unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
