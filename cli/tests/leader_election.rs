//! Two controller managers: one works, the other takes over when the first is killed; one that stood still writes nothing.

use serde_json::{Value, json};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use windlass::standalone::{Cluster, Options};
use windlass_core::cache::InformerFactory;
use windlass_core::client::{ClientExt, Key, Patch, Scope, WriteOptions};
use windlass_core::component::{BoxError, Shutdown};
use windlass_core::scheme;

const DEADLINE: Duration = Duration::from_secs(60);

/// A control plane without controllers, on a socket.
struct Scene {
    cluster: Cluster,
    informers: InformerFactory,
    shutdown: Shutdown,
    _dir: tempfile::TempDir,
}

/// `windlass-controller-manager`; killed when it is dropped.
struct Manager(Child);

impl Scene {
    async fn open() -> Result<Self, BoxError> {
        let dir = tempfile::tempdir()?;
        let options = Options {
            data_dir: Some(dir.path().into()),
            listen: Some(([127, 0, 0, 1], 0).into()),
            controllers: false,
            scheduler: false,
            ..Options::in_memory()
        };
        let (cluster, shutdown) = (Cluster::start(options).await?, Shutdown::new());
        let informers = InformerFactory::new(cluster.client(), shutdown.clone());
        Ok(Self { cluster, informers, shutdown, _dir: dir })
    }

    fn manager(&self) -> Result<Manager, BoxError> {
        let kubeconfig = self.cluster.kubeconfig().ok_or("it listens")?;
        let child = Command::new(env!("CARGO_BIN_EXE_windlass-controller-manager"))
            .arg("--kubeconfig")
            .arg(kubeconfig)
            .args(["--controllers", "replicaset-controller,serviceaccount-controller"])
            .args(["--health-address", "127.0.0.1:0", "--leader-elect-lease-duration", "2s"])
            .args(["--leader-elect-renew-deadline=1500ms", "--leader-elect-retry-period=300ms"])
            .stderr(Stdio::piped())
            .spawn()?;
        Ok(Manager(child))
    }

    /// Waits until the objects of a resource are as wanted; looks after each change.
    async fn until<T>(
        &self,
        what: &str,
        resource: scheme::GroupVersionResource,
        wanted: impl Fn(&[Value]) -> Option<T>,
    ) -> Result<T, BoxError> {
        let informer = self.informers.informer::<Value>(resource);
        let (tell, mut told) = tokio::sync::watch::channel(());
        informer.on_change(move |_| {
            tell.send_replace(());
        });
        let wait = async {
            loop {
                told.borrow_and_update();
                let all: Vec<Value> =
                    informer.list(None).iter().map(|entry| entry.view.clone()).collect();
                if let Some(found) = wanted(&all) {
                    return Ok(found);
                }
                told.changed().await?;
            }
        };
        tokio::time::timeout(DEADLINE, wait).await.map_err(|_| format!("{what}: in vain"))?
    }

    /// Waits for a holder of the Lease other than `old`.
    async fn leader(&self, old: &str) -> Result<String, BoxError> {
        let holder = |leases: &[Value]| {
            let of = |lease: &&Value| lease["metadata"]["name"] == "kube-controller-manager";
            let holder = leases.iter().find(of)?["spec"]["holderIdentity"].as_str()?;
            (holder != old).then(|| holder.to_owned())
        };
        self.until("a leader", scheme::LEASES, holder).await
    }

    async fn pods(&self, count: usize) -> Result<(), BoxError> {
        let enough = |pods: &[Value]| (pods.len() == count).then_some(());
        self.until(&format!("{count} pods"), scheme::PODS, enough).await
    }

    async fn scale(&self, replicas: usize) -> Result<(), BoxError> {
        let key = Key::new(scheme::REPLICASETS, "default", "web");
        let patch = Patch::merge(&json!({"spec": {"replicas": replicas}}));
        self.cluster.client().patch(&key, patch, &WriteOptions::default()).await?;
        Ok(())
    }

    async fn create(&self, replicas: usize) -> Result<(), BoxError> {
        let labels = json!({"app": "web"});
        let set = json!({"metadata": {"name": "web"}, "spec": {"replicas": replicas,
            "selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels},
            "spec": {"containers": [{"name": "c", "image": "x:1"}]}}}});
        let key = Key::new(scheme::REPLICASETS, "default", "web");
        self.cluster.client().create_from(&key, &set).await?;
        Ok(())
    }

    async fn close(self) {
        self.shutdown.cancel();
        self.cluster.stop().await;
    }
}

impl Manager {
    fn signal(&self, signal: rustix::process::Signal) -> Result<(), BoxError> {
        Ok(rustix::process::kill_process(rustix::process::Pid::from_child(&self.0), signal)?)
    }

    /// Waits for its end; whether it ended well, and what it said.
    async fn ended(mut self) -> Result<(bool, String), BoxError> {
        let mut said = self.0.stderr.take().ok_or("piped")?;
        let end = tokio::task::spawn_blocking(move || -> Result<_, BoxError> {
            let mut text = String::new();
            // It ends with the process.
            std::io::Read::read_to_string(&mut said, &mut text)?;
            Ok((self.0.wait()?.success(), text))
        });
        tokio::time::timeout(DEADLINE, end).await??
    }
}

impl Drop for Manager {
    fn drop(&mut self) {
        // It may have ended already.
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_takes_over_from_a_leader_that_is_killed() -> Result<(), BoxError> {
    let scene = Scene::open().await?;
    let first = scene.manager()?;
    let leader = scene.leader("").await?;
    let second = scene.manager()?;
    scene.create(2).await?;
    scene.pods(2).await?;
    drop(first);
    scene.leader(&leader).await?;
    scene.scale(4).await?;
    scene.pods(4).await?;
    // Asked to end, it gives the Lease back.
    second.signal(rustix::process::Signal::TERM)?;
    let free = |leases: &[Value]| {
        leases.iter().all(|lease| lease["spec"]["holderIdentity"].is_null()).then_some(())
    };
    scene.until("a free lease", scheme::LEASES, free).await?;
    assert!(second.ended().await?.0);
    scene.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_stood_still_writes_nothing() -> Result<(), BoxError> {
    let scene = Scene::open().await?;
    let first = scene.manager()?;
    let leader = scene.leader("").await?;
    let second = scene.manager()?;
    scene.create(2).await?;
    scene.pods(2).await?;
    first.signal(rustix::process::Signal::STOP)?;
    scene.leader(&leader).await?;
    scene.scale(3).await?;
    scene.pods(3).await?;
    drop(second);
    // Only the first could act on this now, and it may not.
    scene.scale(6).await?;
    first.signal(rustix::process::Signal::CONT)?;
    let (well, said) = first.ended().await?;
    assert!(!well && said.contains("was not renewed in time"), "{said}");
    let pods = scene.cluster.client().list(&Scope::all(scheme::PODS), &Default::default()).await?;
    assert_eq!(pods.items.len(), 3);
    scene.close().await;
    Ok(())
}
