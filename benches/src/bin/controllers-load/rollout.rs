//! A rolling update of one large Deployment.

use crate::nodes;
use crate::scene::{Scene, deployment, until};
use windlass_benches::Result;
use windlass_core::client::{ClientExt, Key};
use windlass_core::component::Shutdown;
use windlass_core::scheme;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Pods of the Deployment
    #[arg(long, default_value_t = 5000)]
    pods: u64,
    /// Nodes
    #[arg(long, default_value_t = 100)]
    nodes: u32,
    /// At most so long, in seconds
    #[arg(long, default_value_t = 300)]
    seconds: u64,
}

pub(crate) async fn run(options: Options) -> Result<()> {
    let (scene, beating) = (Scene::open().await?, Shutdown::new());
    nodes::register(&scene, options.nodes, 256).await?;
    let agents = [nodes::beat(&scene, options.nodes, beating.clone()), nodes::run_pods(&scene)];
    let mut complete = scene.complete();
    for (what, image) in [("create", "web:1"), ("update", "web:2")] {
        let mark = scene.mark().await?;
        let key = Key::new(scheme::DEPLOYMENTS, "default", "web");
        let object = deployment("web", options.pods, image);
        scene.client.apply(&key, "controllers-load", &object).await?;
        if what == "update" {
            // What was complete is so no more once the change is seen.
            until(&mut complete, 0, options.seconds).await?;
        }
        until(&mut complete, 1, options.seconds).await?;
        let used = scene.since(&mark).await?;
        println!(
            "{what} pods {} s {:.1} cpu_s {:.1} writes {}",
            options.pods,
            used.passed.as_secs_f64(),
            used.cpu.as_secs_f64(),
            used.writes
        );
    }
    beating.cancel();
    scene.close().await;
    for agent in agents {
        agent.await?;
    }
    Ok(())
}
