//! What probes and lifecycle hooks do: run a program, ask over HTTP, TCP or gRPC.

mod exec;
mod grpc;
mod http;
mod tcp;

use crate::runtime::{ContainerId, Runtime};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use windlass_core::apis::IntOrString;
use windlass_core::apis::core::v1::{
    Container, ExecAction, GRPCAction, HTTPGetAction, LifecycleHandler, Probe, TCPSocketAction,
};

/// What to do.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Action {
    Exec(ExecAction),
    Http(HTTPGetAction),
    Tcp(TCPSocketAction),
    Grpc(GRPCAction),
    Sleep(Duration),
    /// A handler without an action does nothing.
    Nothing,
}

/// Which container to do it to.
#[derive(Clone, Debug)]
pub(crate) struct Patient {
    pub(crate) id: ContainerId,
    pub(crate) container: Arc<Container>,
    pub(crate) ip: Option<IpAddr>,
}

/// Why it failed, in Kubernetes' words.
pub(crate) type Outcome = Result<(), String>;

impl From<&Probe> for Action {
    fn from(probe: &Probe) -> Self {
        let exec = probe.exec.clone().map(Self::Exec);
        exec.or_else(|| probe.http_get.clone().map(Self::Http))
            .or_else(|| probe.tcp_socket.clone().map(Self::Tcp))
            .or_else(|| probe.grpc.clone().map(Self::Grpc))
            .unwrap_or(Self::Nothing)
    }
}

impl From<&LifecycleHandler> for Action {
    fn from(handler: &LifecycleHandler) -> Self {
        let sleep =
            handler.sleep.as_ref().map(|s| Duration::from_secs(s.seconds.max(0).unsigned_abs()));
        let exec = handler.exec.clone().map(Self::Exec);
        exec.or_else(|| handler.http_get.clone().map(Self::Http))
            .or_else(|| handler.tcp_socket.clone().map(Self::Tcp))
            .or_else(|| sleep.map(Self::Sleep))
            .unwrap_or(Self::Nothing)
    }
}

/// Does it; an action that takes longer than `timeout` failed.
pub(crate) async fn run(
    runtime: &dyn Runtime,
    action: &Action,
    patient: &Patient,
    timeout: Duration,
) -> Outcome {
    let work = async {
        match action {
            Action::Exec(exec) => exec::run(runtime, exec, patient, timeout).await,
            Action::Http(get) => http::run(get, patient).await,
            Action::Tcp(tcp) => tcp::run(tcp, patient).await,
            Action::Grpc(grpc) => grpc::run(grpc, patient).await,
            Action::Sleep(time) => {
                tokio::time::sleep(*time).await;
                Ok(())
            }
            Action::Nothing => Ok(()),
        }
    };
    match tokio::time::timeout(timeout, work).await {
        Ok(outcome) => outcome,
        Err(_) => Err(match action {
            Action::Exec(exec) => format!(
                "command timed out: \"{}\" timed out after {}s",
                exec.command.iter().flatten().cloned().collect::<Vec<_>>().join(" "),
                timeout.as_secs()
            ),
            Action::Http(get) => format!(
                "Get \"{}\": context deadline exceeded (Client.Timeout exceeded while awaiting headers)",
                http::url(get, patient).unwrap_or_default()
            ),
            Action::Tcp(_) => "dial tcp: i/o timeout".into(),
            _ => format!(
                "timeout: failed to connect service within {}s: context deadline exceeded",
                timeout.as_secs()
            ),
        }),
    }
}

/// Runs a program and returns what it printed.
pub(crate) async fn run_for_output(
    runtime: &dyn Runtime,
    action: &ExecAction,
    patient: &Patient,
    timeout: Duration,
) -> Result<String, String> {
    let work = exec::output(runtime, action, patient, timeout);
    tokio::time::timeout(timeout, work)
        .await
        .unwrap_or_else(|_| Err("the command took too long".into()))
}

/// The number of a port that may be named.
fn port(port: &IntOrString, container: &Container) -> Result<u16, String> {
    let number = match port {
        IntOrString::Int(number) => Some(*number),
        IntOrString::String(name) => {
            let named = container.ports.iter().flatten().find(|p| p.name.as_deref() == Some(name));
            named.map(|p| p.container_port).or_else(|| name.parse().ok())
        }
    };
    let valid = number.and_then(|n| u16::try_from(n).ok()).filter(|n| *n > 0);
    valid.ok_or_else(|| format!("couldn't find port: {port:?} in container {}", container.name))
}

fn host(host: Option<&String>, patient: &Patient) -> Result<String, String> {
    match host.filter(|host| !host.is_empty()) {
        Some(host) => Ok(host.clone()),
        None => {
            patient.ip.map(|ip| ip.to_string()).ok_or_else(|| "the pod has no address".to_owned())
        }
    }
}

/// `[::1]:80`, `10.0.0.1:80`.
fn join(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

async fn dial(address: &str) -> Result<tokio::net::TcpStream, String> {
    tokio::net::TcpStream::connect(address).await.map_err(|error| match error.kind() {
        std::io::ErrorKind::ConnectionRefused => {
            format!("dial tcp {address}: connect: connection refused")
        }
        _ => format!("dial tcp {address}: {error}"),
    })
}
