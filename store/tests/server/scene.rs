//! A server with a client: ours over each store, or a real etcd.

use crate::wire::*;
use futures::FutureExt;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tonic::transport::Channel;
use tonic::{Code, Status, Streaming};
use windlass_store::server::{EtcdServer, ServerOptions};
use windlass_store::{Backend, Embedded, EmbeddedOptions, Memory};

/// How long a case waits for what must come.
pub(crate) const DEADLINE: Duration = Duration::from_secs(10);

pub(crate) struct Scene {
    pub(crate) channel: Channel,
    pub(crate) kv: kv_client::KvClient<Channel>,
    pub(crate) port: u16,
    /// Of ours only.
    pub(crate) store: Option<Arc<dyn Backend>>,
    server: Server,
    _dir: tempfile::TempDir,
}

enum Server {
    Ours { stop: Option<oneshot::Sender<()>>, serving: JoinHandle<windlass_store::Result<()>> },
    Real(Child),
}

/// A stream of watches.
pub(crate) struct Watching {
    requests: mpsc::Sender<WatchRequest>,
    responses: Responses,
}

#[expect(clippy::large_enum_variant, reason = "there are few")]
enum Responses {
    Begun(JoinHandle<Streaming<WatchResponse>>),
    Open(Streaming<WatchResponse>),
}

/// Runs a case over every store, and against a real etcd if there is one.
pub(crate) async fn everywhere(case: impl AsyncFn(&mut Scene)) {
    ours(&case).await;
    match Scene::real().await {
        Some(mut scene) => case(&mut scene).await,
        None => eprintln!("no etcd: not compared"),
    }
}

/// Runs a case over every store.
pub(crate) async fn ours(case: impl AsyncFn(&mut Scene)) {
    for durable in [false, true] {
        let mut scene = Scene::start(durable, options()).await;
        case(&mut scene).await;
        scene.stop().await;
    }
}

pub(crate) fn options() -> ServerOptions {
    ServerOptions { progress_interval: Duration::from_millis(50), ..ServerOptions::default() }
}

// === impl Scene ===

impl Scene {
    pub(crate) async fn start(durable: bool, options: ServerOptions) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store: Arc<dyn Backend> = if durable {
            let store = Embedded::open(EmbeddedOptions::new(dir.path())).unwrap();
            tokio::spawn(store.expiry());
            Arc::new(store)
        } else {
            let store = Memory::new();
            tokio::spawn(store.expiry());
            Arc::new(store)
        };
        Self::serve(store, options, dir).await
    }

    pub(crate) async fn over(store: Arc<dyn Backend>) -> Self {
        Self::serve(store, options(), tempfile::tempdir().unwrap()).await
    }

    async fn serve(
        store: Arc<dyn Backend>,
        options: ServerOptions,
        dir: tempfile::TempDir,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (stop, stopped) = oneshot::channel();
        let server = EtcdServer::with_options(store.clone(), options);
        let serving = tokio::spawn(server.serve(listener, None, stopped.map(drop)));
        let server = Server::Ours { stop: Some(stop), serving };
        Self::connect(port, Some(store), server, dir).await
    }

    /// A real etcd; `None` where none is installed.
    async fn real() -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let free = || std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let (client, peer) = (free(), free());
        let [port, peer] = [client, peer].map(|l| l.local_addr().unwrap().port());
        let (client, peer) =
            (format!("http://127.0.0.1:{port}"), format!("http://127.0.0.1:{peer}"));
        let mut command = Command::new("etcd");
        command.arg("--data-dir").arg(dir.path().join("etcd"));
        command.args(["--listen-client-urls", &client, "--advertise-client-urls", &client]);
        command.args(["--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &peer]);
        command.args(["--initial-cluster", &format!("default={peer}")]);
        command.args(["--experimental-watch-progress-notify-interval", "100ms"]);
        command.args(["--heartbeat-interval", "10", "--election-timeout", "100"]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().ok()?;
        let log = BufReader::new(child.stderr.take().unwrap());
        let (ready, is_ready) = oneshot::channel();
        std::thread::spawn(move || {
            let mut ready = Some(ready);
            for line in log.lines().map_while(Result::ok) {
                if line.contains("ready to serve client requests")
                    || line.contains("serving client")
                {
                    ready.take().map(|ready| ready.send(()));
                }
            }
        });
        let server = Server::Real(child);
        tokio::time::timeout(DEADLINE, is_ready).await.expect("etcd starts").expect("etcd runs");
        Some(Self::connect(port, None, server, dir).await)
    }

    async fn connect(
        port: u16,
        store: Option<Arc<dyn Backend>>,
        server: Server,
        dir: tempfile::TempDir,
    ) -> Self {
        let endpoint = Channel::from_shared(format!("http://127.0.0.1:{port}")).unwrap();
        let channel = endpoint.connect().await.unwrap();
        let kv = kv_client::KvClient::new(channel.clone()).max_decoding_message_size(64 << 20);
        Self { channel, kv, port, store, server, _dir: dir }
    }

    /// Stops the server: it must end by itself.
    pub(crate) async fn stop(mut self) {
        self.begin_to_stop();
        drop((self.kv.clone(), self.channel.clone()));
        let Server::Ours { serving, .. } = &mut self.server else { return };
        tokio::time::timeout(DEADLINE, serving).await.expect("it ends").unwrap().unwrap();
    }

    pub(crate) fn begin_to_stop(&mut self) {
        if let Server::Ours { stop, .. } = &mut self.server {
            stop.take().map(|stop| stop.send(()));
        }
    }

    pub(crate) async fn put(&mut self, key: &'static str, value: &'static str) -> i64 {
        revision(&self.kv.put(put(key, value)).await.unwrap().into_inner().header)
    }

    pub(crate) async fn range(&mut self, request: RangeRequest) -> RangeResponse {
        self.kv.range(request).await.unwrap().into_inner()
    }

    /// The keys of a range, in short.
    pub(crate) async fn list(&mut self, request: RangeRequest) -> String {
        short(&self.range(request).await.kvs)
    }

    pub(crate) async fn txn(&mut self, request: TxnRequest) -> TxnResponse {
        self.kv.txn(request).await.unwrap().into_inner()
    }

    pub(crate) async fn compact(&mut self, revision: i64) -> Result<CompactionResponse, Status> {
        let request = CompactionRequest { revision, physical: true };
        self.kv.compact(request).await.map(tonic::Response::into_inner)
    }

    pub(crate) async fn watching(&self) -> Watching {
        let mut client = watch_client::WatchClient::new(self.channel.clone())
            .max_decoding_message_size(64 << 20);
        let (requests, stream) = mpsc::channel(16);
        let stream = futures::stream::unfold(stream, |mut stream| async move {
            stream.recv().await.map(|request| (request, stream))
        });
        // etcd sends its headers with the first response, which needs a request.
        let begun = tokio::spawn(async move { client.watch(stream).await.unwrap().into_inner() });
        Watching { requests, responses: Responses::Begun(begun) }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Self::Real(child) = self {
            // It may have ended already.
            child.kill().ok();
            child.wait().ok();
        }
    }
}

// === impl Watching ===

impl Watching {
    pub(crate) async fn send(&self, request: watch_request::RequestUnion) {
        self.requests.send(WatchRequest { request_union: Some(request) }).await.unwrap();
    }

    /// Starts a watch; the response that says so.
    pub(crate) async fn create(&mut self, request: WatchCreateRequest) -> WatchResponse {
        self.send(watch_request::RequestUnion::CreateRequest(request)).await;
        let response = self.next().await;
        assert!(response.created, "{response:?}");
        response
    }

    pub(crate) async fn next(&mut self) -> WatchResponse {
        self.next_result().await.unwrap().expect("the stream goes on")
    }

    pub(crate) async fn next_result(&mut self) -> Result<Option<WatchResponse>, Status> {
        let next = tokio::time::timeout(DEADLINE, self.responses.message());
        next.await.expect("the stream gives something in time")
    }

    /// The next events, in short.
    pub(crate) async fn events(&mut self) -> String {
        short_events(&self.next().await.events)
    }
}

// === impl Responses ===

impl Responses {
    async fn message(&mut self) -> Result<Option<WatchResponse>, Status> {
        if let Self::Begun(begun) = self {
            *self = Self::Open(begun.await.unwrap());
        }
        let Self::Open(stream) = self else { unreachable!("opened above") };
        stream.message().await
    }
}

/// The error must be this one, to the letter.
pub(crate) fn refused<T: std::fmt::Debug>(result: Result<T, Status>, code: Code, message: &str) {
    let status = result.expect_err("it is refused");
    assert_eq!((status.code(), status.message()), (code, message));
}
