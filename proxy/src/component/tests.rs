//! The whole proxy on informers and a recording backend, in virtual time.

mod metrics;
mod policies;

use std::collections::HashMap;

use bytes::Bytes;
use futures::StreamExt;
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;
use windlass_core::client::{
    DeleteOptions, Key, ListOptions, Patch, Reader, Scope, WatchBatch, WatchEvent, WatchStream,
    Watcher, WriteOptions, Writer,
};
use windlass_core::meta::Status;
use windlass_core::object::ListMeta;
use windlass_core::{Error, ObjectList, Result};

use super::*;
use crate::backend::fake::{FakeBackend, Recorded};

const DEADLINE: Duration = Duration::from_secs(300);

/// Objects and changes as told; nobody writes through it.
#[derive(Default)]
struct Told {
    objects: HashMap<&'static str, Vec<Arc<Object>>>,
    watches: Mutex<HashMap<String, mpsc::Receiver<WatchBatch>>>,
    /// Resources that can't be listed.
    forbidden: Vec<&'static str>,
}

fn object(value: &Value) -> Arc<Object> {
    Arc::new(Object::from_wire(serde_json::to_vec(value).unwrap().into()).unwrap())
}

fn service(name: &str, version: u64) -> Arc<Object> {
    object(
        &json!({"metadata": {"name": name, "namespace": "default", "resourceVersion": version.to_string()},
        "spec": {"clusterIP": "10.96.0.1", "ports": [{"port": 80}]}}),
    )
}

fn slice(addresses: &[&str], version: u64) -> Arc<Object> {
    let endpoints: Vec<_> =
        addresses.iter().map(|address| json!({"addresses": [address]})).collect();
    object(
        &json!({"metadata": {"name": "web-1", "namespace": "default", "resourceVersion": version.to_string(),
        "labels": {"kubernetes.io/service-name": "web"}},
        "addressType": "IPv4", "ports": [{"port": 80}], "endpoints": endpoints}),
    )
}

#[async_trait]
impl Reader for Told {
    async fn get(&self, key: &Key) -> Result<Arc<Object>> {
        Err(Error::Transport(format!("nobody reads {key}")))
    }

    async fn list(&self, scope: &Scope, _options: &ListOptions) -> Result<ObjectList> {
        if self.forbidden.contains(&&*scope.resource.resource) {
            let status = Status::forbidden("", &scope.resource.resource, "", "no such right");
            return Err(status.into());
        }
        let items = self.objects.get(&*scope.resource.resource).cloned().unwrap_or_default();
        Ok(ObjectList {
            meta: ListMeta { resource_version: "1".into(), ..ListMeta::default() },
            items,
        })
    }
}

#[async_trait]
impl Watcher for Told {
    async fn watch(&self, scope: &Scope, _options: &ListOptions) -> Result<WatchStream> {
        let watch = self.watches.lock().remove(&*scope.resource.resource);
        Ok(match watch {
            Some(mut events) => {
                futures::stream::poll_fn(move |context| events.poll_recv(context)).map(Ok).boxed()
            }
            None => futures::stream::pending().boxed(),
        })
    }
}

#[async_trait]
impl Writer for Told {
    async fn create(&self, key: &Key, _: Bytes, _: &WriteOptions) -> Result<Arc<Object>> {
        Err(Error::Transport(format!("nobody writes {key}")))
    }
    async fn update(&self, key: &Key, _: Bytes, _: &WriteOptions) -> Result<Arc<Object>> {
        Err(Error::Transport(format!("nobody writes {key}")))
    }
    async fn patch(&self, key: &Key, _: Patch, _: &WriteOptions) -> Result<Arc<Object>> {
        Err(Error::Transport(format!("nobody writes {key}")))
    }
    async fn delete(&self, key: &Key, _: &DeleteOptions) -> Result<Option<Arc<Object>>> {
        Err(Error::Transport(format!("nobody writes {key}")))
    }
    async fn delete_collection(&self, _: &Scope, _: &ListOptions, _: &DeleteOptions) -> Result<()> {
        Err(Error::Transport("nobody writes".into()))
    }
}

/// A running proxy.
struct Running {
    recorded: watch::Receiver<Recorded>,
    /// Goes to the watch of slices.
    slices: mpsc::Sender<WatchBatch>,
    ready: Ready,
    shutdown: Shutdown,
    task: tokio::task::JoinHandle<std::result::Result<(), BoxError>>,
}

fn start(backend: FakeBackend, configure: impl FnOnce(ProxyBuilder) -> ProxyBuilder) -> Running {
    let (slices, events) = mpsc::channel(16);
    let told = Told {
        objects: HashMap::from([
            ("services", vec![service("web", 1)]),
            ("endpointslices", vec![slice(&["10.0.0.1"], 1)]),
        ]),
        watches: Mutex::new(HashMap::from([("endpointslices".to_owned(), events)])),
        forbidden: Vec::new(),
    };
    Running { slices, ..start_with(told, backend, configure) }
}

fn start_with(
    told: Told,
    backend: FakeBackend,
    configure: impl FnOnce(ProxyBuilder) -> ProxyBuilder,
) -> Running {
    let (slices, _) = mpsc::channel(1);
    let (ready, shutdown, recorded) = (Ready::default(), Shutdown::new(), backend.recorded());
    let factory = InformerFactory::new(Arc::new(told), shutdown.clone());
    let builder = Proxy::builder("here", factory, backend).env(Env::simulated(1));
    let proxy = Box::new(configure(builder).build());
    let task = tokio::spawn(proxy.run(ready.clone(), shutdown.clone()));
    Running { recorded, slices, ready, shutdown, task }
}

impl Running {
    async fn until(&mut self, what: &str, reached: impl FnMut(&Recorded) -> bool) -> Recorded {
        let reached = timeout(DEADLINE, self.recorded.wait_for(reached)).await;
        reached.unwrap_or_else(|_| panic!("never: {what}")).expect("the backend lives").clone()
    }

    async fn slice(&self, addresses: &[&str], version: u64) {
        let event = WatchEvent::Modified(slice(addresses, version));
        self.slices.send([event].into_iter().collect()).await.expect("the informer watches");
    }

    async fn stop(self) {
        self.shutdown.cancel();
        timeout(DEADLINE, self.task).await.expect("it stops").expect("no panic").expect("no error");
    }
}

fn serving(recorded: &Recorded) -> usize {
    recorded.ports.values().map(|port| port.cluster_endpoints.len()).sum()
}

#[tokio::test(start_paused = true)]
async fn syncs_all_first_and_then_what_changes() {
    let mut proxy = start(FakeBackend::new(), |builder| builder);
    timeout(DEADLINE, proxy.ready.wait()).await.expect("ready");
    let first = proxy.until("first sync", |recorded| recorded.resyncs == 1).await;
    assert_eq!((serving(&first), first.applied), (1, 0));
    proxy.slice(&["10.0.0.1", "10.0.0.2"], 2).await;
    let second = proxy.until("a change", |recorded| serving(recorded) == 2).await;
    assert_eq!((second.resyncs, second.applied), (1, 1));
    proxy.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_burst_goes_together() {
    let interval = Duration::from_secs(1);
    let mut proxy = start(FakeBackend::new(), |builder| builder.min_sync_interval(interval));
    proxy.until("first sync", |recorded| recorded.resyncs == 1).await;
    let started = tokio::time::Instant::now();
    for version in 2..12 {
        let address = format!("10.0.0.{version}");
        proxy.slice(&[&address, "10.0.0.100"], version).await;
    }
    let synced = proxy.until("the burst", |recorded| serving(recorded) == 2).await;
    assert_eq!(synced.applied, 1);
    assert!(started.elapsed() <= interval, "the delay is bounded");
    proxy.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_thousand_endpoints_that_flap_are_synced_at_a_bounded_rate() {
    let mut proxy = start(FakeBackend::new(), |builder| builder);
    proxy.until("first sync", |recorded| recorded.resyncs == 1).await;
    let started = tokio::time::Instant::now();
    let all: Vec<String> = (0..1000).map(|n| format!("10.1.{}.{}", n / 250, n % 250)).collect();
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    for version in 2..200 {
        // Half of them are gone each other time; in the end all are there.
        proxy.slice(&all[..if version % 2 == 0 { 500 } else { 1000 }], version).await;
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let synced = proxy.until("all of them", |recorded| serving(recorded) == 1000).await;
    let most = started.elapsed().as_millis() / 20 + 2;
    assert!(u128::from(synced.applied) <= most, "{} of {most}", synced.applied);
    assert_eq!(synced.resyncs, 1);
    proxy.stop().await;
}

#[tokio::test(start_paused = true)]
async fn failures_are_retried_with_a_full_resync() {
    let mut proxy = start(FakeBackend::new().failing(3), |builder| builder);
    proxy.slice(&["10.0.0.1", "10.0.0.2"], 2).await;
    assert!(!proxy.ready.is_set());
    let recorded = proxy.until("the fourth attempt", |recorded| serving(recorded) == 2).await;
    assert_eq!(recorded.resyncs, 1);
    timeout(DEADLINE, proxy.ready.wait()).await.expect("ready after the first success");
    proxy.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_change_does_not_wait_for_a_failure_of_long_standing() {
    let mut proxy = start(FakeBackend::new().failing(8), |builder| builder);
    // The eighth attempt fails by then; the ninth would be made more than ten seconds later.
    tokio::time::sleep(Duration::from_secs(14)).await;
    assert!(!proxy.ready.is_set(), "all attempts have failed so far");
    let changed = tokio::time::Instant::now();
    proxy.slice(&["10.0.0.1", "10.0.0.2"], 2).await;
    proxy.until("the change", |recorded| serving(recorded) == 2).await;
    assert!(changed.elapsed() <= Duration::from_secs(1), "{:?}", changed.elapsed());
    proxy.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_others_take_away_is_put_back_but_not_in_a_frenzy() {
    let started = tokio::time::Instant::now();
    let mut proxy = start(FakeBackend::new().losing(6), |builder| builder);
    proxy.until("all put back", |recorded| recorded.resyncs == 7 && serving(recorded) == 1).await;
    let taken = started.elapsed();
    assert!(
        taken > Duration::from_millis(100 + 200 + 400 + 800 + 1600),
        "it slows down: {taken:?}"
    );
    assert!(taken < Duration::from_secs(5), "the first time it is quick: {taken:?}");
    proxy.stop().await;
}

#[tokio::test]
async fn a_taken_health_address_is_an_error_that_says_so() {
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap();
    let proxy = start(FakeBackend::new(), |builder| builder.health_address(address));
    let error =
        timeout(DEADLINE, proxy.task).await.expect("it ends").expect("no panic").unwrap_err();
    assert!(error.to_string().contains(&address.to_string()), "{error}");
}
