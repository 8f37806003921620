//! What happens when a process ends.

use super::Supervisor;
use crate::runtime::oci::cgroup;
use crate::runtime::oci::protocol::Reply;
use crate::runtime::oci::shim::clients::Role;
use crate::runtime::oci::state::{ExitRecord, write};
use jiff::Timestamp;
use std::io;
use std::path::Path;
use std::time::{Instant, SystemTime};

impl Supervisor {
    pub(super) fn main_exited(&mut self) -> io::Result<()> {
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

    pub(super) fn program_exited(&mut self, n: usize) -> io::Result<()> {
        let client = &mut self.clients[n];
        let Role::Exec(process) = &client.role else { return Ok(()) };
        let code = process.reap()?;
        client.role = Role::New;
        client.reply(&Reply::Exited(code), &[]);
        client.over = true;
        Ok(())
    }

    /// Only marks it, so that the others of this round keep their numbers.
    pub(super) fn orphan_exited(&mut self, n: usize) -> io::Result<()> {
        self.orphans[n].reap()?;
        self.orphans[n].done = true;
        Ok(())
    }
}

fn reason(code: i32, oom: bool) -> &'static str {
    match (code, oom) {
        (_, true) => "OOMKilled",
        (0, false) => "Completed",
        _ => "Error",
    }
}
