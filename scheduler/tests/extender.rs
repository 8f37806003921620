//! Extenders over real connections: plain and with TLS.

#[path = "extender/server.rs"]
mod server;

use serde_json::{Value, json};
use server::Server;
use std::sync::Arc;
use std::time::Duration;
use windlass_api::authentication::User;
use windlass_api::local::LocalClient;
use windlass_api::server::ApiServer;
use windlass_core::cache::{HeaderOnly, InformerFactory};
use windlass_core::client::{Client, ClientExt, Key, Patch, WriteOptions};
use windlass_core::clock::Env;
use windlass_core::component::{Component, Ready, Shutdown};
use windlass_core::events::Recorder;
use windlass_core::scheme;
use windlass_scheduler::config::{Configuration, Registry};
use windlass_scheduler::{Extenders, Scheduler};

const DEADLINE: Duration = Duration::from_secs(30);

struct Cluster {
    client: Arc<dyn Client>,
    informers: InformerFactory,
    shutdown: Shutdown,
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

impl Cluster {
    /// Nodes `a`, `b` and `c` with four cores each, and these extenders.
    async fn start(extenders: Value) -> Self {
        let (env, shutdown) = (Env::simulated(7), Shutdown::new());
        let server = ApiServer::builder().env(env.clone()).build().await.expect("a server");
        let client: Arc<dyn Client> = Arc::new(LocalClient::new(server, User::admin()));
        let informers = InformerFactory::new(client.clone(), shutdown.clone());
        let cluster = Self {
            client: client.clone(),
            informers: informers.clone(),
            shutdown: shutdown.clone(),
        };
        let namespace = json!({"metadata": {"name": "ns"}});
        cluster.create(&Key::cluster(scheme::NAMESPACES, ""), namespace).await;
        for name in ["a", "b", "c"] {
            cluster
                .create(&Key::cluster(scheme::NODES, ""), json!({"metadata": {"name": name}}))
                .await;
            let amounts = json!({"cpu": "4", "memory": "8Gi", "pods": "110", "x.io/gpu": "1"});
            let status = json!({"status": {"allocatable": amounts, "capacity": amounts}});
            let key = Key::cluster(scheme::NODES, name).subresource("status");
            let patched = client.patch(&key, Patch::merge(&status), &WriteOptions::default()).await;
            patched.expect("a status");
        }
        let file = json!({"apiVersion": "kubescheduler.config.k8s.io/v1",
            "kind": "KubeSchedulerConfiguration", "extenders": extenders});
        let configuration = Configuration::new(file).expect("valid");
        let profiles = configuration.profiles(&Registry::default(), Some(client.clone()));
        let recorder =
            Recorder::new(client, env.clone(), "default-scheduler", "", shutdown.clone());
        let scheduler = Scheduler::builder(informers, recorder, env)
            .profiles(profiles.expect("valid"))
            .extenders(Extenders::new(configuration.extenders()).await.expect("valid"))
            .build();
        let ready = Ready::default();
        tokio::spawn(Box::new(scheduler).run(ready.clone(), shutdown));
        tokio::time::timeout(DEADLINE, ready.wait()).await.expect("the scheduler gets ready");
        cluster
    }

    async fn create(&self, key: &Key, object: Value) {
        let made = self.client.create_from(key, &object).await;
        made.unwrap_or_else(|error| panic!("{object}: {error}"));
    }

    async fn add_pod(&self, name: &str, requests: Value, priority: i32) {
        let pod = json!({"metadata": {"name": name}, "spec": {"priority": priority, "containers": [
            {"name": "c", "image": "i", "resources": {"requests": requests, "limits": requests}}]}});
        self.create(&Key::new(scheme::PODS, "ns", ""), pod).await;
    }

    async fn until<T>(&self, pod: &str, wanted: impl Fn(&Value) -> Option<T>) -> T {
        let pods = self.informers.informer::<HeaderOnly>(scheme::PODS);
        let found =
            pods.wait_for(|pods| wanted(&pods.get("ns", pod)?.object.view().expect("JSON")));
        tokio::time::timeout(DEADLINE, found).await.expect("it comes in time")
    }

    async fn bound(&self, pod: &str) -> String {
        self.until(pod, |pod| pod["spec"]["nodeName"].as_str().map(str::to_owned)).await
    }

    async fn refused(&self, pod: &str) -> String {
        let message = |pod: &Value| {
            let conditions = pod["status"]["conditions"].as_array()?;
            let said = conditions.iter().find(|c| c["type"] == "PodScheduled")?;
            said["message"].as_str().map(str::to_owned)
        };
        self.until(pod, message).await
    }
}

/// The names of the nodes in the arguments.
fn names(args: &Value) -> Vec<&str> {
    match args["NodeNames"].as_array() {
        Some(names) => names.iter().filter_map(Value::as_str).collect(),
        None => {
            let items = args["Nodes"]["items"].as_array().expect("nodes or names");
            items.iter().filter_map(|node| node["metadata"]["name"].as_str()).collect()
        }
    }
}

#[tokio::test]
async fn they_take_nodes_out_and_score_the_others() {
    let server = Server::start(|verb, args| match verb {
        "/base/keep" => {
            assert_eq!(args["Pod"]["spec"]["containers"][0]["name"], "c", "the whole pod");
            assert_eq!(args["Nodes"]["items"][0]["status"]["allocatable"]["cpu"], "4");
            let left: Vec<_> = args["Nodes"]["items"]
                .as_array()
                .expect("nodes")
                .iter()
                .filter(|node| node["metadata"]["name"] != "b")
                .collect();
            json!({"Nodes": {"items": left}, "FailedNodes": {"b": "b is not liked"}})
        }
        _ => {
            let score =
                |name: &&str| json!({"Host": name, "Score": if *name == "c" { 10 } else { 0 }});
            json!(names(&args).iter().map(score).collect::<Vec<_>>())
        }
    })
    .await;
    let cluster = Cluster::start(json!([{"urlPrefix": server.url("/base"), "filterVerb": "keep",
        "prioritizeVerb": "rate", "weight": 3}]))
    .await;
    // Each fills half of c: the extender's 300 points outweigh what the plugins say for emptier nodes.
    for pod in ["p", "q"] {
        cluster.add_pod(pod, json!({"cpu": "2"}), 0).await;
        assert_eq!(cluster.bound(pod).await, "c");
    }
    cluster.add_pod("r", json!({"cpu": "2"}), 0).await;
    assert_eq!(cluster.bound("r").await, "a");
    let big = json!({"cpu": "4"});
    cluster.add_pod("big", big, 0).await;
    assert_eq!(
        cluster.refused("big").await,
        "0/3 nodes are available: 1 b is not liked, 2 Insufficient cpu. preemption: 0/3 nodes are \
         available: 3 No preemption victims found for incoming pod."
    );
}

#[tokio::test]
async fn one_that_knows_the_nodes_gets_names_and_one_that_manages_a_resource_its_pods() {
    let server = Server::start(|verb, args| match verb {
        "/filter" => json!({"nodenames": [names(&args).last()]}),
        _ => {
            assert_eq!(args["PodName"], "gpu");
            json!({"Error": ""})
        }
    })
    .await;
    let managed = json!([{"name": "x.io/gpu", "ignoredByScheduler": true}]);
    let cluster = Cluster::start(json!([{"urlPrefix": server.url(""), "filterVerb": "filter",
        "bindVerb": "bind", "nodeCacheCapable": true, "managedResources": managed}]))
    .await;
    cluster.add_pod("plain", json!({"cpu": "1"}), 0).await;
    cluster.bound("plain").await;
    assert_eq!(server.asked(), 0, "it does not manage CPU");
    // More than a node has: the scheduler leaves that to the extender.
    cluster.add_pod("gpu", json!({"cpu": "1", "x.io/gpu": "2"}), 0).await;
    server.asked_for("/bind").await;
    let last = server.last("/bind");
    assert_eq!((&last["PodNamespace"], &last["Node"]), (&json!("ns"), &json!("c")));
}

#[tokio::test]
async fn one_that_says_it_has_bound_a_pod_and_has_not_is_asked_again() {
    let server = Server::start(|_, _| json!({"Error": ""})).await;
    let cluster = Cluster::start(json!([{"urlPrefix": server.url(""), "bindVerb": "bind"}])).await;
    cluster.add_pod("p", json!({"cpu": "1"}), 0).await;
    server.asked_often("/bind", 2).await;
}

#[tokio::test]
async fn they_say_whom_a_pod_may_push_away() {
    let server = Server::start(|_, args| {
        let all = args["NodeNameToVictims"].as_object().expect("a map");
        assert_eq!(all.len(), 3);
        let victim = &all["b"]["Pods"][0]["metadata"]["uid"];
        json!({"NodeNameToMetaVictims": {"b": {"Pods": [{"UID": victim}], "NumPDBViolations": 0}}})
    })
    .await;
    let cluster =
        Cluster::start(json!([{"urlPrefix": server.url(""), "preemptVerb": "preempt"}])).await;
    // Without the extender the least important one would go: that is not on b.
    for (pod, priority) in [("low-1", 5), ("low-2", 6), ("low-3", 7)] {
        cluster.add_pod(pod, json!({"cpu": "4"}), priority).await;
        cluster.bound(pod).await;
    }
    cluster.add_pod("high", json!({"cpu": "4"}), 100).await;
    let promised = |pod: &Value| pod["status"]["nominatedNodeName"].as_str().map(str::to_owned);
    assert_eq!(cluster.until("high", promised).await, "b");
}

#[tokio::test]
async fn one_that_fails_keeps_pods_waiting_unless_it_can_be_done_without() {
    let server = Server::start(|_, _| json!({"Error": "out of order"})).await;
    let one = |ignorable| json!([{"urlPrefix": server.url(""), "filterVerb": "f", "ignorable": ignorable}]);
    let cluster = Cluster::start(one(false)).await;
    cluster.add_pod("p", json!({"cpu": "1"}), 0).await;
    assert_eq!(cluster.refused("p").await, "out of order");
    let cluster = Cluster::start(one(true)).await;
    cluster.add_pod("p", json!({"cpu": "1"}), 0).await;
    cluster.bound("p").await;
}

#[tokio::test]
async fn tls_is_spoken_with_those_who_are_who_they_say() {
    let (server, authority) =
        Server::with_tls("extender.test", |_, args| json!({"NodeNames": [names(&args).first()]}))
            .await;
    use base64::Engine as _;
    let ca = base64::engine::general_purpose::STANDARD.encode(authority);
    let one = |name: &str| {
        json!([{"urlPrefix": server.url(""), "filterVerb": "filter", "enableHTTPS": true,
            "nodeCacheCapable": true, "httpTimeout": "2s",
            "tlsConfig": {"caData": ca, "serverName": name}}])
    };
    let cluster = Cluster::start(one("extender.test")).await;
    cluster.add_pod("p", json!({"cpu": "1"}), 0).await;
    assert_eq!(cluster.bound("p").await, "a");
    let cluster = Cluster::start(one("other.test")).await;
    cluster.add_pod("p", json!({"cpu": "1"}), 0).await;
    assert!(cluster.refused("p").await.starts_with("Post \"https://"));
}
