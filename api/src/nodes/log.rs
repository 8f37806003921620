//! `pods/log`.

mod query;

use super::client::NodeClient;
use super::{answer, container, headers, objects};
use crate::endpoints::Body;
use crate::handler::not_allowed;
use crate::server::{Connect, ConnectCall, ConnectRequest};
use async_trait::async_trait;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use std::time::Duration;
use windlass_core::meta::Status;
use windlass_core::request::with_query;

pub(super) use query::{is_set, log_query};

/// How long an agent may take to begin with its answer.
const ANSWER: Duration = Duration::from_secs(30);

/// Fetches logs from agents.
pub(super) struct Log {
    nodes: NodeClient,
}

// === impl Log ===

impl Log {
    pub(super) fn new(nodes: NodeClient) -> Self {
        Self { nodes }
    }
}

#[async_trait]
impl Connect for Log {
    async fn connect(
        &self,
        call: ConnectCall<'_>,
        request: ConnectRequest,
    ) -> Result<Response<Body>, Status> {
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return Err(not_allowed());
        }
        drop(request);
        let query = log_query(call.target.name.as_deref().unwrap_or_default(), &call.info.query)?;
        let pod = objects::pod(&call).await?;
        let asked = call.info.query.iter().find(|(name, _)| name == "container");
        let container = container::choose(&pod, asked.map(|(_, value)| value.as_str()))?;
        let agent = objects::agent(call.objects, pod.node()?).await?;
        let (namespace, name) = (&pod.metadata.namespace, &pod.metadata.name);
        let path = with_query(&format!("/containerLogs/{namespace}/{name}/{container}"), &query);
        let request = headers::request(Method::GET, &path, &agent, HeaderMap::new())?;
        let reply = self.nodes.send(&agent, request, ANSWER).await;
        let reply = reply.map_err(answer::unreachable)?;
        if reply.response.status() != StatusCode::OK {
            return Err(answer::refusal(reply).await);
        }
        Ok(text(reply.into_response().into_body()))
    }
}

fn text(body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache, private"));
    response
}
