//! What the server itself does for definitions, from watch events: names are given, and what is deleted
//! takes its objects with it.

mod finalizer;
mod follow;
mod names;
mod writer;

use super::Registrar;
use crate::registry::Registry;
use crate::storage::ReadVersion;
use finalizer::Finalizer;
pub(crate) use finalizer::begin_deletion;
use names::NamesReconciler;
use std::sync::Arc;
use windlass_core::client::Scope;
use windlass_core::component::{Component, Ready, Shutdown};
use windlass_core::controller::Controller;
use windlass_core::meta::Status;
use windlass_core::scheme;
use writer::Writer;

/// How many definitions lose their objects at once.
const FINALIZERS: usize = 4;

/// Serves the definitions there are, and follows them until shutdown. Does nothing on a server that serves
/// no definitions.
///
/// # Errors
/// When they can't be read.
pub(crate) async fn start(
    registry: &Arc<Registry>,
    registrar: &Arc<Registrar>,
    shutdown: &Shutdown,
) -> Result<(), Status> {
    let objects = &registry.objects;
    if !objects.serves(&scheme::CUSTOMRESOURCEDEFINITIONS) {
        return Ok(());
    }
    let scope = Scope::all(scheme::CUSTOMRESOURCEDEFINITIONS);
    for definition in objects.list_at(&scope, ReadVersion::Newest).await? {
        registrar.apply(&definition).await;
    }
    let writer = Arc::new(Writer::new(registry.clone(), registrar.clone()));
    let names = Controller::new("crd-names", NamesReconciler(writer.clone()));
    let again = Arc::default();
    let finalizer = Finalizer::new(writer, Arc::clone(&again), shutdown.clone());
    let finalizer = Controller::new("crd-finalizer", finalizer).workers(FINALIZERS);
    // Set here and nowhere else.
    again.get_or_init(|| finalizer.queue());
    let queues = follow::Queues { names: names.queue(), finalizer: finalizer.queue() };
    let follow = follow::run(objects.clone(), registrar.clone(), queues);
    let until = shutdown.clone();
    tokio::spawn(async move { until.run_until_cancelled(follow).await });
    run(names, shutdown.clone());
    run(finalizer, shutdown.clone());
    Ok(())
}

/// Runs a controller until shutdown, in a task of its own.
pub(crate) fn run(controller: impl Component + 'static, shutdown: Shutdown) {
    tokio::spawn(async move {
        let name = controller.name().to_owned();
        if let Err(error) = Box::new(controller).run(Ready::default(), shutdown).await {
            tracing::error!(name, %error, "a controller ended");
        }
    });
}
