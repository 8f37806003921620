//! One workload: pods from their creation until a watcher sees them bound.

use crate::bound::Bound;
use crate::create::Pods;
use crate::scene::{HOPELESS, Scene};
use std::path::PathBuf;
use std::time::Duration;
use tokio::task::JoinHandle;
use windlass_benches::workload::{BEFORE, PLACED, Template, Workload};
use windlass_benches::{Result, report, wire};
use windlass_core::client::{Client, Key, ListOptions, Scope, WriteOptions};
use windlass_core::scheme;

/// How far it is is told so often.
const TELL: Duration = Duration::from_secs(5);
/// Between two pods that find no room.
const HOPELESS_EVERY: Duration = Duration::from_millis(200);

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Its name, as `workloads` shows it
    #[arg(value_parser = workload)]
    workload: Workload,
    /// Nodes
    #[arg(long, default_value_t = 5000)]
    nodes: u64,
    /// Pods that are placed [default: as many as upstream has on so many nodes]
    #[arg(long)]
    pods: Option<u64>,
    /// Clients that create at the same time
    #[arg(long, default_value_t = 64)]
    clients: usize,
    /// Connections that they share
    #[arg(long, default_value_t = 8)]
    connections: usize,
    /// Creates so many a second; 0: as many as go
    #[arg(long, default_value_t = 0)]
    rate: u64,
    /// At most so long for the pods that are there before, and for those that are placed
    #[arg(long, default_value_t = 120.0)]
    seconds: f64,
    /// A folder on the disk to measure
    #[arg(long, default_value = "/tmp")]
    dir: PathBuf,
}

/// How pods came to their nodes.
struct Placed {
    /// From sent to seen bound, in nanoseconds.
    times: Vec<u64>,
    created: Duration,
    passed: Duration,
    cpu: Duration,
}

fn workload(name: &str) -> Result<Workload> {
    let named = Workload::all().into_iter().find(|workload| workload.name == name);
    Ok(named.ok_or("no such workload")?)
}

pub(crate) async fn run(options: Options) -> Result<()> {
    let (workload, nodes) = (&options.workload, options.nodes);
    let scene = Scene::open(&options.dir, options.connections).await?;
    scene.furnish(workload, nodes).await?;
    let (before, pods) = (workload.counts)(nodes);
    options.place(&scene, (BEFORE, &workload.before), before, 0).await?;
    let hopeless = workload.hopeless.clone().map(|template| keep_creating(&scene, template));
    scene.process.forget_peak()?;
    let pods = options.pods.unwrap_or(pods);
    let placed = options.place(&scene, (PLACED, &workload.placed), pods, options.rate).await?;
    let what = format!("{} nodes {nodes} before {before} pods", workload.name);
    report(&what, placed.times, placed.passed, placed.cpu);
    println!(
        "  s {:.2} created_s {:.2} rss_mb {:.0} peak_mb {:.0}",
        placed.passed.as_secs_f64(),
        placed.created.as_secs_f64(),
        scene.process.resident()? as f64 / 1e6,
        scene.process.peak()? as f64 / 1e6,
    );
    scene.close().await;
    match hopeless {
        Some(task) => task.await?,
        None => Ok(()),
    }
}

impl Options {
    /// Creates pods and waits until they are bound.
    async fn place(
        &self,
        scene: &Scene,
        (namespace, template): (&'static str, &Template),
        count: u64,
        rate: u64,
    ) -> Result<Placed> {
        let scope = Scope::namespace(scheme::PODS, namespace);
        let one = ListOptions { limit: 1, ..ListOptions::default() };
        let version = scene.client.list(&scope, &one).await?.meta.resource_version;
        let cpu = scene.process.cpu()?;
        let authority = &scene.server.authority;
        let pods = Pods::new((namespace, template), count, authority, self.seconds);
        let bound = Bound::new(pods.clone(), version);
        let create = async {
            match rate {
                0 => pods.create(scene, self.clients).await,
                rate => pods.create_at(scene, rate).await,
            }
        };
        let watch = async { wire::run(scene.server.connect().await?, 1, &bound).await };
        let both = async { tokio::try_join!(create, watch) };
        let (created, _) = tokio::select! {
            done = tokio::time::timeout(Duration::from_secs_f64(self.seconds), both) => {
                let late = |_| format!("{} of {count} bound in {} s", bound.count(), self.seconds);
                done.map_err(late)??
            }
            never = tell(namespace, &bound, count) => never,
        };
        let (passed, cpu) = (pods.passed(), scene.process.cpu()?.saturating_sub(cpu));
        Ok(Placed { times: bound.times(), created, passed, cpu })
    }
}

/// Says how far it is, for ever.
async fn tell<T>(namespace: &str, bound: &Bound, count: u64) -> T {
    loop {
        tokio::time::sleep(TELL).await;
        eprintln!("{namespace}: {} of {count} bound", bound.count());
    }
}

/// Creates pods that find no room until shutdown.
fn keep_creating(scene: &Scene, template: Template) -> JoinHandle<Result<()>> {
    let (client, shutdown) = (scene.client.clone(), scene.shutdown.clone());
    tokio::spawn(async move {
        let ended = shutdown.run_until_cancelled(create_hopeless(&*client, &template)).await;
        ended.unwrap_or(Ok(()))
    })
}

async fn create_hopeless(client: &dyn Client, template: &Template) -> Result<()> {
    let key = Key::new(scheme::PODS, HOPELESS, "");
    let mut timer = tokio::time::interval(HOPELESS_EVERY);
    for number in 0_u64.. {
        timer.tick().await;
        let pod = template.pod(HOPELESS, &format!("h-{number}"));
        client.create(&key, pod.into(), &WriteOptions::default()).await?;
    }
    Ok(())
}
