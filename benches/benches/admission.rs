//! What webhooks and policies add to a write: a webhook its round trip, a policy some microseconds.

#![allow(missing_docs, reason = "criterion's macros make public functions")]

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use criterion::{Criterion, criterion_group, criterion_main};
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::{TlsAcceptor, TlsConnector};
use windlass_api::admission::{ValidatingPolicies, ValidatingWebhooks};
use windlass_api::authentication::User;
use windlass_api::authorization::AlwaysAllow;
use windlass_api::local::LocalClient;
use windlass_api::pki::{Authority, client_tls, server_tls};
use windlass_api::server::ApiServer;
use windlass_benches::config_map;
use windlass_core::client::{ClientExt, Key, WriteOptions, Writer};
use windlass_core::scheme::{self, GroupVersionResource};

/// A server on which config maps are written that are not kept.
async fn server() -> LocalClient {
    let allow = Arc::new(AlwaysAllow);
    let (hooks, policies) = (allow.clone(), allow);
    let server = ApiServer::builder()
        .admission_with(move |objects| Arc::new(ValidatingWebhooks::new(objects, hooks)))
        .admission_with(move |objects| Arc::new(ValidatingPolicies::new(objects, policies)))
        .build()
        .await
        .expect("a server");
    let client = LocalClient::new(server, User::admin());
    make(&client, scheme::NAMESPACES, json!({"metadata": {"name": "default"}})).await;
    client
}

async fn make(client: &LocalClient, resource: GroupVersionResource, object: Value) {
    client.create_from(&Key::cluster(resource, ""), &object).await.expect("made");
}

async fn write(client: &LocalClient, name: &str) -> bool {
    let key = Key::new(scheme::CONFIGMAPS, "default", name);
    let options = WriteOptions { dry_run: true, ..WriteOptions::default() };
    client.create(&key, config_map(name), &options).await.is_ok()
}

/// Writes what is refused until it is: what was made last is in force then.
async fn in_force(client: &LocalClient) {
    while write(client, "refused").await {
        tokio::task::yield_now().await;
    }
}

/// Says yes to every review but those of objects that are called `refused`.
async fn echo(listener: TcpListener, tls: TlsAcceptor) {
    loop {
        let (stream, _) = listener.accept().await.expect("a connection");
        stream.set_nodelay(true).expect("a socket");
        let tls = tls.clone();
        tokio::spawn(async move {
            let Ok(stream) = tls.accept(stream).await else { return };
            let serving = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service_fn(answer));
            serving.await.ok();
        });
    }
}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let body = request.into_body().collect().await.expect("a body").to_bytes();
    let text = std::str::from_utf8(&body).expect("JSON");
    let uid = text.split("\"uid\":\"").nth(1).and_then(|rest| rest.split('"').next());
    let allowed = !text.contains("\"name\":\"refused\"");
    let answer = json!({"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1",
        "response": {"uid": uid.unwrap_or_default(), "allowed": allowed}});
    Ok(Response::new(Full::new(Bytes::from(answer.to_string()))))
}

/// Where the echo is, and who signed its certificate.
async fn start_echo() -> (SocketAddr, String) {
    let authority = Authority::ephemeral("ca", Timestamp::now()).expect("an authority");
    let names = ["127.0.0.1".to_owned()];
    let own = authority.server("echo", &names, Timestamp::now()).expect("a certificate");
    let tls = server_tls(&own, authority.certificate(), false).expect("TLS");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(echo(listener, TlsAcceptor::from(Arc::new(tls))));
    (address, authority.certificate().to_owned())
}

/// A bare connection to it.
async fn connect(address: SocketAddr, authority: &str) -> SendRequest<Full<Bytes>> {
    let tls = TlsConnector::from(Arc::new(client_tls(authority).expect("TLS")));
    let stream = TcpStream::connect(address).await.expect("a connection");
    stream.set_nodelay(true).expect("a socket");
    let name = ServerName::try_from("127.0.0.1").expect("a name");
    let stream = tls.connect(name, stream).await.expect("TLS");
    let (sender, connection) = handshake(TokioIo::new(stream)).await.expect("HTTP");
    tokio::spawn(connection);
    sender
}

async fn round_trip(sender: &mut SendRequest<Full<Bytes>>, body: Bytes) {
    let request = Request::post("/").header("host", "127.0.0.1").body(Full::new(body));
    sender.ready().await.expect("open");
    let answer = sender.send_request(request.expect("a request")).await.expect("an answer");
    answer.into_body().collect().await.expect("a body");
}

fn rules() -> Value {
    json!([{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["configmaps"]}])
}

fn bench(c: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let mut group = c.benchmark_group("admission");
    let plain = runtime.block_on(server());
    group.bench_function("nothing is called", |b| {
        b.iter(|| runtime.block_on(write(&plain, "a")));
    });

    let ruled = runtime.block_on(async {
        let client = server().await;
        let policy = json!({"metadata": {"name": "p"}, "spec": {
            "matchConstraints": {"resourceRules": rules()},
            "variables": [{"name": "size", "expression": "object.data.map(key, object.data[key].size()).sum()"}],
            "validations": [{"expression": "variables.size < 100000 && object.metadata.name != 'refused'"},
                {"expression": "request.userInfo.username.startsWith('system:')"}]}});
        make(&client, scheme::VALIDATINGADMISSIONPOLICIES, policy).await;
        let spec = json!({"policyName": "p", "validationActions": ["Deny"]});
        let binding = json!({"metadata": {"name": "b"}, "spec": spec});
        make(&client, scheme::VALIDATINGADMISSIONPOLICYBINDINGS, binding).await;
        in_force(&client).await;
        client
    });
    group.bench_function("a policy with two validations", |b| {
        b.iter(|| runtime.block_on(write(&ruled, "a")));
    });

    let (address, authority) = runtime.block_on(start_echo());
    let hooked = runtime.block_on(async {
        let client = server().await;
        let config = json!({"url": format!("https://{address}/"), "caBundle": STANDARD.encode(&authority)});
        let hook = json!({"name": "echo.admission.example", "clientConfig": config, "rules": rules(),
            "sideEffects": "None", "admissionReviewVersions": ["v1"]});
        let object = json!({"metadata": {"name": "w"}, "webhooks": [hook]});
        make(&client, scheme::VALIDATINGWEBHOOKCONFIGURATIONS, object).await;
        in_force(&client).await;
        client
    });
    group.bench_function("a webhook on this machine", |b| {
        b.iter(|| runtime.block_on(write(&hooked, "a")));
    });

    let mut sender = runtime.block_on(connect(address, &authority));
    let body = Bytes::from(vec![b' '; 2048]);
    group.bench_function("the bare round trip to it", |b| {
        b.iter(|| runtime.block_on(round_trip(&mut sender, body.clone())));
    });
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
