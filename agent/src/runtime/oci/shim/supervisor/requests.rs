//! What agents ask for.

use super::Supervisor;
use crate::runtime::oci::protocol::{Exec, Reply, Request, Which};
use crate::runtime::oci::shim::clients::{Attached, Role};
use crate::runtime::oci::shim::filter::Filter;
use crate::runtime::oci::shim::launch;
use rustix::process::{Signal, pidfd_send_signal};
use serde_json::{Value, json};
use std::io;
use std::os::fd::AsFd;
use std::path::Path;
use std::time::SystemTime;

impl Supervisor {
    pub(super) fn read_client(&mut self, n: usize) -> io::Result<()> {
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
            .and_then(|filter| {
                launch::exec(&self.launch.id, Path::new("exec.json"), filter, exec.tty, streams)
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

    fn attach(&mut self, n: usize, which: Which) -> io::Result<()> {
        let streams = self.clients[n].take_streams(which);
        self.clients[n].role = Role::Attach(Attached::new(streams)?);
        self.clients[n].reply(&Reply::Done, &[]);
        if let Some((code, _)) = self.exited {
            self.clients[n].reply(&Reply::Exited(code), &[]);
        }
        Ok(())
    }
}

/// Writes the further program's OCI process: the first one's, with other arguments. Gives the filter that it needs.
fn prepare_exec(exec: &Exec) -> io::Result<Option<Filter>> {
    let spec: Value = serde_json::from_slice(&std::fs::read("config.json")?)?;
    let mut process = spec["process"].clone();
    process["args"] = json!(exec.args);
    process["terminal"] = json!(exec.tty);
    if let Some(all) = process.as_object_mut() {
        // It is in force already: the program inherits it from the shim.
        all.remove("oomScoreAdj");
    }
    let filter = Filter::prepare(&spec, &mut process)?;
    std::fs::write("exec.json", serde_json::to_vec(&process)?)?;
    Ok(filter)
}
