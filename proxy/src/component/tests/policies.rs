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
    assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
    proxy.stop().await;
}

/// Warnings that were told while it is there.
#[derive(Clone, Default)]
struct Warnings(Arc<Mutex<Vec<String>>>);

impl tracing::Subscriber for Warnings {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        *metadata.level() == tracing::Level::WARN
    }
    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }
    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
    fn event(&self, event: &tracing::Event<'_>) {
        struct Text(String);
        impl tracing::field::Visit for Text {
            fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
                self.0 += &format!("{field}: {value:?} ");
            }
        }
        let mut text = Text(String::new());
        event.record(&mut text);
        self.0.lock().push(text.0);
    }
    fn enter(&self, _: &tracing::span::Id) {}
    fn exit(&self, _: &tracing::span::Id) {}
}

#[tokio::test(start_paused = true)]
async fn who_may_not_read_pods_is_told_so_once_and_serves_services() {
    let warnings = Warnings::default();
    let _listening = tracing::subscriber::set_default(warnings.clone());
    let mut told = told();
    told.forbidden = vec!["pods"];
    told.objects.insert("networkpolicies", vec![policy(1)]);
    let started = tokio::time::Instant::now();
    let mut proxy = start_with(told, FakeBackend::new(), |builder| builder);
    let first = proxy.until("a sync", |recorded| recorded.resyncs == 1).await;
    assert!(first.policies.is_empty() && first.ports.len() == 1);
    assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
    tokio::time::sleep(Duration::from_secs(60)).await;
    let warnings = warnings.0.lock().clone();
    let told = |text: &&String| text.contains("policies are not enforced");
    let told: Vec<_> = warnings.iter().filter(told).collect();
    assert!(told.len() == 1 && told[0].contains("pods is forbidden"), "{warnings:?}");
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
