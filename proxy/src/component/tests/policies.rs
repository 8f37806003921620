//! Policies that are there from the start, that come later, and that may not be read.

use super::*;

fn policy(version: u64) -> Arc<Object> {
    object(
        &json!({"metadata": {"name": "deny", "namespace": "default", "resourceVersion": version.to_string()},
        "spec": {"podSelector": {}}}),
    )
}

fn pod() -> Arc<Object> {
    object(&json!({"metadata": {"name": "p", "namespace": "default", "resourceVersion": "1"},
        "spec": {"nodeName": "here"}, "status": {"podIP": "10.0.0.1"}}))
}

fn told() -> Told {
    let mut told = Told::default();
    told.objects.insert("services", vec![service("web", 1)]);
    told.objects.insert("pods", vec![pod()]);
    told
}

#[tokio::test(start_paused = true)]
async fn the_first_sync_has_them() {
    let mut told = told();
    told.objects.insert("networkpolicies", vec![policy(1)]);
    let mut proxy = start_with(told, FakeBackend::new(), |builder| builder);
    let first = proxy.until("a sync", |recorded| recorded.resyncs == 1).await;
    assert!(!first.policies.is_empty(), "no moment without them");
    assert_eq!(first.ports.len(), 1);
    proxy.stop().await;
}

#[tokio::test(start_paused = true)]
async fn the_first_one_may_come_later() {
    let (told, (send, events)) = (told(), mpsc::channel(1));
    told.watches.lock().insert("networkpolicies".to_owned(), events);
    let mut proxy = start_with(told, FakeBackend::new().failing(1), |builder| builder);
    let first = proxy.until("a sync", |recorded| recorded.resyncs == 1).await;
    assert!(first.policies.is_empty());
    send.send([WatchEvent::Added(policy(2))].into_iter().collect()).await.unwrap();
    proxy.until("it is enforced", |recorded| !recorded.policies.is_empty()).await;
    proxy.stop().await;
}

#[tokio::test(start_paused = true)]
async fn who_may_not_read_them_still_serves_services() {
    let mut told = told();
    told.forbidden = vec!["networkpolicies"];
    let mut proxy = start_with(told, FakeBackend::new(), |builder| builder);
    let started = tokio::time::Instant::now();
    let first = proxy.until("a sync", |recorded| recorded.resyncs == 1).await;
    assert_eq!(first.ports.len(), 1);
    assert!(started.elapsed() < Duration::from_secs(15), "{:?}", started.elapsed());
    proxy.stop().await;
}

#[tokio::test(start_paused = true)]
async fn switched_off_they_are_not_even_read() {
    let mut told = told();
    told.forbidden = vec!["networkpolicies"];
    let started = tokio::time::Instant::now();
    let mut proxy = start_with(told, FakeBackend::new(), |builder| builder.network_policies(false));
    proxy.until("a sync", |recorded| recorded.resyncs == 1).await;
    assert!(started.elapsed() < Duration::from_secs(1), "nobody was waited for");
    proxy.stop().await;
}
