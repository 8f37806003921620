use super::*;
use crate::authentication::User;
use crate::authentication::tokens::{TokenAuthenticator, WebhookTokens};
use crate::pki::{Authority, kubeconfig, server_tls};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use jiff::Timestamp;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use windlass_core::client::ListOptions;
use windlass_core::request::{Target, parse};

/// A server that reviews, known by a certificate, and its kubeconfig. Only who shows one of its authority is answered.
struct Server {
    kubeconfig: String,
    asked: Arc<AtomicUsize>,
}

impl Server {
    async fn start(answer: fn(&Value) -> (StatusCode, String)) -> Self {
        let (authority, now) =
            (Authority::ephemeral("ca", Timestamp::now()).expect("one"), Timestamp::now());
        let own = authority.server("webhook", &["127.0.0.1".to_owned()], now).expect("signed");
        let tls = server_tls(&own, authority.certificate(), true).expect("TLS");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("https://{}/review/it", listener.local_addr().expect("bound"));
        let client = authority.client("apiserver", &[], now).expect("signed");
        let kubeconfig = kubeconfig(&url, authority.certificate(), "apiserver", &client);
        let asked = Arc::new(AtomicUsize::new(0));
        let (acceptor, count) = (TlsAcceptor::from(Arc::new(tls)), asked.clone());
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.expect("it goes on");
                let (acceptor, count) = (acceptor.clone(), count.clone());
                tokio::spawn(async move {
                    let stream = acceptor.accept(stream).await.expect("a certificate");
                    let service = hyper::service::service_fn(move |request: Request<Incoming>| {
                        count.fetch_add(1, Ordering::SeqCst);
                        async move {
                            assert_eq!(request.uri().path(), "/review/it");
                            let body =
                                request.into_body().collect().await.expect("whole").to_bytes();
                            let (code, text) =
                                answer(&serde_json::from_slice(&body).expect("JSON"));
                            let mut response = Response::new(Full::new(Bytes::from(text)));
                            *response.status_mut() = code;
                            Ok::<_, Infallible>(response)
                        }
                    });
                    let builder =
                        hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
                    // Ends with the client.
                    builder.serve_connection(TokioIo::new(stream), service).await.ok();
                });
            }
        });
        Self { kubeconfig, asked }
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

/// Allows ann to list pods, denies eve everything, has no opinion of others, and is broken for bob.
fn decide(review: &Value) -> (StatusCode, String) {
    let about = &review["spec"]["resourceAttributes"];
    let status = match review["spec"]["user"].as_str().expect("a user") {
        "ann"
            if about["resource"] == "pods"
                && about["verb"] == "list"
                && about["namespace"] == "a" =>
        {
            json!({"allowed": true, "reason": "she may"})
        }
        "ann" if review["spec"]["nonResourceAttributes"]["path"] == "/metrics" => {
            json!({"allowed": true})
        }
        // Asked with selectors he is told what was understood.
        "sam" => {
            let told = json!([about["fieldSelector"], about["labelSelector"]]);
            json!({"allowed": false, "reason": told.to_string()})
        }
        "eve" => json!({"allowed": false, "denied": true, "reason": "never"}),
        "both" => json!({"allowed": true, "denied": true}),
        "bob" => return (StatusCode::OK, "rubbish".into()),
        "joe" => return (StatusCode::FORBIDDEN, String::new()),
        _ => json!({"allowed": false, "reason": "who?"}),
    };
    (StatusCode::OK, json!({"kind": "SubjectAccessReview", "status": status}).to_string())
}

async fn ask(authorizer: &WebhookAuthorizer, name: &str, path: &str) -> Decision {
    let (path, query) = path.split_once('?').map_or((path, None), |(p, q)| (p, Some(q)));
    let (user, info) = (User::new(name, ["devs"]), parse(&http::Method::GET, path, query));
    let resource = match &info.target {
        Target::Resource(target) => Some(target),
        Target::Path => None,
    };
    let list = ListOptions::from_query(&info.query).expect("a query");
    let selectors = Selectors::parse(&list.field_selector, &list.label_selector);
    let (verb, path, selectors) = (info.verb.as_str(), info.path.as_str(), selectors.as_ref());
    let attributes = Attributes { user: &user, verb, resource, path, selectors };
    authorizer.authorize(&attributes).await
}

#[tokio::test]
async fn another_server_decides_and_is_not_asked_twice() {
    let server = Server::start(decide).await;
    let authorizer =
        WebhookAuthorizer::from_kubeconfig(&server.kubeconfig, WebhookOptions::default());
    let authorizer = authorizer.await.expect("usable");
    let pods = "/api/v1/namespaces/a/pods";
    for (name, path, expected, asked) in [
        ("ann", pods, Decision::Allow("she may".into()), 1),
        ("ann", pods, Decision::Allow("she may".into()), 1),
        ("ann", "/api/v1/namespaces/b/pods", Decision::NoOpinion("who?".into()), 2),
        ("ann", "/metrics", Decision::allow(), 3),
        ("eve", pods, Decision::Deny("never".into()), 4),
        ("eve", pods, Decision::Deny("never".into()), 4),
        ("bob", pods, Decision::NoOpinion(String::new()), 5),
        ("bob", pods, Decision::NoOpinion(String::new()), 6),
        ("joe", pods, Decision::NoOpinion(String::new()), 7),
    ] {
        assert_eq!(ask(&authorizer, name, path).await, expected, "{name} {path}");
        assert_eq!(server.asked(), asked, "{name} {path}");
    }
    assert!(matches!(ask(&authorizer, "both", pods).await, Decision::Deny(_)));
}

/// Knows the token `t` for `us`, says that `bad` is wrong, and nothing of others.
fn know(review: &Value) -> (StatusCode, String) {
    let status = match review["spec"]["token"].as_str().expect("a token") {
        "t" => {
            json!({"authenticated": true, "audiences": ["us"], "user": {"username": "ann", "uid": "7",
            "groups": ["devs"], "extra": {"k": ["v"]}}})
        }
        "plain" => json!({"authenticated": true, "user": {"username": "bob"}}),
        "bad" => json!({"authenticated": false, "error": "revoked"}),
        "nobody" => json!({"authenticated": true, "user": {}}),
        _ => json!({"authenticated": false}),
    };
    (StatusCode::OK, json!({"kind": "TokenReview", "status": status}).to_string())
}

#[tokio::test]
async fn another_server_knows_tokens() {
    let server = Server::start(know).await;
    let tokens = WebhookTokens::from_kubeconfig(&server.kubeconfig, vec!["us".into()]).await;
    let tokens = tokens.expect("usable");
    let known = tokens.authenticate("t", &[]).await.expect("asked").expect("known");
    assert_eq!((known.user.name.as_str(), known.user.uid.as_str()), ("ann", "7"));
    assert_eq!(
        (known.user.extra["k"].as_slice(), known.audiences),
        (&["v".to_owned()][..], vec!["us".to_owned()])
    );
    assert!(tokens.authenticate("plain", &[]).await.expect("asked").is_some());
    assert!(tokens.authenticate("t", &["them"]).await.is_err(), "meant for others");
    assert!(tokens.authenticate("bad", &[]).await.is_err());
    assert!(tokens.authenticate("nobody", &[]).await.is_err());
    assert_eq!(tokens.authenticate("x", &[]).await.expect("asked"), None);
    assert!(WebhookTokens::from_kubeconfig("rubbish", vec![]).await.is_err());
}

#[tokio::test]
async fn it_is_told_of_selectors() {
    let server = Server::start(decide).await;
    let authorizer =
        WebhookAuthorizer::from_kubeconfig(&server.kubeconfig, WebhookOptions::default());
    let authorizer = authorizer.await.expect("usable");
    let told = async |query: &str| {
        let path = format!("/api/v1/namespaces/a/pods{query}");
        serde_json::from_str::<Value>(ask(&authorizer, "sam", &path).await.reason()).expect("JSON")
    };
    assert_eq!(told("").await, json!([null, null]));
    let fields = json!({"requirements": [
        {"key": "spec.nodeName", "operator": "In", "values": ["n"]},
        {"key": "status.phase", "operator": "NotIn", "values": ["Failed"]}]});
    let labels = json!({"requirements": [{"key": "a", "operator": "In", "values": ["b", "c"]},
        {"key": "d", "operator": "DoesNotExist"}]});
    let query =
        "?fieldSelector=spec.nodeName%3Dn,status.phase!%3DFailed&labelSelector=a+in+(b,c),!d,e%3E1";
    assert_eq!(told(query).await, json!([fields, labels]));
}

#[tokio::test]
async fn it_is_asked_about_what_its_conditions_hold_for() {
    let server = Server::start(decide).await;
    let of = async |text: &str, deny: bool| {
        let mut conditions = Conditions::default();
        conditions.add(text).expect("a condition");
        let conditions = Arc::new(conditions);
        let options = WebhookOptions { conditions, deny, ..WebhookOptions::default() };
        WebhookAuthorizer::from_kubeconfig(&server.kubeconfig, options).await.expect("usable")
    };
    let nothing = Decision::NoOpinion(String::new());
    let in_a = "has(request.resourceAttributes) && request.resourceAttributes.namespace == 'a' && request.resourceAttributes.name == ''";
    let authorizer = of(in_a, true).await;
    assert!(ask(&authorizer, "ann", "/api/v1/namespaces/a/pods").await.is_allowed());
    assert_eq!(server.asked(), 1);
    for path in ["/api/v1/namespaces/b/pods", "/api/v1/namespaces/a/pods/p", "/metrics"] {
        assert_eq!(ask(&authorizer, "ann", path).await, nothing, "{path}");
    }
    assert_eq!(server.asked(), 1, "it was not asked");
    let broken = "request.resourceAttributes.namespace == 'a'";
    assert_eq!(ask(&of(broken, false).await, "ann", "/metrics").await, nothing);
    let refused = Decision::Deny(String::new());
    assert_eq!(ask(&of(broken, true).await, "ann", "/metrics").await, refused);
    assert_eq!(ask(&of("true", true).await, "joe", "/metrics").await, refused, "no answer");
}
