//! `/exec`, `/attach` and `/run`.

use super::answers::{Body, Refusal, text};
use super::query::is_set;
use super::session::{Input, Output, drive, internal};
use super::upgrade::{Protocol, Raw, upgrade};
use super::{Server, spdy, websocket};
use crate::handlers::{self, Patient};
use crate::runtime::{AttachRequest, ExecRequest, Result as RuntimeResult, Runtime, Session};
use futures::FutureExt;
use futures::future::BoxFuture;
use http::{Request, Response};
use hyper::body::Incoming;
use std::sync::Arc;
use tokio::sync::mpsc;
use windlass_core::apis::core::v1::{Container, ExecAction};

/// So many pieces wait on each side.
const BACKLOG: usize = 16;
/// `/run` waits so long for its program.
const RUN_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(60);

/// Which streams a client wants.
#[derive(Clone, Copy, Debug)]
pub(super) struct Streams {
    pub(super) stdin: bool,
    pub(super) stdout: bool,
    pub(super) stderr: bool,
    pub(super) tty: bool,
}

impl Streams {
    fn from_query(query: &[(String, String)]) -> Result<Self, Refusal> {
        let tty = is_set(query, ["tty", "tty"]);
        let streams = Self {
            stdin: is_set(query, ["input", "stdin"]),
            stdout: is_set(query, ["output", "stdout"]),
            stderr: is_set(query, ["error", "stderr"]) && !tty,
            tty,
        };
        if !(streams.stdin || streams.stdout || streams.stderr) {
            return Err(Refusal::bad_request(
                "you must specify at least 1 of stdin, stdout, stderr",
            ));
        }
        Ok(streams)
    }
}

impl Server {
    pub(super) fn exec(
        &self,
        request: Request<Incoming>,
        namespace: &str,
        pod: &str,
        container: &str,
        query: &[(String, String)],
    ) -> Result<Response<Body>, Refusal> {
        let id = self.running(namespace, pod, container)?;
        let streams = Streams::from_query(query)?;
        let commands = query.iter().filter(|(name, _)| name == "command");
        let command: Vec<String> = commands.map(|(_, value)| value.clone()).collect();
        if command.is_empty() {
            return Err(Refusal::bad_request("you must specify at least 1 command"));
        }
        let runtime = self.host.runtime.clone();
        let session = async move {
            let Streams { stdin, tty, .. } = streams;
            runtime.exec(&id, ExecRequest { command, tty, stdin, timeout: None }).await
        };
        converse(request, streams, session.boxed())
    }

    pub(super) fn attach(
        &self,
        request: Request<Incoming>,
        namespace: &str,
        pod: &str,
        container: &str,
        query: &[(String, String)],
    ) -> Result<Response<Body>, Refusal> {
        let id = self.running(namespace, pod, container)?;
        let streams = Streams::from_query(query)?;
        let runtime = self.host.runtime.clone();
        let session = async move {
            let Streams { stdin, stdout, stderr, .. } = streams;
            runtime.attach(&id, AttachRequest { stdin, stdout, stderr }).await
        };
        converse(request, streams, session.boxed())
    }

    /// Runs a command and answers with its output.
    pub(super) async fn run_command(
        &self,
        namespace: &str,
        pod: &str,
        container: &str,
        query: &[(String, String)],
    ) -> Result<Response<Body>, Refusal> {
        let id = self.running(namespace, pod, container)?;
        let command = query.iter().find(|(name, _)| name == "cmd").map(|(_, value)| value.as_str());
        let command =
            command.unwrap_or_default().split_whitespace().map(ToOwned::to_owned).collect();
        let action = ExecAction { command: Some(command) };
        let patient = Patient { id, container: Arc::new(Container::default()), ip: None };
        let runtime: &dyn Runtime = &*self.host.runtime;
        match handlers::run_for_output(runtime, &action, &patient, RUN_TIMEOUT).await {
            Ok(output) => Ok(text(output)),
            Err(error) => Err(Refusal::internal(&error)),
        }
    }
}

fn converse(
    request: Request<Incoming>,
    streams: Streams,
    session: BoxFuture<'static, RuntimeResult<Session>>,
) -> Result<Response<Body>, Refusal> {
    upgrade(request, &websocket::CHANNELS, move |protocol, raw| {
        talk(protocol, raw, streams, session).boxed()
    })
}

async fn talk(
    protocol: Protocol,
    raw: Raw,
    streams: Streams,
    session: BoxFuture<'static, RuntimeResult<Session>>,
) {
    let (to_program, input) = mpsc::channel::<Input>(BACKLOG);
    let (output, to_client) = mpsc::channel::<Output>(BACKLOG);
    let program = async move {
        match session.await {
            Ok(session) => drive(session, input, output).await,
            Err(error) => {
                let message = format!("error executing command in container: {error}");
                // A client that is gone needs no status.
                output.send(Output::Status(internal(&message))).await.ok();
            }
        }
    };
    let client = async move {
        match protocol {
            Protocol::WebSocket(version) => {
                websocket::channels(raw, &version, to_program, to_client).await;
            }
            Protocol::Spdy(_) => spdy::channels(raw, streams, to_program, to_client).await,
        }
    };
    tokio::join!(program, client);
}
