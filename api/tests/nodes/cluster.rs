//! A server on a socket, and objects in it.

use crate::soon;
use bytes::Bytes;
use http::header::HOST;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::DropGuard;
use windlass_api::authentication::User;
use windlass_api::local::LocalClient;
use windlass_api::nodes::{NodeClient, connects};
use windlass_api::pki::{Authority, CertificateResolver};
use windlass_api::server::{ApiServer, ServeOptions};
use windlass_api::strategy::Strategy;
use windlass_core::client::{ClientExt, Key, Patch, PatchType, WriteOptions, Writer};
use windlass_core::component::Shutdown;
use windlass_core::meta::Status;
use windlass_core::scheme::{self, Scheme};

pub(crate) struct Cluster {
    pub(crate) authority: Authority,
    address: SocketAddr,
    admin: LocalClient,
    _running: DropGuard,
}

/// The address of no endpoint may be the machine's own; here they have to be.
struct AnyEndpoints;

impl Strategy for AnyEndpoints {}

impl Cluster {
    pub(crate) async fn start() -> Self {
        let authority = Authority::ephemeral("ca", Timestamp::now()).expect("an authority");
        let own = authority.client("apiserver", &["system:masters"], Timestamp::now());
        let own = CertificateResolver::new(&own.expect("signed")).expect("usable");
        let nodes = NodeClient::new(&own, authority.certificate());
        let slices = Scheme::builtin().by_gvr(&scheme::ENDPOINTSLICES).expect("known").clone();
        let others = Scheme::builtin().iter().filter(|info| info.gvr != slices.gvr).cloned();
        let builder = ApiServer::builder().resources(others);
        let builder = builder.resource(slices, Arc::new(AnyEndpoints));
        let builder = connects(nodes.expect("a client"))
            .into_iter()
            .fold(builder, |builder, (gvr, name, connect)| builder.connect(gvr, name, connect));
        let server = builder.build().await.expect("a server");
        let admin = LocalClient::new(server.clone(), User::admin());
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        let shutdown = Shutdown::new();
        tokio::spawn(server.serve(listener, ServeOptions::default(), shutdown.clone()));
        let cluster = Self { authority, address, admin, _running: shutdown.drop_guard() };
        cluster.make(Key::cluster(scheme::NAMESPACES, "default"), json!({})).await;
        cluster
    }

    pub(crate) async fn make(&self, key: Key, mut object: Value) {
        object["metadata"]["name"] = key.name.clone().into();
        let collection = Key { name: String::new(), ..key.clone() };
        self.admin.create_from(&collection, &object).await.expect("it is made");
        if let Some(status) = object.get("status") {
            let body = json!({"status": status}).to_string().into();
            let patch = Patch { kind: PatchType::Merge, body };
            let status = key.subresource("status");
            let patched = self.admin.patch(&status, patch, &WriteOptions::default()).await;
            patched.expect("it has a status");
        }
    }

    /// A node with an agent at this address.
    pub(crate) async fn node(&self, name: &str, agent: SocketAddr) {
        let status = json!({
            "addresses": [
                {"type": "Hostname", "address": "no-such-host.invalid"},
                {"type": "InternalIP", "address": agent.ip()},
            ],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": agent.port()}},
        });
        self.make(Key::cluster(scheme::NODES, name), json!({"status": status})).await;
    }

    /// A pod with these containers.
    pub(crate) async fn pod(&self, name: &str, node: Option<&str>, containers: &[&str]) {
        let containers: Vec<_> =
            containers.iter().map(|name| json!({"name": name, "image": "x"})).collect();
        let mut spec = json!({"containers": containers});
        if let Some(node) = node {
            spec["nodeName"] = node.into();
        }
        let status = json!({"podIP": "127.0.0.1", "podIPs": [{"ip": "127.0.0.1"}]});
        let key = Key::new(scheme::PODS, "default", name);
        self.make(key, json!({"spec": spec, "status": status})).await;
    }

    /// Sends a request on a connection of its own.
    pub(crate) async fn send(&self, mut request: Request<String>) -> Response<Incoming> {
        let stream = soon(TcpStream::connect(self.address)).await.expect("it listens");
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.expect("it is ready");
        tokio::spawn(connection.with_upgrades());
        let host = self.address.to_string().parse().expect("a value");
        request.headers_mut().insert(HOST, host);
        let request = request.map(|body| Full::new(Bytes::from(body)));
        soon(sender.send_request(request)).await.expect("it answers")
    }

    /// What a path shows, with the code.
    pub(crate) async fn get(&self, path: &str) -> (u16, String) {
        let request = Request::get(path).body(String::new()).expect("a request");
        read(self.send(request).await).await
    }

    /// The Status that a request is refused with.
    pub(crate) async fn refused(&self, request: Request<String>) -> Status {
        let (code, body) = read(self.send(request).await).await;
        let status: Status = serde_json::from_str(&body).expect("a Status");
        assert_eq!((status.status.as_str(), status.code), ("Failure", code), "{body}");
        status
    }
}

pub(crate) async fn read(response: Response<Incoming>) -> (u16, String) {
    let code = response.status().as_u16();
    let body = soon(response.into_body().collect()).await.expect("it is whole").to_bytes();
    (code, String::from_utf8(body.to_vec()).expect("text"))
}

pub(crate) fn get(path: &str) -> Request<String> {
    Request::get(path).body(String::new()).expect("a request")
}
