use super::history::History;
use super::rates::{Usage, usage};
use super::sample::{Point, Sample};
use super::{ResourceMetrics, Source};
use crate::authentication::User;
use crate::local::LocalClient;
use crate::registry::Loopback;
use crate::server::ApiServer;
use async_trait::async_trait;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::time::Instant;
use windlass_core::client::{ClientExt, Key, ListOptions, Reader, Scope};
use windlass_core::clock::TokioClock;
use windlass_core::component::Shutdown;
use windlass_core::scheme::{GroupVersionResource, NAMESPACES, NODES, PODS};

const SAID: &str = r#"# TYPE node_cpu_usage_seconds_total counter
node_cpu_usage_seconds_total 12.5 1000
node_memory_working_set_bytes 2.5e+06 1000
container_cpu_usage_seconds_total{container="c",namespace="ns",pod="p"} 1.000000001 2000
container_memory_working_set_bytes{container="c",namespace="ns",pod="p"} 4096
container_start_time_seconds{container="c",namespace="ns",pod="p"} 1.5
container_swap_usage_bytes{container="c",namespace="ns",pod="p"} 0 2000
pod_cpu_usage_seconds_total{namespace="ns",pod="p"} 1 2000
resource_scrape_error 0
"#;

#[test]
fn what_agents_say_is_read() {
    let sample = Sample::parse(SAID, 7).expect("metrics");
    let node = Point { at: 1000, cpu: 12_500_000_000, memory: 2_500_000, started: 0 };
    assert_eq!(sample.node, node);
    let container = Point { at: 2000, cpu: 1_000_000_001, memory: 4096, started: 1500 };
    assert_eq!(sample.pods["ns/p"]["c"], container);
    assert_eq!(Sample::parse("node_cpu_usage_seconds_total 1", 7).expect("metrics").node.at, 7);
    for bad in ["node_cpu_usage_seconds_total x", "container_memory_working_set_bytes{pod=\"p\"} 1"]
    {
        assert!(Sample::parse(bad, 7).is_err(), "{bad}");
    }
}

#[test]
fn a_rate_needs_two_points_of_one_life() {
    let at = |at, cpu, started| Point { at, cpu, memory: 1, started };
    let rate = |new: Point, old: Option<Point>| {
        usage(&new, old.as_ref()).map(|Usage { window, cpu, .. }| (window, cpu))
    };
    let half = Some((2000, 500_000_000));
    assert_eq!(rate(at(5000, 3_000_000_000, 1), Some(at(3000, 2_000_000_000, 1))), half);
    assert_eq!(rate(at(5000, 3_000_000_000, 0), None), None, "nobody knows since when");
    assert_eq!(rate(at(5000, 1_000_000_000, 3000), None), half, "it is new");
    assert_eq!(rate(at(5000, 1_000_000_000, 3000), Some(at(2000, 9, 1))), half, "it was restarted");
    assert_eq!(rate(at(3000, 2, 0), Some(at(3000, 1, 0))), None, "no time has passed");
}

#[test]
fn a_pod_is_where_it_was_seen_last() {
    let sample = |at: i64, pods: &[&str]| {
        let of = |pod: &&str| {
            let of = format!("{{container=\"c\",namespace=\"ns\",pod=\"{pod}\"}}");
            format!(
                "container_cpu_usage_seconds_total{of} {at} {at}000\n\
                 container_memory_working_set_bytes{of} 1\n"
            )
        };
        let pods: String = pods.iter().map(of).collect();
        let node = format!("node_cpu_usage_seconds_total {at} {at}000\n");
        Sample::parse(&(node + &pods), 0).expect("metrics")
    };
    let mut history = History::default();
    assert!(history.put("a", sample(1, &["p", "q"])));
    assert!(!history.put("a", sample(1, &[])), "the same again says nothing");
    assert!(history.pod("ns", "p").is_none(), "one sample is not enough");
    history.put("a", sample(3, &["p", "q"]));
    assert_eq!(history.pod("ns", "p").expect("known")["c"].window, 2000);
    history.put("b", sample(1, &["q"]));
    history.put("b", sample(2, &["q"]));
    history.put("a", sample(4, &["p"]));
    assert_eq!(history.pod("ns", "q").expect("known")["c"].window, 1000);
    history.fail("b");
    assert!(history.pod("ns", "q").is_none(), "nobody says anything of it");
    let names = ["b", "a"].map(str::to_owned);
    assert_eq!(history.order(names.to_vec()), ["a", "b"], "who failed comes last");
    history.order(Vec::new());
    assert!(history.pod("ns", "p").is_none(), "its node is gone");
}

/// One node uses a quarter of a core, the other one says nothing.
#[derive(Clone)]
struct Nodes {
    start: Instant,
    asked: Arc<AtomicUsize>,
}

#[async_trait]
impl Source for Nodes {
    async fn read(&self, _: &Loopback, node: &str) -> Result<String, String> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        if node == "dead" {
            return std::future::pending().await;
        }
        let millis = 1000 + self.start.elapsed().as_millis();
        let cpu = millis as f64 / 4000.0;
        let of = r#"{container="c",namespace="default",pod="web"}"#;
        Ok(format!(
            "node_cpu_usage_seconds_total {cpu} {millis}\nnode_memory_working_set_bytes 2048\n\
             container_cpu_usage_seconds_total{of} {cpu} {millis}\n\
             container_memory_working_set_bytes{of} 1048576\n"
        ))
    }
}

fn metrics(resource: &'static str) -> GroupVersionResource {
    GroupVersionResource::new("metrics.k8s.io", "v1beta1", resource)
}

#[tokio::test(start_paused = true)]
async fn metrics_are_served_while_somebody_reads() {
    let source = Nodes { start: Instant::now(), asked: Arc::default() };
    let asked = source.asked.clone();
    let clock = Arc::new(TokioClock::starting_at(jiff::Timestamp::UNIX_EPOCH));
    let api = ResourceMetrics::new(source, clock, Shutdown::new());
    let server = api.serve(ApiServer::builder()).build().await.expect("a server");
    let client = LocalClient::new(server, User::admin());
    ResourceMetrics::publish(&client).await.expect("a role");
    ResourceMetrics::publish(&client).await.expect("also twice");
    let namespace = json!({"metadata": {"name": "default"}});
    client.create_from(&Key::cluster(NAMESPACES, "default"), &namespace).await.expect("made");
    for node in ["alive", "dead"] {
        let body = json!({"metadata": {"name": node, "labels": {"zone": "z"}}});
        client.create_from(&Key::cluster(NODES, node), &body).await.expect("a node");
    }
    for (pod, app) in [("web", "a"), ("other", "b")] {
        let body = json!({"metadata": {"name": pod, "labels": {"app": app}},
            "spec": {"nodeName": "alive", "containers": [{"name": "c", "image": "i"}]}});
        client.create_from(&Key::new(PODS, "default", pod), &body).await.expect("a pod");
    }
    assert_eq!(asked.load(Ordering::Relaxed), 0, "nobody reads");
    let begun = Instant::now();
    let nodes = client.list(&Scope::all(metrics("nodes")), &ListOptions::default()).await;
    let nodes = nodes.expect("a list").items;
    assert!(begun.elapsed() < Duration::from_secs(5), "the dead one is not waited for");
    let node: Value = nodes[0].view().expect("JSON");
    assert_eq!((nodes.len(), &node["metadata"]["name"]), (1, &json!("alive")));
    assert_eq!(node["metadata"]["labels"], json!({"zone": "z"}));
    assert_eq!(node["usage"], json!({"cpu": "250000000n", "memory": "2Ki"}));
    assert_eq!(node["window"], "1s");
    let begun = Instant::now();
    let web = client.get(&Key::new(metrics("pods"), "default", "web")).await.expect("known");
    let web: Value = web.view().expect("JSON");
    assert_eq!(
        (&web["kind"], &web["apiVersion"]),
        (&json!("PodMetrics"), &json!("metrics.k8s.io/v1beta1"))
    );
    let usage = json!({"cpu": "250000000n", "memory": "1024Ki"});
    assert_eq!(web["containers"], json!([{"name": "c", "usage": usage}]));
    let select = async |selector: &str| {
        let options = ListOptions { label_selector: selector.into(), ..ListOptions::default() };
        client.list(&Scope::all(metrics("pods")), &options).await.expect("a list").items.len()
    };
    assert_eq!((select("app=a").await, select("app=b").await), (1, 0));
    let other = client.get(&Key::new(metrics("pods"), "default", "other")).await;
    assert!(other.expect_err("nothing is known of it").is_not_found());
    assert_eq!(begun.elapsed(), Duration::ZERO, "what is known is told at once");
    tokio::time::sleep(Duration::from_secs(600)).await;
    let before = asked.load(Ordering::Relaxed);
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!(asked.load(Ordering::Relaxed), before, "it is quiet again");
    assert_eq!(select("").await, 1, "and begins anew");
}
