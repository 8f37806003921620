use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use std::net::SocketAddr;
use std::time::Duration;

use super::http::{bind, serve};
use super::*;
use crate::metrics::{Metrics, Sync};
use prometheus_client::registry::Registry;

async fn request(address: SocketAddr, line: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("{line} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    tokio::time::timeout(Duration::from_secs(5), stream.read_to_string(&mut answer))
        .await
        .expect("in time")
        .unwrap();
    answer
}

#[tokio::test]
async fn tells_health_and_metrics() {
    let listener = bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut registry = Registry::default();
    let metrics = Metrics::new(&mut registry);
    let env = Env::system();
    let shared = Arc::new(Shared::new("here", metrics.clone(), env.clone()));
    let answers = Server { shared: shared.clone(), registry, env: env.clone() };
    let server = tokio::spawn(serve(Arc::new(answers), listener));
    assert!(
        request(address, "GET /healthz").await.starts_with("HTTP/1.1 503"),
        "nothing synced yet"
    );
    shared.health.synced(env.clock.now());
    metrics.synced(Sync::Full, Duration::from_millis(3), env.clock.now());
    let answer = request(address, "GET /healthz").await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("lastUpdated"), "{answer}");
    shared.health.node_leaves(true);
    assert!(request(address, "GET /healthz").await.starts_with("HTTP/1.1 503"), "the node leaves");
    assert!(request(address, "GET /livez").await.starts_with("HTTP/1.1 200"), "the proxy lives");
    let answer = request(address, "GET /metrics").await;
    for line in [
        r#"kubeproxy_sync_proxy_rules_duration_seconds_count{ip_family="IPv4"} 1"#,
        r#"kubeproxy_proxy_healthz_total{code="200"} 1"#,
        r#"kubeproxy_proxy_healthz_total{code="503"} 2"#,
        r#"kubeproxy_proxy_livez_total{code="200"} 1"#,
    ] {
        assert!(answer.contains(line), "{line}: {answer}");
    }
    assert!(request(address, "GET /nothing").await.starts_with("HTTP/1.1 404"));
    assert!(request(address, "POST /healthz").await.starts_with("HTTP/1.1 405"));
    server.abort();
}

#[test]
fn failing_for_long_is_unhealthy() {
    let (health, start) = (Health::default(), Timestamp::UNIX_EPOCH);
    health.synced(start);
    health.failed(start);
    assert!(health.is_healthy(start + SignedDuration::from_secs(60)));
    assert!(!health.is_healthy(start + SignedDuration::from_secs(61)));
    health.failed(start + SignedDuration::from_secs(61));
    assert!(
        !health.is_healthy(start + SignedDuration::from_secs(62)),
        "counted from the first failure"
    );
    health.synced(start + SignedDuration::from_secs(70));
    assert!(health.is_healthy(start + SignedDuration::from_secs(700)), "quiet is not unhealthy");
}

#[test]
fn a_change_that_waits_or_a_sync_that_hangs_is_unhealthy() {
    let (health, start) = (Health::default(), Timestamp::UNIX_EPOCH);
    let at = |seconds| start + SignedDuration::from_secs(seconds);
    health.began(start);
    health.synced(start);
    health.queued(at(100));
    assert!(health.is_healthy(at(160)) && !health.is_healthy(at(161)));
    health.began(at(110));
    assert!(!health.is_healthy(at(161)), "being synced is not synced");
    health.queued(at(115));
    health.synced(at(120));
    assert!(health.is_healthy(at(175)) && !health.is_healthy(at(176)), "the next one waits");
    health.began(at(170));
    health.synced(at(170));
    assert!(health.is_healthy(at(1000)));
}
