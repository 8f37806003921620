//! Many Deployments: from the first apply until all their pods are ready, and what a settled cluster costs.

use crate::nodes;
use crate::scene::{Scene, deployment, until};
use futures::{StreamExt, TryStreamExt, stream};
use std::time::Duration;
use windlass_benches::Result;
use windlass_core::client::{ClientExt, Key};
use windlass_core::component::Shutdown;
use windlass_core::scheme;

/// So many clients apply.
const CLIENTS: usize = 16;
/// What is written late, like events, is given so long before rest is measured.
const SETTLE: Duration = Duration::from_secs(5);

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Deployments
    #[arg(long, default_value_t = 10_000)]
    deployments: usize,
    /// Pods of each
    #[arg(long, default_value_t = 10)]
    replicas: u64,
    /// Nodes
    #[arg(long, default_value_t = 1000)]
    nodes: u32,
    /// At most so long, in seconds
    #[arg(long, default_value_t = 400)]
    seconds: u64,
    /// So long at rest, in seconds; less than the 40 after which a silent node is given up
    #[arg(long, default_value_t = 20)]
    rest: u64,
}

pub(crate) async fn run(options: Options) -> Result<()> {
    let (scene, beating) = (Scene::open().await?, Shutdown::new());
    nodes::register(&scene, options.nodes, 256).await?;
    let agents = [nodes::beat(&scene, options.nodes, beating.clone()), nodes::run_pods(&scene)];
    let mut complete = scene.complete();
    let mark = scene.mark().await?;
    apply(&scene, &options).await?;
    let applied = scene.since(&mark).await?;
    until(&mut complete, options.deployments, options.seconds).await?;
    let ready = scene.since(&mark).await?;
    println!(
        "deployments {} pods {} nodes {} applied_s {:.1} ready_s {:.1} cpu_s {:.1} writes {} rss_mb {:.0}",
        options.deployments,
        options.deployments as u64 * options.replicas,
        options.nodes,
        applied.passed.as_secs_f64(),
        ready.passed.as_secs_f64(),
        ready.cpu.as_secs_f64(),
        ready.writes,
        scene.resident_mb()?,
    );
    tokio::time::sleep(SETTLE).await;
    beating.cancel();
    let mark = scene.mark().await?;
    tokio::time::sleep(Duration::from_secs(options.rest)).await;
    let rest = scene.since(&mark).await?;
    let part = rest.cpu.as_secs_f64() / rest.passed.as_secs_f64();
    println!("rest_s {} writes {} core_percent {:.2}", options.rest, rest.writes, part * 100.0);
    scene.close().await;
    for agent in agents {
        agent.await?;
    }
    Ok(())
}

async fn apply(scene: &Scene, options: &Options) -> Result<()> {
    let apply = |number: usize| async move {
        let name = format!("web-{number}");
        let key = Key::new(scheme::DEPLOYMENTS, "default", &name);
        let object = deployment(&name, options.replicas, "web:1");
        scene.client.apply(&key, "controllers-load", &object).await.map(drop)
    };
    let applied = stream::iter(0..options.deployments).map(apply).buffer_unordered(CLIENTS);
    Ok(applied.try_for_each(|()| async { Ok(()) }).await?)
}
