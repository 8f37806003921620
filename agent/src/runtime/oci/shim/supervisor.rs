//! The loop of a shim: waits for whatever happens first, with one thread and no timer.

mod ends;
mod requests;
mod streams;

use super::clients::{Attached, Client, Role};
use super::launch::{Main, Process};
use super::log::{Log, Stream};
use crate::runtime::oci::state::{Launch, RunRecord};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Signal, pidfd_send_signal};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixListener;
use std::time::{Duration, Instant};

/// How much is read at once.
const CHUNK: usize = 32 * 1024;
/// Most connections at once; each has up to four descriptors, of the usual 1024.
const MAX_CLIENTS: usize = 128;
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
    /// Close the container's input once it has taken that.
    input_ends: bool,
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
        let log = Log::open(&launch.log_path, launch.log_limits);
        Ok(Self {
            launch,
            run,
            main,
            listener,
            log,
            clients: Vec::new(),
            orphans: Vec::new(),
            input: Vec::new(),
            input_ends: false,
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
        self.main.delete(&self.launch)
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
