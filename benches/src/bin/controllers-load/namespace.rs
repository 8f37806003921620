//! The end of a namespace with many objects.

use crate::scene::Scene;
use futures::{StreamExt, TryStreamExt, stream};
use serde_json::json;
use std::time::Duration;
use windlass_benches::Result;
use windlass_core::Error;
use windlass_core::client::{ClientExt, DeleteOptions, Key, ListOptions, Scope, WatchEvent};
use windlass_core::scheme;

const NAME: &str = "full";
/// So many clients fill it.
const CLIENTS: usize = 16;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Objects in the namespace: ConfigMaps and Secrets
    #[arg(long, default_value_t = 10_000)]
    objects: usize,
    /// At most so long, in seconds
    #[arg(long, default_value_t = 120)]
    seconds: u64,
}

pub(crate) async fn run(options: Options) -> Result<()> {
    let scene = Scene::open().await?;
    let key = Key::cluster(scheme::NAMESPACES, NAME);
    scene.client.create_from(&key, &json!({"metadata": {"name": NAME}})).await?;
    fill(&scene, options.objects).await?;
    let mut events =
        scene.client.watch(&Scope::all(scheme::NAMESPACES), &ListOptions::default()).await?;
    let mark = scene.mark().await?;
    scene.client.delete(&key, &DeleteOptions::default()).await?;
    let gone = async {
        while let Some(batch) = events.next().await {
            let is_end = |event: &WatchEvent| matches!(event, WatchEvent::Deleted(object) if object.name() == NAME);
            if batch?.iter().any(is_end) {
                return Ok(());
            }
        }
        Err(Box::<dyn std::error::Error + Send + Sync>::from("the watch ended"))
    };
    let late = |_| format!("still there after {} s", options.seconds);
    tokio::time::timeout(Duration::from_secs(options.seconds), gone).await.map_err(late)??;
    let used = scene.since(&mark).await?;
    println!(
        "namespace objects {} s {:.2} cpu_s {:.2} writes {}",
        options.objects,
        used.passed.as_secs_f64(),
        used.cpu.as_secs_f64(),
        used.writes
    );
    scene.close().await;
    Ok(())
}

async fn fill(scene: &Scene, objects: usize) -> Result<()> {
    let create = |number: usize| async move {
        let name = format!("object-{number}");
        let (resource, object) = match number % 2 {
            0 => {
                (scheme::CONFIGMAPS, json!({"metadata": {"name": name}, "data": {"key": "value"}}))
            }
            _ => {
                (scheme::SECRETS, json!({"metadata": {"name": name}, "data": {"key": "dmFsdWU="}}))
            }
        };
        scene.client.create_from(&Key::new(resource, NAME, &name), &object).await?;
        Ok::<_, Error>(())
    };
    let filled = stream::iter(0..objects).map(create).buffer_unordered(CLIENTS);
    Ok(filled.try_for_each(|()| async { Ok(()) }).await?)
}
