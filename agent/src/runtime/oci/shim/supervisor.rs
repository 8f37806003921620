//! The loop of a shim: waits for whatever happens first, with one thread and no timer.

use super::clients::{Attached, Client, Role};
use super::launch::{self, Main, Process};
use super::log::{Log, Stream};
use crate::runtime::oci::cgroup;
use crate::runtime::oci::protocol::{Exec, Reply, Request};
use crate::runtime::oci::state::{ExitRecord, Launch, RunRecord, write};
use jiff::Timestamp;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Signal, pidfd_send_signal};
use rustix::termios::{Winsize, tcsetwinsize};
use serde_json::{Value, json};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

/// How much is read at once.
const CHUNK: usize = 32 * 1024;
/// Most connections at once.
const MAX_CLIENTS: usize = 256;
/// How long the shim stays, after the container has ended, for those who are slow to read.
const LINGER: Duration = Duration::from_secs(10);

/// A container that runs, and all who are connected to it.
pub(super) struct Supervisor {
    launch: Launch,
    run: RunRecord,
    main: Main,
    listener: UnixListener,
    log: Log,
    clients: Vec<Client>,
    /// Further programs whose connections are gone; they were killed and will end.
    orphans: Vec<Process>,
    /// What the container's input was slow to take.
    input: Vec<u8>,
    chunk: Vec<u8>,
    exited: Option<(i32, Instant)>,
}

/// What a descriptor that is waited for belongs to.
#[derive(Clone, Copy)]
enum Source {
    Listener,
    Main,
    Output(usize),
    Terminal,
    Input,
    Orphan(usize),
    Client(usize),
    Program(usize),
    AttachedInput(usize),
    AttachedOutput(usize, usize),
}

// === impl Supervisor ===

impl Supervisor {
    pub(super) fn new(
        launch: Launch,
        run: RunRecord,
        main: Main,
        listener: UnixListener,
    ) -> io::Result<Self> {
        let log = Log::open(&launch.log_path);
        Ok(Self {
            launch,
            run,
            main,
            listener,
            log,
            clients: Vec::new(),
            orphans: Vec::new(),
            input: Vec::new(),
            chunk: vec![0; CHUNK],
            exited: None,
        })
    }

    /// Serves until the container has ended and everybody knows.
    pub(super) fn run(mut self) -> io::Result<()> {
        while !self.finished() {
            let ready = self.wait()?;
            for (source, flags) in ready {
                self.serve(source, flags)?;
            }
            self.forget();
        }
        self.main.delete()
    }

    fn finished(&self) -> bool {
        let Some((_, at)) = self.exited else { return false };
        let busy = |c: &Client| match &c.role {
            Role::Attach(a) => a.outputs.iter().any(|o| !o.pending.is_empty()),
            Role::Exec(_) => true,
            Role::New | Role::Watch => false,
        };
        !self.clients.iter().any(busy) || at.elapsed() > LINGER
    }

    fn wait(&self) -> io::Result<Vec<(Source, PollFlags)>> {
        let timeout = self.exited.map(|(_, at)| {
            let left = LINGER.saturating_sub(at.elapsed()).as_millis();
            Timespec { tv_sec: i64::try_from(left / 1000).unwrap_or(0), tv_nsec: 1_000_000 }
        });
        let mut sources = Vec::new();
        let mut fds = Vec::new();
        self.collect(&mut |source, fd, flags| {
            sources.push(source);
            fds.push(PollFd::from_borrowed_fd(fd, flags));
        });
        match poll(&mut fds, timeout.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(e) => return Err(e.into()),
        }
        let events = fds.iter().map(PollFd::revents);
        let ready = sources.into_iter().zip(events);
        Ok(ready.filter(|(_, flags)| !flags.is_empty()).collect())
    }

    /// Names everything to wait for.
    fn collect<'a>(&'a self, add: &mut dyn FnMut(Source, BorrowedFd<'a>, PollFlags)) {
        if self.clients.len() < MAX_CLIENTS {
            add(Source::Listener, self.listener.as_fd(), PollFlags::IN);
        }
        if self.exited.is_none() {
            add(Source::Main, self.main.process.fd.as_fd(), PollFlags::IN);
        }
        for (n, (stream, fd)) in self.main.outputs.iter().enumerate() {
            if let Some(fd) = fd.as_ref().filter(|_| !self.blocked(*stream)) {
                add(Source::Output(n), fd.as_fd(), PollFlags::IN);
            }
        }
        if let Some(fd) = self.main.terminal.as_ref().filter(|_| !self.blocked(Stream::Stdout)) {
            add(Source::Terminal, fd.as_fd(), PollFlags::IN);
        }
        if let Some(fd) = self
            .main
            .terminal
            .as_ref()
            .or(self.main.stdin.as_ref())
            .filter(|_| !self.input.is_empty())
        {
            add(Source::Input, fd.as_fd(), PollFlags::OUT);
        }
        for (n, process) in self.orphans.iter().enumerate() {
            add(Source::Orphan(n), process.fd.as_fd(), PollFlags::IN);
        }
        for (n, client) in self.clients.iter().enumerate() {
            add(Source::Client(n), client.socket.as_fd(), PollFlags::IN);
            match &client.role {
                Role::Exec(process) => add(Source::Program(n), process.fd.as_fd(), PollFlags::IN),
                Role::Attach(attached) => self.collect_attached(n, attached, add),
                Role::New | Role::Watch => {}
            }
        }
    }

    fn collect_attached<'a>(
        &'a self,
        n: usize,
        attached: &'a Attached,
        add: &mut dyn FnMut(Source, BorrowedFd<'a>, PollFlags),
    ) {
        if let Some(fd) = attached.stdin.as_ref().filter(|_| self.input.is_empty()) {
            add(Source::AttachedInput(n), fd.as_fd(), PollFlags::IN);
        }
        for (m, output) in attached.outputs.iter().enumerate() {
            if !output.pending.is_empty() {
                add(Source::AttachedOutput(n, m), output.fd.as_fd(), PollFlags::OUT);
            }
        }
    }

    /// Whether somebody is slow to take this stream.
    fn blocked(&self, stream: Stream) -> bool {
        self.clients.iter().any(|c| match &c.role {
            Role::Attach(a) => {
                a.outputs.iter().any(|o| o.stream == stream && !o.pending.is_empty())
            }
            _ => false,
        })
    }

    fn serve(&mut self, source: Source, flags: PollFlags) -> io::Result<()> {
        match source {
            Source::Listener => self.accept()?,
            Source::Main => self.main_exited()?,
            Source::Output(n) => self.read_output(n),
            Source::Terminal => self.read_terminal(),
            Source::Input => self.write_input(),
            Source::Orphan(n) => self.orphan_exited(n)?,
            Source::Client(n) => self.read_client(n)?,
            Source::Program(n) => self.program_exited(n)?,
            Source::AttachedInput(n) => self.read_attached(n),
            Source::AttachedOutput(n, m) => self.flush_attached(n, m, flags),
        }
        Ok(())
    }

    fn accept(&mut self) -> io::Result<()> {
        match self.listener.accept() {
            Ok((socket, _)) => self.clients.push(Client::new(socket)?),
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
            Err(e) => return Err(e),
        }
        Ok(())
    }

    fn main_exited(&mut self) -> io::Result<()> {
        let code = self.main.process.reap()?;
        let oom = cgroup::oom_kills(&self.launch.cgroup) > 0 && code != 0;
        if self.launch.kill_all {
            cgroup::kill_all(&self.launch.cgroup)?;
        }
        self.drain();
        self.log.finish(Timestamp::now());
        let exit = ExitRecord {
            started_at: Some(self.run.started_at),
            finished_at: SystemTime::now(),
            exit_code: code,
            reason: reason(code, oom).into(),
            message: String::new(),
        };
        write(Path::new("exit.json"), &exit).map_err(io::Error::other)?;
        self.exited = Some((code, Instant::now()));
        for client in &mut self.clients {
            if !matches!(client.role, Role::Exec(_)) {
                client.reply(&Reply::Exited(code), &[]);
            }
        }
        Ok(())
    }

    /// Takes what the streams still hold.
    fn drain(&mut self) {
        for n in 0..self.main.outputs.len() {
            while self.read_one(n).is_some_and(|n| n > 0) {}
        }
        while self.main.terminal.is_some() && self.read_master().is_some_and(|n| n > 0) {}
        self.main.outputs.clear();
        self.main.terminal = None;
        self.main.stdin = None;
        self.input.clear();
    }

    fn read_output(&mut self, n: usize) {
        if self.read_one(n) == Some(0) {
            // Its place stays, so that the others of this round keep their numbers.
            self.main.outputs[n].1 = None;
        }
    }

    /// Reads a stream once: `None` when there is nothing now.
    fn read_one(&mut self, n: usize) -> Option<usize> {
        let (stream, fd) = self.main.outputs.get(n)?;
        let (stream, fd) = (*stream, fd.as_ref()?);
        let got = match rustix::io::read(fd, &mut self.chunk[..]) {
            Ok(got) => got,
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => return None,
            Err(_) => 0,
        };
        self.publish(stream, got);
        Some(got)
    }

    fn read_terminal(&mut self) {
        if self.main.terminal.is_some() && self.read_master() == Some(0) {
            self.main.terminal = None;
        }
    }

    fn read_master(&mut self) -> Option<usize> {
        let fd = self.main.terminal.as_ref()?;
        let got = match rustix::io::read(fd, &mut self.chunk[..]) {
            Ok(got) => got,
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => return None,
            // A terminal nobody has open any more says EIO.
            Err(_) => 0,
        };
        self.publish(Stream::Stdout, got);
        Some(got)
    }

    fn publish(&mut self, stream: Stream, length: usize) {
        let data = &self.chunk[..length];
        if data.is_empty() {
            return;
        }
        self.log.append(stream, data, Timestamp::now());
        for client in &mut self.clients {
            let Role::Attach(attached) = &mut client.role else { continue };
            attached.outputs.retain_mut(|o| o.stream != stream || o.push(data));
        }
    }

    fn write_input(&mut self) {
        let Some(fd) = self.main.terminal.as_ref().or(self.main.stdin.as_ref()) else {
            self.input.clear();
            return;
        };
        match rustix::io::write(fd, &self.input) {
            Ok(n) => drop(self.input.drain(..n)),
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => {}
            Err(_) => {
                self.input.clear();
                self.main.stdin = None;
            }
        }
    }

    fn read_client(&mut self, n: usize) -> io::Result<()> {
        let requests = match self.clients[n].requests() {
            Ok(requests) => requests,
            Err(e) => {
                eprintln!("oci-shim: a client: {e}");
                self.clients[n].over = true;
                return Ok(());
            }
        };
        for request in requests {
            match request {
                Request::Watch => self.watch(n),
                Request::Kill(signal) => self.kill(n, signal),
                Request::Exec(exec) => self.exec(n, exec),
                Request::Attach(which) => self.attach(n, which)?,
                Request::Resize(columns, rows) => self.resize(columns, rows),
            }
        }
        Ok(())
    }

    fn watch(&mut self, n: usize) {
        let started = Reply::Started { pid: self.run.pid, started_at: self.run.started_at };
        self.clients[n].role = Role::Watch;
        self.clients[n].reply(&started, &[]);
        if let Some((code, _)) = self.exited {
            self.clients[n].reply(&Reply::Exited(code), &[]);
        }
    }

    fn kill(&mut self, n: usize, signal: i32) {
        let sent = match Signal::from_named_raw(signal) {
            Some(signal) if self.exited.is_none() => {
                pidfd_send_signal(&self.main.process.fd, signal)
            }
            Some(_) => Err(rustix::io::Errno::SRCH),
            None => Err(rustix::io::Errno::INVAL),
        };
        let reply = match sent {
            Ok(()) => Reply::Done,
            Err(e) => Reply::Failed(e.to_string()),
        };
        self.clients[n].reply(&reply, &[]);
    }

    fn exec(&mut self, n: usize, exec: Exec) {
        let streams = self.clients[n].take_streams(exec.streams);
        let started = self
            .exited
            .map_or(Ok(()), |_| Err("the container has ended".to_string()))
            .and_then(|()| prepare_exec(&exec).map_err(|e| e.to_string()))
            .and_then(|()| {
                launch::exec(&self.launch.id, Path::new("exec.json"), exec.tty, streams)
            });
        match started {
            Ok(further) => {
                let pid = further.process.pid.as_raw_nonzero().get().unsigned_abs();
                let reply = Reply::Started { pid, started_at: SystemTime::now() };
                let master: Vec<_> = further.terminal.iter().map(AsFd::as_fd).collect();
                self.clients[n].role = Role::Exec(further.process);
                self.clients[n].reply(&reply, &master);
            }
            Err(message) => {
                self.clients[n].reply(&Reply::Failed(message), &[]);
                self.clients[n].over = true;
            }
        }
    }

    fn attach(&mut self, n: usize, which: crate::runtime::oci::protocol::Which) -> io::Result<()> {
        let streams = self.clients[n].take_streams(which);
        self.clients[n].role = Role::Attach(Attached::new(streams)?);
        self.clients[n].reply(&Reply::Done, &[]);
        if let Some((code, _)) = self.exited {
            self.clients[n].reply(&Reply::Exited(code), &[]);
        }
        Ok(())
    }

    fn resize(&mut self, columns: u16, rows: u16) {
        let size = Winsize { ws_col: columns, ws_row: rows, ws_xpixel: 0, ws_ypixel: 0 };
        if let Some(Err(e)) = self.main.terminal.as_ref().map(|t| tcsetwinsize(t, size)) {
            eprintln!("oci-shim: resize: {e}");
        }
    }

    fn program_exited(&mut self, n: usize) -> io::Result<()> {
        let client = &mut self.clients[n];
        let Role::Exec(process) = &client.role else { return Ok(()) };
        let code = process.reap()?;
        client.role = Role::New;
        client.reply(&Reply::Exited(code), &[]);
        client.over = true;
        Ok(())
    }

    /// Only marks it, so that the others of this round keep their numbers.
    fn orphan_exited(&mut self, n: usize) -> io::Result<()> {
        self.orphans[n].reap()?;
        self.orphans[n].done = true;
        Ok(())
    }

    fn read_attached(&mut self, n: usize) {
        let Role::Attach(attached) = &mut self.clients[n].role else { return };
        let Some(fd) = &attached.stdin else { return };
        match rustix::io::read(fd, &mut self.chunk[..]) {
            Ok(0) => {
                attached.stdin = None;
                self.end_input();
            }
            Ok(got) => {
                self.input.extend_from_slice(&self.chunk[..got]);
                self.write_input();
            }
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => {}
            Err(_) => attached.stdin = None,
        }
    }

    /// The first session that gave input has ended.
    fn end_input(&mut self) {
        if self.launch.stdin_once {
            // What waits goes first: the pipe is then closed by the one who writes the rest.
            while !self.input.is_empty() && self.main.stdin.is_some() {
                let Some(fd) = &self.main.stdin else { break };
                let mut fds = [
                    PollFd::new(fd, PollFlags::OUT),
                    PollFd::new(&self.main.process.fd, PollFlags::IN),
                ];
                if poll(&mut fds, None).is_err() || !fds[1].revents().is_empty() {
                    break;
                }
                self.write_input();
            }
            self.main.stdin = None;
        }
    }

    fn flush_attached(&mut self, n: usize, m: usize, flags: PollFlags) {
        let Role::Attach(attached) = &mut self.clients[n].role else { return };
        let Some(output) = attached.outputs.get_mut(m) else { return };
        if flags.contains(PollFlags::ERR) || !output.push(&[]) {
            output.pending.clear();
            attached.outputs.remove(m);
        }
    }

    /// Forgets those that are over.
    fn forget(&mut self) {
        self.orphans.retain(|p| !p.done);
        let mut ended_input = false;
        for client in self.clients.extract_if(.., |c| c.over) {
            match client.role {
                Role::Exec(process) => {
                    // It may have ended by itself meanwhile: then there is nobody to kill.
                    if let Err(e) = pidfd_send_signal(&process.fd, Signal::KILL) {
                        eprintln!("oci-shim: {e}");
                    }
                    self.orphans.push(process);
                }
                Role::Attach(attached) => ended_input |= attached.stdin.is_some(),
                Role::New | Role::Watch => {}
            }
        }
        if ended_input {
            self.end_input();
        }
    }
}

/// Writes the further program's OCI process: the first one's, with other arguments.
fn prepare_exec(exec: &Exec) -> io::Result<()> {
    let spec: Value = serde_json::from_slice(&std::fs::read("config.json")?)?;
    let mut process = spec["process"].clone();
    process["args"] = json!(exec.args);
    process["terminal"] = json!(exec.tty);
    if let Some(all) = process.as_object_mut() {
        // It is in force already: the program inherits it from the shim.
        all.remove("oomScoreAdj");
    }
    std::fs::write("exec.json", serde_json::to_vec(&process)?)
}

fn reason(code: i32, oom: bool) -> &'static str {
    match (code, oom) {
        (_, true) => "OOMKilled",
        (0, false) => "Completed",
        _ => "Error",
    }
}
