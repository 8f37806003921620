//! Makes a container, or a further program in one, with libcontainer.

use super::executor::Exec;
use super::filter::Filter;
use super::log::Stream;
use super::tidy::Before;
use crate::runtime::oci::state::Launch;
use crate::runtime::oci::{cgroup, protocol};
use libcontainer::container::Container;
use libcontainer::container::builder::ContainerBuilder;
use libcontainer::syscall::syscall::SyscallType;
use rustix::fs::OFlags;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::path::Path;

/// Where libcontainer keeps what it knows of a container, in its folder.
const KEPT: &str = "youki";

/// A container's first process and its streams.
pub(super) struct Main {
    pub(super) process: Process,
    pub(super) stdin: Option<OwnedFd>,
    /// `None` once a stream has ended.
    pub(super) outputs: Vec<(Stream, Option<OwnedFd>)>,
    /// The terminal; it is also the input and the only output.
    pub(super) terminal: Option<OwnedFd>,
    container: Container,
}

/// A child of the shim.
pub(super) struct Process {
    pub(super) pid: Pid,
    /// Readable once it has ended.
    pub(super) fd: OwnedFd,
    /// Has ended and been waited for.
    pub(super) done: bool,
}

/// A further program.
pub(super) struct Further {
    pub(super) process: Process,
    pub(super) terminal: Option<OwnedFd>,
}

/// A terminal's master on its way out of a container.
struct Console {
    listener: UnixListener,
    path: String,
}

// === impl Main ===

impl Main {
    pub(super) fn pid(&self) -> u32 {
        self.process.pid.as_raw_nonzero().get().unsigned_abs()
    }

    /// Removes what libcontainer keeps of it, and its cgroup. (By itself it would look for the cgroup among all mounts.)
    pub(super) fn delete(self, launch: &Launch) -> io::Result<()> {
        cgroup::remove(&launch.cgroup)?;
        crate::runtime::oci::state::remove(Path::new(KEPT)).map_err(io::Error::other)
    }
}

// === impl Process ===

impl Process {
    fn new(raw: i32) -> io::Result<Self> {
        let pid = Pid::from_raw(raw).ok_or_else(|| io::Error::other("a process without number"))?;
        Ok(Self { pid, fd: pidfd_open(pid, PidfdFlags::empty())?, done: false })
    }

    /// The exit code of a process that has ended: 128 + n when signal n ended it.
    pub(super) fn reap(&self) -> io::Result<i32> {
        loop {
            match rustix::process::waitpid(Some(self.pid), rustix::process::WaitOptions::empty()) {
                Ok(Some((_, status))) => {
                    let signal = status.terminating_signal().map(|s| 128 + s);
                    return Ok(status.exit_status().or(signal).unwrap_or(255));
                }
                Ok(None) | Err(rustix::io::Errno::INTR) => {}
                Err(e) => return Err(e.into()),
            }
        }
    }
}

/// Makes and starts the container that the current folder describes. The error is in OCI words.
pub(super) fn start(launch: &Launch) -> Result<Main, String> {
    let (mut report, exec) = executor(None).map_err(|e| e.to_string())?;
    let built = build(launch, exec);
    let (mut main, console) = match built {
        Ok(built) => built,
        Err(e) => return Err(words(&mut report, e)),
    };
    if let Some(console) = console {
        main.terminal = Some(console.receive().map_err(|e| e.to_string())?);
    }
    main.container.start().map_err(|e| chain(&e))?;
    let complaint = words(&mut report, String::new());
    if complaint.is_empty() {
        return Ok(main);
    }
    main.process.reap().map_err(|e| e.to_string())?;
    main.delete(launch).map_err(|e| e.to_string())?;
    Err(complaint)
}

/// Runs a further program in the container of the current folder, as `process` (OCI) says, under `filter`.
pub(super) fn exec(
    id: &str,
    process: &Path,
    filter: Option<Filter>,
    tty: bool,
    streams: [Option<OwnedFd>; 3],
) -> Result<Further, String> {
    let before = Before::now().map_err(|e| e.to_string())?;
    // Its own descriptors are closed when it returns an error: those that came since are leaks.
    exec_untidily(id, process, filter, tty, streams).or_else(|words| {
        before.restore().map_err(|e| e.to_string())?;
        Err(words)
    })
}

fn exec_untidily(
    id: &str,
    process: &Path,
    filter: Option<Filter>,
    tty: bool,
    streams: [Option<OwnedFd>; 3],
) -> Result<Further, String> {
    let (mut report, exec) = executor(filter).map_err(|e| e.to_string())?;
    let console =
        tty.then(|| Console::listen("exec.tty")).transpose().map_err(|e| e.to_string())?;
    let mut builder = builder(id, exec)?;
    if let Some(console) = &console {
        builder = builder.with_console_socket(Some(&console.path));
    } else {
        let [stdin, stdout, stderr] = streams;
        let null = || null().map_err(|e| e.to_string());
        builder = builder
            .with_stdin(stdin.map_or_else(null, Ok)?)
            .with_stdout(stdout.map_or_else(null, Ok)?)
            .with_stderr(stderr.map_or_else(null, Ok)?);
    }
    let built = builder.as_tenant().with_detach(true).with_process(Some(process)).build();
    let pid = built.map_err(|e| words(&mut report, chain(&e)))?;
    let terminal = console.map(Console::receive).transpose().map_err(|e| e.to_string())?;
    let process = Process::new(pid.as_raw()).map_err(|e| e.to_string())?;
    Ok(Further { process, terminal })
}

fn build(launch: &Launch, exec: Exec) -> Result<(Main, Option<Console>), String> {
    let text = |e: io::Error| e.to_string();
    let mut builder = builder(&launch.id, exec)?;
    let mut stdin = None;
    let mut outputs = Vec::new();
    let console = launch.tty.then(|| Console::listen("main.tty")).transpose().map_err(text)?;
    if let Some(console) = &console {
        builder = builder.with_console_socket(Some(&console.path));
    } else {
        if launch.stdin {
            let (theirs, ours) = pipe().map_err(text)?;
            nonblocking(&ours).map_err(text)?;
            stdin = Some(ours);
            builder = builder.with_stdin(theirs);
        } else {
            builder = builder.with_stdin(null().map_err(text)?);
        }
        for stream in [Stream::Stdout, Stream::Stderr] {
            let (ours, theirs) = pipe().map_err(text)?;
            nonblocking(&ours).map_err(text)?;
            outputs.push((stream, Some(ours)));
            builder = match stream {
                Stream::Stdout => builder.with_stdout(theirs),
                Stream::Stderr => builder.with_stderr(theirs),
            };
        }
    }
    let container = builder
        .as_init(std::env::current_dir().map_err(text)?)
        .with_systemd(false)
        .with_detach(true)
        .build()
        .map_err(|e| chain(&e))?;
    let pid = container.pid().ok_or("the container has no process")?;
    let process = Process::new(pid.as_raw()).map_err(text)?;
    Ok((Main { process, stdin, outputs, terminal: None, container }, console))
}

fn builder(id: &str, exec: Exec) -> Result<ContainerBuilder, String> {
    let folder = std::env::current_dir().map_err(|e| e.to_string())?.join(KEPT);
    ContainerBuilder::new(id.to_string(), SyscallType::default())
        .with_executor(exec)
        .with_root_path(folder)
        .map_err(|e| chain(&e))
}

fn executor(filter: Option<Filter>) -> io::Result<(File, Exec)> {
    let (read, write) = pipe()?;
    Ok((File::from(read), Exec::new(File::from(write), filter)))
}

/// What the executor had to say, or else `otherwise`. Returns when no process holds the other end.
fn words(report: &mut File, otherwise: String) -> String {
    let mut said = String::new();
    match report.read_to_string(&mut said) {
        Ok(n) if n > 0 => said,
        _ => otherwise,
    }
}

/// An error with all that caused it.
fn chain(error: &dyn std::error::Error) -> String {
    let mut parts: Vec<String> = vec![error.to_string()];
    let mut cause = error.source();
    while let Some(e) = cause {
        let words = e.to_string();
        if !parts.last().is_some_and(|last| last.contains(&words)) {
            parts.push(words);
        }
        cause = e.source();
    }
    parts.join(": ")
}

fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(pipe_with(PipeFlags::CLOEXEC)?)
}

fn null() -> io::Result<OwnedFd> {
    Ok(File::options().read(true).write(true).open("/dev/null")?.into())
}

/// Makes reads and writes of this descriptor return instead of wait.
pub(super) fn nonblocking(fd: impl AsFd) -> io::Result<()> {
    let flags = rustix::fs::fcntl_getfl(&fd)?;
    Ok(rustix::fs::fcntl_setfl(&fd, flags | OFlags::NONBLOCK)?)
}

// === impl Console ===

impl Console {
    fn listen(name: &str) -> io::Result<Self> {
        crate::runtime::oci::state::remove(Path::new(name)).map_err(io::Error::other)?;
        let listener = UnixListener::bind(name)?;
        let path = std::env::current_dir()?.join(name).to_string_lossy().into_owned();
        Ok(Self { listener, path })
    }

    fn receive(self) -> io::Result<OwnedFd> {
        let (socket, _) = self.listener.accept()?;
        let mut fds = Vec::new();
        protocol::receive(&socket, &mut [0; 64], &mut fds)?;
        let master = fds.pop().ok_or_else(|| io::Error::other("no terminal came"))?;
        nonblocking(&master)?;
        Ok(master)
    }
}

impl Drop for Console {
    fn drop(&mut self) {
        if let Err(e) = std::fs::remove_file(&self.path) {
            eprintln!("oci-shim: {}: {e}", self.path);
        }
    }
}
