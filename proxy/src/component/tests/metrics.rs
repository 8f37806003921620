//! What is counted and timed on the way from the informers to the backend.

use windlass_core::View;
use windlass_core::cache::Entry;

use super::*;
use crate::metrics;

fn entry<V: View>(value: &Value) -> Arc<Entry<V>> {
    Arc::new(Entry::new(object(value)).unwrap())
}

/// A slice of `web` that began to change at a time, with one endpoint elsewhere.
fn changed_slice(name: &str, at: &str) -> Change<EndpointSliceView> {
    Change::Added(entry(
        &json!({"metadata": {"name": name, "namespace": "default", "labels": {"kubernetes.io/service-name": "web"},
            "annotations": {"endpoints.kubernetes.io/last-change-trigger-time": at}},
        "addressType": "IPv4", "ports": [{"port": 80}],
        "endpoints": [{"addresses": ["10.0.0.1"], "nodeName": "there"}]}),
    ))
}

#[tokio::test(start_paused = true)]
async fn changes_are_counted_and_timed() {
    let (mut registry, env) = (Registry::default(), Env::simulated(1));
    let shared = Arc::new(Shared::new("here", Metrics::new(&mut registry), env.clone()));
    let expect = |lines: &[&str]| {
        let text = metrics::text(&registry).unwrap();
        for line in lines {
            assert!(text.lines().any(|found| found == *line), "{line}: {text}");
        }
    };
    tokio::time::advance(Duration::from_secs(10)).await;
    shared.service(&Change::Added(entry(
        &json!({"metadata": {"name": "web", "namespace": "default"},
        "spec": {"type": "NodePort", "clusterIP": "10.96.0.1", "ports": [{"port": 80, "nodePort": 30080}],
            "internalTrafficPolicy": "Local", "externalTrafficPolicy": "Local"}}),
    )));
    shared.slice(&changed_slice("web-1", &env.clock.now().to_string()));
    shared.slice(&changed_slice("from-before", "1969-01-01T00:00:00Z"));
    shared.slice(&changed_slice("unreadable", "yesterday"));
    expect(&[
        "kubeproxy_sync_proxy_rules_service_changes_total 1",
        "kubeproxy_sync_proxy_rules_service_changes_pending 1",
        "kubeproxy_sync_proxy_rules_endpoint_changes_total 3",
        "kubeproxy_sync_proxy_rules_endpoint_changes_pending 3",
    ]);
    tokio::time::advance(Duration::from_secs(2)).await;
    let (backend, ready, shutdown) =
        (FakeBackend::new().failing(1), Ready::default(), Shutdown::new());
    let driver = Driver::new(shared.clone(), Box::new(backend), Duration::from_millis(20));
    let (until, done) = (ready.clone(), shutdown.clone());
    let driving = tokio::spawn(async move { driver.run(&until, &done).await });
    timeout(DEADLINE, ready.wait()).await.expect("the second attempt succeeds");
    shutdown.cancel();
    driving.await.unwrap();
    expect(&[
        "kubeproxy_sync_proxy_rules_service_changes_pending 0",
        "kubeproxy_sync_proxy_rules_endpoint_changes_pending 0",
        r#"kubeproxy_sync_proxy_rules_nftables_sync_failures_total{ip_family="IPv4"} 1"#,
        r#"kubeproxy_sync_proxy_rules_no_local_endpoints_total{ip_family="IPv4",traffic_policy="internal"} 1"#,
        r#"kubeproxy_sync_proxy_rules_no_local_endpoints_total{ip_family="IPv4",traffic_policy="external"} 1"#,
        r#"kubeproxy_sync_proxy_rules_no_local_endpoints_total{ip_family="IPv6",traffic_policy="internal"} 0"#,
        r#"kubeproxy_network_programming_duration_seconds_bucket{le="2.0",ip_family="IPv4"} 0"#,
        r#"kubeproxy_network_programming_duration_seconds_bucket{le="3.0",ip_family="IPv4"} 1"#,
        r#"kubeproxy_network_programming_duration_seconds_count{ip_family="IPv4"} 1"#,
    ]);
}
