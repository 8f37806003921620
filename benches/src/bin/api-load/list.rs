//! Lists of many pods.

use crate::target::{Place, Target, Which};
use bytes::BytesMut;
use futures::stream::{self, StreamExt, TryStreamExt};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;
use windlass_benches::{Numbers, Result, micros, pod, wire};
use windlass_core::client::{Client, Key, WriteOptions};
use windlass_core::scheme;

/// Pods that are written at the same time.
const AT_ONCE: usize = 64;
const NAMESPACE: &str = "listed";
/// What is asked for, by name: `Accept`, and `Accept-Encoding`.
const FORMS: [(&str, &str, &str); 3] = [
    ("json", "application/json", "identity"),
    ("gzip", "application/json", "gzip"),
    ("protobuf", "application/vnd.kubernetes.protobuf", "identity"),
];

#[derive(clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    which: Which,
    /// Pods of a list
    #[arg(long, default_value_t = 5000)]
    pods: usize,
    /// Lists in each form
    #[arg(long, default_value_t = 40)]
    lists: u64,
    /// At most so long for each form, in seconds
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
    /// Clients that list at the same time
    #[arg(long, default_value_t = 1)]
    clients: usize,
}

/// One form, listed again and again.
struct Run {
    authority: String,
    accept: &'static str,
    encoding: &'static str,
    numbers: Numbers,
    bytes: AtomicU64,
}

pub(crate) async fn run(options: Options) -> Result<()> {
    let target = options.which.open().await?;
    fill(&*target.client, options.pods).await?;
    for form in FORMS {
        measure(&target, &options, form).await?;
    }
    target.close().await;
    Ok(())
}

async fn measure(
    target: &Target,
    options: &Options,
    (name, accept, encoding): (&str, &'static str, &'static str),
) -> Result<()> {
    let authority = match &target.place {
        Place::There(wire) => wire.authority.clone(),
        Place::Here(_) => String::new(),
    };
    let new = |count| {
        let (numbers, bytes) = (Numbers::new(count, options.seconds), AtomicU64::new(0));
        Arc::new(Run { authority: authority.clone(), accept, encoding, numbers, bytes })
    };
    // The first finds everything cold.
    new(1).lists(target, 1).await?;
    let process = &target.process;
    process.forget_peak()?;
    let (before, cpu, start) = (process.resident()?, process.cpu()?, Instant::now());
    let run = new(options.lists);
    let mut times = run.lists(target, options.clients).await?;
    let (passed, cpu) = (start.elapsed().as_secs_f64(), (process.cpu()? - cpu).as_secs_f64());
    let grown = process.peak()?.saturating_sub(before) as f64 / 1e6;
    times.sort_unstable();
    let bytes = run.bytes.load(Ordering::Relaxed) as f64;
    println!(
        "lists {} form {name} mb_each {:.2} mb_per_s {:.0} mb_per_cpu_s {:.0} p50_ms {:.1} cpu_ms {:.1} rss_growth_mb {grown:.1}",
        times.len(),
        bytes / times.len() as f64 / 1e6,
        bytes / passed / 1e6,
        bytes / cpu / 1e6,
        micros(&times, 0.5) / 1e3,
        cpu * 1e3 / times.len() as f64,
    );
    Ok(())
}

/// Makes running pods, those that are not there already.
async fn fill(client: &dyn Client, pods: usize) -> Result<()> {
    let options = WriteOptions::default();
    let namespace =
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}});
    made(
        client
            .create(&Key::cluster(scheme::NAMESPACES, NAMESPACE), json_of(&namespace), &options)
            .await,
    )?;
    let account =
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}});
    let key = Key::new(scheme::SERVICEACCOUNTS, NAMESPACE, "default");
    made(client.create(&key, json_of(&account), &options).await)?;
    let one = |number: usize| {
        let options = &options;
        async move {
            let name = format!("pod-{number}");
            let mut pod: Value = serde_json::from_slice(&pod(&name, "node-1"))?;
            pod["metadata"]["namespace"] = NAMESPACE.into();
            // These the server gives.
            if let Some(metadata) = pod["metadata"].as_object_mut() {
                metadata.shift_remove("uid");
                metadata.shift_remove("creationTimestamp");
            }
            let key = Key::new(scheme::PODS, NAMESPACE, &name);
            if made(client.create(&key, json_of(&pod), options).await)? {
                client.update(&key.subresource("status"), json_of(&pod), options).await?;
            }
            Ok(())
        }
    };
    stream::iter((0..pods).map(one)).buffer_unordered(AT_ONCE).try_collect::<()>().await
}

fn json_of(value: &Value) -> bytes::Bytes {
    value.to_string().into()
}

/// Whether it was made; one that is there already is none the worse.
fn made<T>(result: windlass_core::error::Result<T>) -> Result<bool> {
    match result {
        Ok(_) => Ok(true),
        Err(error) if error.is_already_exists() => Ok(false),
        Err(error) => Err(error.into()),
    }
}

// === impl Run ===

impl Run {
    async fn lists(self: &Arc<Self>, target: &Target, clients: usize) -> Result<Vec<u64>> {
        match &target.place {
            Place::There(wire) => wire.run(clients, |_| self.clone()).await,
            Place::Here(cluster) => self.here(&cluster.kube_client()).await,
        }
    }

    /// One after the other through the server's service: all but sockets and TLS.
    async fn here(&self, client: &kube::Client) -> Result<Vec<u64>> {
        let mut times = Vec::new();
        while self.numbers.next().is_some() {
            let start = Instant::now();
            let request = http::Request::get(path())
                .header(http::header::ACCEPT, self.accept)
                .header(http::header::ACCEPT_ENCODING, self.encoding)
                .body(kube::client::Body::empty())?;
            let response = client.send(request).await?;
            if !response.status().is_success() {
                return Err(format!("the server refused: {}", response.status()).into());
            }
            let mut body = response.into_body();
            while let Some(frame) = body.frame().await {
                let len = frame?.data_ref().map_or(0, bytes::Bytes::len);
                self.bytes.fetch_add(len as u64, Ordering::Relaxed);
            }
            times.push(u64::try_from(start.elapsed().as_nanos())?);
        }
        Ok(times)
    }
}

fn path() -> String {
    format!("/api/v1/namespaces/{NAMESPACE}/pods?resourceVersion=0")
}

impl wire::Load for Run {
    fn fields(&self) -> Vec<(&'static str, String)> {
        vec![
            (":method", "GET".into()),
            (":scheme", "https".into()),
            (":authority", self.authority.clone()),
            ("accept", self.accept.into()),
            ("accept-encoding", self.encoding.into()),
            ("user-agent", "api-load/1".into()),
        ]
    }

    fn longest(&self) -> usize {
        0
    }

    fn next(&self, out: &mut String, _: &mut BytesMut) -> bool {
        out.push_str(&path());
        self.numbers.next().is_some()
    }

    fn take(&self, _: u32, first: bool, piece: &[u8]) -> bool {
        self.bytes.fetch_add(piece.len() as u64, Ordering::Relaxed);
        // A refusal is short and has the kind Status; a list is of pods, its bytes may be compressed.
        !first || !piece.windows(8).take(64).any(|window| window == b"\"Status\"")
    }
}
