//! A conversion webhook on a real socket with TLS.

use super::*;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use parking_lot::Mutex;
use std::convert::Infallible;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_util::task::AbortOnDropHandle;
use windlass_api::pki::{Authority, server_tls};

/// Answers reviews; ends when it is dropped.
struct Webhook {
    url: String,
    ca_bundle: String,
    seen: Arc<Mutex<Vec<Value>>>,
    _serving: AbortOnDropHandle<()>,
}

type Answer = fn(&Value) -> Value;

impl Webhook {
    async fn start(answer: Answer) -> Self {
        let authority = Authority::ephemeral("ca", Timestamp::now()).expect("an authority");
        let own = authority
            .server("webhook", &["127.0.0.1".to_owned()], Timestamp::now())
            .expect("a certificate");
        let tls = server_tls(&own, authority.certificate(), false).expect("TLS");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("https://{}/convert", listener.local_addr().expect("an address"));
        let seen = Arc::new(Mutex::new(Vec::new()));
        let serving =
            tokio::spawn(serve(listener, TlsAcceptor::from(Arc::new(tls)), seen.clone(), answer));
        let ca_bundle = STANDARD.encode(authority.certificate());
        Self { url, ca_bundle, seen, _serving: AbortOnDropHandle::new(serving) }
    }

    /// Cars whose colour is called paint in the old version.
    fn cars(&self) -> Value {
        let mut definition = versions::old_cars();
        for version in &mut definition["spec"]["versions"].as_array_mut().expect("versions")[1..] {
            version["schema"]["openAPIV3Schema"] = json!({"type": "object", "properties": {
                "spec": {"type": "object", "properties": {"paint": {"type": "string"}}},
                "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}});
            version["selectableFields"] = json!([{"jsonPath": ".spec.paint"}]);
            version["additionalPrinterColumns"] = json!([]);
            version["subresources"] = json!({"status": {}});
        }
        definition["spec"]["conversion"] = json!({"strategy": "Webhook", "webhook": {
            "conversionReviewVersions": ["v1"],
            "clientConfig": {"url": self.url, "caBundle": self.ca_bundle}}});
        definition
    }
}

async fn serve(
    listener: TcpListener,
    tls: TlsAcceptor,
    seen: Arc<Mutex<Vec<Value>>>,
    answer: Answer,
) {
    loop {
        let (stream, _) = listener.accept().await.expect("a connection");
        let (tls, seen) = (tls.clone(), seen.clone());
        tokio::spawn(async move {
            let Ok(stream) = tls.accept(stream).await else { return };
            let respond = service_fn(move |request: Request<Incoming>| {
                let seen = seen.clone();
                async move {
                    let body = request.into_body().collect().await.expect("a body").to_bytes();
                    let review: Value = serde_json::from_slice(&body).expect("JSON");
                    let answered = answer(&review);
                    seen.lock().push(review);
                    Ok::<_, Infallible>(Response::new(Full::new(Bytes::from(answered.to_string()))))
                }
            });
            let serving = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), respond);
            serving.await.ok();
        });
    }
}

fn convert(review: &Value) -> Value {
    let request = &review["request"];
    let (from, to) = match request["desiredAPIVersion"].as_str() {
        Some("example.com/v1") => ("paint", "color"),
        _ => ("color", "paint"),
    };
    let mut objects = request["objects"].clone();
    for object in objects.as_array_mut().expect("objects") {
        object["apiVersion"] = request["desiredAPIVersion"].clone();
        let spec = object["spec"].as_object_mut().expect("a spec");
        if let Some(value) = spec.remove(from) {
            spec.insert(to.into(), value);
        }
    }
    json!({"kind": review["kind"], "apiVersion": review["apiVersion"], "response": {
        "uid": request["uid"], "result": {"status": "Success"}, "convertedObjects": objects}})
}

const BETA: &str = "/apis/example.com/v1beta1/namespaces/default/cars";

#[tokio::test]
async fn a_webhook_converts_both_ways() {
    let (http, webhook) = (Http::start().await, Webhook::start(convert).await);
    define(&http, &webhook.cars()).await;
    http.post(CARS, &car("new", json!({"color": "red"}))).await;
    assert!(webhook.seen.lock().is_empty(), "what is stored as it was sent needs no conversion");
    let mut old = car("old", json!({"paint": "blue"}));
    old["apiVersion"] = json!("example.com/v1beta1");
    assert_eq!(http.post(BETA, &old).await["spec"], json!({"paint": "blue"}));
    assert_eq!(http.get(&format!("{CARS}/old")).await.json()["spec"]["color"], "blue");
    webhook.seen.lock().clear();
    let list = http.get(BETA).await.json();
    let paints: Vec<_> = list["items"]
        .as_array()
        .expect("items")
        .iter()
        .map(|car| car["spec"]["paint"].clone())
        .collect();
    assert_eq!(paints, [json!("red"), json!("blue")]);
    let review = webhook.seen.lock().pop().expect("one review");
    assert_eq!(review["request"]["objects"].as_array().map(Vec::len), Some(2), "all in one review");
    let patched =
        http.patch(&format!("{BETA}/old"), MERGE, &json!({"spec": {"paint": "green"}})).await;
    assert_eq!(patched.json()["spec"], json!({"paint": "green"}), "{}", patched.text());
    let selected = http.get(&format!("{BETA}?fieldSelector=spec.paint%3Dgreen")).await.json();
    assert_eq!(selected["items"].as_array().map(Vec::len), Some(1), "{selected}");
    assert_eq!(http.get(&format!("{CARS}/old")).await.json()["spec"]["color"], "green");
}

fn refuse(review: &Value) -> Value {
    json!({"kind": review["kind"], "apiVersion": review["apiVersion"],
    "response": {"uid": review["request"]["uid"], "result": {"status": "Failed", "message": "no paint left"}}})
}

#[tokio::test]
async fn a_watch_ends_with_the_first_conversion_that_fails() {
    let (http, webhook) = (Http::start().await, Webhook::start(refuse).await);
    define(&http, &webhook.cars()).await;
    http.post(CARS, &car("a", json!({"color": "red"}))).await;
    let answer = http.send(Request::get(format!("{BETA}?watch=true")), Bytes::new()).await;
    let whole = tokio::time::timeout(DEADLINE, answer.into_body().collect()).await;
    let whole = whole.expect("it ends").expect("it is whole").to_bytes();
    let text = String::from_utf8_lossy(&whole);
    assert!(text.starts_with("{\"type\":\"ERROR\"") && text.contains("no paint left"), "{text}");
}

#[tokio::test]
async fn a_webhook_that_fails_is_told_of() {
    let (http, webhook) = (Http::start().await, Webhook::start(refuse).await);
    define(&http, &webhook.cars()).await;
    http.post(CARS, &car("a", json!({"color": "red"}))).await;
    let (code, text) = message(&http.get(&format!("{BETA}/a")).await);
    assert_eq!(code, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(text, "conversion webhook for example.com/v1, Kind=Car failed: no paint left");
}

#[tokio::test]
async fn only_the_webhook_that_is_meant_is_trusted() {
    let (http, webhook) = (Http::start().await, Webhook::start(convert).await);
    let mut definition = webhook.cars();
    let other = Authority::ephemeral("other", Timestamp::now()).expect("an authority");
    definition["spec"]["conversion"]["webhook"]["clientConfig"]["caBundle"] =
        json!(STANDARD.encode(other.certificate()));
    define(&http, &definition).await;
    http.post(CARS, &car("a", json!({"color": "red"}))).await;
    let (_, text) = message(&http.get(&format!("{BETA}/a")).await);
    assert!(
        text.starts_with(&format!(
            "conversion webhook for example.com/v1, Kind=Car failed: Post \"{}?timeout=30s\": ",
            webhook.url
        )),
        "{text}"
    );
    assert!(webhook.seen.lock().is_empty());
}
