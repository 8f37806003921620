//! etcd processes that live as long as a test.

use rustix::process::{Pid, Signal, kill_process};
use std::fs::File;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;
use windlass_store::{Commit, Etcd, EtcdOptions, Event, Result, Revision, Txn, WatchStream};

/// How long a test waits for what must come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A cluster on 127.0.0.1. Its processes are killed when it is dropped, also by a panic.
pub(crate) struct Cluster {
    members: Vec<Member>,
    scheme: &'static str,
    _dir: TempDir,
}

struct Member {
    arguments: Vec<String>,
    log: std::path::PathBuf,
    port: u16,
    child: Option<Child>,
}

impl Cluster {
    pub(crate) async fn start(members: usize) -> Self {
        Self::with(members, &[]).await
    }

    /// A cluster that answers.
    pub(crate) async fn with(members: usize, arguments: &[&str]) -> Self {
        loop {
            let cluster = Self::spawn(members, "http", arguments, |_| {});
            match Etcd::connect(cluster.options()).await {
                Ok(_) => return cluster,
                // Somebody else took a port in between.
                Err(_) if cluster.has_lost_a_port() => {}
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// Starts processes and does not wait for them. `prepare` may put files into their directory.
    pub(crate) fn spawn(
        members: usize,
        scheme: &'static str,
        arguments: &[&str],
        prepare: impl FnOnce(&Path),
    ) -> Self {
        let dir = tempfile::tempdir().unwrap();
        prepare(dir.path());
        let ports = free_ports(2 * members);
        let peers: Vec<String> =
            (0..members).map(|i| format!("m{i}=http://127.0.0.1:{}", ports[members + i])).collect();
        let members = (0..members).map(|i| {
            let url = format!("{scheme}://127.0.0.1:{}", ports[i]);
            let peer = format!("http://127.0.0.1:{}", ports[members + i]);
            let data = dir.path().join(i.to_string()).to_string_lossy().into_owned();
            let own = [
                ["--name", &format!("m{i}")],
                ["--data-dir", &data],
                ["--listen-client-urls", &url],
                ["--advertise-client-urls", &url],
                ["--listen-peer-urls", &peer],
                ["--initial-advertise-peer-urls", &peer],
                ["--initial-cluster", &peers.join(",")],
            ];
            let arguments = own.as_flattened().iter().chain(arguments);
            let arguments = arguments.map(|argument| (*argument).to_owned()).collect();
            let log = dir.path().join(format!("{i}.log"));
            Member { arguments, log, port: ports[i], child: None }
        });
        let mut cluster = Self { members: members.collect(), scheme, _dir: dir };
        (0..cluster.members.len()).for_each(|i| cluster.start_member(i));
        cluster
    }

    pub(crate) fn endpoints(&self) -> Vec<String> {
        let url = |member: &Member| format!("{}://127.0.0.1:{}", self.scheme, member.port);
        self.members.iter().map(url).collect()
    }

    pub(crate) fn options(&self) -> EtcdOptions {
        EtcdOptions::new(self.endpoints())
    }

    pub(crate) async fn store(&self) -> Etcd {
        Etcd::connect(self.options()).await.unwrap()
    }

    pub(crate) fn start_member(&mut self, i: usize) {
        let member = &mut self.members[i];
        let log = File::options().create(true).append(true).open(&member.log).unwrap();
        let mut command = Command::new("etcd");
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.args(&member.arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        member.child = Some(command.spawn().expect("etcd is installed: examples/prerequisites.sh"));
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self, i: usize) {
        let mut child = self.members[i].child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// It stays there and does nothing any more.
    pub(crate) fn freeze(&self, i: usize) {
        let child = self.members[i].child.as_ref().unwrap();
        kill_process(Pid::from_child(child), Signal::STOP).unwrap();
    }

    /// The member that leads.
    pub(crate) async fn leader(&self) -> usize {
        for (i, endpoint) in self.endpoints().iter().enumerate() {
            let mut client = etcd_client::Client::connect([endpoint], None).await.unwrap();
            let status = client.status().await.unwrap();
            if status.leader() == status.0.header.unwrap().member_id {
                return i;
            }
        }
        panic!("nobody leads");
    }

    fn has_lost_a_port(&self) -> bool {
        let log = |member: &Member| std::fs::read_to_string(&member.log).unwrap_or_default();
        self.members.iter().any(|member| log(member).contains("address already in use"))
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for member in &mut self.members {
            if let Some(child) = &mut member.child {
                // One that has ended can't be killed.
                child.kill().unwrap_or_default();
                child.wait().unwrap();
            }
            if std::thread::panicking() {
                let log = std::fs::read_to_string(&member.log).unwrap_or_default();
                eprintln!(
                    "{}: {}",
                    member.log.display(),
                    log.get(log.len().saturating_sub(1500)..).unwrap_or(&log)
                );
            }
        }
    }
}

/// Ports that were free a moment ago.
fn free_ports(count: usize) -> Vec<u16> {
    let listen = |_| TcpListener::bind("127.0.0.1:0").unwrap();
    let listeners: Vec<TcpListener> = (0..count).map(listen).collect();
    listeners.iter().map(|listener| listener.local_addr().unwrap().port()).collect()
}

/// A port on which nobody listens.
pub(crate) fn dead_endpoint() -> String {
    format!("http://127.0.0.1:{}", free_ports(1)[0])
}

pub(crate) async fn put(store: &impl Commit, key: &str, value: &str) -> Result<Revision> {
    Ok(store.commit(Txn::new().put(key.to_owned(), value.to_owned())).await?.revision)
}

pub(crate) async fn next(stream: &mut WatchStream) -> Option<Result<windlass_store::Batch>> {
    let next = futures::StreamExt::next(stream);
    tokio::time::timeout(PATIENCE, next).await.expect("the stream gives something in time")
}

/// The keys of the next batch, and its revision.
pub(crate) async fn next_keys(stream: &mut WatchStream) -> (Revision, Vec<String>) {
    let batch = next(stream).await.unwrap().unwrap();
    let key = |event: &Event| String::from_utf8(event.key().to_vec()).unwrap();
    (batch.revision, batch.events.iter().map(key).collect())
}
