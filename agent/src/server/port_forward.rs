//! `/portForward/{namespace}/{pod}`: SPDY, or SPDY in a WebSocket. A client opens two streams for each connection:
//! one for the data and one for what goes wrong.

use super::answers::{Body, Refusal};
use super::spdy::{Stream, serve};
use super::upgrade::{Protocol, upgrade};
use super::{Server, websocket};
use crate::pod::PodExt;
use crate::runtime::{Duplex, Runtime, SandboxId};
use bytes::{Bytes, BytesMut};
use futures::FutureExt;
use http::{Request, Response};
use hyper::body::Incoming;
use std::collections::HashMap;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;

/// The protocol, plain and inside a WebSocket.
const PROTOCOLS: [&str; 2] = ["SPDY/3.1+portforward.k8s.io", "portforward.k8s.io"];
/// So many streams may wait for their other half.
const HALVES: usize = 64;

struct Target {
    runtime: Arc<dyn Runtime>,
    sandbox: SandboxId,
    /// For messages.
    name: String,
    uid: String,
}

impl Server {
    pub(super) fn port_forward(
        &self,
        request: Request<Incoming>,
        namespace: &str,
        name: &str,
    ) -> Result<Response<Body>, Refusal> {
        let (pod, runtime) = self.pod(namespace, name)?;
        let sandbox = runtime.sandbox().map(|sandbox| sandbox.id.clone());
        let sandbox = sandbox.ok_or_else(|| Refusal::not_found("the pod is not running"))?;
        let target = Target {
            runtime: self.host.runtime.clone(),
            sandbox,
            name: pod.name().to_owned(),
            uid: pod.uid().to_owned(),
        };
        upgrade(request, &PROTOCOLS, move |protocol, raw| {
            async move {
                let streams = match protocol {
                    Protocol::Spdy(_) => serve(raw),
                    Protocol::WebSocket(_) => serve(websocket::tunnel(raw).await),
                };
                pair(streams, Arc::new(target)).await;
            }
            .boxed()
        })
    }
}

/// Brings the two streams of each connection together.
async fn pair(mut streams: mpsc::Receiver<Stream>, target: Arc<Target>) {
    let mut halves: HashMap<String, Stream> = HashMap::new();
    let mut forwards = tokio::task::JoinSet::new();
    while let Some(stream) = streams.recv().await {
        while forwards.try_join_next().is_some() {}
        let Some(port) = stream.header("port").and_then(|port| port.parse::<u16>().ok()) else {
            continue;
        };
        let request = stream.header("requestid").unwrap_or_default().to_owned();
        let Some(other) = halves.remove(&request) else {
            if halves.len() < HALVES {
                halves.insert(request, stream);
            }
            continue;
        };
        let is_error = |stream: &Stream| stream.header("streamtype") == Some("error");
        let (data, error) = if is_error(&stream) { (other, stream) } else { (stream, other) };
        forwards.spawn(forward(data, error, port, target.clone()));
    }
}

async fn forward(data: Stream, error: Stream, port: u16, target: Arc<Target>) {
    let (_, errors) = error.split();
    let (input, output) = data.split();
    let done = match target.runtime.port_forward(&target.sandbox, port).await {
        Ok(connection) => copy(connection, input, &output).await.map_err(|e| e.to_string()),
        Err(error) => Err(error.to_string()),
    };
    if let Err(why) = done {
        let Target { name, uid, .. } = &*target;
        let message = format!("error forwarding port {port} to pod {name}, uid {uid}: {why}");
        errors.send(message.into()).await;
    }
    output.finish().await;
    errors.finish().await;
}

async fn copy(
    connection: Box<dyn Duplex>,
    mut input: mpsc::Receiver<Bytes>,
    output: &super::spdy::Writer,
) -> std::io::Result<()> {
    let (mut reader, mut writer) = tokio::io::split(connection);
    let inward = async {
        while let Some(bytes) = input.recv().await {
            writer.write_all(&bytes).await?;
            writer.flush().await?;
        }
        writer.shutdown().await
    };
    let outward = async {
        let mut buffer = BytesMut::new();
        loop {
            buffer.reserve(32 * 1024);
            if reader.read_buf(&mut buffer).await? == 0
                || !output.send(buffer.split().freeze()).await
            {
                return Ok(());
            }
        }
    };
    tokio::pin!(inward, outward);
    // What the pod sends ends the connection; that the client sends no more does not.
    tokio::select! {
        done = &mut outward => done,
        sent = &mut inward => match sent {
            Ok(()) => outward.await,
            Err(error) => Err(error),
        },
    }
}
