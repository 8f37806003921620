//! `GET /containerLogs/{namespace}/{pod}/{container}`.

use super::Server;
use super::answers::{Body, Refusal};
use super::logs::{self, LogOptions};
use crate::pod::PodExt;
use crate::pod_workers::Host;
use crate::pod_workers::snapshot::{PodRuntime, ended, is_running};
use crate::runtime::{ContainerId, ContainerStatus, Event};
use futures::StreamExt;
use http::Response;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use std::sync::Arc;
use tokio::sync::mpsc;
use windlass_core::apis::core::v1::Pod;

/// So many pieces of a log wait for the client.
const BACKLOG: usize = 8;

impl Server {
    pub(super) async fn container_logs(
        &self,
        namespace: &str,
        pod: &str,
        container: &str,
        query: &[(String, String)],
    ) -> Result<Response<Body>, Refusal> {
        let options =
            LogOptions::from_query(query, self.host.now()).map_err(Refusal::bad_request)?;
        let (pod, runtime) = self.pod(namespace, pod)?;
        let status = choose(&pod, &runtime, container, options.previous)?;
        let (id, path) = (status.id.clone(), status.log_path.clone());
        let follow = options.follow && is_running(status);
        let options = LogOptions { follow, ..options };
        let (host, uid) = (self.host.clone(), pod.uid().to_owned());
        let (sender, receiver) = mpsc::channel(BACKLOG);
        tokio::spawn(logs::stream(path, options, has_ended(host, uid, id), sender));
        let mut receiver = receiver;
        let pieces = futures::stream::poll_fn(move |cx| receiver.poll_recv(cx));
        let body = StreamBody::new(pieces.map(|piece| piece.map(Frame::data)));
        let mut response = Response::new(BodyExt::boxed(body));
        let kind = http::HeaderValue::from_static("text/plain; charset=utf-8");
        response.headers_mut().insert(http::header::CONTENT_TYPE, kind);
        Ok(response)
    }
}

/// The start of a container whose log is asked for.
fn choose<'a>(
    pod: &Pod,
    runtime: &'a PodRuntime,
    container: &str,
    previous: bool,
) -> Result<&'a ContainerStatus, Refusal> {
    if !pod.containers().iter().any(|(_, c)| c.name == container) {
        return Err(Refusal::not_found(format!(
            "container \"{container}\" not found in pod \"{}\"",
            pod.name()
        )));
    }
    let mut starts = runtime.containers.iter().filter(|c| c.name == container);
    let latest = starts.next();
    if previous {
        // While a container waits to be started anew, its last start is the previous one.
        let waits = latest.filter(|c| ended(c).is_some() && is_waiting(pod, container));
        return waits.or_else(|| starts.next()).ok_or_else(|| {
            Refusal::bad_request(format!(
                "previous terminated container \"{container}\" in pod \"{}\" not found",
                pod.name()
            ))
        });
    }
    latest.ok_or_else(|| {
        let reason = waiting_reason(pod, container).unwrap_or_else(|| "ContainerCreating".into());
        Refusal::bad_request(format!(
            "container \"{container}\" in pod \"{}\" is waiting to start: {reason}",
            pod.name()
        ))
    })
}

fn is_waiting(pod: &Pod, container: &str) -> bool {
    waiting_reason(pod, container).is_some()
}

fn waiting_reason(pod: &Pod, container: &str) -> Option<String> {
    let status = pod.status.as_ref()?;
    let lists = [
        &status.container_statuses,
        &status.init_container_statuses,
        &status.ephemeral_container_statuses,
    ];
    let mut all = lists.into_iter().flat_map(|list| list.iter().flatten());
    let state = all.find(|c| c.name == container)?.state.as_ref()?;
    state.waiting.as_ref()?.reason.clone()
}

/// Completes when a container runs no more.
async fn has_ended(host: Arc<Host>, uid: String, id: ContainerId) {
    let mut events = host.runtime.events();
    loop {
        host.refresh().await;
        let pod = host.cache.pod(&uid);
        if !pod.containers.iter().any(|c| c.id == id && is_running(c)) {
            return;
        }
        loop {
            match events.next().await {
                Some(Event::Exited(ended)) if ended == id => break,
                Some(Event::Lost) => break,
                Some(_) => {}
                None => return,
            }
        }
    }
}
