//! The process beside each container. It has one thread, and allocates little.

mod clients;
mod executor;
mod filter;
mod launch;
mod mounts;
mod pause;
mod supervisor;
mod tidy;

use super::super::linux::log;
use super::protocol::{Reply, encode};
use super::state::{ExitRecord, Launch, RunRecord, read, write};
use super::{cgroup, state};
use std::ffi::OsString;
use std::fs::{File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::time::SystemTime;
use supervisor::Supervisor;

/// The first argument of a program that is a shim.
const MARKER: &str = "oci-shim";
/// The exit code of a container that could not be started.
const START_ERROR: i32 = 128;

/// Runs the shim and ends the process, when the program was started as one; else does nothing.
///
/// Call it first thing in `main`, before any thread is started: a shim forks.
pub fn shim_main_if_asked() {
    let args: Vec<OsString> = std::env::args_os().take(4).collect();
    if args.get(1).is_none_or(|a| a != MARKER) {
        return;
    }
    let done = match (args.get(2).and_then(|a| a.to_str()), args.get(3)) {
        (Some("run"), Some(folder)) => run(Path::new(folder)),
        (Some("pause"), None) => pause::run(),
        _ => Err(io::Error::other("usage: oci-shim run FOLDER | pause")),
    };
    if let Err(e) = &done {
        eprintln!("oci-shim: {e}");
    }
    std::process::exit(i32::from(done.is_err()));
}

fn run(folder: &Path) -> io::Result<()> {
    rustix::process::setsid()?;
    std::env::set_current_dir(folder)?;
    let launch: Launch = read(Path::new("launch.json"))
        .map_err(io::Error::other)?
        .ok_or_else(|| io::Error::other("launch.json is missing"))?;
    if let Err(e) = cgroup::join(&launch.shim_cgroup, std::process::id()) {
        eprintln!("oci-shim: not in a cgroup of its own, may end with the agent: {e}");
    }
    let listener = listen()?;
    let home = mounts::leave().unwrap_or_else(|e| {
        eprintln!("oci-shim: the container is made among all mounts of the node: {e}");
        None
    });
    let mut started = launch::start(&launch);
    // Who stays there holds the pod's volumes.
    if let Some(Err(e)) = home.map(|home| home.back()) {
        started = Err(format!("can't go back to the node's mounts: {e}"));
    }
    match started {
        Ok(main) => {
            let run = RunRecord { pid: main.pid(), started_at: SystemTime::now() };
            write(Path::new("run.json"), &run).map_err(io::Error::other)?;
            tell(&Reply::Started { pid: run.pid, started_at: run.started_at })?;
            Supervisor::new(launch, run, main, listener)?.run()
        }
        Err(message) => fail(&launch, message),
    }
}

fn listen() -> io::Result<UnixListener> {
    let path = Path::new("shim.sock");
    state::remove(path).map_err(io::Error::other)?;
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, Permissions::from_mode(0o600))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Answers the agent that started this shim, on standard output, once.
fn tell(reply: &Reply) -> io::Result<()> {
    let sent = io::stdout().write_all(&encode(reply)?).and_then(|()| io::stdout().flush());
    nix::unistd::dup2_stdout(File::options().write(true).open("/dev/null")?)?;
    match sent {
        // The agent is gone: it will find the container by its records.
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        sent => sent,
    }
}

fn fail(launch: &Launch, message: String) -> io::Result<()> {
    let exit = ExitRecord {
        started_at: None,
        finished_at: SystemTime::now(),
        exit_code: START_ERROR,
        reason: "StartError".into(),
        message: message.clone(),
    };
    write(Path::new("exit.json"), &exit).map_err(io::Error::other)?;
    let removed = cgroup::kill_all(&launch.cgroup).and_then(|()| cgroup::remove(&launch.cgroup));
    if let Err(e) = removed {
        eprintln!("oci-shim: {e}");
    }
    tell(&Reply::Failed(message))
}
