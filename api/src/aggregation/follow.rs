//! From events to the queue.

use super::Aggregator;
use super::controller::Request;
use super::service::{AUTOMANAGED, ApiService};
use crate::registry::Loopback;
use crate::storage::{ChangeKind, Event};
use futures::StreamExt;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use windlass_core::Object;
use windlass_core::client::Scope;
use windlass_core::meta::Status;
use windlass_core::scheme::{APISERVICES, ENDPOINTSLICES, GroupVersionResource, SERVICES};
use windlass_core::workqueue::WorkQueue;

/// Waiting time after a watch could not begin.
const AGAIN: Duration = Duration::from_millis(500);
/// Names the Service of an EndpointSlice.
const SERVICE: &str = "kubernetes.io/service-name";

type Queue = Arc<WorkQueue<Request>>;

enum Seen<'a> {
    There(&'a Object),
    Gone(&'a Object),
    /// All that is there was told.
    All,
}

/// Follows what matters for as long as it is polled.
pub(super) async fn run(aggregator: Arc<Aggregator>, queue: Queue) {
    let objects = &aggregator.registry.objects;
    let mut unseen = None;
    let services =
        each(objects, APISERVICES, |seen| services(&aggregator, &queue, &mut unseen, seen));
    tokio::join!(services, served(objects, &queue), behind(&aggregator, &queue));
}

/// What this server serves changes.
async fn served(objects: &Loopback, queue: &Queue) {
    let mut generations = objects.resources().generations();
    // Ends with the server.
    while generations.changed().await.is_ok() {
        queue.add(Request::Local);
    }
}

/// The Services of the others, and their endpoints: only while there are others.
async fn behind(aggregator: &Aggregator, queue: &Queue) {
    let objects = &aggregator.registry.objects;
    let mut any = aggregator.routes.any();
    let tell = |namespace: &str, service: &str| {
        let names = aggregator.routes.to(namespace, service);
        names.into_iter().for_each(|name| queue.add(Request::Available(name)));
    };
    let of_service = |seen: Seen<'_>| match seen {
        Seen::There(object) | Seen::Gone(object) => {
            tell(&object.header().namespace, object.name());
        }
        Seen::All => {}
    };
    let of_slice = |seen: Seen<'_>| match seen {
        Seen::There(object) | Seen::Gone(object) => {
            let namespace = &object.header().namespace;
            object.header().label(SERVICE).iter().for_each(|service| tell(namespace, service));
        }
        Seen::All => {}
    };
    while any.wait_for(|any| *any).await.is_ok() {
        tokio::select! {
            () = each(objects, SERVICES, of_service) => {}
            () = each(objects, ENDPOINTSLICES, of_slice) => {}
            _ = any.wait_for(|any| !*any) => {}
        }
    }
}

fn services(
    aggregator: &Aggregator,
    queue: &Queue,
    unseen: &mut Option<BTreeSet<String>>,
    seen: Seen<'_>,
) {
    match seen {
        Seen::There(object) => {
            unseen.get_or_insert_with(|| aggregator.routes.names()).remove(object.name());
            let service: ApiService = match object.view() {
                Ok(service) => service,
                Err(error) => {
                    return tracing::error!(name = object.name(), %error, "it can't be read");
                }
            };
            let moved = aggregator.routes.apply(object, &service);
            let remote = service.spec.service.is_some();
            if moved && !remote {
                forget(aggregator, &service);
            }
            if moved || service.available().is_none() {
                queue.add(Request::Available(object.name().to_owned()));
            }
            if object.header().label(AUTOMANAGED).is_some() {
                queue.add(Request::Local);
            }
        }
        Seen::Gone(object) => {
            if let (true, Ok(service)) = (aggregator.routes.remove(object.name()), object.view()) {
                forget(aggregator, &service);
            }
            queue.add(Request::Local);
        }
        Seen::All => {
            for name in unseen.take().unwrap_or_default() {
                aggregator.routes.remove(&name);
                aggregator.registry.objects.resources().touch();
            }
        }
    }
}

/// What another server served is served no longer.
fn forget(aggregator: &Aggregator, service: &ApiService) {
    aggregator.openapi.remove_remote(&service.spec.group_version());
    aggregator.registry.objects.resources().touch();
}

/// Tells what happens to objects. A watch may end at any time: then the next one begins with all there are.
async fn each(objects: &Loopback, resource: GroupVersionResource, mut tell: impl FnMut(Seen<'_>)) {
    if !objects.serves(&resource) {
        return std::future::pending().await;
    }
    loop {
        if let Err(status) = watch(objects, &resource, &mut tell).await {
            tracing::warn!(%status, resource = %resource.resource, "it can't be watched");
            tokio::time::sleep(AGAIN).await;
        }
    }
}

async fn watch(
    objects: &Loopback,
    resource: &GroupVersionResource,
    tell: &mut impl FnMut(Seen<'_>),
) -> Result<(), Status> {
    let mut events = objects.events(&Scope::all(resource.clone())).await?;
    while let Some(batch) = events.next().await {
        for event in batch? {
            match event {
                Event::Initial(object) => tell(Seen::There(&object)),
                Event::Change(ChangeKind::Deleted, change) => {
                    tell(Seen::Gone(change.object(ChangeKind::Deleted)));
                }
                Event::Change(kind, change) => tell(Seen::There(change.object(kind))),
                Event::Bookmark { .. } => tell(Seen::All),
            }
        }
    }
    Ok(())
}
