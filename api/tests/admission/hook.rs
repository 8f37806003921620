//! A webhook on a socket.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use parking_lot::Mutex;
use serde_json::{Value, json};
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_util::task::AbortOnDropHandle;
use windlass_api::pki::{Authority, server_tls};

/// What it says to a review.
pub(crate) enum Answered {
    /// Nothing, ever.
    Hang,
    /// This.
    Body(StatusCode, Vec<u8>),
}

type Answer = dyn Fn(&Value) -> Answered + Send + Sync;

/// Answers reviews; ends when it is dropped.
pub(crate) struct Hook {
    pub(crate) url: String,
    pub(crate) ca_bundle: String,
    pub(crate) seen: Arc<Mutex<Vec<Value>>>,
    /// How many connections were opened.
    pub(crate) connections: Arc<AtomicUsize>,
    _serving: AbortOnDropHandle<()>,
}

impl Hook {
    pub(crate) async fn start(answer: impl Fn(&Value) -> Answered + Send + Sync + 'static) -> Self {
        let authority = Authority::ephemeral("ca", Timestamp::now()).expect("an authority");
        let own = authority
            .server("webhook", &["127.0.0.1".to_owned()], Timestamp::now())
            .expect("a certificate");
        let tls = server_tls(&own, authority.certificate(), false).expect("TLS");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("https://{}/review", listener.local_addr().expect("an address"));
        let (seen, connections) = (Arc::default(), Arc::default());
        let shared = Shared { seen: Arc::clone(&seen), answer: Arc::new(answer) };
        let accepting =
            accept(listener, TlsAcceptor::from(Arc::new(tls)), shared, Arc::clone(&connections));
        let serving = AbortOnDropHandle::new(tokio::spawn(accepting));
        let ca_bundle = STANDARD.encode(authority.certificate());
        Self { url, ca_bundle, seen, connections, _serving: serving }
    }

    /// One that says the same to all.
    pub(crate) async fn saying(response: Value) -> Self {
        Self::start(move |review| respond(review, &response)).await
    }

    /// A configuration that calls it for config maps, with more fields.
    pub(crate) fn webhook(&self, name: &str, more: Value) -> Value {
        let mut hook = json!({"name": name, "clientConfig": {"url": self.url, "caBundle": self.ca_bundle},
            "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["*"], "resources": ["configmaps"]}],
            "sideEffects": "None", "admissionReviewVersions": ["v1"], "timeoutSeconds": 1});
        let (Some(hook_map), Value::Object(more)) = (hook.as_object_mut(), more) else {
            panic!("objects")
        };
        hook_map.extend(more);
        hook
    }
}

/// An answer with this response.
pub(crate) fn respond(review: &Value, response: &Value) -> Answered {
    let mut response = response.clone();
    if response.get("uid").is_none() {
        response["uid"] = review["request"]["uid"].clone();
    }
    let answer =
        json!({"kind": review["kind"], "apiVersion": review["apiVersion"], "response": response});
    Answered::Body(StatusCode::OK, answer.to_string().into_bytes())
}

/// A yes with a patch.
pub(crate) fn patching(patch: &Value) -> Value {
    json!({"allowed": true, "patchType": "JSONPatch", "patch": STANDARD.encode(patch.to_string())})
}

#[derive(Clone)]
struct Shared {
    seen: Arc<Mutex<Vec<Value>>>,
    answer: Arc<Answer>,
}

async fn accept(
    listener: TcpListener,
    tls: TlsAcceptor,
    shared: Shared,
    connections: Arc<AtomicUsize>,
) {
    loop {
        let (stream, _) = listener.accept().await.expect("a connection");
        connections.fetch_add(1, Ordering::Relaxed);
        let (tls, shared) = (tls.clone(), shared.clone());
        tokio::spawn(async move {
            let Ok(stream) = tls.accept(stream).await else { return };
            let respond = service_fn(|request: Request<Incoming>| shared.clone().review(request));
            let serving = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), respond);
            serving.await.ok();
        });
    }
}

impl Shared {
    async fn review(self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
        let body = request.into_body().collect().await.expect("a body").to_bytes();
        let review: Value = serde_json::from_slice(&body).expect("JSON");
        let answered = (self.answer)(&review);
        self.seen.lock().push(review);
        match answered {
            Answered::Hang => std::future::pending().await,
            Answered::Body(code, body) => {
                let mut response = Response::new(Full::new(Bytes::from(body)));
                *response.status_mut() = code;
                Ok(response)
            }
        }
    }
}
