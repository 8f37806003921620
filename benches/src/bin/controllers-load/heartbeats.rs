//! What the heartbeats of many nodes cost.

use crate::nodes;
use crate::scene::Scene;
use std::time::Duration;
use windlass_benches::Result;
use windlass_core::component::Shutdown;

/// What follows the registration of the nodes is given so long first.
const SETTLE: Duration = Duration::from_secs(15);

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Nodes
    #[arg(long, default_value_t = 5000)]
    nodes: u32,
    /// So long, in seconds
    #[arg(long, default_value_t = 30)]
    seconds: u64,
}

pub(crate) async fn run(options: Options) -> Result<()> {
    let (scene, beating) = (Scene::open().await?, Shutdown::new());
    nodes::register(&scene, options.nodes, 110).await?;
    let agent = nodes::beat(&scene, options.nodes, beating.clone());
    tokio::time::sleep(SETTLE).await;
    let mark = scene.mark().await?;
    tokio::time::sleep(Duration::from_secs(options.seconds)).await;
    let used = scene.since(&mark).await?;
    println!(
        "heartbeats nodes {} s {:.0} writes {} core_percent {:.2} cpu_us_each {:.0}",
        options.nodes,
        used.passed.as_secs_f64(),
        used.writes,
        used.cpu.as_secs_f64() / used.passed.as_secs_f64() * 100.0,
        used.cpu.as_secs_f64() * 1e6 / used.writes.max(1) as f64,
    );
    beating.cancel();
    agent.await?;
    scene.close().await;
    Ok(())
}
