//! `pods/exec`, `pods/attach` and `pods/portforward`: conversations between a client and an agent, in a protocol
//! (WebSocket or SPDY/3.1) that only they understand.

use super::client::NodeClient;
use super::log::is_set;
use super::objects::Pod;
use super::{answer, container, headers, objects, tunnel};
use crate::endpoints::Body;
use crate::handler::not_allowed;
use crate::server::{Connect, ConnectCall, ConnectRequest};
use async_trait::async_trait;
use http::{Method, Response, StatusCode};
use std::time::Duration;
use windlass_core::meta::Status;
use windlass_core::request::with_query;

/// How long an agent may take to answer.
const ANSWER: Duration = Duration::from_secs(30);
/// The flags of exec and attach: as clients and as agents call them.
const FLAGS: [(&str, &str); 4] =
    [("stdin", "input"), ("stdout", "output"), ("stderr", "error"), ("tty", "tty")];

/// What about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Conversation {
    Exec,
    Attach,
    PortForward,
}

/// Brings clients and agents together.
pub(super) struct Forward {
    nodes: NodeClient,
    about: Conversation,
}

// === impl Forward ===

impl Forward {
    pub(super) fn new(nodes: NodeClient, about: Conversation) -> Self {
        Self { nodes, about }
    }
}

#[async_trait]
impl Connect for Forward {
    async fn connect(
        &self,
        call: ConnectCall<'_>,
        mut request: ConnectRequest,
    ) -> Result<Response<Body>, Status> {
        if !matches!(*request.method(), Method::GET | Method::POST) {
            return Err(not_allowed());
        }
        let pod = objects::pod(&call).await?;
        let path = agent_path(self.about, &pod, &call.info.query)?;
        let agent = objects::agent(call.objects, pod.node()?).await?;
        let client = tunnel::asked_for(&mut request).ok_or_else(upgrade_required)?;
        let head = headers::of_conversation(request.headers());
        let forwarded = headers::request(request.method().clone(), &path, &agent, head)?;
        let reply = self.nodes.send(&agent, forwarded, ANSWER).await;
        let reply = reply.map_err(answer::unreachable)?;
        if reply.response.status() != StatusCode::SWITCHING_PROTOCOLS {
            return Err(answer::refusal(reply).await);
        }
        Ok(tunnel::open(client, reply))
    }
}

/// What an agent is asked for. Checks the container, and that the pod has a node.
pub(super) fn agent_path(
    about: Conversation,
    pod: &Pod,
    query: &[(String, String)],
) -> Result<String, Status> {
    let (namespace, name) = (&pod.metadata.namespace, &pod.metadata.name);
    let root = match about {
        Conversation::Exec => "exec",
        Conversation::Attach => "attach",
        Conversation::PortForward => {
            pod.node()?;
            let path = format!("/portForward/{namespace}/{name}");
            return Ok(with_query(&path, &ports(query)));
        }
    };
    let asked = query.iter().find(|(name, _)| name == "container");
    let container = container::choose(pod, asked.map(|(_, value)| value.as_str()))?;
    pod.node()?;
    let path = format!("/{root}/{namespace}/{name}/{container}");
    Ok(with_query(&path, &streams(about, query)))
}

fn streams(about: Conversation, query: &[(String, String)]) -> Vec<(String, String)> {
    let given = |name: &str| query.iter().find(|(known, _)| known == name);
    let set = FLAGS.iter().filter(|(name, _)| given(name).is_some_and(|(_, value)| is_set(value)));
    let flags = set.map(|(_, name)| ((*name).to_owned(), "1".to_owned()));
    let commands = query.iter().filter(|(name, _)| name == "command").cloned();
    let command = if about == Conversation::Exec { usize::MAX } else { 0 };
    flags.chain(commands.take(command)).collect()
}

/// The ports a client asks for in the query (others name them later), as agents read them: all in one `port`.
fn ports(query: &[(String, String)]) -> Vec<(String, String)> {
    let asked: Vec<_> = query
        .iter()
        .filter(|(name, value)| name == "ports" && !value.is_empty())
        .map(|(_, value)| value.as_str())
        .collect();
    match asked.as_slice() {
        [] => Vec::new(),
        asked => vec![("port".to_owned(), asked.join(","))],
    }
}

fn upgrade_required() -> Status {
    Status::bad_request("Upgrade request required: WebSocket or SPDY/3.1, over HTTP/1.1")
}
