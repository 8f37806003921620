//! What a runtime is told and what it answers.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::SystemTime;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{mpsc, oneshot};

/// Result of a runtime call.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a runtime call failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No such sandbox, container or image. Do not retry.
    #[error("{0} not found")]
    NotFound(String),
    /// What was asked can't be done (a bad configuration). Do not retry unchanged.
    #[error("{0}")]
    Invalid(String),
    /// The program could not be started; the message names it as an OCI runtime would
    /// (`exec: "/no": no such file or directory`). Retry with back-off.
    #[error("{0}")]
    Start(String),
    /// The system refused. Retry with back-off.
    #[error("{context}: {source}")]
    Io {
        /// What was being done.
        context: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// Anything else, in words. Retry with back-off.
    #[error("{0}")]
    Failed(String),
}

/// Identifies a sandbox on this node, for ever.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SandboxId(pub String);

/// Identifies a container on this node, for ever. 64 hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ContainerId(pub String);

/// Which pod a sandbox belongs to, and what its containers share.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct SandboxConfig {
    /// The pod's name.
    pub name: String,
    /// The pod's namespace.
    pub namespace: String,
    /// The pod's uid.
    pub uid: String,
    /// Which try at a sandbox for this pod it is, from 0.
    pub attempt: u32,
    /// Host name inside.
    pub hostname: String,
    /// Uses the node's network, process and IPC namespaces.
    pub host_namespaces: HostNamespaces,
    /// Containers see each other's processes.
    pub share_process_namespace: bool,
    /// Content of `/etc/resolv.conf`; `None` leaves the image's.
    pub resolv_conf: Option<String>,
    /// Ports of the node that lead into the sandbox.
    pub port_mappings: Vec<PortMapping>,
    /// Kernel parameters of the sandbox's namespaces.
    pub sysctls: BTreeMap<String, String>,
    /// The pod's cgroup, relative to the agent's root cgroup: `kubepods/burstable/pod<uid>`.
    pub cgroup_parent: String,
    /// Limits of the whole pod.
    pub resources: Resources,
    /// The handler that its RuntimeClass names; empty for the usual one.
    #[serde(default)]
    pub runtime_handler: String,
    /// Labels, kept and given back by `list`.
    pub labels: BTreeMap<String, String>,
    /// Annotations, kept and given back by `list`.
    pub annotations: BTreeMap<String, String>,
}

/// Namespaces of the node that a pod uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostNamespaces {
    /// `hostNetwork`.
    pub network: bool,
    /// `hostPID`.
    pub pid: bool,
    /// `hostIPC`.
    pub ipc: bool,
}

/// A node port that leads into a sandbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortMapping {
    /// On this address of the node; all of them when `None`.
    pub host_ip: Option<IpAddr>,
    /// On this port of the node.
    pub host_port: u16,
    /// To this port of the sandbox.
    pub container_port: u16,
    /// `TCP`, `UDP` or `SCTP`.
    pub protocol: String,
}

/// Limits as a cgroup has them. `None` means no limit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resources {
    /// Relative weight, cgroup v1 scale: 1024 a core.
    pub cpu_shares: Option<u64>,
    /// Microseconds of CPU in each period.
    pub cpu_quota: Option<i64>,
    /// Length of a period in microseconds.
    pub cpu_period: Option<u64>,
    /// Bytes of memory.
    pub memory_limit: Option<i64>,
    /// Number of processes.
    pub pids_limit: Option<i64>,
    /// The kernel's preference to kill, -1000 to 1000.
    pub oom_score_adj: Option<i32>,
}

impl Resources {
    /// Those given here, and of the others those that `old` has.
    pub(crate) fn over(self, old: &Self) -> Self {
        Self {
            cpu_shares: self.cpu_shares.or(old.cpu_shares),
            cpu_quota: self.cpu_quota.or(old.cpu_quota),
            cpu_period: self.cpu_period.or(old.cpu_period),
            memory_limit: self.memory_limit.or(old.memory_limit),
            pids_limit: self.pids_limit.or(old.pids_limit),
            oom_score_adj: old.oom_score_adj,
        }
    }

    /// Limits that neither these nor others exceed.
    pub(crate) fn widest(&self, other: &Self) -> Self {
        fn larger<T: Ord>(one: Option<T>, other: Option<T>) -> Option<T> {
            Some(one?.max(other?))
        }
        Self {
            cpu_shares: larger(self.cpu_shares, other.cpu_shares),
            cpu_quota: larger(self.cpu_quota, other.cpu_quota),
            cpu_period: self.cpu_period.or(other.cpu_period),
            memory_limit: larger(self.memory_limit, other.memory_limit),
            pids_limit: larger(self.pids_limit, other.pids_limit),
            oom_score_adj: None,
        }
    }
}

/// What a control group has used, and uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// When that was read.
    pub at: SystemTime,
    /// Time on processors, of all of them together, since the group was made.
    pub cpu: std::time::Duration,
    /// Bytes of memory that can't be taken away at once: all but files that were not used lately.
    pub working_set: u64,
    /// Bytes of memory, caches included.
    pub memory: u64,
    /// More of it.
    pub details: UsageDetails,
}

/// More of what a control group has used, and uses; 0 where the kernel does not tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UsageDetails {
    /// Bytes of memory that belong to no file.
    pub rss: u64,
    /// Bytes of memory that belong to files.
    pub cache: u64,
    /// Bytes of swap space.
    pub swap: u64,
    /// Periods of its processor quota that have passed.
    pub periods: u64,
    /// Those of them in which it had used it up.
    pub throttled_periods: u64,
    /// How long it was held back so.
    pub throttled: std::time::Duration,
    /// Reads from disks.
    pub reads: u64,
    /// Writes to disks.
    pub writes: u64,
    /// Bytes read from disks.
    pub read_bytes: u64,
    /// Bytes written to disks.
    pub written_bytes: u64,
}

/// What a pod uses.
#[derive(Clone, Debug)]
pub struct SandboxUsage {
    /// Its sandbox.
    pub id: SandboxId,
    /// All of it together.
    pub pod: Usage,
    /// Number of its processes, threads too.
    pub processes: u64,
    /// Its containers that run.
    pub containers: BTreeMap<ContainerId, Usage>,
}

/// What one container runs.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct ContainerConfig {
    /// Name in the pod.
    pub name: String,
    /// Which start of this container it is, from 0.
    pub attempt: u32,
    /// The image, as `Images` identified it.
    pub image: crate::images::ImageId,
    /// Replaces the image's entry point when not empty.
    pub command: Vec<String>,
    /// Replaces the image's arguments when not empty, or when `command` is not.
    pub args: Vec<String>,
    /// Replaces the image's working directory.
    pub working_dir: Option<String>,
    /// Added to the image's environment, later ones win.
    pub env: Vec<(String, String)>,
    /// Bind mounts.
    pub mounts: Vec<Mount>,
    /// Devices of the node that it may use.
    #[serde(default)]
    pub devices: Vec<DeviceNode>,
    /// Rights.
    pub security: Security,
    /// Limits.
    pub resources: Resources,
    /// Where its output goes, in the CRI log format (`<RFC 3339 nanos> stdout F <line>`).
    pub log_path: PathBuf,
    /// How much of it is kept.
    #[serde(default)]
    pub log_limits: LogLimits,
    /// Keeps standard input open.
    pub stdin: bool,
    /// Closes standard input when the first attached session ends.
    pub stdin_once: bool,
    /// Has a terminal.
    pub tty: bool,
    /// Signal that asks it to stop: the image's own when `None`, SIGTERM when it has none.
    pub stop_signal: Option<String>,
    /// Labels, kept and given back by `list`.
    pub labels: BTreeMap<String, String>,
    /// Annotations, kept and given back by `list`.
    pub annotations: BTreeMap<String, String>,
}

/// How much of a container's log is kept: a file over `max_bytes` is put aside as `<name>.<time>`, and the oldest
/// goes when there are more than `max_files`, the one that is written included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLimits {
    /// Longest file, in bytes.
    pub max_bytes: u64,
    /// Most files, at least 2.
    pub max_files: usize,
}

/// A path of the node that is seen inside a container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mount {
    /// Path on the node.
    pub source: PathBuf,
    /// Path inside; made when missing.
    pub target: PathBuf,
    /// Can't be written.
    pub read_only: bool,
    /// `None`, `HostToContainer` (rslave) or `Bidirectional` (rshared).
    pub propagation: Propagation,
    /// Nothing in it can be executed.
    #[serde(default)]
    pub no_exec: bool,
}

/// A device of the node, or a folder of such, that a container may use.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceNode {
    /// Path on the node.
    pub source: PathBuf,
    /// Path inside.
    pub target: PathBuf,
    /// What may be done with it: of `r`, `w` and `m`.
    pub permissions: String,
}

/// Which later mounts cross the boundary of a bind mount.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Propagation {
    /// None.
    #[default]
    Private,
    /// Those of the node appear inside.
    HostToContainer,
    /// Both ways.
    Bidirectional,
}

/// Rights of a container's programs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Security {
    /// User: a number. `None` takes the image's.
    pub run_as_user: Option<i64>,
    /// Primary group. `None` takes the image's, or 0.
    pub run_as_group: Option<i64>,
    /// Further groups.
    pub supplemental_groups: Vec<i64>,
    /// All devices, all capabilities, nothing masked.
    pub privileged: bool,
    /// The root file system can't be written.
    pub read_only_root: bool,
    /// Set-uid programs gain nothing.
    pub no_new_privileges: bool,
    /// Added to the default set, without the prefix `CAP_`; `ALL` for all.
    pub add_capabilities: Vec<String>,
    /// Taken from the default set; `ALL` for all.
    pub drop_capabilities: Vec<String>,
    /// Which system calls they may make. All of them in a privileged container, whatever it says here.
    #[serde(default)]
    pub seccomp: Seccomp,
}

/// Which system calls a container may make.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Seccomp {
    /// Any.
    #[default]
    Unconfined,
    /// Those that ordinary programs need, and those that its capabilities are for: containerd's and Docker's profile.
    RuntimeDefault,
    /// Those that a file of the node says, in the form of the OCI runtime specification.
    Localhost(PathBuf),
}

/// A sandbox as it is.
#[derive(Clone, Debug)]
pub struct SandboxStatus {
    /// Its id.
    pub id: SandboxId,
    /// What it was made from.
    pub config: SandboxConfig,
    /// Whether its network and namespaces are there.
    pub ready: bool,
    /// Its addresses; empty for one in the node's network.
    pub ips: Vec<IpAddr>,
    /// When it was made.
    pub created_at: SystemTime,
}

/// A container as it is.
#[derive(Clone, Debug)]
pub struct ContainerStatus {
    /// Its id.
    pub id: ContainerId,
    /// The sandbox it is in.
    pub sandbox: SandboxId,
    /// The name it has in its pod.
    pub name: String,
    /// Which start of this container it is.
    pub attempt: u32,
    /// Image it runs.
    pub image: crate::images::ImageId,
    /// What it does.
    pub state: ContainerState,
    /// When it was made.
    pub created_at: SystemTime,
    /// The limits it has.
    pub resources: Resources,
    /// Its log.
    pub log_path: PathBuf,
    /// The labels it was made with.
    pub labels: BTreeMap<String, String>,
    /// The annotations it was made with.
    pub annotations: BTreeMap<String, String>,
}

/// What a container does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ContainerState {
    /// Made, not started.
    Created,
    /// Runs.
    Running {
        /// Since when.
        started_at: SystemTime,
        /// Its first process, as the node numbers it.
        pid: u32,
    },
    /// Has ended.
    Exited {
        /// When it was started.
        started_at: Option<SystemTime>,
        /// When it ended.
        finished_at: SystemTime,
        /// Exit code; 128 + n when signal n ended it.
        exit_code: i32,
        /// `Completed`, `Error`, `OOMKilled`, `StartError`, `ContainerCannotRun`.
        reason: String,
        /// In words, when there is more to say.
        message: String,
    },
}

/// Something changed in a container or sandbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// This container began to run.
    Started(ContainerId),
    /// This container ended.
    Exited(ContainerId),
    /// Events were dropped; list again.
    Lost,
}

/// A program to run in a container that runs.
#[derive(Clone, Debug, Default)]
pub struct ExecRequest {
    /// Program and arguments.
    pub command: Vec<String>,
    /// Give it a terminal.
    pub tty: bool,
    /// Give it a standard input.
    pub stdin: bool,
    /// Seconds after which it is killed; `None` for no limit.
    pub timeout: Option<std::time::Duration>,
}

impl ExecRequest {
    pub(super) fn check(&self) -> Result<()> {
        match self.command.is_empty() {
            true => Err(Error::Invalid("you must specify a command".into())),
            false => Ok(()),
        }
    }
}

/// Which streams of the main program to join.
#[derive(Clone, Copy, Debug, Default)]
pub struct AttachRequest {
    /// Its standard input.
    pub stdin: bool,
    /// Its standard output.
    pub stdout: bool,
    /// Its standard error.
    pub stderr: bool,
}

/// The streams of a program in a container. Dropping it closes them; an exec'd program is then killed.
pub struct Session {
    /// Standard input; closing it is the end of the file.
    pub stdin: Option<Box<dyn AsyncWrite + Send + Unpin>>,
    /// Standard output; with a terminal, all output.
    pub stdout: Option<Box<dyn AsyncRead + Send + Unpin>>,
    /// Standard error; `None` with a terminal.
    pub stderr: Option<Box<dyn AsyncRead + Send + Unpin>>,
    /// Sizes of the terminal, columns and rows; the last one counts.
    pub resize: mpsc::Sender<(u16, u16)>,
    /// The exit code, once it has ended.
    pub exit: oneshot::Receiver<Result<i32>>,
}

/// A stream both ways.
pub trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

impl Default for LogLimits {
    /// The kubelet's: 10 MiB, 5 files.
    fn default() -> Self {
        Self { max_bytes: 10 << 20, max_files: 5 }
    }
}
