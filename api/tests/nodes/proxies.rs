//! `services/proxy`, `nodes/proxy`, `pods/proxy`.

use crate::agent::Agent;
use crate::cluster::{Cluster, get, read};
use crate::pod::PodServer;
use crate::upgrades::{talk, upgrade, upgraded};
use http::{Method, Request};
use serde_json::{Value, json};
use windlass_core::client::Key;
use windlass_core::meta::Reason;
use windlass_core::scheme::{ENDPOINTSLICES, SERVICES};

const SERVICE: &str = "/api/v1/namespaces/default/services";

/// The service `web` before a pod, and `idle` before none.
async fn started() -> (Cluster, PodServer) {
    let cluster = Cluster::start().await;
    let server = PodServer::start().await;
    cluster.pod("web-0", None, &["c"]).await;
    for name in ["web", "idle"] {
        let port = json!({"name": "http", "port": 80});
        let service = json!({"spec": {"ports": [port], "clusterIP": "None"}});
        cluster.make(Key::new(SERVICES, "default", name), service).await;
    }
    let endpoint = |address: &str, pod: &str, ready: bool| {
        json!({
            "addresses": [address],
            "conditions": {"ready": ready},
            "targetRef": {"kind": "Pod", "namespace": "default", "name": pod},
        })
    };
    let slice = json!({
        "metadata": {"labels": {"kubernetes.io/service-name": "web"}},
        "addressType": "IPv4",
        "endpoints": [
            endpoint("127.0.0.9", "web-0", true),
            endpoint("127.0.0.1", "gone", true),
            endpoint("127.0.0.1", "web-0", true),
        ],
        "ports": [{"name": "http", "port": server.address.port(), "protocol": "TCP"}],
    });
    cluster.make(Key::new(ENDPOINTSLICES, "default", "web-1"), slice).await;
    (cluster, server)
}

#[tokio::test]
async fn requests_and_answers_pass_whole() {
    let (cluster, _server) = started().await;
    for port in ["80", "http"] {
        let request = Request::put(format!("{SERVICE}/web:{port}/proxy/a%20b/?q=1&q=2"))
            .header("x-own", "kept")
            .header("authorization", "Bearer secret")
            .header("impersonate-user", "ann")
            .header("connection", "x-near")
            .header("x-near", "not for you")
            .body("some".to_owned())
            .expect("a request");
        let response = cluster.send(request).await;
        assert_eq!(response.headers()["x-own"], "kept");
        assert!(!response.headers().contains_key("access-control-allow-origin"));
        let (code, body) = read(response).await;
        let told: Value = serde_json::from_str(&body).expect("JSON");
        assert_eq!(code, 418);
        assert_eq!(told["method"], "PUT");
        assert_eq!(told["uri"], "/a%20b/?q=1&q=2");
        assert_eq!(told["body"], "some");
        let headers = &told["headers"];
        assert_eq!(headers["x-own"], "kept");
        let uri = format!("{SERVICE}/web:{port}/proxy/a%20b/");
        assert_eq!(headers["x-forwarded-uri"], uri);
        assert_eq!(headers["x-forwarded-host"], headers["host"]);
        for hidden in ["authorization", "impersonate-user", "x-near", "connection"] {
            assert!(headers.get(hidden).is_none(), "{hidden}");
        }
    }
}

#[tokio::test]
async fn moved_is_moved_within_the_proxy() {
    let (cluster, _server) = started().await;
    let response = cluster.send(get(&format!("{SERVICE}/web:80/proxy/moved"))).await;
    assert_eq!(response.status(), 302);
    assert_eq!(response.headers()["location"], format!("{SERVICE}/web:80/proxy/to?a=b"));
    let response = cluster.send(get(&format!("{SERVICE}/web:80/proxy?x=y"))).await;
    assert_eq!(response.status(), 301);
    assert_eq!(response.headers()["location"], format!("{SERVICE}/web:80/proxy/?x=y"));
}

#[tokio::test]
async fn upgrades_are_tunneled() {
    let (cluster, _server) = started().await;
    let path = format!("{SERVICE}/web:80/proxy/echo");
    let mut response = cluster.send(upgrade(Method::GET, &path, "chat")).await;
    assert_eq!(response.headers()["upgrade"], "chat");
    talk(&mut upgraded(&mut response).await).await;
}

#[tokio::test]
async fn https_to_pods_takes_any_certificate() {
    let (cluster, _server) = started().await;
    let server = PodServer::start_tls().await;
    let spec = json!({"ports": [{"port": 443}], "clusterIP": "None"});
    cluster.make(Key::new(SERVICES, "default", "safe"), json!({"spec": spec})).await;
    let slice = json!({
        "metadata": {"labels": {"kubernetes.io/service-name": "safe"}},
        "addressType": "IPv4",
        "endpoints": [{"addresses": ["127.0.0.1"], "targetRef": {"kind": "Pod", "name": "web-0"}}],
        "ports": [{"port": server.address.port()}],
    });
    cluster.make(Key::new(ENDPOINTSLICES, "default", "safe-1"), slice).await;
    let (code, told) = cluster.get(&format!("{SERVICE}/https:safe:443/proxy/x")).await;
    assert_eq!(code, 418, "{told}");
    let plain = cluster.refused(get(&format!("{SERVICE}/safe:443/proxy/x"))).await;
    assert_eq!(plain.code, 503);
}

#[tokio::test]
async fn services_without_endpoints_are_unavailable() {
    let (cluster, server) = started().await;
    let missing = cluster.refused(get(&format!("{SERVICE}/none/proxy/"))).await;
    assert_eq!(missing.reason, Reason::NotFound);
    for (path, message) in [
        ("idle:80", "no endpoints available for service \"idle\""),
        ("web:81", "no service port 81 found for service \"web\""),
        ("web:other", "no endpoints available for service \"web\""),
    ] {
        let status = cluster.refused(get(&format!("{SERVICE}/{path}/proxy/"))).await;
        assert_eq!((status.code, status.message.as_str()), (503, message));
    }
    let bad = cluster.refused(get(&format!("{SERVICE}/ftp:web:80/proxy/"))).await;
    assert_eq!((bad.code, bad.message.as_str()), (400, "invalid service request \"ftp:web:80\""));
    server.stop().await;
    let status = cluster.refused(get(&format!("{SERVICE}/web:80/proxy/"))).await;
    assert_eq!(status.code, 503);
    let start = "error trying to reach service: error dialing backend: ";
    assert!(status.message.starts_with(start), "{}", status.message);
}

#[tokio::test]
async fn nodes_are_their_agents() {
    let (cluster, server) = started().await;
    let mut agent = Agent::start(&cluster.authority, &cluster.authority).await;
    cluster.node("n1", agent.address).await;
    let port = agent.address.port();
    for name in ["n1".to_owned(), format!("n1:{port}"), format!("https:n1:{port}")] {
        let shown = cluster.get(&format!("/api/v1/nodes/{name}/proxy/metrics")).await;
        assert_eq!(shown, (200, "up 1\n".into()), "{name}");
        let asked = agent.asked.recv().await.expect("it was asked");
        assert_eq!(asked.headers()["host"], agent.address.to_string());
    }
    let missing = cluster.get("/api/v1/nodes/n1/proxy/none").await;
    assert_eq!(missing, (404, "404 page not found\n".into()));
    let other = format!("/api/v1/nodes/n1:{}/proxy/", server.address.port());
    let refused = cluster.refused(get(&other)).await;
    assert_eq!((refused.code, refused.message.as_str()), (400, "address not allowed"));
}

#[tokio::test]
async fn pods_on_the_servers_own_address_are_not_reached() {
    let (cluster, server) = started().await;
    let port = server.address.port();
    let path = format!("/api/v1/namespaces/default/pods/web-0:{port}/proxy/");
    let refused = cluster.refused(get(&path)).await;
    assert_eq!((refused.code, refused.message.as_str()), (400, "address not allowed"));
}
