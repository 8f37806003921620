use super::{EventLimit, EventRateLimit};
use crate::admission::testing::Ask;
use crate::authentication::User;
use crate::server::ApiServer;
use serde_json::json;
use std::time::Duration;
use windlass_core::scheme;

#[tokio::test(start_paused = true)]
async fn events_over_the_limit_are_refused() {
    let server = ApiServer::builder().build().await.unwrap();
    let limit = |kind: &str, burst: u32| -> EventLimit {
        serde_json::from_value(json!({"type": kind, "qps": 1, "burst": burst})).unwrap()
    };
    let event = |name: &str| json!({"involvedObject": {"name": name}});
    let plugin = EventRateLimit::new(vec![limit("User", 2), limit("SourceAndObject", 1)]);
    let ask = |user: &str, object: &str| {
        Ask::create(scheme::EVENTS, &event(object)).by(User::new(user, []))
    };
    let said =
        async |user: &str, object: &str| ask(user, object).of(&plugin, &server).await.refusal();
    assert_eq!(said("u", "a").await, "");
    assert_eq!(said("u", "a").await, "limit reached on type SourceAndObject for key a");
    assert_eq!(said("u", "b").await, "limit reached on type User for key u");
    assert_eq!(said("v", "c").await, "");
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!(said("u", "a").await, "");
    assert_eq!(said("u", "d").await, "limit reached on type User for key u");
}

#[tokio::test(start_paused = true)]
async fn only_so_many_are_remembered() {
    let server = ApiServer::builder().build().await.unwrap();
    let limit = json!({"type": "Namespace", "qps": 1, "burst": 1, "cacheSize": 1});
    let plugin = EventRateLimit::new(vec![serde_json::from_value(limit).unwrap()]);
    let ask = |namespace: &'static str| Ask::create(scheme::EVENTS, &json!({})).within(namespace);
    for (namespace, refused) in [("a", false), ("a", true), ("b", false), ("a", false)] {
        let refusal = ask(namespace).of(&plugin, &server).await.refusal();
        assert_eq!(!refusal.is_empty(), refused, "{namespace}");
    }
}
